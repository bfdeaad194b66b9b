// SPDX-License-Identifier: Apache-2.0
#include "footprint/cgroup_rows.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "footprint/kernel_text.hpp"
#include "platform/kernel_file.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t stack_of_a_thread = 16U << 10U;  // THREAD_SIZE of x86-64 and aarch64

std::string text_of(const std::string& file) {
    std::string text(16U << 10U, '\0');  // memory.stat of v2 is some 2 KiB
    text.resize(platform::read_kernel_file(file.c_str(), text.data(), text.size()));
    return text;
}

std::uint64_t number_in(const std::string& file) { return parse_bytes(text_of(file), 0); }

// The value of row `name` of memory.stat; 0 for none.
std::uint64_t stat_of(std::string_view text, std::string_view name) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line = text.substr(at, end - at);
        if (line.size() > name.size() && line.substr(0, name.size()) == name && line[name.size()] == ' ') {
            return parse_bytes(line.substr(name.size() + 1), 0);
        }
        at = end + 1;
    }
    return 0;
}

std::uint64_t less(std::uint64_t a, std::uint64_t b) noexcept { return a > b ? a - b : 0; }

void add(cgroup_footprint& into, cgroup_part part, std::uint64_t bytes, footprint_basis basis = footprint_basis::measured,
         std::string note = {}) {
    into.rows.push_back({part, basis, bytes, std::move(note)});
}

void add_anonymous(cgroup_footprint& into, std::uint64_t anonymous, const process_memory& self) {
    const std::uint64_t own = std::min(anonymous, self.anonymous);
    add(into, cgroup_part::this_process, own, footprint_basis::measured,
        own < self.anonymous ? "the rest of its anonymous memory is charged to another group, where it was first" : "");
    add(into, cgroup_part::other_processes, anonymous - own, footprint_basis::derived,
        "anonymous memory of the group less this process'");
}

void measure_v2(const std::string& folder, const process_memory& self, cgroup_footprint& into) {
    into.current_bytes = number_in(folder + "/memory.current");
    into.limit_bytes = number_in(folder + "/memory.max");
    const std::string stat = text_of(folder + "/memory.stat");
    const std::uint64_t file = stat_of(stat, "file");
    const std::uint64_t shared = std::min(file, stat_of(stat, "shmem"));
    const std::uint64_t stacks = stat_of(stat, "kernel_stack");
    const std::uint64_t tables = stat_of(stat, "pagetables") + stat_of(stat, "sec_pagetables");
    const std::uint64_t slab = stat_of(stat, "slab");
    const std::uint64_t kernel = stat_of(stat, "kernel");  // all of it, since Linux 5.18
    const std::uint64_t other = stat_of(stat, "percpu") + stat_of(stat, "vmalloc") + stat_of(stat, "zswap");
    add_anonymous(into, stat_of(stat, "anon"), self);
    add(into, cgroup_part::shared, shared);
    add(into, cgroup_part::page_cache, file - shared);
    add(into, cgroup_part::page_tables, tables);
    add(into, cgroup_part::kernel_stacks, stacks);
    add(into, cgroup_part::slab, slab);
    add(into, cgroup_part::sockets, stat_of(stat, "sock"));
    add(into, cgroup_part::other_kernel, std::max(other, less(kernel, stacks + tables + slab)));
    const std::uint64_t cache = stat_of(stat, "active_file") + stat_of(stat, "inactive_file");
    into.unreclaimable_bytes = less(into.current_bytes, cache + stat_of(stat, "slab_reclaimable"));
}

void measure_v1(const std::string& folder, const process_memory& self, cgroup_footprint& into) {
    into.current_bytes = number_in(folder + "/memory.usage_in_bytes");
    into.limit_bytes = number_in(folder + "/memory.limit_in_bytes");
    const std::string stat = text_of(folder + "/memory.stat");
    const std::uint64_t cache = stat_of(stat, "total_cache");
    const std::uint64_t shared = std::min(cache, stat_of(stat, "total_shmem"));
    const std::uint64_t sockets = number_in(folder + "/memory.kmem.tcp.usage_in_bytes");
    const std::uint64_t kernel = number_in(folder + "/memory.kmem.usage_in_bytes");
    const std::uint64_t tables = std::min(kernel, self.page_tables);
    const std::uint64_t stacks = std::min(less(kernel, tables), self.threads * stack_of_a_thread);
    add_anonymous(into, stat_of(stat, "total_rss"), self);
    add(into, cgroup_part::shared, shared);
    add(into, cgroup_part::page_cache, cache - shared);
    add(into, cgroup_part::page_tables, tables, footprint_basis::measured, "this process' alone");
    add(into, cgroup_part::kernel_stacks, stacks, footprint_basis::derived, "this process' threads, 16 KiB each");
    add(into, cgroup_part::sockets, sockets);
    add(into, cgroup_part::other_kernel, less(kernel, tables + stacks), footprint_basis::measured,
        "v1 does not tell slab from the rest");
    into.unreclaimable_bytes =
        less(into.current_bytes, stat_of(stat, "total_active_file") + stat_of(stat, "total_inactive_file"));
}

}  // namespace

cgroup_footprint measure_cgroup(const kernel_roots& roots, const process_memory& self) {
    cgroup_footprint out;
    const std::vector<platform::memory_group> groups = platform::memory_groups(roots.cgroup, roots.process + "/cgroup");
    if (groups.empty()) {
        out.detail = "no cgroup that counts memory";
        return out;
    }
    const platform::memory_group& own = groups.front();
    out.version = own.is_v2 ? 2 : 1;
    out.group = own.folder.substr(std::min(roots.cgroup.size(), own.folder.size()));
    own.is_v2 ? measure_v2(own.folder, self, out) : measure_v1(own.folder, self, out);
    if (out.current_bytes == 0) { out.detail = "the group's figures could not be read"; }
    std::int64_t rest = static_cast<std::int64_t>(out.current_bytes);
    for (const cgroup_row& each : out.rows) { rest -= static_cast<std::int64_t>(each.bytes); }
    out.unexplained_bytes = rest;
    return out;
}

}  // namespace v1
}  // namespace memwatch
