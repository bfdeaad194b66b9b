// SPDX-License-Identifier: Apache-2.0
#pragma once
// A service in miniature for tests of comparisons: sites with whole stacks, blocks that are allocated and freed at will,
// snapshots of what is alive.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/model/snapshot.hpp>

namespace memwatch_test {

class small_service {
public:
    static constexpr std::uint64_t second_ns = 1'000'000'000;

    explicit small_service(std::uint64_t interval_bytes = 0) : interval_(interval_bytes) {
        state.info.session = "5e55";
        state.info.host = "h1";
        state.info.executable = "/opt/orders";
        state.info.started_unix_ns = 1'700'000'000 * second_ns;
        state.info.interval_bytes = interval_bytes;
        state.info.sampler = interval_bytes == 0 ? "full" : "poisson";
        state.modules.push_back({"/opt/orders", "b1", 0x400000, 0x500000, 0});
        state.modules.push_back({"/lib/libc.so.6", "b2", 0x800000, 0x900000, 0});
        state.tags.push_back({"untagged", 0, 0, 0, 0});
        state.routes.push_back("");
        state.threads.push_back({"other", 0, false});
    }

    // "function@file:line" a frame, leaf first; without '@' a function without lines, "" a frame without a name.
    std::uint32_t add_site(const std::vector<std::string>& calls, std::uint32_t tag = 0, const std::string& type = "") {
        memwatch::stack row;
        for (const std::string& each : calls) {
            row.frames.push_back(static_cast<std::uint32_t>(state.frames.size()));
            state.frames.push_back({0, 0x1000 + 0x10 * state.frames.size(), {}});
            const auto at = each.find('@');
            const auto colon = each.rfind(':');
            if (each.empty()) { continue; }
            if (at == std::string::npos) {
                state.frames.back().lines.push_back({each, "", 0});
            } else {
                state.frames.back().lines.push_back({each.substr(0, at), each.substr(at + 1, colon - at - 1),
                                                     static_cast<std::uint32_t>(std::stoul(each.substr(colon + 1)))});
            }
        }
        state.stacks.push_back(row);
        memwatch::site site;
        site.stack = static_cast<std::uint32_t>(state.stacks.size() - 1);
        site.tag = tag;
        site.type = type;
        state.sites.push_back(site);
        return static_cast<std::uint32_t>(state.sites.size() - 1);
    }

    std::uint32_t add_tag(const std::string& name, double weight) {
        state.tags.push_back({name, 0, 0, 0, 0, weight});
        return static_cast<std::uint32_t>(state.tags.size() - 1);
    }

    // A sampled block, born `at_s` seconds after the start.
    void allocate(std::uint32_t site, std::uint64_t size_bytes, double at_s) {
        memwatch::live_record row;
        row.sequence = ++sequence_;
        row.size_bytes = size_bytes;
        row.birth_ns = static_cast<std::uint64_t>(at_s * 1e9);
        row.interval_bytes = interval_;
        row.site = site;
        state.live.push_back(row);
    }

    // `count` blocks, evenly from `from_s` to `to_s`.
    void grow(std::uint32_t site, std::uint64_t size_bytes, int count, double from_s, double to_s) {
        for (int i = 0; i < count; ++i) { allocate(site, size_bytes, from_s + (to_s - from_s) * (i + 0.5) / count); }
    }

    // What is alive of what was born until `at_s`, as a snapshot taken then.
    [[nodiscard]] memwatch::snapshot take(double at_s) const {
        memwatch::snapshot copy = state;
        copy.info.taken_ns = static_cast<std::uint64_t>(at_s * 1e9);
        std::erase_if(copy.live, [&](const memwatch::live_record& r) { return r.birth_ns > copy.info.taken_ns; });
        std::stable_sort(copy.live.begin(), copy.live.end(),
                         [](const auto& a, const auto& b) { return a.sequence < b.sequence; });
        for (const memwatch::live_record& r : copy.live) { copy.sites[r.site].live.add(r.size_bytes, r.interval_bytes); }
        return copy;
    }

    memwatch::snapshot state;

private:
    std::uint64_t interval_;
    std::uint64_t sequence_{};
};

}  // namespace memwatch_test
