# SPDX-License-Identifier: Apache-2.0
"""A Conan 2 recipe that packages the checkout it lies in: `conan create docs/packaging/conan --build=missing`.

Not run by this project's tests, which have no Conan (../README.md).
"""

import os

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, rm, rmdir
from conan.tools.gnu import PkgConfigDeps
from conan.tools.layout import basic_layout
from conan.tools.meson import Meson, MesonToolchain


class MemwatchRecipe(ConanFile):
    name = "memwatch"
    version = "0.1.0"
    license = "Apache-2.0"
    description = "Embedded leak detection for long-running C++ services"
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "serve": [True, False]}
    default_options = {"shared": True, "serve": True}

    def requirements(self):
        self.requires("tl-expected/[>=1.0]", transitive_headers=True)  # in memwatch's own headers
        self.requires("boost/[>=1.74]", headers=True, libs=False)
        self.requires("fmt/[>=9]")
        self.requires("protozero/[>=1.7]")
        self.requires("rapidjson/[*]")
        self.requires("zlib/[>=1.2.11 <2]")
        if self.options.serve:
            self.requires("prometheus-cpp/[>=1.0]", transitive_headers=True)

    def validate(self):
        check_min_cppstd(self, 17)  # of its users; the library itself asks Meson for C++20

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..", "..", "..")
        for part in ("meson.build", "meson_options.txt", "LICENSE", "include/*", "src/*"):
            copy(self, part, src=root, dst=self.export_sources_folder)

    def layout(self):
        basic_layout(self)

    def generate(self):
        toolchain = MesonToolchain(self)
        toolchain.project_options.update(serve="enabled" if self.options.serve else "disabled", cli="disabled", tests=False, examples=False,
                                         cpp_std="c++20")
        toolchain.properties["boost_root"] = self.dependencies["boost"].package_folder
        for name in ("tl-expected", "protozero", "rapidjson"):  # header-only: meson.build looks for the header
            toolchain.extra_cxxflags += ["-isystem" + path for path in self.dependencies[name].cpp_info.aggregated_components().includedirs]
        toolchain.generate()
        PkgConfigDeps(self).generate()

    def build(self):
        meson = Meson(self)
        meson.configure()
        meson.build()

    def package(self):
        Meson(self).install()
        libraries = os.path.join(self.package_folder, "lib")
        rm(self, "libmemwatch*.a" if self.options.shared else "libmemwatch*.so*", libraries)
        for folder in ("cmake", "pkgconfig"):  # Conan writes its own
            rmdir(self, os.path.join(libraries, folder))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "memwatch")
        core = self.cpp_info.components["core"]
        core.set_property("cmake_target_name", "memwatch::memwatch")
        core.set_property("pkg_config_name", "memwatch")
        core.libs = ["memwatch"]
        core.system_libs = ["pthread"]
        core.requires = ["tl-expected::tl-expected", "boost::headers", "fmt::fmt", "protozero::protozero", "rapidjson::rapidjson", "zlib::zlib"]
        if self.options.serve:
            serve = self.cpp_info.components["serve"]
            serve.set_property("cmake_target_name", "memwatch::serve")
            serve.set_property("pkg_config_name", "memwatch-serve")
            serve.libs = ["memwatch-serve"]
            serve.requires = ["core", "prometheus-cpp::prometheus-cpp-core"]
