// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <numeric>

#include <memwatch/diff/diff.hpp>

#include "model/fnv128.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

using namespace memwatch_test;

namespace {

std::string hex_of(std::string_view text) {
    fnv128 hash;
    hash.add_bytes(text);
    return fingerprint{static_cast<std::uint64_t>(hash.value() >> 64U), static_cast<std::uint64_t>(hash.value())}.hex();
}

// Where each row of a table goes.
std::vector<std::uint32_t> shuffle(random_source& random, std::size_t size) {
    std::vector<std::uint32_t> to(size);
    std::iota(to.begin(), to.end(), 0U);
    for (std::size_t i = size; i > 1; --i) { std::swap(to[i - 1], to[random.below(i)]); }
    return to;
}

template <class Row>
void permute(std::vector<Row>& rows, const std::vector<std::uint32_t>& to) {
    auto from = rows;
    for (std::size_t i = 0; i < rows.size(); ++i) { rows[to[i]] = std::move(from[i]); }
}

// The same heap as another process, on another host, would write it.
snapshot elsewhere(random_source& random, snapshot s) {
    const auto modules = shuffle(random, s.modules.size());
    const auto frames = shuffle(random, s.frames.size());
    const auto stacks = shuffle(random, s.stacks.size());
    const auto tags = shuffle(random, s.tags.size());
    const auto sites = shuffle(random, s.sites.size());
    for (auto& f : s.frames) {
        if (f.module != no_module) { f.module = modules[f.module]; }
    }
    for (auto& each : s.stacks) {
        for (auto& f : each.frames) { f = frames[f]; }
    }
    for (auto& each : s.sites) {
        each.stack = stacks[each.stack];
        each.tag = tags[each.tag];
    }
    for (auto& each : s.live) { each.site = sites[each.site]; }
    for (auto& each : s.pools) { each.oldest_frame = 0; }
    permute(s.modules, modules);
    permute(s.frames, frames);
    permute(s.stacks, stacks);
    permute(s.tags, tags);
    permute(s.sites, sites);
    permute(s.pools, shuffle(random, s.pools.size()));
    for (auto& each : s.modules) {
        each.start += 0x7000;  // ASLR
        each.limit += 0x7000;
        if (!each.build_id.empty()) { each.path = "/elsewhere" + each.path; }
    }
    for (auto& f : s.frames) {
        if (f.module != no_module) { f.lines.clear(); }  // not symbolized
    }
    s.survivals.clear();
    s.examples.clear();
    s.info.host = "elsewhere";
    s.info.pid += 1;
    return s;
}

delta diff_of(const snapshot& a, const snapshot& b, dimension by) {
    auto out = diff(a, b, {by});
    INFO((out ? "" : out.error().message()));
    REQUIRE(out);
    return *out;
}

// Sums of estimates, and of rows that share a name, round differently in another order.
bool has_no_change(const delta& d) {
    return std::all_of(d.rows.begin(), d.rows.end(), [](const delta_row& row) {
        return std::abs(row.bytes) <= 1e-9 * (row.before.live.bytes + row.after.live.bytes);
    });
}

constexpr dimension told_apart[] = {dimension::site, dimension::tag, dimension::pool};

}  // namespace

TEST_CASE("fnv128: is FNV-1a as Go's hash/fnv computes it") {
    CHECK(hex_of("") == "6c62272e07bb014262b821756295c58d");
    CHECK(hex_of("a") == "d228cb696f1a8caf78912b704e4a8964");
    CHECK(hex_of("abc") == "a68d622cec8b5822836dbc7977af7f3b");
    CHECK(hex_of("memwatch: 128 bits") == "77fb462ad2137597cd9d8a07c845c710");
}

TEST_CASE("fingerprint: is the same elsewhere, in any order of any table, and a diff is empty then") {
    for (int round = 0; round < 30; ++round) {
        const std::uint64_t seed = test_support::seed();
        INFO("seed " << seed);
        random_source random{seed};
        const auto a = random_snapshot(random);
        const auto b = elsewhere(random, a);
        REQUIRE(fingerprint_of(a) == fingerprint_of(b));
        for (const auto by : told_apart) {
            INFO("by " << to_string(by));
            const auto d = diff_of(a, b, by);
            CHECK(d.before_fingerprint == d.after_fingerprint);
            CHECK(has_no_change(d));
        }
        CHECK(diff_of(a, b, dimension::site).rows.empty());
        CHECK(has_no_change(diff_of(a, b, dimension::type)));
    }
}

TEST_CASE("fingerprint: whatever changes a row by site, tag or pool changes it") {
    for (int round = 0; round < 300; ++round) {
        const std::uint64_t seed = test_support::seed();
        INFO("seed " << seed);
        random_source random{seed};
        const auto a = random_snapshot(random, {6, 40});
        auto b = a;
        const auto at = random.below(b.sites.size());
        switch (random.below(7)) {
            case 0:
                b.sites[at].live.bytes += 1 + b.sites[at].live.bytes;
                break;
            case 1:
                b.sites[at].type += "x";
                break;
            case 2:
                b.tags[random.below(b.tags.size())].name += "x";
                break;
            case 3:
                b.frames[random.below(b.frames.size())].offset += 1;
                break;
            case 4:
                b.modules[random.below(b.modules.size())].build_id += "0";
                break;
            case 5:
                b.pools[random.below(b.pools.size())].in_use += 1;
                break;
            default:
                b.tags[0].allocated_bytes += b.tags[0].allocated_bytes == ~0ULL ? 0 : 1;
                break;
        }
        if (!validate(b)) { continue; }
        bool has_rows = false;
        for (const auto by : told_apart) { has_rows = has_rows || !has_no_change(diff_of(a, b, by)); }
        if (has_rows) { CHECK(fingerprint_of(a) != fingerprint_of(b)); }
    }
}

TEST_CASE("fingerprint: knows nothing of what was freed, and two sites of one identity are one") {
    snapshot s;
    s.tags = {{"untagged", 100, 1, 100, 1}};
    CHECK(fingerprint_of(s) == fingerprint_of(snapshot{}));
    s.stacks = {{}, {}};
    s.sites.resize(2);
    s.sites[0].live = {100, 1, 0, 0, 1};
    s.sites[1].stack = 1;
    s.sites[1].live = {200, 2, 0, 0, 2};
    auto one = s;
    one.sites.pop_back();
    one.sites[0].live = {300, 3, 0, 0, 3};
    CHECK(fingerprint_of(s) == fingerprint_of(one));
    CHECK(fingerprint_of(s) != fingerprint_of(snapshot{}));
}

TEST_CASE("fingerprint: code in no module whose calls are not all named is its address, as a diff has it") {
    snapshot a;
    a.tags = {{"untagged", 0, 0, 0, 0}};
    a.frames = {{no_module, 0x100, {{"", "", 7}}}};
    a.stacks = {{{0}, false}};
    a.sites.resize(1);
    a.sites[0].live = {100, 1, 0, 0, 1};
    auto b = a;
    b.frames[0].offset = 0x200;
    CHECK(!diff_of(a, b, dimension::site).rows.empty());
    CHECK(fingerprint_of(a) != fingerprint_of(b));
}
