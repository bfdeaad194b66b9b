// SPDX-License-Identifier: Apache-2.0
// The kernel's text about mappings, and what is said of pages.
#include <fstream>
#include <sstream>
#include <string>

#include <catch2/catch.hpp>
#include "footprint/anonymous_pages.hpp"
#include "footprint/memory_map.hpp"
#include "footprint/resident_map.hpp"

using namespace memwatch;
using platform::page_state;

namespace {

constexpr const char* text =
    "00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/dbus daemon\n"
    "Size:                328 kB\n"
    "Rss:                 100 kB\n"
    "Anonymous:             8 kB\n"
    "VmFlags: rd ex mr mw me\n"
    "7f0000000000-7f0000004000 rw-p 00000000 00:00 0 \n"
    "Rss:                  12 kB\n"
    "Anonymous:           999 kB\n"
    "Swap:                  4 kB\n"
    "7ffe00000000-7ffe00021000 rw-p 00000000 00:00 0                          [stack]\n"
    "Rss:                  16 kB\n";

mapping of_pages(std::uint64_t begin, std::size_t count, std::uint64_t resident) {
    mapping out;
    out.begin = begin;
    out.end = begin + count * 4096;
    out.resident = resident;
    return out;
}

}  // namespace

TEST_CASE("memory_map: mappings with their figures, in bytes and within their size") {
    const std::vector<mapping> list = parse_memory_map(text);
    REQUIRE(list.size() == 3);
    CHECK(list[0].name == "/usr/bin/dbus daemon");
    CHECK(list[0].inode == 173521);
    CHECK(list[0].is_executable);
    CHECK(list[0].resident == 100 * 1024);
    CHECK(list[0].anonymous == 8 * 1024);
    CHECK(list[1].name.empty());
    CHECK(list[1].is_writable);
    CHECK(list[1].anonymous == list[1].resident);  // no more than there is
    CHECK(list[1].swapped == 4096);
    CHECK(list[2].name == "[stack]");
}

TEST_CASE("memory_map: what is no mapping is passed over, and its figures with it") {
    CHECK(parse_memory_map("").empty());
    CHECK(parse_memory_map("Rss: 12 kB\n").empty());
    CHECK(parse_memory_map("2000-1000 rw-p 0 00:00 0\nRss: 4 kB\n").empty());
    CHECK(parse_memory_map("1000-zz rw-p 0 00:00 0\n").empty());
    const std::vector<mapping> list =
        parse_memory_map("1000-3000 rw-p 0 00:00 0\n2000-4000 rw-p 0 00:00 0\nRss: 8 kB\n5000-6000 r--s 0 00:00 7 x\n");
    REQUIRE(list.size() == 2);
    CHECK(list[0].resident == 0);
    CHECK(list[1].is_shared);
}

TEST_CASE("memory_map: this process' own mappings are all understood") {
    std::ifstream file("/proc/self/smaps");
    std::ostringstream all;
    all << file.rdbuf();
    const std::vector<mapping> list = parse_memory_map(all.str());
    CHECK(list.size() > 10);
    std::uint64_t resident = 0;
    for (const mapping& each : list) { resident += each.resident; }
    CHECK(resident > 1024 * 1024);
}

TEST_CASE("resident_map: bytes of any range, page by page") {
    resident_map map;
    map.add(of_pages(0x7000, 4, 3 * 4096),
            {page_state::resident, page_state::absent, page_state::resident, page_state::resident});
    CHECK(map.bytes_in(0x7800, 0xa800) == 2048 + 4096 + 2048);
    CHECK(map.bytes_in(0x7000, 0xb000) == 3 * 4096);
    CHECK(map.bytes_in(0x7010, 0x7020) == 0x10);
    CHECK(map.bytes_in(0x8010, 0x8020) == 0);
    CHECK(map.bytes_in(0, 0x7000) == 0);
    CHECK(map.bytes_in(0, 0x100000) == 3 * 4096);
    CHECK(map.run_end(0x9010, 0x100000) == 0xb000);
    CHECK(map.run_end(0x8000, 0x100000) == 0x8000);
    CHECK(map.run_end(0x9000, 0x9800) == 0x9800);
}

TEST_CASE("resident_map: pages of zeroes are not resident, pages shared with a child are") {
    const std::vector<page_state> states{page_state::resident, page_state::shared, page_state::shared, page_state::absent};
    resident_map zeroes;
    zeroes.add(of_pages(0x10000, 4, 4096), states);
    CHECK(zeroes.bytes_in(0x10000, 0x14000) == 4096);
    resident_map forked;
    forked.add(of_pages(0x10000, 4, 3 * 4096), states);
    CHECK(forked.bytes_in(0x10000, 0x14000) == 3 * 4096);
}

TEST_CASE("anonymous_pages: what was taken cannot be taken again") {
    // This process' own pages: written, so that they are in memory.
    std::vector<char> memory(64 * 4096, 1);
    const auto begin = (reinterpret_cast<std::uint64_t>(memory.data()) + 4095) / 4096 * 4096;
    platform::page_reader reader;
    anonymous_pages pages;
    REQUIRE(pages.add(of_pages(begin, 32, 32 * 4096), reader));
    CHECK(pages.bytes_left() == 32 * 4096);
    CHECK(pages.take({{begin + 4096 * 8, begin + 4096 * 10}, {begin, begin + 4096}}) == 3 * 4096);
    CHECK(pages.take({{begin, begin + 4096 * 10}}) == 7 * 4096);
    CHECK(pages.take({{begin, begin + 4096 * 10}}) == 0);
    CHECK(pages.bytes_left() == 22 * 4096);
    REQUIRE(pages.left().size() == 1);
    CHECK(pages.left()[0].begin == begin + 4096 * 10);
}
