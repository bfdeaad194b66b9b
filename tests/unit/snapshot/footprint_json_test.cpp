// SPDX-License-Identifier: Apache-2.0
// A footprint through its JSON: nothing gets lost, and bytes of anyone are refused with a reason.
#include <string>

#include <catch2/catch.hpp>

#include "snapshot/footprint_json.hpp"
#include "support/example_footprint.hpp"

using namespace memwatch;

TEST_CASE("footprint JSON: what was written is read, member by member") {
    const std::string bytes = encode_footprint(test_support::example_footprint());
    const result<footprint> read = decode_footprint(bytes);
    REQUIRE(read);
    CHECK(encode_footprint(*read) == bytes);  // all members are in the bytes, each with a value of its own
    CHECK(read->rows.size() == 3);
    CHECK(read->rows[2].note == "a|b `c` \x1b[31m");
    CHECK(read->unexplained_bytes == -2 * (1 << 20));
    CHECK(read->cgroup.rows[1].basis == footprint_basis::derived);
    CHECK(read->allocators[0].is_in_charge);
    CHECK(read->modules[0].live_bytes == 80.5 * (1 << 20));
    CHECK(read->kernel.growth[0].correlation == -0.25);
    CHECK(read->kernel.regions[0].name == "memfd:\n# heading");
    CHECK(decode_footprint(encode_footprint({})));
}

TEST_CASE("footprint JSON: the sentences come with it, for readers of the JSON") {
    const std::string bytes = encode_footprint(test_support::example_footprint());
    CHECK(bytes.find("\"allocator retention, not a leak: 412.0 MiB reclaimable with malloc_trim(0)\"") != std::string::npos);
}

TEST_CASE("footprint JSON: what is none is refused, and where it breaks is said") {
    const auto refused = [](const std::string& bytes) {
        const result<footprint> read = decode_footprint(bytes);
        return read ? std::string("accepted")
                    : std::string(read.error().code == error_code::unsupported ? "unsupported" : "unreadable") + " " +
                          read.error().where;
    };
    CHECK(refused("") == "unreadable byte 0");
    CHECK(refused("[]") == "unreadable byte 0");
    CHECK(refused("{}") == "unreadable kind");
    CHECK(refused(R"({"kind": "memwatch.verdicts"})") == "unreadable kind");
    CHECK(refused(R"({"kind": "memwatch.footprint"})") == "unreadable version");
    CHECK(refused(R"({"kind": "memwatch.footprint", "version": 1})") == "unreadable rows");
    CHECK(refused(R"({"kind": "memwatch.footprint", "version": 2})") == "unsupported version");
    CHECK(refused(R"({"kind": "memwatch.footprint", "version": 1, "pid": -1, "resident_bytes": 0, "rows": []})") ==
          "unreadable pid");
    CHECK(refused(R"({"kind": "memwatch.footprint", "version": 1, "resident_bytes": 0, "rows": [{"part": 7}]})") ==
          "unreadable rows");
    CHECK(refused(R"({"kind": "memwatch.footprint", "version": 1, "resident_bytes": 0, "rows": [{"part": "magic"}]})") ==
          "unreadable rows");
    CHECK(refused(std::string(100'000, '[')) == "unreadable byte 0");
    const std::string whole = encode_footprint(test_support::example_footprint());
    for (std::size_t length = 0; length + 2 < whole.size(); ++length) {
        REQUIRE_FALSE(decode_footprint(std::string_view(whole).substr(0, length)));
    }
}
