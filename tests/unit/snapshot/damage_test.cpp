// SPDX-License-Identifier: Apache-2.0
// Dumps that broke on the way, and dumps made to break the reader.
#include <catch2/catch.hpp>
#include <cmath>

#include <memwatch/snapshot/codec.hpp>

#include "example_snapshot.hpp"
#include "snapshot/bytes.hpp"
#include "snapshot/chunks.hpp"
#include "snapshot/deflate.hpp"
#include "snapshot/live_columns.hpp"
#include "snapshot/repair.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

using namespace memwatch_test;

namespace {

// Whatever happened to the bytes: an error that says what, or a value that passes validate(). True when it decoded.
bool is_handled(const std::string& bytes) {
    const auto decoded = decode(bytes);
    if (!decoded) {
        CHECK_FALSE(decoded.error().what.empty());
        return false;
    }
    CHECK(validate(decoded->value));
    return true;
}

std::string native(const snapshot& s) { return *encode(s, dump_format::memtrace); }

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) { text += line + "\n"; }
    return text;
}

// Position of a chunk's header.
std::size_t chunk_at(const std::string& dump, const std::string& type, int nth = 0) {
    std::size_t at = dump.find("\xCEMWC" + type);
    for (; nth > 0; --nth) { at = dump.find("\xCEMWC" + type, at + 1); }
    REQUIRE(at != std::string::npos);
    return at;
}

constexpr std::size_t chunk_header_bytes = 28;

}  // namespace

TEST_CASE("damage: every truncation of a dump is an error or a marked partial that passes validate()") {
    for (const auto format : {dump_format::memtrace, dump_format::json, dump_format::jsonl}) {
        const auto whole = *encode(example_snapshot(), format);
        for (std::size_t length = 0; length < whole.size(); ++length) {
            INFO("format " << static_cast<int>(format) << " length " << length);
            const auto decoded = decode(whole.substr(0, length));
            if (!decoded) {
                CHECK_FALSE(decoded.error().what.empty());
                continue;
            }
            // JSON may lose its last line end without losing anything.
            CHECK((!decoded->damage.empty() || same(decoded->value, example_snapshot())));
            CHECK(validate(decoded->value));
        }
    }
}

TEST_CASE("damage: no flipped bit crashes the reader, goes unnoticed in a dump, or makes an invalid value") {
    const auto original = example_snapshot();
    for (const auto format : {dump_format::memtrace, dump_format::json, dump_format::jsonl}) {
        const auto whole = *encode(original, format);
        for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
            auto bytes = whole;
            bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
            INFO("format " << static_cast<int>(format) << " bit " << bit);
            const auto decoded = decode(bytes);
            if (!decoded) { continue; }
            CHECK(validate(decoded->value));
            if (format == dump_format::memtrace) { CHECK_FALSE(decoded->damage.empty()); }
        }
    }
}

TEST_CASE("damage: random damage anywhere in larger dumps") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    random_source random{seed};
    const auto whole = native(random_snapshot(random, {30, 3000}));
    for (int round = 0; round < 2000; ++round) {
        auto bytes = whole;
        for (auto hits = 1 + random.below(8); hits > 0; --hits) {
            const auto at = random.below(bytes.size());
            switch (random.below(4)) {
                case 0:
                    bytes[at] = static_cast<char>(random.number());
                    break;
                case 1:
                    bytes.erase(at, random.below(100));
                    break;
                case 2:
                    bytes.insert(at, random.below(100), static_cast<char>(random.number()));
                    break;
                default:
                    bytes.replace(at, 4, bytes, random.below(bytes.size()), 4);
            }
        }
        is_handled(bytes);
    }
}

