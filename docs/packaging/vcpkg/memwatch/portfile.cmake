# SPDX-License-Identifier: Apache-2.0
# An overlay port that builds the checkout it lies in:
#   vcpkg install memwatch --overlay-ports=<checkout>/docs/packaging/vcpkg
# Not run by this project's tests, which have no vcpkg (../../README.md).
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../.." ABSOLUTE)

vcpkg_check_features(OUT_FEATURE_OPTIONS features FEATURES serve WITH_SERVE)
set(serve disabled)
if(WITH_SERVE)
  set(serve enabled)
endif()

set(ENV{BOOST_ROOT} "${CURRENT_INSTALLED_DIR}")  # where Meson looks for Boost's headers
vcpkg_configure_meson(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -Dserve=${serve} -Dcli=disabled -Dtests=false -Dexamples=false)
vcpkg_install_meson()

# memwatch builds both kinds; a triplet wants one. What interposes malloc is shared or nothing.
foreach(kind IN ITEMS "" "/debug")
  if(VCPKG_LIBRARY_LINKAGE STREQUAL "static")
    file(GLOB others "${CURRENT_PACKAGES_DIR}${kind}/lib/libmemwatch*.so*")
    list(APPEND others "${CURRENT_PACKAGES_DIR}${kind}/lib/pkgconfig/memwatch-new.pc")
  else()
    file(GLOB others "${CURRENT_PACKAGES_DIR}${kind}/lib/libmemwatch*.a")
  endif()
  if(others)
    file(REMOVE ${others})
  endif()
endforeach()

vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/memwatch)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share" "${CURRENT_PACKAGES_DIR}/share/doc")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
