// SPDX-License-Identifier: Apache-2.0
#include "report/text.hpp"
#include "model/sampling_stop.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "golden.hpp"
#include "report/json.hpp"
#include "report/markdown.hpp"
#include "report/words.hpp"
#include "sample.hpp"

using namespace memwatch;

namespace {

// What a hostile program could be called: an escape sequence, a bell, a line break, a direction override, a broken byte.
const std::string hostile = "evil\x1b[2J\x07\nname\xE2\x80\xAE`|<b>\xFF";

bool is_harmless(const std::string& text) {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F; }) &&
           text.find("\xE2\x80\xAE") == std::string::npos && text.find('\xFF') == std::string::npos;
}

delta hostile_delta() {
    delta d = sample::growth();
    for (delta_row& row : d.rows) {
        row.name = row.tag = row.type = hostile;
        for (frame& f : row.stack) { f.lines = {{hostile, hostile, 1}}; }
        for (delta_share& share : row.shares) { share.name = hostile; }
    }
    d.before.label = d.before.service = d.before.host = d.before.executable = hostile;
    d.after = d.before;
    d.warnings = {hostile};
    for (module& m : d.modules) { m.path = m.build_id = hostile; }
    return d;
}

}  // namespace

TEST_CASE("text: a snapshot of full mode says until when it is exact") {
    snapshot s;
    s.info.exact_until_ns = 90'000'000'000;
    CHECK(render_text(s, {}).find("exact until") != std::string::npos);
    s.info.exact_until_ns = 0;
    CHECK(render_text(s, {}).find("exact until") == std::string::npos);
}

TEST_CASE("text: while nothing is sampled a summary says so under its estimate") {
    snapshot s = sample::orders();
    CHECK(render_text(s, {}).find("nothing is sampled") == std::string::npos);
    s.activity.push_back({sampling_stop_row, static_cast<std::uint64_t>(sampling_stop::counters_only)});
    CHECK(render_text(s, {}).find("\nnothing is sampled (restraint: counters_only): estimates are of what is left of the "
                                  "samples, not of the heap\n") != std::string::npos);
    s.activity.back().value = 99;
    CHECK(render_text(s, {}).find("nothing is sampled (for a reason of a newer memwatch)") != std::string::npos);
}

TEST_CASE("text: a snapshot's summary reads as in the golden file") {
    check_golden("snapshot.txt", render_text(sample::orders()));
}

TEST_CASE("text: a delta reads as in the golden file") { check_golden("delta.txt", render_text(sample::growth())); }

TEST_CASE("text: the first line alone names the culprit, its tag, type, route, rate and certainty") {
    const std::string text = render_text(sample::growth());
    const std::string first = text.substr(0, text.find('\n'));
    for (const char* fact : {"+52.0 MiB", "+- 703.1 KiB", "orders::request_cache::remember", "request-cache", "orders::order",
                             "/api/v2/orders (99 %)", "+591.6 KiB/s", "75.7 standard errors"}) {
        CAPTURE(fact, first);
        CHECK(first.find(fact) != std::string::npos);
    }
}

TEST_CASE("text: nothing is called growth when nothing grew") {
    delta d = sample::growth();
    d.rows.erase(d.rows.begin(), d.rows.begin() + 2);
    CHECK(render_text(d).starts_with("Nothing grew."));
    d.rows.clear();
    d.hidden_rows = 0;
    CHECK(render_text(d).starts_with("No difference."));
}

TEST_CASE("text: growth that sampling alone could explain is not sold as a finding") {
    delta d = sample::growth();
    d.rows.erase(d.rows.begin());
    const std::string text = render_text(d);
    CHECK(text.find("within sampling error") != std::string::npos);
    CHECK(text.find("new?") != std::string::npos);
}

TEST_CASE("text: an exact row carries no error") {
    delta d = sample::growth();
    d.by = dimension::tag;
    delta_row tag;
    tag.name = "request-cache";
    tag.bytes = 1000;
    tag.is_exact = true;
    tag.what = change::grew;
    d.rows = {tag};
    const std::string text = render_text(d);
    CHECK(text.starts_with("Grew most: +1000 B for request-cache (exact counter)."));
    CHECK(text.find("exact") != std::string::npos);
}

TEST_CASE("text, markdown, json: the rung of a rebuilt program's sites, and what may have moved, is told") {
    delta d = sample::growth();
    d.after.session = "rebuilt";
    d.rows[0].rung = match_rung::function;
    d.rows[0].before.first_birth_unix_ns = 1'763'766'010 * sample::second;
    d.rows[0].before.last_birth_unix_ns = 1'763'766'020 * sample::second;
    d.rows[0].after.sites = 2;
    d.rungs = {2, 10, 4, 1};
    d.moves = {{2, 1, "called by orders::main"}};
    const std::string text = render_text(d);
    for (const char* fact : {"sites matched: 10 exact, 4 by frames, 1 by function; 2 in one snapshot only, 1 perhaps moved",
                             "by function (another build, other lines in it), 1 site before, 2 after",
                             "before: born 2025-11-21 23:00:10 UTC to 2025-11-21 23:00:20 UTC",
                             "#3 orders::price_list::load -> #2 orders+0x3000"}) {
        CAPTURE(fact, text);
        CHECK(text.find(fact) != std::string::npos);
    }
    CHECK(render_markdown(d).find("| grew | function |") != std::string::npos);
    CHECK(render_markdown(d).find("Perhaps moved") != std::string::npos);
    const std::string json = render_json(d);
    CHECK(json.find(R"("matched_by": "function")") != std::string::npos);
    CHECK(json.find(R"({"gone_rank": 3, "appeared_rank": 2, "why": "called by orders::main"})") != std::string::npos);
}

