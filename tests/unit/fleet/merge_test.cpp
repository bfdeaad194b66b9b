// SPDX-License-Identifier: Apache-2.0
// Many dumps into one: the laws of sums, of order, and of what is left out.
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include <memwatch/diff/diff.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "fleet/merge.hpp"
#include "fleet/spread_report.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

namespace fs = std::filesystem;
using namespace memwatch_test;

namespace {

class scratch {
public:
    scratch() {
        char name[] = "/tmp/memwatch-fleet.XXXXXX";
        REQUIRE(mkdtemp(name) != nullptr);
        path_ = name;
    }
    ~scratch() { fs::remove_all(path_); }
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;

    [[nodiscard]] std::string write(const std::string& name, const snapshot& s,
                                    dump_format format = dump_format::memtrace) const {
        const auto path = (path_ / name).string();
        REQUIRE(write_file_atomically(path, *encode(s, format)));
        return path;
    }
    [[nodiscard]] std::string operator/(const char* name) const { return (path_ / name).string(); }

private:
    fs::path path_;
};

// A dump of `host` with sites "work0".. in module `build`, each holding `samples[i]` samples of 1000 bytes.
snapshot dump_of(const std::string& host, const std::vector<int>& samples, const std::string& build = "aa00") {
    snapshot s;
    s.info.host = host;
    s.info.service = "orders";
    s.info.session = "session of " + host;
    s.info.pid = 7;
    s.info.taken_ns = 1000;
    s.info.interval_bytes = 4096;
    s.modules.push_back({"/opt/orders", build, 0x1000, 0x2000, 0});
    s.tags.push_back({"cache", 5000, 5, 1000, 1});
    s.routes.emplace_back();
    s.threads.push_back({"other", 0, false});
    for (std::size_t i = 0; i < samples.size(); ++i) {
        s.frames.push_back({0, 0x100 * (i + 1), {}});
        s.stacks.push_back({{static_cast<std::uint32_t>(i)}, false});
        site row;
        row.stack = static_cast<std::uint32_t>(i);
        for (int n = 0; n < samples[i]; ++n) { row.live.add(1000, 4096); }
        row.allocated = row.live;
        s.sites.push_back(row);
    }
    return s;
}

// Names as symbolize() gives them; another build has the same functions elsewhere.
void name_frames(snapshot& s, std::uint64_t shift) {
    for (std::size_t i = 0; i < s.frames.size(); ++i) {
        s.frames[i].offset += shift;
        s.frames[i].lines = {
            {"orders::work" + std::to_string(i) + "(int)", "work.cpp", static_cast<std::uint32_t>(10 + shift)}};
    }
}

merged_fleet merged(const std::vector<std::string>& paths, unsigned workers = 2) {
    auto fleet = merge_dumps(paths, {workers, {}, {}});
    REQUIRE(fleet);
    CHECK(validate(fleet->value));
    REQUIRE(fleet->spreads.size() == fleet->value.sites.size());
    return std::move(*fleet);
}

double live_bytes(const snapshot& s) { return live_totals(s).bytes; }

bool close(double a, double b) { return std::abs(a - b) <= 1e-9 * std::max(std::abs(a), std::abs(b)); }

bool close(const sampled_totals& a, const sampled_totals& b) {
    return close(a.bytes, b.bytes) && close(a.objects, b.objects) && close(a.bytes_variance, b.bytes_variance) &&
           close(a.objects_variance, b.objects_variance) && a.samples == b.samples;
}

// Sites by what a person calls them.
std::map<std::string, site> by_key(const snapshot& s) {
    std::map<std::string, site> sites;
    for (const auto& each : s.sites) {
        std::string key = each.type + "|" + s.tags[each.tag].name;
        for (const auto index : s.stacks[each.stack].frames) {
            const auto& f = s.frames[index];
            key += "|" + (f.module == no_module ? "" : s.modules[f.module].path + s.modules[f.module].build_id) +
                   std::to_string(f.offset);
        }
        auto& sum = sites[key];
        for (const auto member : {&site::live, &site::allocated, &site::freed, &site::freed_by_other_thread}) {
            (sum.*member).add(each.*member);
        }
    }
    return sites;
}

}  // namespace

