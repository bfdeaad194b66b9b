// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <memwatch/snapshot/codec.hpp>

#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

using namespace memwatch_test;

namespace {

constexpr dump_format readable_formats[] = {dump_format::memtrace, dump_format::json, dump_format::jsonl};

std::uint64_t fresh_seed() { return test_support::seed(); }

}  // namespace

TEST_CASE("codec: decode(encode(s)) == s in every format that can be read") {
    for (int round = 0; round < 40; ++round) {
        const auto seed = round == 0 ? 1 : fresh_seed();
        random_source random{seed};
        const auto original = random_snapshot(random, {1 + random.below(20), random.below(300)});
        for (const auto format : readable_formats) {
            INFO("seed " << seed << " format " << static_cast<int>(format));
            const auto bytes = encode(original, format);
            INFO((bytes ? "" : bytes.error().message()));
            REQUIRE(bytes);
            const auto decoded = decode(*bytes);
            REQUIRE(decoded);
            CHECK(decoded->damage.empty());
            CHECK(same(decoded->value, original));
        }
    }
}

TEST_CASE("codec: an empty snapshot survives every format") {
    for (const auto format : readable_formats) {
        const auto bytes = encode(snapshot{}, format);
        REQUIRE(bytes);
        const auto decoded = decode(*bytes);
        REQUIRE(decoded);
        CHECK(decoded->damage.empty());
        CHECK(same(decoded->value, snapshot{}));
    }
}

TEST_CASE("codec: extreme 64-bit numbers and doubles stay exact") {
    snapshot s;
    s.info.pid = ~0ULL;
    s.info.started_unix_ns = (1ULL << 53) + 1;
    s.tags.push_back({"t", ~0ULL, ~0ULL, ~0ULL - 1, 0});
    s.stacks.push_back({});
    s.sites.push_back({});
    s.sites[0].live = {5e-324, 1e300, 0.1, 1.0 / 3.0, ~0ULL};
    for (const auto format : readable_formats) {
        const auto decoded = decode(*encode(s, format));
        REQUIRE(decoded);
        CHECK(same(decoded->value, s));
    }
}

TEST_CASE("codec: JSON replaces bytes that are not UTF-8 and memtrace keeps them") {
    snapshot s;
    s.routes = {"", "\xFF/caf\xC3\xA9/\xC0\xAF/\xED\xA0\x80"};
    // MT    CHECK(decode(*encode(s, dump_format::memtrace))->value.routes == s.routes);
    const std::string replaced = "\xEF\xBF\xBD/caf\xC3\xA9/\xEF\xBF\xBD\xEF\xBF\xBD/\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD";
    CHECK(decode(*encode(s, dump_format::json))->value.routes[1] == replaced);
    CHECK(decode(*encode(s, dump_format::jsonl))->value.routes[1] == replaced);
}

TEST_CASE("codec: a snapshot that breaks the model's laws is refused, not written") {
    snapshot s;
    s.live.push_back({});
    for (const auto format :
         {dump_format::memtrace, dump_format::json, dump_format::jsonl, dump_format::pprof, dump_format::folded}) {
        const auto bytes = encode(s, format);
        REQUIRE_FALSE(bytes);
        CHECK(bytes.error().code == error_code::invalid_argument);
        CHECK(bytes.error().where == "live[0]");
    }
}

TEST_CASE("codec: what is not a dump is named as such") {
    CHECK(decode("").error().code == error_code::unreadable);
    CHECK(decode("hello").error().message() == "byte 0: not a memwatch dump (memtrace, json or jsonl)");
    CHECK(decode("{\"a\":1}").error().code == error_code::unreadable);
    CHECK(decode("\x1F\x8B\x08").error().code == error_code::unsupported);
    CHECK(decode("{\"format\":\"memwatch-snapshot\",\"version\":2}").error().code == error_code::unsupported);
    CHECK(decode("{\"format\":\"memwatch-lines\",\"version\":2}\n").error().code == error_code::unsupported);
}

TEST_CASE("codec: JSON written by other hands: absent keys are defaults, unknown keys are ignored, order is free") {
    const auto decoded = decode(R"( { "future": {"x":[1,2]}, "tags":[{"name":"a","allocated_bytes":10,"new":null}],
        "info":{"label":"by hand"}, "version":1, "format":"memwatch-snapshot" } )");
    REQUIRE(decoded);
    CHECK(decoded->damage.empty());
    CHECK(decoded->value.info.label == "by hand");
    CHECK(decoded->value.tags.at(0).allocated_bytes == 10);
}

TEST_CASE("codec: JSON nested a million deep is an error, not a stack overflow") {
    std::string deep = R"({"format":"memwatch-snapshot","version":1,"info":)" + std::string(1'000'000, '[');
    const auto decoded = decode(deep);
    REQUIRE(decoded);
    CHECK(decoded->damage.size() == 1);
}

TEST_CASE("codec: format names parse and everything else is refused") {
    CHECK(*parse_dump_format("memtrace") == dump_format::memtrace);
    CHECK(*parse_dump_format("folded") == dump_format::folded);
    CHECK(parse_dump_format("JSON").error().code == error_code::invalid_argument);
}

TEST_CASE("codec: five million blocks that are all alike are written so that a reader accepts them") {
    snapshot s;
    s.stacks = {{}};
    s.tags.resize(1);
    s.routes.resize(1);
    s.threads.resize(1);
    s.sites.resize(1);
    s.live.resize(5'000'000);
    for (std::size_t i = 0; i < s.live.size(); ++i) {
        s.live[i].sequence = i + 1;
        s.live[i].size_bytes = 64;
    }
    s.sites[0].live.samples = s.live.size();
    const auto bytes = encode(s, dump_format::memtrace);
    REQUIRE(bytes);
    const auto decoded = decode(*bytes);
    REQUIRE(decoded);
    CHECK(decoded->damage.empty());
    CHECK(decoded->value.live.size() == s.live.size());
}