TEST_CASE("damage: a damaged chunk costs that chunk and what depends on it, nothing else") {
    const auto original = example_snapshot();
    const auto whole = native(original);
    const auto without = [&](const char* type, std::size_t offset) {
        auto bytes = whole;
        bytes[chunk_at(whole, type) + offset] ^= 0x40;
        return *decode(bytes);
    };
    SECTION("the payload of the tags") {
        const auto d = without("TAGS", chunk_header_bytes + 3);
        CHECK(d.damage.size() == 2);
        CHECK(joined(d.damage).find("chunk TAGS part 0 is damaged") != std::string::npos);
        CHECK(joined(d.damage).find("2 sites: their tag is lost") != std::string::npos);
        CHECK(d.value.tags.at(d.value.sites.at(0).tag).name == "(damaged)");
        CHECK(same(d.value.live, original.live));
        CHECK(same(d.value.frames, original.frames));
    }
    SECTION("the header of the pools: the reader finds the next chunk") {
        const auto d = without("POOL", 13);
        CHECK(d.damage.size() == 2);
        CHECK(joined(d.damage).find("a chunk POOL is lost") != std::string::npos);
        CHECK(d.value.pools.empty());
        CHECK(same(d.value.sites, original.sites));
        CHECK(same(d.value.live, original.live));
    }
    SECTION("modules: frames keep their offsets") {
        const auto d = without("MODS", chunk_header_bytes + 3);
        CHECK(d.value.modules.at(d.value.frames.at(0).module).path == "(damaged)");
        CHECK(d.value.frames.at(0).offset == 0x1a40);
        CHECK(d.value.frames.at(3).module == no_module);
    }
    SECTION("sites: records without a site are dropped, exact tags stay") {
        const auto d = without("SITE", chunk_header_bytes + 3);
        CHECK(d.value.live.empty());
        CHECK(same(d.value.tags, original.tags));
    }
    SECTION("traces: records stay, without their trace") {
        const auto d = without("TRAC", chunk_header_bytes + 3);
        CHECK(d.value.live.size() == 3);
        CHECK_FALSE(d.value.live[0].trace.is_valid());
        CHECK(joined(d.damage).find("2 live records: their trace is lost") != std::string::npos);
    }
    SECTION("records: the sites keep their totals") {
        const auto d = without("LIVE", chunk_header_bytes + 3);
        CHECK(d.value.live.empty());
        CHECK(d.value.sites.at(0).live.bytes == 6144);
    }
}

TEST_CASE("damage: of many parts of live records only the damaged one is lost") {
    random_source random{7};
    auto s = random_snapshot(random, {10, 3 * codec::records_a_part - 5});
    auto bytes = native(s);
    bytes[chunk_at(bytes, "LIVE", 1) + chunk_header_bytes + 100] ^= 1;
    const auto decoded = decode(bytes);
    REQUIRE(decoded);
    CHECK(decoded->damage.size() == 1);
    s.live.erase(s.live.begin() + codec::records_a_part, s.live.begin() + 2 * codec::records_a_part);
    CHECK(same(decoded->value.live, s.live));
}

TEST_CASE("versions: a newer minor is read, unknown chunks and added fields are skipped, a newer major is refused") {
    const auto original = example_snapshot();
    auto bytes = native(original);
    const auto set_version = [&](char major, char minor) {
        bytes[8] = major;
        bytes[10] = minor;
        codec::byte_writer crc;
        crc.fixed(codec::crc32_of(std::string_view{bytes}.substr(0, 12)), 4);
        bytes.replace(12, 4, crc.bytes());
    };
    set_version(1, 9);
    CHECK(same(decode(bytes)->value, original));
    CHECK(decode(bytes)->damage.empty());
    set_version(2, 0);
    CHECK(decode(bytes).error().code == error_code::unsupported);
    CHECK(decode(bytes).error().message() == "byte 8: written in format version 2, this build reads up to 1");

    codec::chunk_writer future;
    future.add("XTRA", 0, "whatever a later version knows", std::nullopt);
    codec::byte_writer routes;
    routes.varint(1);
    routes.text("\x04/new and a field more");  // a row with more than its name
    future.add("ROUT", 0, routes.bytes(), std::nullopt);
    REQUIRE(future.finish());
    const auto decoded = decode(future.take());
    REQUIRE(decoded);
    CHECK(decoded->damage.empty());
    CHECK(decoded->value.routes == std::vector<std::string>{"/new"});
}

