// SPDX-License-Identifier: Apache-2.0
// The formats that others read: profile.proto and folded stacks.
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <protozero/pbf_reader.hpp>

#include <memwatch/snapshot/codec.hpp>

#include "example_snapshot.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

using namespace memwatch_test;

namespace {

std::string gunzip(const std::string& bytes) {
    std::string out(64 << 20, '\0');
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, MAX_WBITS + 16) == Z_OK);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    REQUIRE(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

// What these tests need of a profile, read by someone other than the writer: field numbers straight from profile.proto.
struct profile {
    struct sample {
        std::vector<std::uint64_t> locations;
        std::array<std::int64_t, 4> values{};
        std::map<std::string, std::string> labels;
    };
    std::vector<std::string> strings;
    std::vector<sample> samples;
    std::vector<std::uint64_t> mapping_ids;
    std::vector<std::string> mapping_names;
    std::vector<std::uint64_t> location_ids;
    std::vector<std::uint64_t> addresses;
    std::vector<std::uint64_t> function_ids;
    std::vector<std::string> sample_types;
    std::string default_type;
};

profile read_profile(const std::string& gzip) {
    const auto bytes = gunzip(gzip);
    profile out;
    for (protozero::pbf_reader in{bytes}; in.next();) { in.tag() == 6 ? out.strings.push_back(in.get_string()) : in.skip(); }
    const auto text = [&](auto index) { return out.strings.at(static_cast<std::size_t>(index)); };
    for (protozero::pbf_reader in{bytes}; in.next();) {
        switch (in.tag()) {
            case 1: {
                auto type = in.get_message();
                std::string name;
                while (type.next()) { name += text(type.get_int64()) + (type.tag() == 1 ? "/" : ""); }
                out.sample_types.push_back(name);
                break;
            }
            case 2: {
                auto sample = in.get_message();
                auto& to = out.samples.emplace_back();
                while (sample.next()) {
                    if (sample.tag() == 1) {
                        for (const auto id : sample.get_packed_uint64()) { to.locations.push_back(id); }
                    } else if (sample.tag() == 2) {
                        const auto values = sample.get_packed_int64();
                        REQUIRE(std::distance(values.begin(), values.end()) == 4);
                        std::copy(values.begin(), values.end(), to.values.begin());
                    } else {
                        auto label = sample.get_message();
                        std::array<std::string, 2> pair;
                        while (label.next()) { pair.at(label.tag() - 1) = text(label.get_int64()); }
                        CHECK(!pair[0].empty());  // Parca: a label has a key
                        CHECK(to.labels.emplace(pair[0], pair[1]).second);
                    }
                }
                break;
            }
            case 3: {
                auto mapping = in.get_message();
                while (mapping.next()) {
                    const auto value = mapping.get_uint64();
                    if (mapping.tag() == 1) { out.mapping_ids.push_back(value); }
                    if (mapping.tag() == 5) { out.mapping_names.push_back(text(value)); }
                }
                break;
            }
            case 4: {
                auto location = in.get_message();
                while (location.next()) {
                    if (location.tag() == 1) {
                        out.location_ids.push_back(location.get_uint64());
                    } else if (location.tag() == 3) {
                        out.addresses.push_back(location.get_uint64());
                    } else {
                        location.skip();
                    }
                }
                break;
            }
            case 5: {
                auto function = in.get_message();
                while (function.next()) {
                    const auto value = function.get_uint64();
                    if (function.tag() == 1) { out.function_ids.push_back(value); }
                }
                break;
            }
            case 14:
                out.default_type = text(in.get_int64());
                break;
            default:
                in.skip();
        }
    }
    return out;
}

bool is_sequence_from_one(const std::vector<std::uint64_t>& ids) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (ids[i] != i + 1) { return false; }
    }
    return true;
}

}  // namespace

TEST_CASE("pprof: the example holds what pprof and Parca ask for") {
    const auto p = read_profile(*encode(example_snapshot(), dump_format::pprof));
    CHECK(p.strings.at(0).empty());
    CHECK(p.sample_types ==
          std::vector<std::string>{"alloc_objects/count", "alloc_space/bytes", "inuse_objects/count", "inuse_space/bytes"});
    CHECK(p.default_type == "inuse_space");
    CHECK(is_sequence_from_one(p.mapping_ids));
    CHECK(is_sequence_from_one(p.location_ids));
    CHECK(is_sequence_from_one(p.function_ids));
    CHECK(p.function_ids.size() == 3);
    CHECK(p.mapping_names == std::vector<std::string>{"/usr/bin/orders", "/lib/x86_64-linux-gnu/libc.so.6"});
    CHECK(p.addresses.at(0) == 0x55d000001a40 - 1);  // raw: offset - file offset + start, inside the call
    CHECK(p.addresses.at(3) == 0xdeadbeef);
    REQUIRE(p.samples.size() == 4);  // allocations of two sites; what is alive: an example trace and an anonymous block
    CHECK(p.samples[0].values == std::array<std::int64_t, 4>{3, 8192, 0, 0});
    CHECK(p.samples[0].labels == std::map<std::string, std::string>{{"tag", "order-cache"}, {"type", "Order"}});
    CHECK(p.samples[0].locations == std::vector<std::uint64_t>{1, 2, 3});
    const auto& traced = p.samples.back();
    CHECK(traced.values == std::array<std::int64_t, 4>{0, 0, 2, 6144});
    CHECK(traced.labels == std::map<std::string, std::string>{{"tag", "order-cache"},
                                                              {"type", "Order"},
                                                              {"route", "/api/v2/orders"},
                                                              {"thread", "worker-1"},
                                                              {"trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"}});
}

