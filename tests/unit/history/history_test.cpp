// SPDX-License-Identifier: Apache-2.0
// The history without a process around it: names, thinning, shelves, what is damaged or foreign.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>

#include <sys/wait.h>
#include <unistd.h>

#include <memwatch/snapshot/codec.hpp>

#include "history/folder_shelf.hpp"
#include "history/history.hpp"
#include "history/past_name.hpp"
#include "support/random_snapshot.hpp"
#include "support/temporary_folder.hpp"

using namespace memwatch;
using test_support::temporary_folder;
using namespace memwatch::history;

namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t minute = 60 * second;
constexpr std::uint64_t hour = 60 * minute;
constexpr std::uint64_t day = 24 * hour;
constexpr std::uint64_t noon = 1'795'348'800 * second;  // 2026-11-22 12:00:00 UTC

std::string dump_of(const std::string& service, const std::string& label) {
    snapshot s;
    s.tags.push_back({"untagged"});
    s.routes.emplace_back();
    s.threads.push_back({"other", 0, false});
    s.info.service = service;
    s.info.label = label;
    return encode(s, dump_format::memtrace).value();
}

std::string label_in(const result<std::string>& dump) {
    return dump ? decode(*dump).value().value.info.label : "no dump: " + dump.error().message();
}

past_snapshot at(std::uint64_t unix_ns) { return {make_past_name(unix_ns, "3fa9c1d2aa"), unix_ns, 0}; }

snapshot_history in_memory(std::uint64_t bytes, std::string service = "shop") {
    history_bounds within;
    within.bytes = bytes;
    return snapshot_history(std::make_unique<memory_shelf>(), within, std::move(service));
}

snapshot_history in_folder(const std::string& path, std::uint64_t now = noon, std::uint64_t bytes = 1 << 20) {
    history_bounds within;
    within.bytes = bytes;
    auto opened = folder_shelf::open(path, "shop", within, now);
    REQUIRE(opened);
    return snapshot_history(std::move(opened->place), within, "shop", std::move(opened->found));
}

}  // namespace

TEST_CASE("history: a name says when and of which session, sorts by time, and nothing else is a name") {
    CHECK(make_past_name(noon, "3fa9c1d2aa") == "20261122T120000Z-3fa9c1d2");
    CHECK(make_past_name(0, "") == "19700101T000000Z-00000000");
    CHECK(moment_in_words(noon + 61 * second) == "2026-11-22 12:01:01 UTC");
    std::mt19937_64 random(7);
    std::string before;
    for (std::uint64_t t = 0; t < 9'000'000'000 * second; t += random() % (40'000'000 * second)) {
        const std::string name = make_past_name(t, "00112233");
        CHECK(before < name);
        const auto parsed = parse_past_name(name);
        REQUIRE(parsed);
        CHECK(parsed->taken_unix_ns == t / second * second);
        CHECK(parsed->session == "00112233");
        before = name;
    }
    for (const char* const wrong :
         {"", "20261122T120000Z", "20261122T120000Z-3fa9c1d", "20261122T120000Z-3fa9c1d2a", "20261122T120000Z-3FA9C1D2",
          "20261322T120000Z-3fa9c1d2", "20260230T120000Z-3fa9c1d2", "20261122T240000Z-3fa9c1d2", "19691231T235959Z-3fa9c1d2",
          "99991231T235959Z-3fa9c1d2", "2026112 T120000Z-3fa9c1d2", "20261122 120000Z-3fa9c1d2", "../../../etc/passwd"}) {
        INFO(wrong);
        CHECK_FALSE(parse_past_name(wrong));
    }
}