TEST_CASE("merge: of one dump holds that dump's sums, site by site, for any dump") {
    const auto seed = test_support::seed();
    INFO("seed " << seed);
    random_source random{seed};
    const scratch folder;
    for (int i = 0; i < 30; ++i) {
        auto s = random_snapshot(random);
        for (auto& each : s.sites) {  // sums beyond 2^53 are no bytes; the law is about figures, not about overflow
            for (const auto member : {&site::allocated, &site::freed, &site::freed_by_other_thread}) {
                each.*member = each.live;
            }
        }
        for (std::size_t m = 0; m < s.modules.size(); ++m) { s.modules[m].path += std::to_string(m); }
        const auto fleet = merged({folder.write("one.memtrace", s)});
        const auto sums = by_key(fleet.value), truth = by_key(s);
        REQUIRE(sums.size() == truth.size());
        for (const auto& [key, sum] : truth) {
            REQUIRE(sums.contains(key));
            for (const auto member : {&site::live, &site::allocated, &site::freed, &site::freed_by_other_thread}) {
                CHECK(close(sums.at(key).*member, sum.*member));
            }
        }
        CHECK(fleet.value.live.empty());
        CHECK(fleet.value.info.resident_bytes == s.info.resident_bytes);
        CHECK(fleet.hosts.size() == 1);
    }
}

TEST_CASE("merge: the order of files and the number of workers change not one bit") {
    const auto seed = test_support::seed();
    INFO("seed " << seed);
    random_source random{seed};
    std::mt19937_64 order(seed);
    const scratch folder;
    std::vector<std::string> paths;
    for (int i = 0; i < 9; ++i) {
        auto s = random_snapshot(random);
        s.info.host = "host-" + std::to_string(i / 2);
        s.info.session = std::to_string(i);
        paths.push_back(folder.write(std::to_string(i) + ".memtrace", s));
    }
    const auto first = merged(paths, 1);
    for (const unsigned workers : {1U, 2U, 4U}) {
        std::shuffle(paths.begin(), paths.end(), order);
        const auto again = merged(paths, workers);
        CHECK(encode(again.value, dump_format::memtrace).value() == encode(first.value, dump_format::memtrace).value());
        CHECK(render_json(again, 0) == render_json(first, 0));
    }
}

