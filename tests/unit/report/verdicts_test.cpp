// SPDX-License-Identifier: Apache-2.0
// What is said of verdicts: the words as golden files, the order and the counts as laws, hostile names made harmless.
#include "report/verdicts.hpp"
#include "model/sampling_stop.hpp"

#include <catch2/catch.hpp>

#include "golden.hpp"
#include "report/text.hpp"
#include "report/view.hpp"
#include "sample.hpp"

using namespace memwatch;

namespace {

verdict about(verdict_subject subject, std::uint32_t row, verdict_class kind) {
    verdict v;
    v.subject = subject;
    v.index = row;
    v.kind = kind;
    return v;
}

// The order service with a leak, a site that nobody can judge yet and a pool that is short of nothing.
snapshot judged_orders() {
    snapshot s = sample::orders();
    verdict leak = about(verdict_subject::site, 0, verdict_class::leak_retained);
    leak.severity = verdict_severity::warning;
    leak.confidence = 0.97;
    leak.since_ns = 12 * sample::second;
    leak.decided_ns = 70 * sample::second;
    leak.looks = 22;
    leak.generations = 4;
    leak.retained_bytes = 52.0 * 1024 * 1024;
    leak.retained_objects = 26'624;
    leak.rate_bytes_per_second = 1.3 * 1024 * 1024;
    leak.rate_error = 64 * 1024;
    leak.kept_share = 1;
    leak.kept_share_low = 0.93;
    leak.kept_share_high = 1;
    leak.bytes_per_trace = 2048;
    leak.escaped_share = 1;
    leak.features = {{verdict_feature_kind::amount, 416, 0.5},
                     {verdict_feature_kind::plateau, 0.93, 3.25},
                     {verdict_feature_kind::generations, 1, 1.5},
                     {verdict_feature_kind::hand_off, 0, -0.25}};
    verdict early = about(verdict_subject::site, 1, verdict_class::inconclusive);
    early.doubt = verdict_doubt::too_few_samples;
    verdict pool = about(verdict_subject::pool, 0, verdict_class::steady);
    pool.is_exact = true;
    s.verdicts = {leak, early, pool};
    return s;
}

// The list with sentences that stay: which words they are made of is another room's (tests/unit/verdict).
verdict_list with_fixed_words(verdict_list list) {
    for (judged& each : list.rows) {
        each.sentence = "it keeps what it gets; would change my mind: one eviction";
        each.change_of_mind = "one eviction";
    }
    return list;
}

std::size_t position(const std::string& text, const std::string& part) {
    const std::size_t at = text.find(part);
    CHECK(at != std::string::npos);
    return at;
}

}  // namespace

TEST_CASE("verdicts: text, Markdown and JSON, to the byte") {
    const snapshot s = judged_orders();
    REQUIRE(validate(s));
    const verdict_list accused = with_fixed_words(list_verdicts(s));
    const verdict_list all = with_fixed_words(list_verdicts(s, {verdict_level::none, {}, 0}));
    check_golden("verdicts.txt", render_text(accused));
    check_golden("verdicts_all.txt", render_text(all));
    check_golden("verdicts.md", render_markdown(accused));
    check_golden("verdicts.json", render_json(all));
}

TEST_CASE("verdicts: each row has its sentence") {
    const std::string text = render_text(list_verdicts(judged_orders()));
    CHECK(text.find("\n     orders::request_cache::remember ") != std::string::npos);
}

