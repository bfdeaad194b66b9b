// SPDX-License-Identifier: Apache-2.0
// What a scrape costs: 1,000 sites, 100 tags, 20 pools -> the text page. Budget: 5 ms for nine of ten
// pages, in an optimised build. Freezing the summary itself is measured in tests/bench/freeze.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <memwatch/model/site_name.hpp>

#include "serve/metrics.hpp"
#include "unit/serve/made_snapshot.hpp"

namespace {

memwatch::snapshot large_snapshot() {
    memwatch::snapshot s = memwatch_test::made_snapshot();
    s.sites.clear();
    s.stacks.clear();
    s.frames.clear();
    for (std::uint32_t i = 0; i < 2000; ++i) {
        s.frames.push_back({0, 0x1000 + 16ULL * i, {{"orders::request_cache<Key" + std::to_string(i) + ">::insert", {}, 0}}});
    }
    while (s.tags.size() < 100) { s.tags.push_back({"tag-" + std::to_string(s.tags.size()), 1 << 20, 1000, 1 << 10, 10}); }
    while (s.pools.size() < 20) {
        s.pools.push_back(s.pools[0]);
        s.pools.back().name += std::to_string(s.pools.size());
    }
    for (std::uint32_t i = 0; i < 1000; ++i) {
        memwatch::stack stack;
        for (std::uint32_t f = 0; f < 24; ++f) { stack.frames.push_back((i * 7 + f * 31) % 2000); }
        s.stacks.push_back(stack);
        memwatch::site site;
        site.stack = i;
        site.tag = i % 100;
        site.type = "Order" + std::to_string(i);
        site.live.bytes = 1000.0 * (1 + (i * 7919) % 1000);
        site.live.samples = 10;
        site.lifetimes.objects[i % memwatch::lifetime_bucket_count] = i;
        s.sites.push_back(site);
    }
    return s;
}

}  // namespace

int main() {
    const memwatch::snapshot s = large_snapshot();
    memwatch::serve::metrics_options options;
    options.name_site = [](const memwatch::snapshot& in, const memwatch::site& of) { return memwatch::site_name(in, of); };
    std::vector<double> milliseconds;
    std::size_t bytes = 0;
    for (int i = 0; i < 200; ++i) {
        const auto begun = std::chrono::steady_clock::now();
        bytes = memwatch::serve::render_metrics(memwatch::serve::collect_metrics(s, options)).size();
        milliseconds.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count());
    }
    std::sort(milliseconds.begin(), milliseconds.end());
    std::printf("metrics page: %zu bytes, median %.3f ms, p90 %.3f ms (budget 5 ms)\n", bytes, milliseconds[100],
                milliseconds[179]);
    return milliseconds[179] < 5.0 ? 0 : 1;
}