TEST_CASE("merge: the sum over hosts is the total, variances add, exact counters add") {
    const scratch folder;
    const std::vector<snapshot> dumps{dump_of("a", {1, 2, 0}), dump_of("b", {3, 0, 0}), dump_of("c", {5, 7, 1})};
    std::vector<std::string> paths;
    sampled_totals total;
    for (const auto& each : dumps) {
        paths.push_back(folder.write(each.info.host, each));
        total.add(live_totals(each));
    }
    const auto fleet = merged(paths);
    CHECK(close(live_totals(fleet.value), total));
    CHECK(fleet.value.tags[0].allocated_bytes == 15'000);
    CHECK(fleet.value.tags[0].live_bytes() == 12'000);
    CHECK(fleet.value.info.host == "3 hosts");
    CHECK(fleet.value.info.service == "orders");
    CHECK(close(fleet.total.maximum, static_cast<float>(live_bytes(dumps[2]))));
    for (std::size_t i = 0; i < 3; ++i) {
        const auto& spread = fleet.spreads[i];
        const auto work = fleet.value.frames[fleet.value.stacks[fleet.value.sites[i].stack].frames[0]].offset / 0x100 - 1;
        CHECK(spread.hosts_with == (work == 0 ? 3U : work == 1 ? 2U : 1U));
        CHECK(spread.median == static_cast<float>(dumps[work == 0 ? 1 : work == 1 ? 0 : 1].sites[work].live.bytes));
    }
}

TEST_CASE("merge: processes of one host are one value of the spread") {
    const scratch folder;
    auto first = dump_of("a", {1}), second = dump_of("a", {3});
    second.info.session = "another";
    const auto fleet = merged({folder.write("1", first), folder.write("2", second), folder.write("3", dump_of("b", {2}))});
    CHECK(fleet.hosts == std::vector<std::string>{"a", "b"});
    CHECK(fleet.dumps == 3);
    CHECK(fleet.spreads[0].hosts_with == 2);
    CHECK(close(fleet.spreads[0].maximum, static_cast<float>(first.sites[0].live.bytes + second.sites[0].live.bytes)));
}

TEST_CASE("merge: of one process the last dump counts, and the others are named") {
    const scratch folder;
    auto early = dump_of("a", {1}), late = dump_of("a", {9});
    late.info.taken_ns = 5000;
    const auto e = folder.write("early", early), l = folder.write("late", late), twin = folder.write("twin", late);
    for (const auto& paths : {std::vector{e, l, twin}, std::vector{twin, l, e}}) {
        const auto fleet = merged(paths);
        CHECK(fleet.dumps == 1);
        CHECK(close(live_bytes(fleet.value), live_bytes(late)));
        REQUIRE(fleet.older.size() == 2);
        CHECK(fleet.older[0].path == e);
        CHECK(fleet.older[1].why == "the same dump as " + twin);
        CHECK(fleet.unreadable.empty());
    }
}

TEST_CASE("merge: a dump that is not whole is named and not counted, at every length it may be cut to") {
    const scratch folder;
    const auto good = folder.write("good", dump_of("a", {4, 2}));
    const auto cut = folder.write("cut", dump_of("b", {8, 1}));
    for (auto length = fs::file_size(cut); length-- > 0;) {
        fs::resize_file(cut, length);
        INFO("length " << length);
        const auto fleet = merged({cut, good});
        CHECK(fleet.dumps == 1);
        REQUIRE(fleet.unreadable.size() == 1);
        CHECK(fleet.unreadable[0].path == cut);
        CHECK_FALSE(fleet.unreadable[0].why.empty());
    }
    const auto none = merge_dumps({cut, "/nonexistent"}, {});
    REQUIRE_FALSE(none);
    CHECK(none.error().code == error_code::unreadable);
    CHECK(none.error().where == cut);
    CHECK(merge_dumps({}, {}).error().code == error_code::invalid_argument);
}

TEST_CASE("merge: damage in records does not matter, damage in sums does") {
    const scratch folder;
    random_source random{test_support::seed()};
    const auto s = random_snapshot(random);
    auto bytes = *encode(s, dump_format::memtrace);
    const auto records = bytes.find("\xCEMWCLIVE") + 40;
    bytes[records] ^= 0x40;
    REQUIRE(write_file_atomically(folder / "records", bytes));
    CHECK(merged({folder / "records"}).dumps == 1);
    bytes[bytes.find("\xCEMWCSITE") + 40] ^= 0x40;
    REQUIRE(write_file_atomically(folder / "sites", bytes));
    CHECK_FALSE(merge_dumps({folder / "sites"}, {}));
}

TEST_CASE("merge: two builds add up by name, and stay apart with a note without names") {
    const scratch folder;
    auto v1 = dump_of("a", {2, 3}, "aa00"), v2 = dump_of("b", {5, 0}, "bb00");
    for (auto& each : v2.frames) { each.offset += 0x40; }
    const auto nameless = merged({folder.write("1", v1), folder.write("2", v2)});
    CHECK(nameless.value.sites.size() == 4);
    REQUIRE(nameless.notes.size() == 1);
    CHECK(nameless.notes[0].find("orders: 2 builds") == 0);
    name_frames(v1, 0);
    name_frames(v2, 0x40);
    const auto named = merged({folder.write("1", v1), folder.write("2", v2)});
    CHECK(named.value.sites.size() == 2);
    CHECK(named.notes.empty());
    CHECK(close(live_bytes(named.value), live_bytes(v1) + live_bytes(v2)));
    CHECK(named.spreads[0].hosts_with + named.spreads[1].hosts_with == 3);
}

TEST_CASE("merge: a dump with names names the sites of those without") {
    const scratch folder;
    auto named = dump_of("b", {1, 1});
    name_frames(named, 0);
    const auto fleet = merged({folder.write("1", dump_of("a", {1, 1})), folder.write("2", named)});
    REQUIRE(fleet.value.frames.size() == 2);
    for (const auto& each : fleet.value.frames) { CHECK(each.lines.size() == 1); }
}

TEST_CASE("merge: other formats and merged dumps are inputs, too") {
    const scratch folder;
    const auto a = dump_of("a", {2}), b = dump_of("b", {4});
    const auto json = folder.write("a.json", a, dump_format::json), lines = folder.write("b.jsonl", b, dump_format::jsonl);
    const auto fleet = merged({json, lines});
    CHECK(close(live_bytes(fleet.value), live_bytes(a) + live_bytes(b)));
    const auto again = merged({folder.write("fleet", fleet.value), folder.write("c", dump_of("c", {1}))});
    CHECK(close(live_bytes(again.value), live_bytes(a) + live_bytes(b) + live_bytes(dump_of("c", {1}))));
    REQUIRE(again.notes.size() == 1);
    CHECK(again.notes[0].find("is itself a merged dump") != std::string::npos);
}

TEST_CASE("merge: two merged fleets compare as any two snapshots; the growth is the sum of the hosts'") {
    const scratch folder;
    std::vector<std::string> before, after;
    for (const char* host : {"a", "b", "c"}) {
        before.push_back(folder.write(std::string{"before-"} + host, dump_of(host, {5, 5})));
        after.push_back(folder.write(std::string{"after-"} + host, dump_of(host, {5, 25})));
    }
    const auto first = merged(before).value, second = merged(after).value;
    const auto change = diff(first, second);
    REQUIRE(change);
    REQUIRE(change->rows.size() == 1);
    CHECK(close(change->rows[0].bytes, 20 * 3 * dump_of("a", {1}).sites[0].live.bytes));
    CHECK(change->rows[0].is_significant());
}

TEST_CASE("merge: the host that leaks is named in words and in JSON") {
    const scratch folder;
    std::vector<std::string> paths;
    for (int i = 0; i < 20; ++i) {
        const auto host = "host-" + std::to_string(i);
        paths.push_back(folder.write(host, dump_of(host, {20, i == 13 ? 400 : 19 + i % 3})));
    }
    const auto fleet = merged(paths);
    const auto text = render_text(fleet, 20, false);
    CHECK(text.find("20 dumps of 20 hosts") != std::string::npos);
    CHECK(text.find("outliers: host-13 ") != std::string::npos);
    CHECK(text.find("x the median") != std::string::npos);
    CHECK(text.find("standard deviations") != std::string::npos);
    const auto json = render_json(fleet, 1);
    CHECK(json.find("\"host\": \"host-13\"") != std::string::npos);
    CHECK(render_text(merged({paths[0]}), 0, false).find("Fewer than 8 hosts") != std::string::npos);
}

TEST_CASE("merge: impossible figures of one dump leave a snapshot that can be written") {
    const scratch folder;
    auto a = dump_of("a", {1}), b = dump_of("b", {1});
    for (auto* s : {&a, &b}) {
        s->sites[0].allocated = {1e300, 1e300, 1e300, 1e300, ~0ULL};
        s->tags[0] = {"cache", ~0ULL, ~0ULL, ~0ULL, ~0ULL};
        s->drops.push_back({"lost", ~0ULL});
    }
    const auto fleet = merged({folder.write("1", a), folder.write("2", b)});
    CHECK(encode(fleet.value, dump_format::memtrace));
    CHECK(fleet.value.drops[0].value == ~0ULL);
}

TEST_CASE("merge: code in no module is the same where its names are, wherever it was loaded") {
    const scratch folder;
    const auto dump = [&](const std::string& host, std::uint64_t shift) {
        auto s = dump_of(host, {3, 5});
        for (auto& f : s.frames) { f.module = no_module; }
        name_frames(s, 0);
        for (auto& f : s.frames) { f.offset += shift; }
        return folder.write(host, s);
    };
    // The second host has work0 where the first has work1.
    const auto fleet = merged({dump("a", 0x100), dump("b", 0x200)});
    REQUIRE(fleet.value.sites.size() == 2);
    for (const auto& each : fleet.value.sites) {
        const auto& f = fleet.value.frames[fleet.value.stacks[each.stack].frames[0]];
        CHECK(each.live.samples == (f.lines[0].function == "orders::work0(int)" ? 6 : 10));
    }
}

TEST_CASE("merge: tags keep their weight, the largest that a dump gave") {
    const scratch folder;
    const auto dump = [&](const std::string& host, double cache, double other) {
        auto s = dump_of(host, {3});
        s.tags[0].weight = cache;
        s.tags.push_back({"other", 10, 1, 0, 0, other});
        return folder.write(host, s);
    };
    const auto tags = merged({dump("a", 0.9, 0.1), dump("b", 0.5, 0.1)}).value.tags;
    REQUIRE(tags.size() == 2);
    CHECK(tags[0].weight == 0.9);
    CHECK(tags[1].weight == 0.1);
}