TEST_CASE("verdicts: leaks come before suspects, and in a level what matters most comes first") {
    snapshot s = sample::orders();
    const site like = s.sites[0];
    s.live.clear();
    s.survivals.clear();
    s.sites.assign(5, like);
    const verdict_class classes[] = {verdict_class::suspect_growth, verdict_class::leak_retained, verdict_class::steady,
                                     verdict_class::leak_retained, verdict_class::leak_retained};
    for (std::uint32_t i = 0; i < 5; ++i) {
        s.verdicts.push_back(about(verdict_subject::site, i, classes[i]));
        s.verdicts.back().retained_bytes = 1e9 / (i + 1);
    }
    s.verdicts[4].severity = verdict_severity::critical;
    REQUIRE(validate(s));
    const verdict_list list = list_verdicts(s);
    REQUIRE(list.rows.size() == 4);
    CHECK(list.rows[0].of.index == 4);
    CHECK(list.rows[1].of.index == 1);
    CHECK(list.rows[2].of.index == 3);
    CHECK(list.rows[3].of.index == 0);
    CHECK(list.count(verdict_level::leak) == 3);
    CHECK(list.judged_count() == 5);

    const verdict_list first = list_verdicts(s, {verdict_level::suspect, {}, 1});
    CHECK(first.rows.size() == 1);
    CHECK(first.total_rows == 4);
    CHECK(list_verdicts(s, {verdict_level::leak, {}, 0}).rows.size() == 3);
    CHECK(list_verdicts(s, {verdict_level::none, {}, 0}).rows.size() == 5);
    const verdict_list steady = list_verdicts(s, {verdict_level::leak, verdict_class::steady, 0});
    REQUIRE(steady.rows.size() == 1);
    CHECK(steady.rows[0].of.index == 2);
}

TEST_CASE("verdicts: routes and traces are those of the blocks that are kept, not of young or older ones") {
    snapshot s = judged_orders();
    s.info.epoch_ns = 100 * sample::second;  // two epochs ago: 20 s
    s.verdicts[0].since_ns = 15 * sample::second;
    s.routes.push_back("/young");
    s.routes.push_back("/older");
    s.live.clear();
    s.sites[0].live = {};
    const std::pair<std::uint64_t, std::uint32_t> blocks[] = {{10, 4}, {16, 1}, {17, 1}, {18, 2}, {200, 3}};
    for (const auto& [second, route] : blocks) {
        s.live.push_back({second, 16384, second * sample::second, 65536, sample::trace(second), 0, route, 1});
        s.sites[0].live.add(16384, 65536);
    }
    REQUIRE(validate(s));
    const judged leak = list_verdicts(s).rows.at(0);
    REQUIRE(leak.routes.size() == 2);
    CHECK(leak.routes[0].first == "/api/v2/orders");
    CHECK(leak.routes[0].second == Approx(2.0 / 3));
    CHECK(leak.routes[1].first == "/health");
    CHECK(leak.traces == std::vector<trace_id>{sample::trace(16), sample::trace(17), sample::trace(18)});
}

TEST_CASE("verdicts: a summary has no routes, but a request to look up") {
    snapshot s = judged_orders();
    s.live.clear();
    s.examples = {{0, sample::trace(3), 16384, 5}};
    const judged leak = list_verdicts(s).rows.at(0);
    CHECK(leak.routes.empty());
    CHECK(leak.traces == std::vector<trace_id>{sample::trace(3)});
}

TEST_CASE("verdicts: one line says what is wrong, or that nothing is, or nothing where nobody looked") {
    snapshot s = judged_orders();
    CHECK(verdict_headline(s) == "1 leak: orders::request_cache::remember, 52.0 MiB at 1.3 MiB/s");
    CHECK(position(render_text(s), "\n1 leak: orders::request_cache::remember") < position(render_text(s), "\nSites ("));
    s.verdicts[2].kind = verdict_class::pool_leak;
    s.verdicts[2].retained_bytes = 1024;
    CHECK(verdict_headline(s) == "2 leaks: orders::request_cache::remember, 52.0 MiB at 1.3 MiB/s first of all");
    s.verdicts[0].kind = verdict_class::suspect_growth;
    CHECK(verdict_headline(s) == "1 leak: pool orders, 1.0 KiB first of all; 1 suspect");
    s.verdicts[2].kind = verdict_class::steady;
    CHECK(verdict_headline(s) == "no leak, 1 suspect: orders::request_cache::remember, 52.0 MiB at 1.3 MiB/s");
    s.verdicts[0].kind = verdict_class::cache;
    CHECK(verdict_headline(s) == "no leak, no suspect (3 judged)");
    s.activity.push_back({sampling_stop_row, static_cast<std::uint64_t>(sampling_stop::paused)});
    CHECK(verdict_headline(s) == "no leak, no suspect (3 judged); nothing is sampled (paused)");
    const verdict_list list = list_verdicts(s);
    CHECK(render_text(list).find("\nnothing is sampled (paused): estimates are of what is left") != std::string::npos);
    CHECK(render_markdown(list).find("nothing is sampled (paused)") != std::string::npos);
    CHECK(render_json(list).find("\"not_sampled\"") != std::string::npos);
    s.verdicts.clear();
    CHECK(verdict_headline(s).empty());
    CHECK(render_text(list_verdicts(s)).find("nothing was judged yet") != std::string::npos);
}

