// SPDX-License-Identifier: Apache-2.0
// What other tools read: valid whatever the names are, and the sums of the snapshot.
#include <rapidjson/document.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "../snapshot/example_snapshot.hpp"
#include "exchange/export_formats.hpp"

using namespace memwatch;
using namespace memwatch::exchange;
using memwatch_test::example_snapshot;

namespace {

const std::string hostile = "\x1b[31m=cmd|' /C calc'!A0\"\n,; </script>\xE2\x80\xAE\xFF";

snapshot hostile_snapshot() {
    snapshot s = example_snapshot();
    s.frames[0].lines[0].function = s.frames[0].lines[0].file = hostile;
    s.tags[1].name = hostile;
    s.sites[0].type = hostile;
    s.info.service = s.info.executable = hostile;
    return s;
}

rapidjson::Document parsed(const std::string& json) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(json.c_str());
    REQUIRE(!document.HasParseError());
    return document;
}

// RFC 4180, read by someone other than the writer.
std::vector<std::vector<std::string>> rows_of(const std::string& csv) {
    std::vector<std::vector<std::string>> rows(1, {""});
    bool is_quoted = false;
    for (std::size_t i = 0; i < csv.size(); ++i) {
        if (csv[i] == '"' && is_quoted && csv.substr(i, 2) == "\"\"") {
            rows.back().back() += csv[i++];
        } else if (csv[i] == '"') {
            is_quoted = !is_quoted;
        } else if (csv[i] == ',' && !is_quoted) {
            rows.back().emplace_back();
        } else if (csv.substr(i, 2) == "\r\n" && !is_quoted) {
            rows.push_back({""});
            ++i;
        } else {
            rows.back().back() += csv[i];
        }
    }
    rows.pop_back();
    return rows;
}

}  // namespace

TEST_CASE("speedscope: one profile a metric, inlined calls as frames, root first") {
    const auto document = parsed(encode_speedscope(example_snapshot()));
    const auto& profiles = document["profiles"];
    REQUIRE(profiles.Size() == 4);
    CHECK(std::string(profiles[0]["name"].GetString()) == "live bytes");
    CHECK(profiles[0]["endValue"].GetUint64() ==
          static_cast<std::uint64_t>(std::llround(live_totals(example_snapshot()).bytes)));
    CHECK(profiles[0]["weights"][0].GetUint64() == 6144);
    std::vector<std::string> path;
    for (const auto& index : profiles[0]["samples"][0].GetArray()) {
        path.emplace_back(document["shared"]["frames"][index.GetUint()]["name"].GetString());
    }
    CHECK(path == std::vector<std::string>{"libc.so.6+0x29d90", "main", "orders::handle", "orders::cache::insert"});
}

TEST_CASE("speedscope: an empty snapshot still has a profile") { CHECK(parsed(encode_speedscope({}))["profiles"].Size() == 1); }

TEST_CASE("DHAT: a path stands once, and its totals are those of its sites") {
    snapshot s = example_snapshot();
    s.sites.push_back(s.sites[0]);  // another tag, the same path
    s.sites.back().tag = 0;
    const auto document = parsed(encode_dhat(s));
    const auto& points = document["pps"];
    REQUIRE(points.Size() == 2);
    std::uint64_t live = 0;
    for (const auto& each : points.GetArray()) { live += each["eb"].GetUint64(); }
    CHECK(live == static_cast<std::uint64_t>(std::llround(live_totals(example_snapshot()).bytes)) + 6144);
    CHECK(std::string(document["ftbl"][0].GetString()) == "[root]");
}

TEST_CASE("CSV: as many cells in each row as in the header, and no cell is a formula") {
    for (const snapshot& s : {example_snapshot(), hostile_snapshot()}) {
        const auto rows = rows_of(encode_csv(s));
        REQUIRE(rows.size() == 1 + s.sites.size());
        for (const auto& row : rows) {
            CHECK(row.size() == rows[0].size());
            for (const auto& cell : row) {
                const auto first = cell.find_first_not_of(' ');
                if (first != std::string::npos) { CHECK(std::string("=+-@|%\t\r").find(cell[first]) == std::string::npos); }
                CHECK(cell.find_first_of("\x1b\n\r\xFF") == std::string::npos);
                CHECK(cell.find("\xE2\x80\xAE") == std::string::npos);
            }
        }
    }
    CHECK(rows_of(encode_csv(example_snapshot()))[1][6] == "6144");
    CHECK(rows_of(encode_csv(example_snapshot()))[1][1] == "orders::cache::insert");
    CHECK(rows_of(encode_csv(example_snapshot()))[1][3] == "42");
}

