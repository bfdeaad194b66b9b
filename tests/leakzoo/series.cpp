// SPDX-License-Identifier: Apache-2.0
// What a run looked like from outside: reads dumps of one process, oldest first, and prints a line of JSON a site with its live
// bytes and its verdict in each. The naive baselines judge these; of verdicts they show when one was first given and whether it
// held.
//
//   zoo-series [--judge] DUMP...      {"function": "subscribe", "site": "da56..", "times": [s since the start], "bytes": [..],
//                            "verdicts": [[dump's number, class, level, confidence, decided_s], ...]}    changes only
//
// --judge: not the verdicts in the dumps, but those of the same engine fed with the dumps (as `memwatch verdicts DUMPS...`).

#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <memwatch/model/site_name.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "symbols/symbolizer.hpp"
#include "verdict/series.hpp"

using namespace memwatch;

namespace {

struct seen_verdict {
    std::size_t dump{};
    verdict value;
};

struct site_series {
    std::string function;
    std::vector<std::pair<std::size_t, double>> bytes;  // by dump
    std::vector<seen_verdict> verdicts;                 // each change
};

double seconds(std::uint64_t ns) { return static_cast<double>(ns) / 1e9; }

// Names are looked up in the last dump a site is in: one symbolization a run does for most of them.
void name(std::map<std::string, site_series>& all, snapshot& s) {
    symbolize(s, {});
    for (const site& each : s.sites) {
        const auto found = all.find(site_key(s, each));
        if (found != all.end()) { found->second.function = bare_function_name(site_name(s, each)); }
    }
}

void note(site_series& of, std::size_t dump, const verdict& v) {
    if (!of.verdicts.empty() && of.verdicts.back().value.kind == v.kind) {
        of.verdicts.back().value.confidence = v.confidence;
        return;
    }
    of.verdicts.push_back({dump, v});
}

void add(std::map<std::string, site_series>& all, const snapshot& s, std::size_t dump) {
    for (const site& each : s.sites) {
        if (each.allocated.samples != 0) { all[site_key(s, each)].bytes.emplace_back(dump, each.live.bytes); }
    }
    for (const verdict& each : s.verdicts) {
        if (each.subject == verdict_subject::pool && each.index < s.pools.size()) {
            site_series& of = all["pool:" + s.pools[each.index].name];
            of.function = s.pools[each.index].name;
            note(of, dump, each);
        } else if (each.subject == verdict_subject::site && each.index < s.sites.size()) {
            note(all[site_key(s, s.sites[each.index])], dump, each);
        }
    }
}

// Function names come from symbol tables: quotes in operator"" are the only thing to escape.
std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') { out += '\\'; }
        out += c;
    }
    return out + '"';
}

void print(const std::string& key, const site_series& of, const std::vector<double>& times) {
    std::printf("{\"function\":%s,\"site\":%s,\"times\":[", quoted(of.function).c_str(), quoted(key).c_str());
    for (std::size_t i = 0; i < times.size(); ++i) { std::printf("%s%.3f", i == 0 ? "" : ",", times[i]); }
    std::printf("],\"bytes\":[");
    std::vector<double> values(times.size());
    for (const auto& [dump, bytes] : of.bytes) { values[dump] = bytes; }
    for (std::size_t i = 0; i < values.size(); ++i) { std::printf("%s%.0f", i == 0 ? "" : ",", values[i]); }
    std::printf("],\"verdicts\":[");
    for (std::size_t i = 0; i < of.verdicts.size(); ++i) {
        const verdict& v = of.verdicts[i].value;
        std::printf("%s[%zu,\"%s\",\"%s\",%.4f,%.3f]", i == 0 ? "" : ",", of.verdicts[i].dump,
                    std::string(word_of(v.kind)).c_str(), std::string(word_of(level_of(v.kind))).c_str(), v.confidence,
                    seconds(v.decided_ns));
    }
    std::printf("]}\n");
}

}  // namespace

int main(int argc, char** argv) {
    const bool judges = argc > 1 && std::strcmp(argv[1], "--judge") == 0;
    std::map<std::string, site_series> all;
    std::vector<double> times;
    series judge;
    snapshot last;
    for (int i = judges ? 2 : 1; i < argc; ++i) {
        auto dump = read_dump(argv[i]);
        if (!dump) {
            std::fprintf(stderr, "%s: %s\n", argv[i], dump.error().message().c_str());
            continue;
        }
        if (judges) {
            if (const auto added = judge.add(dump->value); !added) {
                std::fprintf(stderr, "%s: %s\n", argv[i], added.error().message().c_str());
                continue;
            }
            dump->value.verdicts = judge.verdicts();
        }
        add(all, dump->value, times.size());
        times.push_back(seconds(dump->value.info.taken_ns));
        last = std::move(dump->value);
    }
    name(all, last);
    for (const auto& [key, of] : all) { print(key, of, times); }
    return 0;
}
