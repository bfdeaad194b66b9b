// SPDX-License-Identifier: Apache-2.0
#include "report/view.hpp"

#include <set>

#include <catch2/catch.hpp>

#include "golden.hpp"
#include "report/json.hpp"
#include "report/text.hpp"
#include "sample.hpp"

using namespace memwatch;

TEST_CASE("view: every kind reads as in the golden files") {
    const snapshot s = sample::orders();
    std::string text, json;
    for (int kind = 0; kind < 9; ++kind) {
        const view v = make_view(s, static_cast<view_kind>(kind)).value();
        CHECK(parse_view_kind(to_string(v.kind)).value() == v.kind);
        for (const auto& row : v.rows) { CHECK(row.size() == v.columns.size()); }
        text += std::string("== ") + to_string(v.kind) + "\n" + render_text(v);
        json += render_json(v);
    }
    check_golden("views.txt", text);
    check_golden("views.json", json);
}

TEST_CASE("view: pages joined are the whole view, each row once") {
    snapshot s = sample::orders();
    for (int i = 0; i < 57; ++i) {
        s.tags.push_back({"tag-" + std::to_string(i), static_cast<std::uint64_t>(i % 5) * 100, 1, 0, 0});  // many ties
    }
    const view whole = make_view(s, view_kind::tags, {0, {}, {}}).value();
    CHECK(whole.rows.size() == 60);
    CHECK(whole.cursor.empty());
    std::vector<std::vector<view_cell>> joined;
    view_options options{7, {}, {}};
    do {
        const view page = make_view(s, view_kind::tags, options).value();
        CHECK(page.total_rows == 60);
        joined.insert(joined.end(), page.rows.begin(), page.rows.end());
        options.cursor = page.cursor;
    } while (!options.cursor.empty());
    REQUIRE(joined.size() == whole.rows.size());
    for (std::size_t i = 0; i < joined.size(); ++i) {
        CHECK(std::get<std::string>(joined[i][0]) == std::get<std::string>(whole.rows[i][0]));
    }
}

TEST_CASE("view: a page goes on behind its last row after rows before it came in") {
    snapshot s = sample::orders();
    const view first = make_view(s, view_kind::tags, {1, {}, {}}).value();
    s.tags.push_back({"newcomer", 1'000'000'000, 1, 0, 0});
    const view second = make_view(s, view_kind::tags, {1, first.cursor, {}}).value();
    CHECK(std::get<std::string>(first.rows[0][0]) == "request-cache");
    CHECK(std::get<std::string>(second.rows[0][0]) == "sessions");
}

TEST_CASE("view: bad options are refused and named") {
    const snapshot s = sample::orders();
    CHECK(make_view(s, view_kind::tags, {1, {}, "colour"}).error().where == "sort");
    CHECK(make_view(s, view_kind::sites, {1, {}, "stack"}).error().where == "sort");
    for (const char* bad : {"x", "1", "1.", ".1", "1.zz", "-1.0", "1.0 ", "99999999999999999999999.1"}) {
        CAPTURE(bad);
        CHECK(make_view(s, view_kind::tags, {1, bad, {}}).error().where == "cursor");
    }
    CHECK(make_view(s, view_kind::tags, {1, "12345.0", {}}).value().rows.empty());
    CHECK_FALSE(parse_view_kind("planets").has_value());
    CHECK(parse_view_kind("route").value() == view_kind::routes);
}

TEST_CASE("view: sorting by another column") {
    const view v = make_view(sample::orders(), view_kind::tags, {20, {}, "tag"}).value();
    CHECK(std::get<std::string>(v.rows[0][0]) == "request-cache");
    CHECK(std::get<std::string>(v.rows[1][0]) == "sessions");
    CHECK(std::get<std::string>(v.rows[2][0]) == "untagged");
}

TEST_CASE("view: a summary without live records says unknown rather than zero") {
    snapshot s = sample::orders();
    s.live.clear();
    const view v = make_view(s, view_kind::sites).value();
    CHECK(std::holds_alternative<std::monostate>(v.rows[0][7]));
    CHECK(make_view(s, view_kind::traces).value().rows.empty());
}

TEST_CASE("view: an empty snapshot has empty views") {
    for (int kind = 0; kind < 9; ++kind) {
        const view v = make_view(snapshot{}, static_cast<view_kind>(kind)).value();
        CHECK(v.rows.empty());
        CHECK_FALSE(render_text(v).empty());
    }
    CHECK_FALSE(render_text(snapshot{}).empty());
    CHECK_FALSE(render_text(delta{}).empty());
}
