// SPDX-License-Identifier: Apache-2.0
// Dumps read without their records: what must be the same as in a full reading, what must not be touched, and what becomes of
// damage.
#include <catch2/catch.hpp>

#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "example_snapshot.hpp"
#include "snapshot/dump_tables.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

using namespace memwatch_test;

namespace {

std::string native(const snapshot& s) { return *encode(s, dump_format::memtrace); }

snapshot without_records(snapshot s) {
    s.live.clear();
    return s;
}

constexpr std::size_t chunk_header_bytes = 28;

std::size_t chunk_at(const std::string& dump, const std::string& type) {
    const auto at = dump.find("\xCEMWC" + type);
    REQUIRE(at != std::string::npos);
    return at;
}

// The file of one test; gone with it.
class dump_file {
public:
    dump_file() : fd_(::mkstemp(path_)) { REQUIRE(fd_ >= 0); }
    dump_file(const dump_file&) = delete;
    dump_file& operator=(const dump_file&) = delete;
    ~dump_file() {
        ::close(fd_);
        std::remove(path_);
    }
    void write(const std::string& bytes) const { std::ofstream{path_, std::ios::binary | std::ios::trunc} << bytes; }
    void cut(std::size_t length) const { REQUIRE(::ftruncate(fd_, static_cast<off_t>(length)) == 0); }
    [[nodiscard]] std::string path() const { return path_; }

private:
    char path_[32] = "/tmp/tables_test.XXXXXX";
    int fd_;
};

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) { text += line + "\n"; }
    return text;
}

}  // namespace

TEST_CASE("tables: what is read without records is the dump without its records, from memory and from a file") {
    const auto seed = test_support::seed();
    INFO("seed " << seed);
    random_source random{seed};
    const dump_file file;
    for (int i = 0; i < 20; ++i) {
        const auto whole = random_snapshot(random);
        for (const auto format : {dump_format::memtrace, dump_format::json, dump_format::jsonl}) {
            const auto bytes = *encode(whole, format);
            file.write(bytes);
            for (const auto& read : {decode_tables(bytes), read_tables(file.path())}) {
                REQUIRE(read);
                CHECK(read->damage.empty());
                CHECK(same(read->value, without_records(decode(bytes)->value)));
                CHECK((read->unread_chunks > 0) == (format == dump_format::memtrace && !whole.live.empty()));
            }
        }
    }
}

TEST_CASE("tables: records are not looked at, and a full reading still says that they are damaged") {
    auto bytes = native(example_snapshot());
    for (const auto* type : {"LIVE", "TRAC"}) {
        for (std::size_t i = 0; i < chunk_header_bytes; ++i) { bytes[chunk_at(bytes, type) + i + 8] ^= 0x55; }
    }
    const auto tables = decode_tables(bytes);
    REQUIRE(tables);
    CHECK(tables->damage.empty());
    CHECK(tables->unread_chunks == 2);
    CHECK(tables->unread_bytes > 2 * chunk_header_bytes);
    CHECK(same(tables->value, without_records(example_snapshot())));
    CHECK_FALSE(decode(bytes)->damage.empty());
}

TEST_CASE("tables: without a sound directory the chunks are walked, and what is lost is said") {
    const auto whole = native(example_snapshot());
    const auto directory = chunk_at(whole, "DIRY");
    for (const std::size_t at : {whole.size() - 1, whole.size() - 16, directory, directory + 20, directory + 30}) {
        auto bytes = whole;
        bytes[at] ^= 0x40;
        INFO("byte " << at);
        const auto tables = decode_tables(bytes);
        REQUIRE(tables);
        CHECK_FALSE(tables->damage.empty());
        CHECK(tables->unread_chunks == 2);
        CHECK(same(tables->value, without_records(example_snapshot())));
    }
}

TEST_CASE("tables: a damaged table costs that table, with and without the directory") {
    auto bytes = native(example_snapshot());
    bytes[chunk_at(bytes, "SITE") + chunk_header_bytes + 3] ^= 0x40;
    const auto by_directory = decode_tables(bytes);
    REQUIRE(by_directory);
    CHECK(joined(by_directory->damage).find("chunk SITE part 0 is damaged") != std::string::npos);
    CHECK(by_directory->value.sites.empty());
    CHECK(by_directory->value.tags.size() == example_snapshot().tags.size());
    bytes.resize(bytes.size() - 1);
    const auto by_walk = decode_tables(bytes);
    REQUIRE(by_walk);
    CHECK(by_walk->damage.size() == by_directory->damage.size() + 1);
    CHECK(same(by_walk->value, by_directory->value));
}

TEST_CASE("tables: sums are the tables without the sites' cohorts") {
    const dump_file file;
    snapshot s = example_snapshot();
    s.sites.front().cohorts = {{1, 10, 1, true}, {3, 30, 2, false}};
    file.write(*encode(s, dump_format::memtrace));
    const auto tables = read_tables(file.path());
    const auto sums = read_sums(file.path());
    REQUIRE(tables.has_value());
    REQUIRE(sums.has_value());
    CHECK(sums->damage.empty());
    CHECK(same(tables->value, without_records(s)));
    for (auto& each : s.sites) { each.cohorts.clear(); }
    CHECK(same(sums->value, without_records(s)));
}

TEST_CASE("tables: every truncation of a dump is an error or a marked partial, through the file as well") {
    for (const auto format : {dump_format::memtrace, dump_format::json, dump_format::jsonl}) {
        const auto whole = *encode(example_snapshot(), format);
        const dump_file file;
        file.write(whole);
        for (std::size_t length = whole.size(); length-- > 0;) {
            file.cut(length);
            INFO("format " << static_cast<int>(format) << " length " << length);
            const auto tables = read_tables(file.path());
            const auto full = read_dump(file.path());
            CHECK(tables.has_value() == full.has_value());
            if (!tables) {
                CHECK_FALSE(tables.error().what.empty());
                CHECK(tables.error().where.find(file.path()) == 0);
                continue;
            }
            // JSON may lose its last line end without losing anything.
            CHECK((!tables->damage.empty() || same(tables->value, without_records(example_snapshot()))));
            CHECK(validate(tables->value));
            CHECK(same(tables->value, without_records(full->value)));
        }
    }
}

TEST_CASE("tables: no flipped bit in what is read goes unnoticed") {
    const auto whole = native(example_snapshot());
    const auto tables = decode_tables(whole);
    const auto unread_from = chunk_at(whole, "TRAC");
    const auto unread_to = unread_from + tables->unread_bytes;
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        if (bit / 8 >= unread_from && bit / 8 < unread_to) { continue; }
        auto bytes = whole;
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
        INFO("bit " << bit);
        const auto read = decode_tables(bytes);
        if (!read) { continue; }
        CHECK(validate(read->value));
        CHECK_FALSE(read->damage.empty());
    }
}

TEST_CASE("tables: the kind of a file is told by its first bytes, and what cannot be read is said") {
    const dump_file file;
    file.write("not a dump");
    CHECK_FALSE(kind_of_dump(file.path()).is_memtrace);
    CHECK_FALSE(kind_of_dump("/nonexistent/dump").is_memtrace);
    file.write(native(example_snapshot()));
    CHECK(kind_of_dump(file.path()).is_memtrace);
    CHECK(kind_of_dump(file.path()).size_bytes == native(example_snapshot()).size());
    CHECK(read_tables("/nonexistent/dump").error().code == error_code::not_found);
    CHECK(read_tables("/tmp").error().code == error_code::io);
    CHECK(read_tables(file.path(), 10).error().code == error_code::limit);
}
