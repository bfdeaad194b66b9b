// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "snapshot/excerpt.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

using namespace memwatch;
using memwatch_test::random_snapshot;
using memwatch_test::random_source;

namespace {

// A site in words that do not depend on rows.
std::string told(const snapshot& s, const site& row) {
    std::string text = row.type + "|" + std::to_string(row.tag) + "|" + std::to_string(row.live.bytes);
    for (const std::uint32_t index : s.stacks[row.stack].frames) {
        const frame& f = s.frames[index];
        text += "|" + (f.module == no_module ? "?" : s.modules[f.module].path) + "+" + std::to_string(f.offset);
    }
    return text;
}

std::string told(const snapshot& s, const live_record& row) {
    return told(s, s.sites[row.site]) + "#" + std::to_string(row.sequence) + s.routes[row.route] + s.threads[row.thread].name;
}

}  // namespace

TEST_CASE("excerpt: rows mean what they meant, and the whole is sound", "[snapshot]") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    random_source r(seed);
    for (int round = 0; round < 200; ++round) {
        const snapshot whole = random_snapshot(r, {1 + r.below(40), r.below(12)});
        REQUIRE(validate(whole));
        const std::size_t most = r.below(10);
        const snapshot cut = excerpt_of(whole, most);
        const auto checked = validate(cut);
        INFO((checked ? std::string() : checked.error().message()));
        REQUIRE(checked);
        CHECK(cut.tags.size() == whole.tags.size());
        std::vector<std::string> sites;
        for (const site& row : whole.sites) { sites.push_back(told(whole, row)); }
        for (const site& row : cut.sites) { CHECK(std::count(sites.begin(), sites.end(), told(cut, row)) >= 1); }
        REQUIRE(cut.live.size() == whole.live.size());
        for (std::size_t i = 0; i < cut.live.size(); ++i) { CHECK(told(cut, cut.live[i]) == told(whole, whole.live[i])); }
        CHECK(cut.sites.size() <= 2 * most + whole.live.size());
        CHECK(cut.sites.size() >= std::min(most, whole.sites.size()));
    }
}

TEST_CASE("excerpt: the largest sites stay, and the accused however small", "[snapshot]") {
    random_source r(test_support::seed());
    snapshot s = random_snapshot(r, {30, 0});
    s.verdicts.clear();
    for (std::size_t i = 0; i < s.sites.size(); ++i) {
        s.sites[i].live = {};
        s.sites[i].live.bytes = static_cast<double>(i);
        s.sites[i].type = std::to_string(i);
    }
    verdict accused;
    accused.index = 3;
    accused.kind = verdict_class::leak_retained;
    s.verdicts.push_back(accused);
    const snapshot cut = excerpt_of(s, 2);
    REQUIRE(cut.sites.size() == 3);
    CHECK(cut.sites[0].type == "3");
    CHECK(cut.sites[1].type == "28");
    CHECK(cut.sites[2].type == "29");
    REQUIRE(cut.verdicts.size() == 1);
    CHECK(cut.verdicts[0].index == 0);
}
