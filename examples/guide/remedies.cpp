// SPDX-License-Identifier: Apache-2.0
// What docs/remedies.md shows: functions of the program that memwatch calls when something leaks or memory runs short.
#include <memwatch/memwatch.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <vector>

namespace {

// A cache that can be asked to be smaller.
class page_cache {
public:
    void add(std::string page) {
        const std::lock_guard guard(mutex_);
        pages_.push_back(std::move(page));
    }
    // Drops the older half; says how many bytes that were.
    std::uint64_t shrink() {
        const std::lock_guard guard(mutex_);
        const auto half = pages_.begin() + static_cast<std::ptrdiff_t>(pages_.size() / 2);
        std::uint64_t bytes = 0;
        for (auto page = pages_.begin(); page != half; ++page) { bytes += page->size(); }
        pages_.erase(pages_.begin(), half);
        return bytes;
    }

private:
    std::mutex mutex_;
    std::vector<std::string> pages_;
};

int remedies() {
    page_cache cache;
    for (int i = 0; i < 100; ++i) { cache.add(std::string(10'000, 'x')); }

    // [register]
    // When a site under the tag "pages" is suspected to leak, or memory runs short: at most once in five minutes.
    const auto evict = memwatch::register_remedy(
        "evict-pages", {.level = memwatch::verdict_level::suspect, .tag = "pages", .on_pressure = true},
        [&cache] { return cache.shrink(); }, {.is_dry_run = false, .least_interval_ns = 300'000'000'000});

    memwatch::remedy_trigger when_short;
    when_short.on_pressure = true;
    // A dry run until somebody says otherwise: nothing is called, and each time it would have been is told.
    const auto trim = memwatch::register_remedy("give-back", when_short, memwatch::release_free_memory);
    // [/register]

    // [log]
    for (const memwatch::remedy_record& each : memwatch::remedy_log()) {
        std::printf("%s because of %s%s: %llu -> %llu bytes resident\n", each.remedy.c_str(), each.reason.c_str(),
                    each.is_dry_run ? " (dry run)" : "", static_cast<unsigned long long>(each.resident_before),
                    static_cast<unsigned long long>(each.resident_after));
    }
    // [/log]
    return cache.shrink() == 50 * 10'000 ? 0 : 1;
}

}  // namespace

int main() {
    const auto session = memwatch::session::start();
    return remedies();
}
