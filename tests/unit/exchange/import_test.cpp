// SPDX-License-Identifier: Apache-2.0
// Other profilers' files become snapshots: what is in them, how sure that is, and what a damaged one yields.
#include <zlib.h>
#include <zstd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <vector>

#include <memwatch/diff/diff.hpp>
#include <memwatch/model/site_name.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "exchange/foreign_profile.hpp"
#include "exchange/unpacked.hpp"
#include "snapshot/deflate.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

using namespace memwatch;
using namespace memwatch::exchange;

namespace {

const std::string heap_text =
    "heap profile:   2001:  4096024 [  7001:  4596024] @ heapprofile\n"
    "  2000:  4096000 [  2000:  4096000] @ 0x561f2519729f 0x561f251972e1\n"
    "     1:       24 [  5001:   500024] @ 0x561f251972f5 0x7fbfd1a45305\n"
    "\n"
    "MAPPED_LIBRARIES:\n"
    "561f25196000-561f25197000 r--p 00000000 00:00 10985793    /usr/bin/orders\n"
    "561f25197000-561f25198000 r-xp 00001000 00:00 10985793    /usr/bin/orders\n"
    "7fbfd1a26000-7fbfd1b7b000 r-xp 00026000 00:00 333207      /usr/lib/x86_64-linux-gnu/libc.so.6\n";

const std::string jemalloc_text =
    "heap_v2/4096\n"
    "  t*: 839: 1705704 [0: 0]\n"
    "  t0: 839: 1705704 [0: 0]\n"
    "@ 0x7fc1f48a2630 0x55e350b28372 0x55e350b28121\n"
    "  t*: 22: 4938 [0: 0]\n"
    "  t0: 22: 4938 [0: 0]\n"
    "@ 0x7fc1f48a2630 0x55e350b2829f 0x55e350b282e1\n"
    "  t*: 817: 1700766 [0: 0]\n"
    "  t0: 817: 1700766 [0: 0]\n"
    "\n"
    "MAPPED_LIBRARIES:\n"
    "55e350b28000-55e350b29000 r-xp 00001000 fe:00 10985793                   /usr/bin/orders\n"
    "7fc1f4800000-7fc1f48b0000 r-xp 00008000 fe:00 333430                     /usr/lib/libjemalloc.so.2\n";

const std::string heaptrack_text =
    "v 10400 3\n"
    "X /usr/bin/orders --password hunter2\n"
    "I 1000 5e2990\n"
    "s f /usr/bin/orders\n"
    "s 9 libfoo.so\n"
    "s 4 main\n"
    "s 8 main.cpp\n"
    "s 5 keep\n\n"  // a line end is part of the string: "keep\n"
    "i 55facdc542e0 1 3 4 d\n"
    "t 1 0\n"
    "i 55facdc5429e 1 5 4 8 3 4 e\n"
    "t 2 1\n"
    "i 7fab09aa57b9 2\n"
    "t 3 2\n"
    "a 800 2\n"
    "+ 0\n"
    "+ 0\n"
    "a 64 3\n"
    "+ 1\n"
    "- 1\n"
    "c 72\n"
    "R 7fa\n"
    "# strings: 5\n"
    "# ips: 3\n";

imported_profile imported(const std::string& bytes) {
    auto read = read_foreign_profile(bytes);
    INFO((read ? std::string("read") : read.error().message()));
    REQUIRE(read.has_value());
    return std::move(*read);
}

sampled_totals sum(const snapshot& s, sampled_totals site::*of) {
    sampled_totals total;
    for (const site& each : s.sites) { total.add(each.*of); }
    return total;
}

std::string zstd(const std::string& bytes) {
    std::string out(ZSTD_compressBound(bytes.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
    return out;
}

// profile.proto with one sample of four values, its labels and one location.
struct profile_parts {
    std::vector<std::string> strings{"",      "inuse_space", "bytes",   "inuse_objects", "count",
                                     "space", "main",        "main.go", "/bin/app"};
    std::vector<std::int64_t> types{3, 1};
    std::vector<std::int64_t> values{10, 20480};
    std::int64_t period{4096};
    std::uint64_t location{7};
    std::vector<std::pair<std::int64_t, std::int64_t>> labels;
};

std::string profile_of(const profile_parts& parts) {
    std::string bytes;
    protozero::pbf_writer out{bytes};
    for (const auto type : parts.types) {
        protozero::pbf_writer value{out, 1};
        value.add_int64(1, type);
        value.add_int64(2, type == 1 ? 2 : 4);
    }
    {
        protozero::pbf_writer sample{out, 2};
        const std::vector<std::uint64_t> locations{parts.location};
        sample.add_packed_uint64(1, locations.begin(), locations.end());
        sample.add_packed_int64(2, parts.values.begin(), parts.values.end());
        for (const auto& [key, value] : parts.labels) {
            protozero::pbf_writer label{sample, 3};
            label.add_int64(1, key);
            label.add_int64(2, value);
        }
    }
    {
        protozero::pbf_writer mapping{out, 3};
        mapping.add_uint64(1, 3);
        mapping.add_uint64(2, 0x400000);
        mapping.add_uint64(3, 0x4AF000);
        mapping.add_int64(5, 8);
    }
    {
        protozero::pbf_writer location{out, 4};
        location.add_uint64(1, 7);
        location.add_uint64(2, 3);
        location.add_uint64(3, 0x401234);
        protozero::pbf_writer line{location, 4};
        line.add_uint64(1, 9);
        line.add_int64(2, 14);
    }
    {
        protozero::pbf_writer function{out, 5};
        function.add_uint64(1, 9);
        function.add_int64(2, 6);
        function.add_int64(4, 7);
    }
    for (const auto& text : parts.strings) { out.add_string(6, text); }
    {
        protozero::pbf_writer period{out, 11};
        period.add_int64(1, 5);
        period.add_int64(2, 2);
    }
    out.add_int64(12, parts.period);
    return bytes;
}

}  // namespace

TEST_CASE("heap text: an exact profile has its amounts, its stacks as module and offset, and no error") {
    const auto got = imported(heap_text);
    CHECK(got.damage.empty());
    const snapshot& s = got.value;
    REQUIRE(s.sites.size() == 2);
    CHECK(s.sites[0].live.bytes == 4096000);
    CHECK(s.sites[0].live.objects == 2000);
    CHECK(s.sites[0].live.bytes_variance == 0);
    CHECK(s.sites[1].freed.objects == 5000);
    CHECK(s.info.sampler == "full");
    CHECK(s.info.executable == "/usr/bin/orders");
    CHECK(frame_name(s.frames[s.stacks[s.sites[0].stack].frames[0]], s.modules) == "orders+0x129f");
    CHECK(s.modules[s.frames[3].module].path == "/usr/lib/x86_64-linux-gnu/libc.so.6");
    CHECK(s.frames[3].offset == 0x7fbfd1a45305 - 0x7fbfd1a26000 + 0x26000);
}

TEST_CASE("heap text: jemalloc's samples stand for what jeprof says, with the error of sampling") {
    const snapshot s = imported(jemalloc_text).value;
    REQUIRE(s.sites.size() == 2);
    const double size = 1700766.0 / 817;
    const double p = 1 - std::exp(-size / 4096);
    CHECK(s.sites[1].live.bytes == Approx(1700766 / p));
    CHECK(s.sites[1].live.objects == Approx(817 / p));
    CHECK(s.sites[1].live.samples == 817);
    CHECK(s.sites[1].live.bytes_variance == Approx(817 * (size / p) * (size / p) * (1 - p)));
    CHECK(s.info.interval_bytes == 4096);
    CHECK(s.sites[1].allocated.bytes == s.sites[1].live.bytes);  // without prof_accum unknown: at least these
    CHECK(frame_name(s.frames[s.stacks[s.sites[1].stack].frames[0]], s.modules) == "orders+0x129f");  // not libjemalloc's
}

TEST_CASE("heap text: versions of the header") {
    const auto body = heap_text.substr(heap_text.find('\n'));
    const std::string totals = "heap profile: 2001: 4096024 [7001: 4596024] @ ";
    const auto first_site = [](const std::string& text) { return imported(text).value.sites[0].live.bytes; };
    CHECK(first_site(totals + "heap_v2/524288" + body) == Approx(4096000 / (1 - std::exp(-2048.0 / 524288))));
    CHECK(first_site(totals + "heap/524288" + body) == Approx(4096000 * (262144.0 / 2048)));
    CHECK(imported(totals + "heap_v2" + body).notes.size() == 1);  // no interval: jeprof's default
    CHECK(read_foreign_profile(totals + "growthz" + body).error().code == error_code::unsupported);
}

TEST_CASE("heaptrack: counts, inlined calls, strings with line ends, and no argument of the program") {
    const auto got = imported(heaptrack_text);
    CHECK(got.damage.empty());
    const snapshot& s = got.value;
    REQUIRE(s.sites.size() == 2);
    CHECK(s.sites[0].live.bytes == 4096);
    CHECK(s.sites[0].live.objects == 2);
    CHECK(s.sites[1].live.bytes == 0);
    CHECK(s.sites[1].freed.bytes == 100);
    const frame& keep = s.frames[s.stacks[s.sites[0].stack].frames[0]];
    REQUIRE(keep.lines.size() == 2);
    CHECK(keep.lines[0].function == "keep\n");
    CHECK(keep.lines[0].line == 8);
    CHECK(keep.lines[1].function == "main");
    const frame& unnamed = s.frames[s.stacks[s.sites[1].stack].frames[0]];
    CHECK(s.modules[unnamed.module].path == "libfoo.so");
    CHECK(s.info.executable == "/usr/bin/orders");
    CHECK(s.info.version == "heaptrack 1.4.0");
    CHECK(s.info.taken_ns == 0x72 * 1'000'000ULL);
    CHECK(s.info.resident_bytes == 0x7faULL * 4096);
    CHECK(encode(s, dump_format::json)->find("hunter2") == std::string::npos);
}

TEST_CASE("heaptrack: what is not interpreted, too new or too old is refused with the remedy") {
    const auto raw = read_foreign_profile("v 10400 3\nx /usr/bin/orders\nX orders\n");
    REQUIRE(!raw);
    CHECK(raw.error().what.find("heaptrack --interpret") != std::string::npos);
    CHECK(read_foreign_profile("v 10600 4\nX a\n").error().code == error_code::unsupported);
    CHECK(read_foreign_profile("v 10000\nX a\n").error().code == error_code::unsupported);
}

TEST_CASE("heaptrack: version 2 has strings without a length") {
    const auto got =
        imported("v 10200 2\nX orders\ns main.cpp and more\ns main\ni 1000 0 2 1 7\nt 1 0\na 10 1\n+ 0\n# ips: 1\n");
    CHECK(got.damage.empty());
    REQUIRE(got.value.frames.size() == 1);
    CHECK(got.value.frames[0].lines[0].function == "main");
    CHECK(got.value.frames[0].lines[0].file == "main.cpp and more");
}

TEST_CASE("formats are told apart by what is in them, packed or not") {
    for (const auto& [bytes, format] :
         {std::pair{heap_text, foreign_format::heap_text}, std::pair{jemalloc_text, foreign_format::heap_text},
          std::pair{heaptrack_text, foreign_format::heaptrack}, std::pair{profile_of({}), foreign_format::pprof}}) {
        const auto plain = imported(bytes);
        for (const std::string& packed : {bytes, codec::deflate_gzip(bytes), zstd(bytes)}) {
            CHECK(recognize(packed) == format);
            const auto got = imported(packed);
            CHECK(got.damage.empty());
            CHECK(*encode(got.value, dump_format::memtrace) == *encode(plain.value, dump_format::memtrace));
        }
    }
    CHECK(recognize("") == foreign_format::none);
    CHECK(recognize("{\"kind\": 1}") == foreign_format::none);
    CHECK(recognize(*encode(snapshot{}, dump_format::memtrace)) == foreign_format::none);
}

TEST_CASE("pprof: Go's interval gives the error, names and lines are kept") {
    const auto got = imported(profile_of({}));
    const snapshot& s = got.value;
    CHECK(got.notes.empty());
    REQUIRE(s.sites.size() == 1);
    const double p = 1 - std::exp(-2048.0 / 4096);
    CHECK(s.sites[0].live.bytes == 20480);
    CHECK(s.sites[0].live.samples == 4);  // 10 objects at p = 0.39
    CHECK(s.sites[0].live.bytes_variance == Approx(20480 * 2048 * (1 - p) / p));
    CHECK(s.info.executable == "/bin/app");
    CHECK(s.frames[0].module == 0);
    CHECK(s.frames[0].offset == 0x1235);  // behind the call
    CHECK(s.frames[0].lines[0].function == "main");
    CHECK(s.frames[0].lines[0].line == 14);
}

TEST_CASE("pprof: labels become tag, type, route, thread and trace, in records that sum to the samples") {
    profile_parts parts;
    for (const char* text : {"tag", "cache", "route", "/api/v2/orders", "thread", "worker-1", "trace_id",
                             "4bf92f3577b34da6a3ce929d0e0e4736", "type", "Order"}) {
        parts.strings.emplace_back(text);
    }
    parts.labels = {{9, 10}, {11, 12}, {13, 14}, {15, 16}, {17, 18}};
    const snapshot s = imported(profile_of(parts)).value;
    REQUIRE(s.live.size() == 4);
    CHECK(s.tags[s.sites[0].tag].name == "cache");
    CHECK(s.sites[0].type == "Order");
    CHECK(s.routes[s.live[0].route] == "/api/v2/orders");
    CHECK(s.threads[s.live[0].thread].name == "worker-1");
    CHECK(to_string(s.live[0].trace) == "4bf92f3577b34da6a3ce929d0e0e4736");
    CHECK(live_totals(s).bytes == Approx(20480).margin(4));
    CHECK(live_totals(s).objects == Approx(10).margin(0.01));
    CHECK(s.sites[0].live.bytes == Approx(live_totals(s).bytes));
    CHECK(s.live[0].birth_ns == 0);  // unknown, so that nobody says since when
    const auto grown = diff(snapshot{}, s);
    REQUIRE(grown->rows.size() == 1);
    CHECK(grown->rows[0].after.oldest_age_ns == 0);
    parts.values = {5'000'000, 5'000'000 * 2048LL};
    const auto large = imported(profile_of(parts));
    CHECK(large.value.live.empty());
    REQUIRE(large.damage.size() == 1);
    CHECK(large.value.sites[0].live.bytes == 5'000'000 * 2048.0);
}

TEST_CASE("pprof: what breaks its rules is refused, and says which") {
    const auto refusal = [](profile_parts parts) {
        const auto read = read_foreign_profile(profile_of(parts));
        REQUIRE(!read);
        return read.error().what;
    };
    profile_parts parts;
    parts.location = 8;
    CHECK(refusal(parts) == "no location has the id 8");
    parts = {};
    parts.strings[0] = "x";
    CHECK(refusal(parts) == "its string table does not begin with the empty string");
    parts = {};
    parts.values = {1};
    CHECK(refusal(parts) == "a sample has too few values for 2 types");
    parts.values.assign(1000, 1);
    CHECK(refusal(parts) == "a sample has too many values for 2 types");
    parts = {};
    parts.strings[1] = "cpu";
    parts.strings[3] = "samples";
    CHECK(refusal(parts) == "a pprof profile, but not of a heap: it has samples, cpu, not inuse_space");
    parts = {};
    parts.values = {-1, -2048};
    CHECK(imported(profile_of(parts)).damage.size() == 1);
    parts = {};
    parts.period = 0;
    const auto exact = imported(profile_of(parts));
    CHECK(exact.notes.size() == 1);
    CHECK(exact.value.sites[0].live.bytes_variance == 0);
}

TEST_CASE("pprof: our own profile comes back with the same sums, by site, tag, route and thread") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    memwatch_test::random_source random{seed};
    auto s = memwatch_test::random_snapshot(random, {30, 800});
    s.info.window_ns = 0;
    s.info.interval_bytes = 65536;
    std::uint64_t start = 0x5500'0000'0000;
    for (auto& module : s.modules) {
        module.start = start;
        module.limit = start + 0x10000;
        module.file_offset = 0x1000;
        start += 0x1000'0000;
    }
    for (auto& frame : s.frames) { frame.offset = 0x1000 + random.below(0x10000); }
    for (auto& site : s.sites) { site.live = site.allocated = {}; }
    for (auto& record : s.live) {
        record.size_bytes = 1 + random.below(100'000);
        record.interval_bytes = 65536;
        s.sites[record.site].live.add(record.size_bytes, record.interval_bytes);
    }
    for (auto& site : s.sites) { site.allocated = site.live; }
    const snapshot back = imported(*encode(s, dump_format::pprof)).value;
    const double rounding = static_cast<double>(s.live.size()) + 100;
    CHECK(std::abs(live_totals(back).bytes - live_totals(s).bytes) < rounding);
    CHECK(std::abs(sum(back, &site::allocated).bytes - sum(s, &site::allocated).bytes) < rounding);
    for (const auto by : {dimension::site, dimension::route, dimension::type}) {
        const auto changed = diff(s, back, {by});
        REQUIRE(changed.has_value());
        for (const auto& row : changed->rows) { CHECK(std::abs(row.bytes) < rounding); }
    }
}

TEST_CASE("every truncation of every format is a clean error or a marked partial read") {
    for (const std::string& whole : {heap_text, jemalloc_text, heaptrack_text, codec::deflate_gzip(heap_text),
                                     codec::deflate_gzip(profile_of({})), zstd(heaptrack_text)}) {
        for (std::size_t size = 0; size < whole.size(); ++size) {
            INFO("cut at " << size << " of " << whole.size());
            const auto read = read_foreign_profile(whole.substr(0, size));
            if (!read) {
                CHECK(!read.error().what.empty());
                continue;
            }
            CHECK(validate(read->value).has_value());
            const bool lost_nothing = sum(read->value, &site::live).bytes == sum(imported(whole).value, &site::live).bytes;
            CHECK((!read->damage.empty() || lost_nothing));
        }
    }
}

TEST_CASE("every truncation of a plain pprof profile is refused, or lacks nothing a sum is made of") {
    const std::string whole = profile_of({});
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto read = read_foreign_profile(whole.substr(0, size));
        INFO("cut at " << size << " of " << whole.size());
        if (read) { CHECK(sum(read->value, &site::live).bytes == 20480); }
    }
}

TEST_CASE("a file that unpacks to gigabytes costs neither memory nor a wrong answer") {
    std::string zeros(64U << 20U, '\0');
    std::string bomb = codec::deflate_gzip(profile_of({}) + zeros);
    for (int i = 0; i < 5; ++i) { bomb += codec::deflate_gzip(zeros); }
    CHECK(recognize(bomb) == foreign_format::pprof);
    const auto read = read_foreign_profile(bomb);
    REQUIRE(!read);
    CHECK(read.error().code == error_code::limit);

    std::string events;
    for (int i = 0; i < 4'000'000; ++i) { events += "+ 0\n- 0\n"; }
    const std::string start = heaptrack_text.substr(0, heaptrack_text.find("a 64"));
    const auto recording = imported(zstd(start + events + "# ips: 3\n"));  // 32 MB of events in a few kilobytes are honest
    CHECK(recording.damage.empty());
    CHECK(recording.value.sites[0].live.objects == 2);
    CHECK(recording.value.sites[0].freed.objects == 4'000'000);
}

TEST_CASE("a name that a million frames share is not copied a million times") {
    std::string text = "v 10400 3\nX a\n";
    const std::string name(100'000, 'n');
    text += "s 186a0 " + name + "\n";
    for (int i = 1; i <= 20'000; ++i) {
        char line[64];
        std::snprintf(line, sizeof line, "i %x 0 1\nt %x 0\na 8 %x\n+ %x\n", i, i, i, i - 1);
        text += line;
    }
    const auto read = read_foreign_profile(text + "# ips: 3\n");  // 2 GB of names out of 0.7 MB
    REQUIRE(!read);
    CHECK(read.error().code == error_code::limit);
}

TEST_CASE("a stack of frames with thousands of inlined calls is charged for all of them") {
    std::string text = "v 10400 3\nX a\ns 1 f\ni 1 0";
    for (int i = 0; i < 20'000; ++i) { text += " 1 0 0"; }
    text += '\n';
    for (int i = 0; i < 1000; ++i) {
        char line[32];
        std::snprintf(line, sizeof line, "t 1 %x\n", i);
        text += line;
    }
    const auto read = read_foreign_profile(text + "a 8 3e8\n+ 0\n# ips: 1\n");  // 20 million calls out of 0.1 MB
    REQUIRE(!read);
    CHECK(read.error().code == error_code::limit);
}

TEST_CASE("heaptrack: what a line says a million times is noted once") {
    std::string text = "v 10400 3\n";
    for (int i = 0; i < 1'000'000; ++i) { text += "A\n"; }
    CHECK(imported(zstd(text + "# ips: 1\n")).notes.size() == 1);
}

TEST_CASE("heaptrack: calls without names are told, because sites that differ in them only count as one") {
    const std::string stripped =
        "v 10400 3\nX orders\ns f /usr/bin/orders\ni 1000 1\ni 2000 1\nt 1 0\nt 2 0\na 8 1\n+ 0\na 8 2\n+ 1\n# ips: 2\n";
    const auto recording = imported(stripped);
    REQUIRE(recording.notes.size() == 1);
    CHECK(recording.notes[0].substr(0, 23) == "2 calls have no names, ");
}