TEST_CASE("history: within any bound of bytes every age has a snapshot that is not much older") {
    const auto room = GENERATE(12U, 24U, 60U, 400U);
    history_bounds within;
    within.bytes = room;
    std::vector<past_size> kept;
    const std::uint64_t every = 5 * minute;
    std::uint64_t now = noon;
    for (std::uint64_t lived = every; lived <= 3 * day; lived += every) {
        now = noon + lived;
        kept.push_back({now, 1});
        const auto gone = superfluous(kept, within, now);
        for (auto index = gone.rbegin(); index != gone.rend(); ++index) {
            kept.erase(kept.begin() + static_cast<long>(*index));
        }
        REQUIRE(kept.size() <= room);
        REQUIRE(kept.back().taken_unix_ns == now);
        REQUIRE(now - kept.front().taken_unix_ns <= day);
        if (lived < day) { REQUIRE(kept.front().taken_unix_ns == noon + every); }
    }
    // By how much more than asked for the next older one is, at worst.
    double worst = 0;
    for (std::size_t i = 0; i + 1 < kept.size(); ++i) {
        const auto asked = static_cast<double>(now - kept[i + 1].taken_unix_ns + 1);
        const auto given = static_cast<double>(now - kept[i].taken_unix_ns);
        if (asked >= static_cast<double>(10 * minute)) { worst = std::max(worst, given / asked); }
    }
    INFO(room << " snapshots, " << kept.size() << " kept, the oldest of " << (now - kept.front().taken_unix_ns) / minute
              << " min");
    CHECK(worst < (room == 12 ? 2.5 : 2.01));
    // The oldest, once a day old, goes; the one behind it is then at most a gap younger.
    CHECK(now - kept.front().taken_unix_ns > day / 4);
}

TEST_CASE("history: what goes first is too old, and the newest stays unless it alone is too large") {
    history_bounds within;
    within.bytes = 100;
    CHECK(superfluous({}, within, noon).empty());
    CHECK(superfluous({{noon - day - 1, 1}, {noon - day, 1}, {noon, 1}}, within, noon) == std::vector<std::size_t>{0});
    CHECK(superfluous({{noon - 2, 60}, {noon - 1, 60}}, within, noon) == std::vector<std::size_t>{0});
    CHECK(superfluous({{noon, 101}}, within, noon) == std::vector<std::size_t>{0});
    // Of the future: the clock was set back. They count as new.
    CHECK(superfluous({{noon, 50}, {noon + hour, 50}}, within, noon).empty());
    within.count = 2;
    CHECK(superfluous({{noon - 3, 1}, {noon - 2, 1}, {noon - 1, 1}}, within, noon) == std::vector<std::size_t>{1});
}