TEST_CASE("hostile: counts, lengths and bombs are refused without the memory they ask for") {
    const auto with_chunk = [](const char* type, const std::string& payload) {
        codec::chunk_writer out;
        out.add("SELF", 0,
                std::string{"\x01\x03\x01"
                            "a\x01",
                            5},
                std::nullopt);  // something intact beside it
        out.add(type, 0, payload, codec::packing::text);
        static_cast<void>(out.finish());
        return out.take();
    };
    codec::byte_writer huge;
    huge.varint(~0ULL);
    for (const char* type : {"MODS", "FRMS", "STKS", "TAGS", "ROUT", "SITE", "LIVE", "TRAC", "INFO"}) {
        INFO(type);
        const auto decoded = decode(with_chunk(type, huge.bytes()));
        REQUIRE(decoded);
        CHECK_FALSE(decoded->damage.empty());
    }
    // 60 M sites of one byte each, deflated to 60 kB.
    codec::byte_writer bomb;
    bomb.varint(60'000'000);
    bomb.raw(std::string(60'000'000, '\0'));
    const auto bytes = with_chunk("SITE", bomb.bytes());
    CHECK(bytes.size() < 1'000'000);
    const auto decoded = decode(bytes);
    REQUIRE(decoded);
    CHECK_FALSE(decoded->damage.empty());
    CHECK(decoded->value.sites.size() * sizeof(site) < (1U << 30));
}

TEST_CASE("hostile: lists inside rows have no memory of their own either") {
    // 50 M source lines of three zero bytes each would take 3.6 GB.
    codec::byte_writer row;
    row.varint(0);
    row.varint(0);
    row.varint(50'000'000);
    row.raw(std::string(150'000'000, '\0'));
    codec::byte_writer frames;
    frames.varint(1);
    frames.text(row.bytes());
    codec::chunk_writer out;
    out.add("SELF", 0,
            std::string{"\x01\x03\x01"
                        "a\x01",
                        5},
            std::nullopt);
    out.add("FRMS", 0, frames.bytes(), codec::packing::columns);
    static_cast<void>(out.finish());
    const auto decoded = decode(out.take());
    REQUIRE(decoded);
    CHECK(decoded->value.frames.empty());
    CHECK(joined(decoded->damage).find("unpacks to more than a dump of this size may") != std::string::npos);
}

TEST_CASE("hostile: stacks do not stand for more calls than a dump of their size has") {
    snapshot s = example_snapshot();
    s.frames[0].lines.assign(20'000, {"f", "f.cpp", 1, 0});
    s.stacks.push_back({std::vector<std::uint32_t>(1000, 0), false});
    const auto text = encode(s, dump_format::json);
    REQUIRE(text);
    const auto decoded = decode(*text);  // 20 million calls, 1.4 GB, out of 1.4 MB
    REQUIRE(!decoded);
    CHECK(decoded.error().code == error_code::limit);
    CHECK(!encode(s, dump_format::memtrace));  // nothing is written that cannot be read back
}

TEST_CASE("hostile: markers that lie do not make the reader quadratic") {
    auto bytes = native(example_snapshot());
    std::string lies;
    for (int i = 0; i < 1'000'000; ++i) { lies += "\xCEMWCLIVE"; }
    bytes.insert(chunk_at(bytes, "SITE"), lies);
    const auto decoded = decode(bytes);
    REQUIRE(decoded);
    CHECK(decoded->damage.size() == 2);  // the lies, and that the directory is not where the trailer says
    CHECK(same(decoded->value.sites, example_snapshot().sites));
}

TEST_CASE("hostile: impossible figures in intact chunks are repaired and said") {
    const auto decoded = decode(R"({"format":"memwatch-snapshot","version":1,
        "frames":[{"module":7,"offset":1}],"stacks":[{"frames":[0,9]}],
        "tags":[{"name":"t","allocated_bytes":1,"freed_bytes":2}],
        "sites":[{"stack":5,"tag":9,"live":{"bytes":-1,"samples":2},"cohorts":[{"epoch":3},{"epoch":3}]}],
        "live":[{"sequence":2,"site":0,"route":4,"thread":4},{"sequence":1,"site":0},{"sequence":9,"site":1}]})");
    REQUIRE(decoded);
    CHECK(validate(decoded->value));
    CHECK(decoded->damage.size() == 8);
    CHECK(decoded->value.live.size() == 1);
    CHECK(decoded->value.routes.at(decoded->value.live[0].route) == "(damaged)");
    CHECK(decoded->value.stacks.at(0).is_truncated);
}

TEST_CASE("damage: JSON lines lose the broken line only, and no row moves") {
    auto s = example_snapshot();
    auto text = *encode(s, dump_format::jsonl);
    const auto at = text.find("{\"table\":\"tags\",\"index\":0");
    text.replace(at, 5, "{\"ta}");
    const auto decoded = decode(text);
    REQUIRE(decoded);
    CHECK(decoded->damage.size() == 2);  // the line, and a row less than the end says
    CHECK(decoded->value.tags.at(1).name == "order-cache");
    CHECK(same(decoded->value.live, s.live));
}

