// SPDX-License-Identifier: Apache-2.0
#pragma once
// A footprint in which every member has a value of its own, names that no terminal and no document should obey included.

#include <memwatch/model/footprint.hpp>

namespace test_support {

inline memwatch::footprint example_footprint() {
    using namespace memwatch;
    constexpr std::uint64_t mib = std::uint64_t{1} << 20U;
    footprint f;
    f.pid = 4711;
    f.taken_ns = 100'000'000'000;
    f.took_ns = 12'000'000;
    f.resident_bytes = 600 * mib;
    f.rows = {{footprint_part::tracked_live, footprint_basis::estimated, 100 * mib, 3.0 * mib, ""},
              {footprint_part::retained, footprint_basis::measured, 412 * mib, 0, "in 3 arenas"},
              {footprint_part::code, footprint_basis::derived, 90 * mib, 0, "a|b `c` \x1b[31m"}};
    f.unexplained_bytes = -2 * static_cast<std::int64_t>(mib);
    f.not_detailed = "VmRSS is above 8.0 GiB";
    f.cgroup = {
        2, "/orders.service", 700 * mib, 1024 * mib, 650 * mib, {}, 10 * static_cast<std::int64_t>(mib), "slab is not told"};
    f.cgroup.rows = {{cgroup_part::this_process, footprint_basis::measured, 600 * mib, ""},
                     {cgroup_part::page_cache, footprint_basis::derived, 90 * mib, "mapped or not"}};
    f.allocators.push_back({"glibc", "2.36", "/lib/libc.so.6", true, 110 * mib, 420 * mib, 530 * mib, 522 * mib, 412 * mib, 3,
                            "malloc_trim(0)", "its own tables are not told"});
    f.allocators.push_back({"jemalloc", "", "/opt/lib.so", false, 1, 2, 3, 4, 5, 0, "", ""});
    f.modules.push_back({"/usr/bin/orders", "abcd", 9 * mib, 2 * mib, 80.5 * mib, 1.5 * mib});
    f.modules.push_back({"/opt/<b>plugin</b>.so", "", 5, 6, 7, 8});
    f.kernel = {mib, 12, 3, 4, {}, {}, 7, "slab belongs to the group"};
    f.kernel.growth.push_back({kernel_part::sockets, true, 5 * mib, 60'000'000'000, 1024.5, -0.25, 9});
    f.kernel.regions.push_back({64 * mib, 32 * mib, 40'000'000'000, "memfd:\n# heading"});
    f.changed_bytes = 4097;
    return f;
}

}  // namespace test_support
