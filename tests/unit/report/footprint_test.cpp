// SPDX-License-Identifier: Apache-2.0
// A footprint as people read it: rows and their sum, and no name that a terminal or a document obeys.
#include <string>

#include <catch2/catch.hpp>

#include "report/footprint.hpp"
#include "support/example_footprint.hpp"

using namespace memwatch;

namespace {

bool has(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

std::size_t lines_with(const std::string& text, const std::string& words) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(words, at)) != std::string::npos; at += words.size()) { ++count; }
    return count;
}

}  // namespace

TEST_CASE("footprint text: the sum stands under its rows, with what is unexplained, and how sure each is") {
    const std::string text = render_text(test_support::example_footprint());
    CHECK(has(text, "pid 4711  VmRSS 600.0 MiB  unexplained -0.3 %  measured in 12 ms"));
    CHECK(has(text, "- allocator retention, not a leak: 412.0 MiB reclaimable with malloc_trim(0)\n"));
    CHECK(has(text, "live, tracked"));
    CHECK(has(text, "16.7 %"));
    CHECK(has(text, "+-3.0 MiB; estimated"));
    CHECK(has(text, "  VmRSS                    600.0 MiB     100 %\n"));
    CHECK(has(text, "memory.current"));
    CHECK(has(text, "/orders.service (cgroup v2), limit 1.0 GiB, cannot be taken back: 650.0 MiB"));
    CHECK(has(text, "jemalloc (beside)"));
    CHECK(has(text, "1m00s ago"));
    CHECK(has(text, "1 of 7"));
    INFO(text);
    CHECK(text.find_first_of("\x1b\r\t") == std::string::npos);
    CHECK(lines_with(text, "# heading") == 1);  // within its line
    CHECK_FALSE(has(text, "\n# heading"));
}

TEST_CASE("footprint text: notes are whole, but on a terminal that is narrower") {
    footprint where = test_support::example_footprint();
    where.rows[1].note =
        "a note that is so long that no terminal of eighty columns has room for it beside a row, and ends here";
    CHECK(has(render_text(where), "and ends here\n"));
    CHECK(has(render_markdown(where), "and ends here"));
    CHECK(has(render_text(where, {.width = 400}), "and ends here\n"));
    const std::string narrow = render_text(where, {.width = 80});
    CHECK_FALSE(has(narrow, "and ends here"));
    CHECK(has(narrow, "a note that is so"));
}

TEST_CASE("footprint text: a heap that changed meanwhile is said") {
    footprint where = test_support::example_footprint();
    where.changed_bytes = where.resident_bytes / 50;
    CHECK_FALSE(has(render_text(where), "the heap changed"));
    where.changed_bytes = where.resident_bytes / 10;
    CHECK(has(render_text(where), "- the heap changed while it was looked at: 60.0 MiB (10 % of VmRSS) came or went"));
}

TEST_CASE("footprint text: what was not measured has no section") {
    footprint where;
    where.resident_bytes = 1 << 20;
    const std::string text = render_text(where);
    CHECK(has(text, "VmRSS"));
    CHECK_FALSE(has(text, "Allocators"));
    CHECK_FALSE(has(text, "Loaded objects"));
    CHECK_FALSE(has(text, "What the cgroup is charged"));
}

TEST_CASE("footprint Markdown: names cannot break a table nor become markup") {
    const std::string text = render_markdown(test_support::example_footprint());
    CHECK(has(text, "| part | bytes | of VmRSS |  |\n|---|---:|---:|---|\n"));
    CHECK(has(text, "| **VmRSS** | **600.0 MiB** | **100 %** |"));
    CHECK(has(text, "`/opt/<b>plugin</b>.so`"));
    CHECK_FALSE(has(text, "\n# heading"));
    CHECK_FALSE(has(text, " <b>"));
}

TEST_CASE("footprint text: of many loaded objects the largest are shown") {
    footprint where = test_support::example_footprint();
    where.modules.resize(40);
    CHECK(has(render_text(where), "10 of 40"));
    CHECK_FALSE(has(render_text(where, {0, false}), "of 40"));
}
