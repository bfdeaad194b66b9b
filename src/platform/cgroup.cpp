// SPDX-License-Identifier: Apache-2.0
// What this process' cgroup and its ancestors allow: memory and CPU, v2 and v1.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace platform {
namespace {

// The number at the beginning of `text`; false for "max" and the like.
bool read_number(const std::string& text, std::uint64_t& value) {
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{};
}

std::string word_in(const std::string& path, int index = 0) {
    std::ifstream stream(path);
    std::string word;
    for (int i = 0; i <= index; ++i) {
        if (!(stream >> word)) { return {}; }
    }
    return word;
}

// Bytes; 0 for "max", for v1's "no limit" (a number near 2^63) and for no such file.
double memory_limit_in(const std::string& file) {
    constexpr std::uint64_t unlimited = 1ULL << 60U;
    std::uint64_t value = 0;
    return read_number(word_in(file), value) && value < unlimited ? static_cast<double>(value) : 0;
}

// CPUs: quota over period, both in microseconds; 0 = no quota ("max", or v1's -1).
double cpus_of(const std::string& quota_text, const std::string& period_text) {
    std::uint64_t quota = 0;
    std::uint64_t period = 0;
    if (!read_number(quota_text, quota) || !read_number(period_text, period) || quota == 0 || period == 0) { return 0; }
    return static_cast<double>(quota) / static_cast<double>(period);
}

double tighter(double a, double b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

using limit_reader = std::function<double(const std::string& folder)>;

// Least limit of `group` and its ancestors below `mount`.
double limit_up_from(const std::string& mount, std::string group, const limit_reader& limit_of) {
    double limit = limit_of(mount);
    while (group.size() > 1) {
        limit = tighter(limit, limit_of(mount + group));
        group.erase(group.rfind('/'));
    }
    return limit;
}

bool names_controller(std::string_view list, std::string_view controller) {
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        if (list.substr(0, comma) == controller) { return true; }
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return false;
}

// What "nr_throttled 12" in a cpu.stat says; 0 for no such file.
double throttled_in(const std::string& folder) {
    std::ifstream stream(folder + "/cpu.stat");
    std::string name;
    for (std::uint64_t value = 0; stream >> name >> value;) {
        if (name == "nr_throttled") { return static_cast<double>(value); }
    }
    return 0;
}

struct group_line {
    std::string controllers;  // empty: v2's
    std::string group;        // "/" or "/a/b"
};

std::vector<group_line> group_lines(const std::string& self) {
    std::vector<group_line> out;
    std::ifstream groups(self);
    for (std::string line; std::getline(groups, line);) {  // "0::/a/b" (v2) or "7:cpu,cpuacct:/a/b" (v1)
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) { continue; }
        std::string group = line.substr(second + 1);
        if (group.empty() || group.front() != '/') { continue; }
        out.push_back({line.substr(first + 1, second - first - 1), std::move(group)});
    }
    return out;
}

// The tightest limit of this process' group, by v2's reader on the unified tree and v1's on the controller's.
double tightest_limit(const std::string& root, const std::string& self, const std::string& controller, const limit_reader& v2,
                      const limit_reader& v1) {
    double limit = 0;
    for (const auto& [controllers, group] : group_lines(self)) {
        if (controllers.empty()) { limit = tighter(limit, limit_up_from(root, group, v2)); }
        if (names_controller(controllers, controller)) {
            limit = tighter(limit, limit_up_from(root + "/" + controller, group, v1));
        }
    }
    return limit;
}

// `group` and those above it below `mount`, of which `file` can be read.
std::vector<memory_group> groups_up_from(const std::string& mount, std::string group, const char* file, bool is_v2) {
    std::vector<memory_group> out;
    const auto add_if_counted = [&](const std::string& folder) {
        if (!word_in(folder + file).empty()) { out.push_back({folder, is_v2}); }
    };
    while (group.size() > 1) {
        add_if_counted(mount + group);
        group.erase(group.rfind('/'));
    }
    add_if_counted(mount);
    return out;
}

// How many CPUs the calling process may run on.
double usable_cpus() {
    for (std::size_t bits = 1024; bits <= 1U << 20U; bits *= 4) {  // the kernel refuses a set smaller than its own
        std::vector<cpu_set_t> set(bits / 8 / sizeof(cpu_set_t));
        if (sched_getaffinity(0, bits / 8, set.data()) == 0) { return CPU_COUNT_S(bits / 8, set.data()); }
    }
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? static_cast<double>(online) : 1;
}

}  // namespace

std::uint64_t cgroup_memory_limit(const std::string& root, const std::string& self) {
    const double limit = tightest_limit(
        root, self, "memory", [](const std::string& folder) { return memory_limit_in(folder + "/memory.max"); },
        [](const std::string& folder) { return memory_limit_in(folder + "/memory.limit_in_bytes"); });
    return static_cast<std::uint64_t>(limit);
}

std::vector<memory_group> memory_groups(const std::string& root, const std::string& self) {
    std::vector<memory_group> v2;
    std::vector<memory_group> v1;
    for (const auto& [controllers, group] : group_lines(self)) {
        if (controllers.empty()) { v2 = groups_up_from(root, group, "/memory.current", true); }
        if (names_controller(controllers, "memory")) {
            v1 = groups_up_from(root + "/memory", group, "/memory.usage_in_bytes", false);
        }
    }
    return v2.empty() ? v1 : v2;
}

// The least of the groups' counts that are not 0: of groups above, most have no quota, and a count that grows is enough.
std::uint64_t throttled_periods(const std::string& root, const std::string& self) {
    return static_cast<std::uint64_t>(tightest_limit(root, self, "cpu", &throttled_in, &throttled_in));
}

double available_cpus(const std::string& root, const std::string& self) {
    const double quota = tightest_limit(
        root, self, "cpu",
        [](const std::string& folder) { return cpus_of(word_in(folder + "/cpu.max", 0), word_in(folder + "/cpu.max", 1)); },
        [](const std::string& folder) {
            return cpus_of(word_in(folder + "/cpu.cfs_quota_us"), word_in(folder + "/cpu.cfs_period_us"));
        });
    return tighter(usable_cpus(), quota);
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