TEST_CASE("history: keeps its bound at each moment, whatever the sizes") {
    const auto seed = GENERATE(1, 2, 3);
    std::mt19937_64 random(static_cast<std::uint64_t>(seed));
    auto kept = in_memory(5000);
    std::uint64_t now = noon;
    for (int i = 0; i < 500; ++i) {
        now += random() % hour;
        const std::string dump(random() % 3000, 'x');
        REQUIRE(kept.keep(at(now), dump, now));
        REQUIRE(kept.bytes() <= 5000);
        REQUIRE(kept.bytes_in_memory() < 5000 + 100'000);
        REQUIRE(kept.list().back().taken_unix_ns == now);
    }
    const auto too_large = kept.keep(at(now + 1), std::string(5001, 'x'), now + 1);
    REQUIRE_FALSE(too_large);
    CHECK(too_large.error().code == error_code::limit);
    CHECK(kept.list().back().taken_unix_ns == now);
    CHECK(kept.bounds().bytes == 5000);
}

TEST_CASE("history: an age gets the youngest that is at least so old, and is told how far it goes") {
    auto kept = in_memory(1 << 20);
    CHECK(kept.read_from(0, noon).error().message() == "no snapshot has been kept yet");
    for (std::uint64_t age = 4; age > 0; --age) {
        const std::uint64_t taken = noon - age * hour;
        REQUIRE(kept.keep(at(taken), dump_of("shop", std::to_string(age)), taken));
    }
    CHECK(label_in(kept.read_from(0, noon)) == "1");
    CHECK(label_in(kept.read_from(hour, noon)) == "1");
    CHECK(label_in(kept.read_from(hour + 1, noon)) == "2");
    CHECK(label_in(kept.read_from(4 * hour, noon)) == "4");
    const auto beyond = kept.read_from(4 * hour + 1, noon);
    CHECK(beyond.error().code == error_code::not_found);
    CHECK(beyond.error().what == "the history begins 4h00m ago; since=14400s is as far as it goes");
    CHECK(label_in(kept.read(make_past_name(noon - 2 * hour, "3fa9c1d2"))) == "2");
    CHECK(kept.read("nonsense").error().code == error_code::not_found);
}

TEST_CASE("history: a damaged dump and one of another service are passed over, and said") {
    auto kept = in_memory(1 << 20);
    std::string torn = dump_of("shop", "torn");
    torn.resize(torn.size() / 2);
    REQUIRE(kept.keep(at(noon - 5 * hour), dump_of("shop", "whole"), noon));
    REQUIRE(kept.keep(at(noon - 4 * hour), torn, noon));
    REQUIRE(kept.keep(at(noon - 3 * hour), dump_of("other", "foreign"), noon));
    REQUIRE(kept.keep(at(noon - 2 * hour), "no dump at all", noon));
    CHECK(label_in(kept.read_from(2 * hour, noon)) == "whole");
    const auto all = kept.list();
    CHECK(all[0].problem.empty());
    CHECK_FALSE(all[1].problem.empty());
    CHECK(all[2].problem == "is of another service: other");
    CHECK_FALSE(all[3].problem.empty());
    CHECK(kept.read(all[2].name).error().code == error_code::unreadable);
}

TEST_CASE("history: the first answer and the first list know what is damaged") {
    const temporary_folder folder;
    {
        auto before = in_folder(folder.path);
        REQUIRE(before.keep(at(noon - 5 * hour), "garbage", noon - 5 * hour));
        REQUIRE(before.keep(at(noon - 3 * hour), dump_of("shop", "whole"), noon - 3 * hour));
        REQUIRE(before.keep(at(noon - 2 * hour), dump_of("shop", "torn").substr(0, 40), noon - 2 * hour));
    }
    const auto told = [&] { return in_folder(folder.path); };
    const auto listed = told().list();
    REQUIRE(listed.size() == 3);
    CHECK_FALSE(listed[0].problem.empty());
    CHECK(listed[1].problem.empty());
    CHECK_FALSE(listed[2].problem.empty());
    CHECK(label_in(told().read_from(hour, noon)) == "whole");
    CHECK(told().read_from(4 * hour, noon).error().what == "the history begins 3h00m ago; since=10800s is as far as it goes");
}

TEST_CASE("history: after the clock was set back what is taken now is kept as densely as ever") {
    history_bounds within;
    within.count = 12;
    std::vector<past_size> kept;
    for (std::uint64_t i = 0; i < 12; ++i) { kept.push_back({noon + 12 * hour + i * 5 * minute, 1}); }
    std::uint64_t now = noon;
    for (int i = 0; i < 40; ++i) {
        now += 5 * minute;
        within.bytes = 12;
        kept.insert(
            std::upper_bound(kept.begin(), kept.end(), now, [](auto t, const auto& each) { return t < each.taken_unix_ns; }),
            {now, 1});
        const auto gone = superfluous(kept, within, now);
        for (auto index = gone.rbegin(); index != gone.rend(); ++index) {
            kept.erase(kept.begin() + static_cast<long>(*index));
        }
        REQUIRE(std::any_of(kept.begin(), kept.end(), [&](const auto& each) { return each.taken_unix_ns == now; }));
    }
    CHECK(std::count_if(kept.begin(), kept.end(), [&](const auto& each) { return each.taken_unix_ns <= now; }) >= 6);
}

TEST_CASE("history: in a folder it outlives the process, and two processes keep apart") {
    const temporary_folder folder;
    {
        auto first = in_folder(folder.path);
        REQUIRE(first.keep(at(noon - hour), dump_of("shop", "of the first life"), noon - hour));
        CHECK(first.where() == folder.path);
        CHECK(first.bytes_in_memory() < 4096);
        // Somebody else at the same time has files of its own.
        auto beside = in_folder(folder.path);
        CHECK(beside.list().empty());
        REQUIRE(beside.keep(at(noon - hour), dump_of("shop", "of the neighbour"), noon - hour));
        CHECK(label_in(first.read_from(0, noon)) == "of the first life");
    }
    auto later = in_folder(folder.path);
    CHECK(label_in(later.read_from(hour, noon)) == "of the first life");
    CHECK(later.list().size() == 1);
    auto third = in_folder(folder.path);
    CHECK(label_in(third.read_from(hour, noon)) == "of the neighbour");
    for (const auto& each : std::filesystem::directory_iterator(folder.path)) {
        CHECK((each.status().permissions() & std::filesystem::perms::all) ==
              (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
    }
}

TEST_CASE("history: what lies in the folder and is none of its files is left alone, what is too old or half-written goes") {
    const temporary_folder folder;
    const auto put = [&](const std::string& name, const std::string& text) {
        std::ofstream(folder.path + "/" + name) << text;
        std::filesystem::permissions(folder.path + "/" + name,
                                     std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    };
    const auto is_there = [&](const std::string& name) { return std::filesystem::exists(folder.path + "/" + name); };
    const std::string old = "history-shop-3-" + make_past_name(noon - day - minute, "01234567") + ".memtrace";
    const std::string fresh = "history-shop-3-" + make_past_name(noon - hour, "01234567") + ".memtrace";
    for (const std::string& name : {old, fresh, std::string("history-shop-0-cat.memtrace"), std::string("black-box"),
                                    std::string(".history-shop-0-x.memtrace.tmp"), std::string("history-shop-0-")}) {
        put(name, "not a dump");
    }
    put("history-shop-0-" + make_past_name(noon - hour, "01234567") + ".memtrace", "torn");
    std::filesystem::create_symlink("/etc/passwd",
                                    folder.path + "/history-shop-0-" + make_past_name(noon - minute, "0") + ".memtrace");
    auto kept = in_folder(folder.path);
    CHECK_FALSE(is_there(old));
    CHECK(is_there(fresh));
    CHECK(is_there("black-box"));
    CHECK(is_there("history-shop-0-cat.memtrace"));
    CHECK_FALSE(is_there(".history-shop-0-x.memtrace.tmp"));
    CHECK(kept.list().size() == 3);  // the torn one and the two that say no time; a link is no file
    CHECK(kept.read_from(0, noon).error().code == error_code::not_found);
    for (const past_snapshot& each : kept.list()) { CHECK_FALSE(each.problem.empty()); }
    CHECK(kept.bytes() == 4);
}

TEST_CASE("history: a folder that cannot be used is an error, and one that fills up loses nothing that was kept") {
    CHECK_FALSE(folder_shelf::open("/proc/nowhere", "shop", {}, noon));
    const temporary_folder folder;
    auto kept = in_folder(folder.path);
    REQUIRE(kept.keep(at(noon - hour), dump_of("shop", "kept"), noon - hour));
    std::filesystem::create_directory(folder.path + "/history-shop-0-" + make_past_name(noon, "3fa9c1d2") + ".memtrace");
    CHECK_FALSE(kept.keep(at(noon), dump_of("shop", "not kept"), noon));
    CHECK(kept.list().size() == 1);
    CHECK(label_in(kept.read_from(0, noon)) == "kept");
}

TEST_CASE("history: a child of fork lets go of its parent's files, and gets some of its own") {
    const temporary_folder folder;
    auto kept = in_folder(folder.path);
    REQUIRE(kept.keep(at(noon - hour), dump_of("shop", "parent's"), noon - hour));
    kept.lock_for_fork();
    const pid_t child = ::fork();
    if (child == 0) {
        const bool is_useless = kept.enter_child();
        kept.unlock_after_fork();
        const auto own = folder_shelf::open(folder.path, "shop", {}, noon);
        ::_exit(is_useless && !kept.read_from(0, noon) && own && own->found.empty() ? 0 : 1);
    }
    kept.unlock_after_fork();
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(label_in(kept.read_from(0, noon)) == "parent's");
    CHECK(in_folder(folder.path).list().empty());  // the parent's lock held
}

TEST_CASE("history: a service's name becomes a word that fits a file") {
    CHECK(file_word("orders-api") == "orders_api");
    CHECK(file_word("../../etc") == "______etc");
    CHECK(file_word(std::string(300, 'a')).size() == 48);
    CHECK(file_word("").empty());
}
