// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include <memwatch/model/fingerprint.hpp>

#include "model/fnv128.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

using number = fnv128::number;

// What lives under one identity, before it becomes part of the fingerprint.
struct holding {
    number identity;
    double bytes;
    double objects;
    bool operator<(const holding& other) const {
        return std::tie(identity, bytes, objects) < std::tie(other.identity, other.bytes, other.objects);
    }
};

// By build id; two modules of one build id in one process are told apart by their paths.
std::vector<number> module_identities(const snapshot& s) {
    std::map<std::string_view, int> copies;
    for (const auto& each : s.modules) { ++copies[each.build_id]; }
    std::vector<number> identities;
    for (const auto& each : s.modules) {
        fnv128 hash;
        hash.add(std::string_view{each.build_id});
        if (each.build_id.empty() || copies[each.build_id] > 1) { hash.add(std::string_view{each.path}); }
        identities.push_back(hash.value());
    }
    return identities;
}

// Code in no module has an address that means nothing in another process: its names and lines, where it has all,
// as the diff has it.
void add_code_without_module(fnv128& hash, const frame& f) {
    const auto has_name = [](const source_line& line) { return !line.function.empty(); };
    if (f.lines.empty() || !std::all_of(f.lines.begin(), f.lines.end(), has_name)) { return hash.add(f.offset); }
    for (const auto& line : f.lines) {
        hash.add(std::string_view{line.function});
        hash.add(std::uint64_t{line.line});
    }
}

std::vector<number> frame_identities(const snapshot& s) {
    const auto modules = module_identities(s);
    std::vector<number> identities;
    identities.reserve(s.frames.size());
    for (const auto& each : s.frames) {
        fnv128 hash;
        if (each.module < modules.size()) {
            hash.add(modules[each.module]);
            hash.add(each.offset);
        } else {
            add_code_without_module(hash, each);
        }
        identities.push_back(hash.value());
    }
    return identities;
}

void add_sites(const snapshot& s, std::vector<holding>& out) {
    const auto frames = frame_identities(s);
    for (const auto& each : s.sites) {
        if (each.live.bytes == 0 && each.live.objects == 0) { continue; }
        fnv128 hash;
        hash.add(std::string_view{"site"});
        for (const auto index : s.stacks[each.stack].frames) { hash.add(frames[index]); }
        hash.add(std::string_view{each.type});
        hash.add(std::string_view{s.tags[each.tag].name});
        out.push_back({hash.value(), each.live.bytes, each.live.objects});
    }
}

void add_exact(const char* kind, std::string_view name, std::uint64_t bytes, std::uint64_t objects, std::vector<holding>& out) {
    if (bytes == 0 && objects == 0) { return; }
    fnv128 hash;
    hash.add(std::string_view{kind});
    hash.add(name);
    out.push_back({hash.value(), static_cast<double>(bytes), static_cast<double>(objects)});
}

// Rows of one identity count as one: a damaged dump, or two sites that a diff takes for the same.
void unite(std::vector<holding>& holdings) {
    std::sort(holdings.begin(), holdings.end());
    std::size_t kept = 0;
    for (const auto& each : holdings) {
        if (kept != 0 && holdings[kept - 1].identity == each.identity) {
            holdings[kept - 1].bytes += each.bytes;
            holdings[kept - 1].objects += each.objects;
        } else {
            holdings[kept++] = each;
        }
    }
    holdings.resize(kept);
}

}  // namespace

fingerprint fingerprint_of(const snapshot& s) {
    std::vector<holding> holdings;
    add_sites(s, holdings);
    for (const auto& each : s.tags) { add_exact("tag", each.name, each.live_bytes(), each.live_objects(), holdings); }
    for (const auto& each : s.pools) { add_exact("pool", each.name, each.in_use * each.object_bytes, each.in_use, holdings); }
    unite(holdings);
    fnv128 hash;
    for (const auto& each : holdings) {
        hash.add(each.identity);
        hash.add(each.bytes);
        hash.add(each.objects);
    }
    return {static_cast<std::uint64_t>(hash.value() >> 64U), static_cast<std::uint64_t>(hash.value())};
}

std::string fingerprint::hex() const {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const auto half : {high, low}) {
        for (int shift = 60; shift >= 0; shift -= 4) { text += digits[half >> static_cast<unsigned>(shift) & 0xFU]; }
    }
    return text;
}

}  // namespace v1
}  // namespace memwatch
