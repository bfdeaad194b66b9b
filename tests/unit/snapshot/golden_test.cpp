// SPDX-License-Identifier: Apache-2.0
// Dumps written once must be readable for ever; and what FORMAT.md shows is what the reader reads.
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include <memwatch/snapshot/codec.hpp>

#include "example_snapshot.hpp"
#include "support/random_snapshot.hpp"

using namespace memwatch_test;

namespace {

const std::string source_root = MEMWATCH_SOURCE_ROOT;

// The bytes of the last code block of FORMAT.md whose lines look like xxd's.
std::string format_example() {
    std::ifstream in(source_root + "/src/snapshot/FORMAT.md");
    REQUIRE(in);
    std::string bytes;
    for (std::string line; std::getline(in, line);) {
        if (line.size() < 10 || line.compare(8, 2, ": ") != 0) { continue; }
        std::istringstream groups(line.substr(10, 40));
        for (std::string group; groups >> group;) {
            for (std::size_t i = 0; i < group.size(); i += 2) {
                bytes += static_cast<char>(std::stoi(group.substr(i, 2), nullptr, 16));
            }
        }
    }
    return bytes;
}

// What FORMAT.md says its example holds.
snapshot described_example() {
    const trace_id trace = *parse_trace_id("4bf92f3577b34da6a3ce929d0e0e4736");
    snapshot s;
    s.info.label = "x";
    s.stacks = {{}};
    s.tags = {{"cache", 4096, 2, 0, 0}};
    s.routes = {""};
    s.threads = {{"", 0, false}};
    s.sites.resize(1);
    s.sites[0].type = "Order";
    s.sites[0].live = {300, 2, 0, 0, 2};
    s.live = {{5, 100, 1000, 0, trace, 0, 0, 0}, {7, 200, 900, 0, trace, 0, 0, 0}};
    return s;
}

}  // namespace

TEST_CASE("golden: dumps of every version so far decode to what was written") {
    for (const char* name : {"v1.0.memtrace", "v1.json", "v1.jsonl"}) {
        INFO(name);
        const auto decoded = read_dump(source_root + "/tests/golden/dump/" + name);
        REQUIRE(decoded);
        CHECK(decoded->damage.empty());
        CHECK(same(decoded->value, example_snapshot()));
    }
    const auto decoded = read_dump(source_root + "/tests/golden/dump/v1.1.memtrace");
    REQUIRE(decoded);
    CHECK(decoded->damage.empty());
    snapshot expected = example_snapshot();
    expected.info.exact_until_ns = 12'000'000'000;
    CHECK(same(decoded->value, expected));

    const auto window = read_dump(source_root + "/tests/golden/dump/v1.2.memtrace");
    REQUIRE(window);
    CHECK(window->damage.empty());
    expected.info.window_ns = 5'000'000'000;
    CHECK(same(window->value, expected));

    const auto with_pools = read_dump(source_root + "/tests/golden/dump/v1.2.pools.memtrace");
    REQUIRE(with_pools);
    CHECK(with_pools->damage.empty());
    pool_totals& conn = expected.pools[0];
    conn.tag = "conn";
    conn.upstream_is_pool = true;
    conn.storage_bytes = 1024;
    conn.waiters = 2;
    conn.most_waiters = 5;
    conn.waits = 17;
    conn.wait_ns = 3'000'000'000;
    conn.oldest_checkout_ns = 95'000'000'000;
    conn.oldest_trace = *parse_trace_id("4bf92f3577b34da6a3ce929d0e0e4736");
    conn.oldest_route = 1;
    conn.oldest_frame = 2;
    CHECK(same(with_pools->value, expected));

    const auto with_starts = read_dump(source_root + "/tests/golden/dump/v1.3.lines.memtrace");
    REQUIRE(with_starts);
    CHECK(with_starts->damage.empty());
    expected.frames[0].lines[0].function_line = 40;
    expected.frames[0].lines[1].function_line = 3;
    CHECK(same(with_starts->value, expected));

    const auto with_weights = read_dump(source_root + "/tests/golden/dump/v1.3.weights.memtrace");
    REQUIRE(with_weights);
    CHECK(with_weights->damage.empty());
    expected.tags[1].weight = 0.9;
    CHECK(same(with_weights->value, expected));

    for (const char* name : {"v1.4.verdicts.memtrace", "v1.4.verdicts.json"}) {
        INFO(name);
        const auto judged = read_dump(source_root + "/tests/golden/dump/" + name);
        REQUIRE(judged);
        CHECK(judged->damage.empty());
        CHECK(same(judged->value, judged_example()));
    }
}

TEST_CASE("golden: the example in FORMAT.md is what the text says") {
    const auto bytes = format_example();
    CHECK(bytes.size() == 465);
    const auto decoded = decode(bytes);
    REQUIRE(decoded);
    CHECK(decoded->damage.empty());
    CHECK(same(decoded->value, described_example()));
    CHECK(bytes == *encode(described_example(), dump_format::memtrace));
}