TEST_CASE("varints and reals: the edges") {
    codec::byte_writer out;
    const std::uint64_t numbers[] = {0, 127, 128, 300, ~0ULL, 1ULL << 63};
    const double reals[] = {0.0, -0.0, 1.0, 4096.0, 0.1, 5e-324, -1e300};
    for (const auto number : numbers) { out.varint(number); }
    for (const auto number : numbers) { out.varint(codec::zigzag(number)); }
    for (const auto number : reals) { out.real(number); }
    codec::byte_reader in{out.bytes()};
    for (const auto number : numbers) { CHECK(in.varint() == number); }
    for (const auto number : numbers) { CHECK(codec::unzigzag(in.varint()) == number); }
    for (const auto number : reals) { CHECK(std::bit_cast<std::uint64_t>(in.real()) == std::bit_cast<std::uint64_t>(number)); }
    CHECK(in.left() == 0);
    CHECK_FALSE(in.failed());
    CHECK(in.byte() == 0);
    CHECK(in.failed());
    codec::byte_reader overlong{"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02"};
    overlong.varint();
    CHECK(overlong.failed());
}

TEST_CASE("damage: a verdict of a newer version is inconclusive, and one about a lost row is dropped") {
    const snapshot original = judged_example();
    SECTION("numbers of a dump that this version has no words for") {
        snapshot newer = original;
        newer.verdicts[0].kind = static_cast<verdict_class>(verdict_class_count + 1);
        newer.verdicts[0].features[1].kind = static_cast<verdict_feature_kind>(verdict_feature_count);
        CHECK(validate(newer).error().where == "verdicts[0]");
        std::vector<std::string> damage;
        codec::repair(newer, damage);
        CHECK(validate(newer));
        CHECK(newer.verdicts[0].kind == verdict_class::inconclusive);
        CHECK(newer.verdicts[0].severity == verdict_severity::none);
        CHECK(newer.verdicts[0].features.size() == 1);
        CHECK(newer.verdicts[0].retained_bytes == original.verdicts[0].retained_bytes);
    }
    SECTION("words of JSON") {
        auto json = *encode(original, dump_format::json);
        json.replace(json.find("leak_retained"), 13, "leak_of_2030x");
        const auto d = *decode(json);
        CHECK(d.value.verdicts.at(0).kind == verdict_class::inconclusive);
        CHECK(joined(d.damage) == "1 verdicts: of a class that this version does not know, set to inconclusive\n");
    }
    SECTION("their pool is lost") {
        auto bytes = native(original);
        bytes[chunk_at(bytes, "POOL") + chunk_header_bytes + 3] ^= 0x40;
        const auto d = *decode(bytes);
        CHECK(d.value.verdicts.size() == 2);
        CHECK(joined(d.damage).find("1 verdicts: dropped") != std::string::npos);
    }
    SECTION("figures that are none") {
        snapshot odd = original;
        odd.verdicts[0].confidence = 1.5;
        odd.verdicts[0].rate_bytes_per_second = std::nan("");
        odd.verdicts[1].retained_bytes = -1;
        odd.verdicts[2].features.push_back({verdict_feature_kind::growth, std::nan(""), 0});
        std::swap(odd.verdicts[1], odd.verdicts[2]);
        std::vector<std::string> damage;
        codec::repair(odd, damage);
        CHECK(validate(odd));
        CHECK(odd.verdicts.size() == 2);
        CHECK(odd.verdicts[0].confidence == 0);
        CHECK(odd.verdicts[1].subject == verdict_subject::pool);
        CHECK(odd.verdicts[1].features.empty());
    }
}

TEST_CASE("damage: an old reader steps over the verdicts") {
    const auto whole = native(judged_example());
    auto older = whole;  // a chunk of a type that this version does not know
    const auto at = chunk_at(older, "VERD");
    older.replace(at + 4, 4, "ZZZZ");
    codec::byte_writer crc;
    crc.fixed(codec::crc32_of(std::string_view{older}.substr(at, 24)), 4);
    older.replace(at + 24, 4, crc.bytes());
    older.resize(chunk_at(older, "DIRY"));
    const auto d = *decode(older);
    CHECK(d.value.verdicts.empty());
    CHECK(same(d.value, example_snapshot()));
}
