// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>

#include "blackbox/box.hpp"
#include "blackbox/ring_writer.hpp"
#include "support/seed.hpp"

using namespace memwatch;
using namespace memwatch::blackbox;
namespace fs = std::filesystem;

namespace {

class scratch {
public:
    scratch() {
        std::string name = (fs::temp_directory_path() / "memwatch-box-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
        auto opened = state_folder::open((path_ / "state").string());
        REQUIRE(opened);
        folder = std::move(*opened);
    }
    ~scratch() { fs::remove_all(path_); }
    [[nodiscard]] std::string file(const std::string& name = "box") const { return folder.path() + "/" + name; }

    state_folder folder;

private:
    fs::path path_;
};

identity someone() {
    return {4711, 1'000, 2'000, "0123456789abcdef0123456789abcdef", "shop", "web-3", "/usr/bin/shop", "1.2.0"};
}

ring_writer make_writer(const scratch& here, std::uint64_t bytes = ring_writer::least_bytes) {
    auto writer = ring_writer::create(here.folder, "box", someone(), bytes);
    REQUIRE(writer);
    return std::move(*writer);
}

box read_back(const scratch& here) {
    const auto found = read_box(here.file());
    REQUIRE(found);
    return *found;
}

// The records of the lane that are expected: `written` from the newest back, as long as they fit.
std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("black box: what was written is read, in order, with whose it is", "[blackbox]") {
    const scratch here;
    ring_writer writer = make_writer(here);
    CHECK(fs::file_size(here.file()) == ring_writer::least_bytes);
    REQUIRE(writer.write(lane::events, record_kind::event, 10, "first") == 0);
    REQUIRE(writer.write(lane::situations, record_kind::situation, 11, std::string(5000, 's')) == 0);
    REQUIRE(writer.write(lane::seconds, record_kind::pulse, 12, "") == 0);
    const box found = read_back(here);
    REQUIRE(found.whose);
    CHECK(found.whose->pid == 4711);
    CHECK(found.whose->started_unix_ns == 1'000);
    CHECK(found.whose->session == someone().session);
    CHECK(found.whose->service == "shop");
    CHECK(found.whose->host == "web-3");
    CHECK(found.whose->executable == "/usr/bin/shop");
    CHECK(found.whose->version == "1.2.0");
    CHECK(found.expected_bytes == ring_writer::least_bytes);
    REQUIRE(found.records.size() == 3);
    CHECK(found.records[0].payload == "first");
    CHECK(found.records[0].kind == record_kind::event);
    CHECK(found.records[0].unix_ns == 10);
    CHECK(found.records[1].payload == std::string(5000, 's'));
    CHECK(found.records[1].where == lane::situations);
    CHECK(found.records[2].payload.empty());
    CHECK(found.damaged_sectors == 0);
    CHECK(found.incomplete_records == 0);
}

TEST_CASE("black box: lanes are rings of their own, the newest records of each are there", "[blackbox]") {
    std::mt19937_64 random(test_support::seed());
    const scratch here;
    ring_writer writer = make_writer(here);
    std::map<lane, std::vector<std::string>> written;
    for (int i = 0; i < 3000; ++i) {
        const auto where = static_cast<lane>(random() % lane_count);
        const std::size_t size = where == lane::situations ? random() % writer.largest(where) : random() % sector_payload_bytes;
        std::string payload(size, static_cast<char>('a' + i % 26));
        payload += std::to_string(i);
        payload.resize(std::min(payload.size(), writer.largest(where)));
        REQUIRE(writer.write(where, record_kind::event, static_cast<std::uint64_t>(i), payload) == 0);
        written[where].push_back(std::move(payload));
    }
    CHECK(fs::file_size(here.file()) == ring_writer::least_bytes);
    const box found = read_back(here);
    std::map<lane, std::vector<std::string>> read;
    std::uint64_t before = 0;
    for (const record& each : found.records) {
        CHECK(each.sequence > before);
        before = each.sequence;
        read[each.where].push_back(each.payload);
    }
    for (auto& [where, payloads] : read) {
        const auto& all = written[where];
        REQUIRE(payloads.size() <= all.size());
        CHECK(std::equal(payloads.rbegin(), payloads.rend(), all.rbegin()));
    }
    CHECK(read[lane::minutes].size() == 15);
    CHECK(read[lane::seconds].size() == 30);
    CHECK(read[lane::situations].size() >= 2);
    CHECK(found.incomplete_records <= lane_count);
    CHECK(found.damaged_sectors == 0);
}

TEST_CASE("black box: one that is too large is refused, the one before stays whole", "[blackbox]") {
    const scratch here;
    ring_writer writer = make_writer(here);
    const std::size_t most = writer.largest(lane::situations);
    for (int i = 0; i < 5; ++i) {
        REQUIRE(writer.write(lane::situations, record_kind::situation, 1, std::string(most, static_cast<char>('0' + i))) == 0);
    }
    CHECK(writer.write(lane::situations, record_kind::situation, 1, std::string(most + 1, 'x')) == EMSGSIZE);
    const box found = read_back(here);
    REQUIRE(found.records.size() == 2);
    CHECK(found.records[0].payload == std::string(most, '3'));
    CHECK(found.records[1].payload == std::string(most, '4'));
}

TEST_CASE("black box: damage anywhere costs the record it is in", "[blackbox]") {
    std::mt19937_64 random(test_support::seed());
    const scratch here;
    ring_writer writer = make_writer(here);
    for (int i = 0; i < 20; ++i) { REQUIRE(writer.write(lane::seconds, record_kind::pulse, 1, std::to_string(i)) == 0); }
    REQUIRE(writer.write(lane::situations, record_kind::situation, 1, std::string(4000, 's')) == 0);
    const std::string whole = bytes_of(here.file());
    const auto read_bytes = [](const std::string& bytes) {
        return read_box(bytes.size(), [&](std::uint64_t offset, void* into, std::size_t size) {
            const std::string_view part = std::string_view(bytes).substr(std::min<std::uint64_t>(offset, bytes.size()), size);
            std::memcpy(into, part.data(), part.size());
            return part.size();
        });
    };
    REQUIRE(read_bytes(whole)->records.size() == 21);
    for (int round = 0; round < 500; ++round) {
        std::string bytes = whole;
        const std::size_t at = random() % bytes.size();
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        const auto found = read_bytes(bytes);
        REQUIRE(found);
        REQUIRE(found->whose);  // one of two heads is whole
        CHECK(found->records.size() >= 20);
        for (const record& each : found->records) {
            CHECK((each.payload == std::to_string(each.sequence - 1) || each.payload == std::string(4000, 's')));
        }
    }
    SECTION("a file cut short reads to where it ends") {
        for (const std::size_t size : {0UL, 1UL, 2047UL, 2048UL, 4095UL, 4096UL, 4097UL, 20'000UL, whole.size() - 1}) {
            const auto found = read_bytes(whole.substr(0, size));
            CHECK(found.has_value() == (size >= head_copy_bytes));
            if (found) { CHECK(found->expected_bytes > found->file_bytes); }
        }
    }
    SECTION("without its heads it is still a black box") {
        const auto found = read_bytes(std::string(4096, '\0') + whole.substr(4096));
        REQUIRE(found);
        CHECK_FALSE(found->whose);
        CHECK(found->records.size() == 21);
    }
    SECTION("other files are none") {
        CHECK(read_bytes("").error().code == error_code::unreadable);
        CHECK(read_bytes(std::string(100'000, 'x')).error().code == error_code::unreadable);
        CHECK(read_bytes(std::string(100'000, '\0')).error().code == error_code::unreadable);
    }
}

TEST_CASE("black box: another version is said to be one", "[blackbox]") {
    std::string head = encode_head(someone(), 65536);
    CHECK(decode_head(head)->whose.executable == "/usr/bin/shop");
    auto* const raw = reinterpret_cast<unsigned char*>(head.data());
    put_number(raw + 16, 2, 4);
    CHECK(decode_head(head).error().code == error_code::unreadable);
    put_number(raw, checksum(raw + 8, head.size() - 8), 8);
    CHECK(decode_head(head).error().code == error_code::unsupported);
}

TEST_CASE("black box: texts of any length have a head", "[blackbox]") {
    identity whose = someone();
    whose.executable = std::string(5000, 'e');
    whose.service = std::string(5000, 's');
    const auto back = decode_head(encode_head(whose, 65536));
    REQUIRE(back);
    CHECK(back->whose.executable == std::string(1024, 'e'));
    CHECK(back->whose.service == std::string(256, 's'));
    CHECK(back->whose.version == "1.2.0");
}

TEST_CASE("black box: cut short under the writer, it is mended; removed, it is given up", "[blackbox]") {
    const scratch here;
    ring_writer writer = make_writer(here);
    for (int i = 0; i < 40; ++i) { REQUIRE(writer.write(lane::seconds, record_kind::pulse, 1, std::to_string(i)) == 0); }
    CHECK(writer.mend());
    fs::resize_file(here.file(), 0);
    REQUIRE(writer.write(lane::seconds, record_kind::pulse, 1, "after") == 0);
    CHECK_FALSE(read_back(here).whose);
    CHECK(writer.mend());
    const box found = read_back(here);
    REQUIRE(found.whose);
    CHECK(found.file_bytes == ring_writer::least_bytes);
    REQUIRE(found.records.size() == 1);
    CHECK(found.records[0].payload == "after");
    fs::remove(here.file());
    CHECK_FALSE(writer.mend());
}

TEST_CASE("black box: a name that is taken is not written over", "[blackbox]") {
    const scratch here;
    ring_writer writer = make_writer(here);
    CHECK_FALSE(ring_writer::create(here.folder, "box", someone(), 65536));
    CHECK(writer.write(lane::seconds, record_kind::pulse, 1, "x") == 0);
    CHECK_FALSE(here.folder.open_file("box")->try_lock());
    CHECK(read_back(here).records.size() == 1);
}