TEST_CASE("pprof: samples add up to the sites and every reference resolves, for any snapshot") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    random_source random{seed};
    auto s = random_snapshot(random, {50, 3000});
    s.info.window_ns = 0;
    for (auto& site : s.sites) { site.live = site.allocated = {}; }
    for (auto& record : s.live) {
        record.size_bytes = 1 + random.below(100'000);
        record.interval_bytes = 65536;
        record.trace = {1, 1 + random.below(20)};
        s.sites[record.site].live.add(record.size_bytes, record.interval_bytes);
    }
    for (auto& site : s.sites) { site.allocated = site.live; }
    s.info.executable = s.modules[2].path;
    const auto p = read_profile(*encode(s, dump_format::pprof));
    std::array<std::int64_t, 4> sums{};
    std::size_t with_trace = 0;
    for (const auto& sample : p.samples) {
        for (std::size_t i = 0; i < 4; ++i) {
            CHECK(sample.values[i] >= 0);
            sums[i] += sample.values[i];
        }
        for (const auto id : sample.locations) { CHECK((id >= 1 && id <= p.location_ids.size())); }
        with_trace += sample.labels.count("trace_id");
    }
    const auto total = live_totals(s);
    const auto rounding = static_cast<double>(p.samples.size());
    CHECK(std::abs(static_cast<double>(sums[1]) - total.bytes) <= rounding);
    CHECK(std::abs(static_cast<double>(sums[3]) - total.bytes) <= rounding);
    CHECK(with_trace > 0);
    CHECK(with_trace <= 64);
    CHECK(p.mapping_names.at(0) == s.info.executable);
    for (const auto* ids : {&p.mapping_ids, &p.location_ids, &p.function_ids}) { CHECK(is_sequence_from_one(*ids)); }
}

TEST_CASE("pprof: allocations first is the same profile with another default") {
    const auto s = example_snapshot();
    const auto in_use = read_profile(*encode(s, dump_format::pprof));
    const auto allocations = read_profile(*encode(s, dump_format::pprof_allocs));
    CHECK(in_use.default_type == "inuse_space");
    CHECK(allocations.default_type == "alloc_space");
    REQUIRE(allocations.samples.size() == in_use.samples.size());
    for (std::size_t i = 0; i < in_use.samples.size(); ++i) {
        CHECK(allocations.samples[i].values == in_use.samples[i].values);
    }
}

TEST_CASE("pprof: what is in use of a window is what was allocated in it less what was freed, below zero if need be") {
    auto s = example_snapshot();
    s.info.window_ns = 1'000'000'000;
    site& cache = s.sites[0];
    cache.freed = {};
    cache.freed.bytes = cache.allocated.bytes + 5000;  // older blocks went
    cache.freed.objects = cache.allocated.objects + 5;
    const auto p = read_profile(*encode(s, dump_format::pprof));
    std::int64_t bytes = 0;
    std::int64_t objects = 0;
    for (const auto& sample : p.samples) {
        if (sample.labels.count("type") == 0 || sample.labels.at("type") != cache.type) { continue; }
        objects += sample.values[2];
        bytes += sample.values[3];
    }
    CHECK(bytes == -5000);
    CHECK(objects == -5);
}

TEST_CASE("pprof: a summary's live bytes come from its sites") {
    auto s = example_snapshot();
    s.live.clear();
    const auto p = read_profile(*encode(s, dump_format::pprof));
    REQUIRE(p.samples.size() == 2);
    CHECK(p.samples[0].values[3] == 6144);
}

TEST_CASE("pprof: go tool pprof accepts it and names the site") {
    if (std::system("go version > /dev/null 2>&1") != 0) {
        WARN("skipped: no go command in PATH");
        return;
    }
    char directory[] = "/tmp/memwatch-pprof.XXXXXX";
    REQUIRE(mkdtemp(directory) != nullptr);
    const std::string file = std::string{directory} + "/heap.pb.gz";
    REQUIRE(write_file_atomically(file, *encode(example_snapshot(), dump_format::pprof)));
    const auto run = [&](const std::string& arguments) {
        const auto command =
            "PPROF_TMPDIR=" + std::string{directory} + " go tool pprof -symbolize=none " + arguments + " " + file + " 2>&1";
        std::string text;
        std::FILE* pipe = popen(command.c_str(), "r");
        REQUIRE(pipe != nullptr);
        char buffer[4096];
        for (std::size_t got; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) { text.append(buffer, got); }
        INFO(text);
        REQUIRE(pclose(pipe) == 0);
        return text;
    };
    const auto top = run("-top");
    CHECK(top.find("Type: inuse_space") != std::string::npos);
    CHECK(top.find("orders::cache::insert") != std::string::npos);
    CHECK(run("-top -sample_index=alloc_objects").find("alloc_objects") != std::string::npos);
    CHECK(run("-tags").find("/api/v2/orders") != std::string::npos);
    const auto raw = run("-raw");
    CHECK(raw.find("trace_id:[4bf92f3577b34da6a3ce929d0e0e4736]") != std::string::npos);
    CHECK(raw.find("ab12cd34") != std::string::npos);
    std::remove(file.c_str());
    rmdir(directory);
}

TEST_CASE("folded: one line a site, root first, inlined frames included") {
    auto s = example_snapshot();
    CHECK(*encode(s, dump_format::folded) ==
          "libc.so.6+0x29d90;main;orders::handle;orders::cache::insert 6144\n0xdeadbeef 1048626\n");
    s.frames[1].lines[0].function = "a;b\nc";
    s.sites[1].live.bytes = 0;
    CHECK(*encode(s, dump_format::folded) == "libc.so.6+0x29d90;a:b c;orders::handle;orders::cache::insert 6144\n");
}
