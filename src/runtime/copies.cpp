// SPDX-License-Identifier: Apache-2.0
#include "runtime/copies.hpp"

#include <atomic>
#include <cstdio>
#include <initializer_list>
#include <string_view>

#include <memwatch/version.hpp>
#include "base/hash.hpp"
#include "base/log_channel.hpp"
#include "platform/module_notes.hpp"
#include "platform/module_walk.hpp"
#include "platform/own_thread.hpp"
#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {

struct version_text {
    char text[16];

    constexpr explicit version_text(std::string_view from) noexcept : text{} {
        for (std::size_t i = 0; i < from.size() && i + 1 < sizeof text; ++i) { text[i] = from[i]; }
    }
};

// What a copy's note points to. Of every version and toolchain: fields are only ever added, behind `format`'s number.
struct copy_record {
    static constexpr std::uint32_t current_format = 1;
    enum phase_value : std::uint32_t { idle, claimed, ready, inert };

    std::uint32_t format;
    std::atomic<std::uint32_t> phase;
    std::uint64_t abi;
    version_text version;
    // What follows is for copies with the same abi word, once the phase is `ready`.
    process_state* state;
    log_channel* log;
    std::atomic<const copy_list*>* other_copies;
    thread_block* (*block)() noexcept;
};

namespace {

// What two copies must agree on to work on one state.
constexpr std::uint64_t abi_word() noexcept {
    std::uint64_t word = hash_text(version);
    for (const std::size_t part :
         {sizeof(process_state), sizeof(capture_state), sizeof(live_state), sizeof(session_record), sizeof(options),
          sizeof(pool_list), sizeof(worker), sizeof(interval_control), sizeof(elf_symbols), sizeof(record_sink),
          sizeof(thread_row), sizeof(thread_block), sizeof(snapshot), static_cast<std::size_t>(platform::toolchain_word())}) {
        word = combine_hash(word, part);
    }
    return word;
}

constexpr std::size_t bytes_all_versions_have = offsetof(copy_record, state);

}  // namespace

extern "C" {
// Constant from the first instruction on: others may look before this module is relocated.
[[gnu::used, gnu::visibility("hidden")]] constinit copy_record memwatch_copy_record{
    copy_record::current_format, {copy_record::idle}, abi_word(), version_text{version}, nullptr, nullptr, nullptr, nullptr};
}
MEMWATCH_MODULE_NOTE(memwatch_copy_record);

namespace {

struct search_for_first {
    copy_record* found{};

    static bool visit(void* search, void* pointed_to) noexcept {
        auto* const record = static_cast<copy_record*>(pointed_to);
        if (record == &memwatch_copy_record || record->format == 0) { return false; }
        // acquire: pairs with the release in publish_first_copy().
        const std::uint32_t phase = record->phase.load(std::memory_order_acquire);
        if (phase != copy_record::claimed && phase != copy_record::ready) { return false; }
        static_cast<search_for_first*>(search)->found = record;
        return true;
    }
};

// Under the loader's lock as a whole, which is recursive: no two copies can both find nobody.
copy_record* find_first_or_claim() noexcept {
    search_for_first search;
    platform::visit_notes(
        bytes_all_versions_have,
        [](void* found, void*) noexcept {
            platform::visit_notes(bytes_all_versions_have, &search_for_first::visit, found);
            // relaxed: who looks for it holds the loader's lock, as we do.
            if (static_cast<search_for_first*>(found)->found == nullptr) {
                memwatch_copy_record.phase.store(copy_record::claimed, std::memory_order_relaxed);
            }
            return true;
        },
        &search);
    return search.found;
}

bool wait_until_ready(const copy_record& first) noexcept {
    constexpr std::uint64_t piece_ns = 1'000'000;
    for (int waited = 0; waited < 1000; ++waited) {
        // acquire: pairs with the release in publish_first_copy().
        if (first.phase.load(std::memory_order_acquire) == copy_record::ready) { return true; }
        platform::sleep_ns(piece_ns);
    }
    return false;
}

void stay_inert(copy_claim& claim, const copy_record& first, const char* why) noexcept {
    claim.role = copy_role::inert;
    // relaxed: others only pass over it.
    memwatch_copy_record.phase.store(copy_record::inert, std::memory_order_relaxed);
    std::snprintf(claim.why, sizeof claim.why, "this process has memwatch %.15s already, %s: this copy (%s) records nothing",
                  first.version.text, why, version);
}

}  // namespace

copy_claim claim_process_state() noexcept {
    copy_claim claim{copy_role::first, nullptr, {}};
    copy_record* const first = find_first_or_claim();
    if (!platform::keep_module_loaded(&memwatch_copy_record) && first != nullptr) {
        stay_inert(claim, *first, "and this module cannot be kept loaded");
        return claim;
    }
    if (first == nullptr) { return claim; }
    if (first->format != copy_record::current_format || first->abi != memwatch_copy_record.abi) {
        stay_inert(claim, *first, "built otherwise");
    } else if (!wait_until_ready(*first)) {
        stay_inert(claim, *first, "never ready");
    } else {
        claim = {copy_role::joined, first->state, {}};
        detail::first_copys_block.store(first->block, std::memory_order_relaxed);  // relaxed: see home_block()
        use_log(*first->log);
        platform::share_walk_gate(*first->state->walks);
        // relaxed: readers ask about their own thread's blocks, and the list's entries are published one by one.
        first->other_copies->store(&first->state->capture.copies, std::memory_order_relaxed);
    }
    return claim;
}

bool enter_copy(process_state& state) noexcept {
    if (!state.capture.copies.add(detail::this_copy())) { return false; }
    // relaxed: as in claim_process_state().
    if (detail::first_copys_block.load(std::memory_order_relaxed) != nullptr) {
        detail::other_copies.store(&state.capture.copies, std::memory_order_relaxed);
    }
    return true;
}

void publish_first_copy(process_state& state) noexcept {
    copy_record& record = memwatch_copy_record;
    record.state = &state;
    record.log = &log_in_use();
    record.other_copies = &detail::other_copies;
    record.block = detail::this_copy().block;
    // release: pairs with the acquires of those who look for it.
    record.phase.store(copy_record::ready, std::memory_order_release);
}

}  // namespace v1
}  // namespace memwatch
