// SPDX-License-Identifier: Apache-2.0
// What docs/options.md shows: options, samplers, presets for a while, scopes and the baseline, set from the code. Compiles and
// links with -DMEMWATCH_DISABLE and without memwatch, too (tests/contract/compiled_out.py).

#include <memwatch/memwatch.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace {

// [own-sampler]
// Large blocks always, small ones of the cache never, of the others one in 500.
double choose(std::size_t bytes, std::uint16_t tag, void* context) noexcept {
    if (bytes >= 64U << 10U) { return 1; }
    return tag == static_cast<memwatch::tag*>(context)->id() ? 0 : 1.0 / 500;
}
// [/own-sampler]

// [on-verdict]
// On memwatch's thread: something began to leak, or to be suspected of it; or it matters more by now; or it was wrong, or is
// over.
void page(const memwatch::verdict& changed, const memwatch::snapshot& seen, void*) noexcept {
    if (memwatch::level_of(changed.kind) != memwatch::verdict_level::leak) { return; }
    const bool is_pool = changed.subject == memwatch::verdict_subject::pool;
    const std::string& owner = is_pool ? seen.pools[changed.index].name : seen.tags[seen.sites[changed.index].tag].name;
    std::fprintf(stderr, "%s leaks: %.0f bytes, %.0f more a second\n", owner.c_str(), changed.retained_bytes,
                 changed.rate_bytes_per_second);
}
// [/on-verdict]

memwatch::tag cache{"cache"};

std::vector<char, memwatch::tracked_allocator<char>> allocate(std::size_t bytes) {
    return std::vector<char, memwatch::tracked_allocator<char>>(bytes, 'x', memwatch::tracked_allocator<char>{cache});
}

}  // namespace

int main() {
    // [start]
    memwatch::options wanted;
    wanted.service = "orders";
    wanted.interval_bytes = 512 << 10;  // MEMWATCH_INTERVAL=64KiB in the environment would win
    auto session = memwatch::session::start(wanted);
    // [/start]

    // [while-running]
    bool is_fine = session.set({{"preset", "full"}, {"for", "5m"}}).has_value();      // each block, for five minutes
    is_fine &= session.set_preset(memwatch::preset_option::investigate).has_value();  // R = 64 KiB; ends by itself
    is_fine &= session.set({{"sampler", "one_in_n"}, {"one_in", "200"}, {"min_size", "1KiB"}}).has_value();
    is_fine &= session.set_sampler(&choose, &cache).has_value();
    // [/while-running]

    // [listen]
    session.on_verdict(&page);
    // [/listen]

    // [scopes]
    const auto loaded = [] {
        const memwatch::tag_scope loading{memwatch::tag{"loading"}};  // samples that have no tag of their own are its
        return std::vector<int, memwatch::tracked_allocator<int>>(100'000);
    }();
    {
        const memwatch::ignore_scope quiet;  // counted, but never a sample
        const auto known = allocate(1000);
    }
    // [/scopes]

    // [baseline]
    const auto mark = session.mark_baseline();  // from here on: memwatch show --pid N --since-baseline
    // [/baseline]
    const bool is_there = memwatch::session{}.status().state == memwatch::session_state::stopped;  // a handle of nobody
    std::printf("%s, %s, %zu\n", is_fine ? "set" : "not set", mark ? "marked" : "not marked", loaded.size());
    const bool is_compiled_out = session.status().state == memwatch::session_state::stopped;
    return is_there && (is_compiled_out || (is_fine && mark)) ? 0 : 1;
}