TEST_CASE("verdicts: names that would speak to a terminal or a page come out harmless") {
    snapshot s = judged_orders();
    const std::string evil = "a\x1b[31m\n`|<script>\xE2\x80\xAE";
    s.routes[1] = evil;
    s.tags[1].name = evil;
    s.sites[0].type = evil;
    s.frames[1].lines[1].function = evil;
    s.pools[0].name = evil;
    s.verdicts[2].kind = verdict_class::pool_leak;
    const verdict_list list = list_verdicts(s, {verdict_level::none, {}, 0});
    for (const std::string& text : {render_text(list), render_markdown(list), render_text(s)}) {
        CHECK(text.find('\x1b') == std::string::npos);
        CHECK(text.find("\xE2\x80\xAE") == std::string::npos);
    }
    CHECK(render_json(list).find('\x1b') == std::string::npos);
    CHECK(verdict_headline(s).find('\x1b') == std::string::npos);
}

TEST_CASE("verdicts: colour is decoration") {
    const verdict_list list = list_verdicts(judged_orders());
    std::string coloured = render_text(list, true);
    CHECK(coloured.find('\x1b') != std::string::npos);
    for (std::size_t at = coloured.find('\x1b'); at != std::string::npos; at = coloured.find('\x1b')) {
        coloured.erase(at, coloured.find('m', at) - at + 1);
    }
    CHECK(coloured == render_text(list));
}

TEST_CASE("verdicts: tables of sites and pools say the class of each row") {
    const snapshot s = judged_orders();
    for (const auto& [kind, word] : {std::pair{view_kind::sites, "leak_retained"}, {view_kind::pools, "steady"}}) {
        const view v = *make_view(s, kind);
        REQUIRE(std::string(v.columns.back().key) == "verdict");
        CHECK(std::get<std::string>(v.rows.at(0).back()) == word);
    }
    const view before = *make_view(sample::orders(), view_kind::sites);
    CHECK(std::holds_alternative<std::monostate>(before.rows.at(0).back()));
}

// A pass over all records for each of them would be four billion steps.
TEST_CASE("verdicts: of twenty thousand leaks each is for the route of its own blocks", "[report]") {
    constexpr std::uint32_t sites = 20'000;
    snapshot s;
    s.stacks.resize(1);
    s.tags.resize(1);
    s.routes = {"", "/even", "/odd"};
    s.sites.resize(sites);
    for (std::uint32_t i = 0; i < sites; ++i) {
        verdict leak = about(verdict_subject::site, i, verdict_class::leak_retained);
        leak.kept_share = leak.follow_up = leak.rate_bytes_per_second = 1;
        leak.retained_bytes = sites - i;
        s.verdicts.push_back(leak);
    }
    for (std::uint32_t i = 0; i < 10 * sites; ++i) {
        live_record record;
        record.site = i % sites;
        record.size_bytes = 64;
        record.route = 1 + record.site % 2;
        s.live.push_back(record);
    }
    const verdict_list list = list_verdicts(s, {verdict_level::leak, std::nullopt, 0});
    REQUIRE(list.rows.size() == sites);
    CHECK(list.rows[0].sentence.find(" for route /even ") != std::string::npos);
    CHECK(list.rows[19'999].sentence.find(" for route /odd ") != std::string::npos);
}