TEST_CASE("hostile names leave every JSON format valid") {
    const snapshot s = hostile_snapshot();
    CHECK(parsed(encode_speedscope(s)).IsObject());
    CHECK(parsed(encode_dhat(s)).IsObject());
}

TEST_CASE("folded: two snapshots are two columns, and what is in one only is 0 in the other") {
    const snapshot s = example_snapshot();
    CHECK(encode_folded_pair(s, s).find("orders::cache::insert 6144 6144\n") != std::string::npos);
    CHECK(encode_folded_pair({}, s).find("orders::cache::insert 0 6144\n") != std::string::npos);
    CHECK(encode_folded_pair(s, {}).find("orders::cache::insert 6144 0\n") != std::string::npos);
}

TEST_CASE("csv: text with a semicolon is quoted, where that splits cells, too") {
    snapshot s = example_snapshot();
    for (auto& each : s.sites) { each.type = "a;=1+1"; }
    CHECK(encode_csv(s).find(",\"a;=1+1\",") != std::string::npos);
}

namespace {

std::vector<rapidjson::Document> parsed_lines(const std::string& lines) {
    std::vector<rapidjson::Document> rows;
    for (std::size_t at = 0; at < lines.size();) {
        const std::size_t end = lines.find('\n', at);
        rows.push_back(parsed(lines.substr(at, end - at)));
        at = end + 1;
    }
    return rows;
}

double sum_of(const std::vector<rapidjson::Document>& rows, const std::string& kind, const char* column) {
    double sum = 0;
    for (const auto& row : rows) {
        if (row["kind"].GetString() == kind && row.HasMember(column)) { sum += row[column].GetDouble(); }
    }
    return sum;
}

}  // namespace

TEST_CASE("clickhouse: the rows of sites and tags sum to the snapshot, whatever the number of sites") {
    const snapshot s = example_snapshot();
    double live = 0, exact = 0;
    for (const site& each : s.sites) { live += each.live.bytes; }
    for (const tag_totals& each : s.tags) { exact += static_cast<double>(each.live_bytes()); }
    for (const std::size_t top : {std::size_t{0}, std::size_t{1}, s.sites.size()}) {
        const auto rows = parsed_lines(encode_clickhouse(s, top));
        CHECK(std::fabs(sum_of(rows, "site", "live_bytes") - live) <= static_cast<double>(s.sites.size()));
        CHECK(std::fabs(sum_of(rows, "dump", "live_bytes") - live) <= 1);
        CHECK(sum_of(rows, "tag", "live_bytes") == exact);
        CHECK(std::string(rows[0]["kind"].GetString()) == "dump");
    }
}

TEST_CASE("clickhouse: every column of a row is one of the schema, and hostile names leave rows valid") {
    const std::string schema = clickhouse_schema();
    snapshot s = hostile_snapshot();
    verdict accused;
    accused.kind = verdict_class::leak_retained;
    accused.confidence = std::nan("");  // a null would be refused by a column that takes none
    s.verdicts.push_back(accused);
    for (const auto& row : parsed_lines(encode_clickhouse(s))) {
        for (const auto& member : row.GetObject()) {
            INFO(member.name.GetString());
            CHECK(schema.find("\n    " + std::string(member.name.GetString()) + " ") != std::string::npos);
            CHECK_FALSE(member.value.IsNull());
        }
    }
    CHECK(parsed_lines(encode_clickhouse({})).size() == 1);
}

TEST_CASE("clickhouse: a place is the same in another build, a site is not") {
    const snapshot before = example_snapshot();
    snapshot after = before;
    for (module& each : after.modules) { each.build_id = "00ff00ff"; }
    for (frame& each : after.frames) {
        each.offset += 16;
        for (source_line& line : each.lines) { line.line += 3; }
    }
    const auto old_rows = parsed_lines(encode_clickhouse(before));
    const auto new_rows = parsed_lines(encode_clickhouse(after));
    REQUIRE(old_rows.size() == new_rows.size());
    bool has_named = false;
    for (std::size_t i = 0; i < old_rows.size(); ++i) {
        if (!old_rows[i].HasMember("site")) { continue; }
        CHECK(std::string(old_rows[i]["site"].GetString()) != new_rows[i]["site"].GetString());
        has_named = has_named || std::string(old_rows[i]["place"].GetString()) == new_rows[i]["place"].GetString();
    }
    CHECK(has_named);
}