TEST_CASE("text: colours only when asked for, and taking them away gives the plain text") {
    const std::string plain = render_text(sample::growth());
    std::string coloured = render_text(sample::growth(), {20, true});
    CHECK(plain.find('\x1b') == std::string::npos);
    CHECK(coloured.find('\x1b') != std::string::npos);
    for (std::size_t at = 0; (at = coloured.find('\x1b', at)) != std::string::npos;) {
        coloured.erase(at, coloured.find('m', at) + 1 - at);
    }
    CHECK(coloured == plain);
}

TEST_CASE("text, markdown, json: hostile names cannot drive a terminal") {
    const delta d = hostile_delta();
    CHECK(is_harmless(render_text(d)));
    CHECK(is_harmless(render_markdown(d)));
    CHECK(is_harmless(render_json(d)));
    snapshot s = sample::orders();
    s.info = d.after;
    for (auto& t : s.tags) { t.name = hostile; }
    for (auto& t : s.threads) { t.name = hostile; }
    for (auto& h : s.hand_offs) { h.from = h.to = hostile; }
    for (auto& p : s.pools) { p.name = p.upstream = hostile; }
    for (auto& r : s.routes) { r = hostile; }
    for (auto& x : s.sites) { x.type = hostile; }
    for (auto& f : s.frames) { f.lines.clear(); }
    s.modules = d.modules;
    s.drops = {{hostile, 3}};
    CHECK(is_harmless(render_text(s)));
    for (int kind = 0; kind < 9; ++kind) {
        const view v = make_view(s, static_cast<view_kind>(kind)).value();
        CHECK(is_harmless(render_text(v)));
        CHECK(is_harmless(render_json(v)));
    }
}

TEST_CASE("markdown: a delta reads as in the golden file") { check_golden("delta.md", render_markdown(sample::growth())); }

TEST_CASE("markdown: names stay inside their code spans") {
    CHECK(code_span("plain") == "`plain`");
    CHECK(code_span("") == "-");
    CHECK(code_span("a|b") == "`a\\|b`");
    CHECK(code_span("a\\|b||c") == "`a\\x7cb\\|\\|c`");
    CHECK(code_span("a`b") == "``a`b``");
    CHECK(code_span("`x``") == "``` `x`` ```");
    CHECK(code_span("two\nlines") == "`two\\nlines`");
}

TEST_CASE("json: a delta reads as in the golden file") { check_golden("delta.json", render_json(sample::growth())); }

TEST_CASE("json: the ratio of a new row is null and exact rows are integers") {
    delta d = sample::growth();
    d.rows[1].is_exact = true;
    const std::string json = render_json(d);
    CHECK(json.find("\"ratio\": null") != std::string::npos);
    CHECK(json.find("\"bytes\": 70000,") != std::string::npos);
    CHECK(json.find("\"bytes\": 54525952.000,") != std::string::npos);
}

TEST_CASE("words: only whole, shortest-form UTF-8 passes as text") {
    CHECK(printable("Gr\xC3\xB6\xC3\x9F"
                    "e") ==
          "Gr\xC3\xB6\xC3\x9F"
          "e");
    CHECK(printable("\xC0\xAF") == "\\xc0\\xaf");                    // overlong
    CHECK(printable("\xED\xA0\x80") == "\\xed\\xa0\\x80");           // surrogate
    CHECK(printable("\xF4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
    CHECK(printable("\xE2\x82") == "\\xe2\\x82");                    // cut off
    CHECK(printable("\xC2\x9B") == "\\u{9b}");                       // the one-byte CSI
    CHECK(printable("\xF0\x9F\x98\x80") == "\xF0\x9F\x98\x80");
}

TEST_CASE("words: long names fold their template arguments before they are cut") {
    CHECK(elide("short", 10) == "short");
    CHECK(elide("std::map<std::string, std::vector<int> >::insert", 24) == "std::map<...>::insert");
    CHECK(elide("abcdefghij", 8) == "abcde...");
    CHECK(elide("ns::operator<<", 10) == "ns::ope...");
}

TEST_CASE("words: counts, shares and times") {
    CHECK(format_count(0) == "0");
    CHECK(format_count(999) == "999");
    CHECK(format_count(26520) == "26,520");
    CHECK(format_count(-1234567) == "-1,234,567");
    CHECK(format_count_signed(12) == "+12");
    CHECK(format_share(99, 100) == "99 %");
    CHECK(format_share(0.1, 100) == "<1 %");
    CHECK(format_share(-5, 100).empty());
    CHECK(format_share(5, 0).empty());
    CHECK(format_time(1'714'564'803ULL * 1'000'000'000) == "2024-05-01 12:00:03 UTC");
    CHECK(format_time(0) == "?");
}
