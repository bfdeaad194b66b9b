// SPDX-License-Identifier: Apache-2.0
#include "ledger/stack_memo.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <vector>

#include "support/memory_block.hpp"

using namespace memwatch;

namespace {

// A stack of five frames in an array, as the memo sees one: return addresses at words 0, 3, 7, 8, 15; the frame of word 7 is
// found through the frame pointer saved at word 2, that of word 8 through the register.
struct memo_under_test {
    explicit memo_under_test(std::size_t arena = 64 << 10) : memory(stack_memo::memory_bytes(arena)), words(64, 0xDEAD) {
        memo.open(memory.get(), arena);
        for (std::uint32_t i = 0; i < 5; ++i) { words[slots[i] / 8] = frames[i]; }
        words[2] = address(6);
        frame_pointer = address(7);
    }
    [[nodiscard]] std::uint64_t address(std::size_t word) const { return reinterpret_cast<std::uint64_t>(&words[word]); }
    [[nodiscard]] stack_memo::place place() const { return {words.data(), frame_pointer, 64 * 8}; }
    [[nodiscard]] std::uint32_t find() const { return memo.find(place()); }
    bool add(std::uint32_t site) {
        std::uint64_t walked[5];
        for (std::uint32_t i = 0; i < 5; ++i) { walked[i] = words[slots[i] / 8]; }
        return memo.add(place(), {walked, slots, bases, 5}, site);
    }

    static constexpr std::uint64_t frames[5] = {0x1001, 0x2002, 0x3003, 0x4004, 0x5005};
    static constexpr std::uint32_t slots[5] = {0, 24, 56, 64, 120};
    static constexpr std::uint32_t bases[5] = {stack_memo::no_base, stack_memo::no_base, 16, stack_memo::in_register,
                                               stack_memo::no_base};
    test_support::memory_block memory;
    std::vector<std::uint64_t> words;
    std::uint64_t frame_pointer{};
    stack_memo memo;
};

}  // namespace

TEST_CASE("stack_memo: a stack is recognised, also elsewhere, and whatever lies between its places", "[live]") {
    memo_under_test t;
    CHECK(t.find() == stack_memo::no_site);
    REQUIRE(t.add(7));
    CHECK(t.find() == 7);
    t.words[1] = t.words[4] = t.words[40] = 42;
    CHECK(t.find() == 7);
    memo_under_test moved;  // another thread's stack: the same frames, as far from its end
    CHECK(t.memo.find(moved.place()) == 7);
}

TEST_CASE("stack_memo: any other return address, frame pointer or distance is another stack", "[live]") {
    memo_under_test t;
    REQUIRE(t.add(7));
    for (const std::size_t word : {0U, 3U, 7U, 8U, 15U, 2U}) {
        const std::uint64_t kept = t.words[word];
        for (const std::uint64_t other : {kept + 1, kept ^ std::uint64_t{1} << 63U, std::uint64_t{0}}) {
            t.words[word] = other;
            CHECK(t.find() == stack_memo::no_site);
        }
        t.words[word] = kept;
    }
    t.frame_pointer += 16;  // a function with alloca: what lies at the old place is stale
    CHECK(t.find() == stack_memo::no_site);
    t.frame_pointer -= 16;
    stack_memo::place farther = t.place();
    farther.distance += 8;
    CHECK(t.memo.find(farther) == stack_memo::no_site);
    CHECK(t.find() == 7);
}

TEST_CASE("stack_memo: several stacks behind one caller are kept apart; when it is full it says so until it is cleared",
          "[live]") {
    memo_under_test t(64 << 10);
    std::uint32_t added = 0;
    for (; t.add(added); ++added) { t.words[15] = 0x10000 + added; }
    CHECK(added > 100);
    CHECK(t.memo.is_full());
    t.words[15] = 0x10000 + added - 3;  // one of the youngest
    CHECK(t.find() != stack_memo::no_site);
    t.memo.clear();
    CHECK(t.find() == stack_memo::no_site);
    CHECK(t.add(3));
    CHECK(t.find() == 3);
}

TEST_CASE("stack_memo: where more stacks come by than it holds, few are let in", "[live]") {
    memo_under_test t;
    std::uint32_t admitted = 0;
    for (std::uint32_t i = 0; i < 6400; ++i) {
        t.words[15] = 0x10000 + i;  // one key, a stack that never came before
        if (t.memo.admits(t.place())) {
            ++admitted;
            REQUIRE(t.add(i));
        }
    }
    CHECK(admitted >= 100);
    CHECK(admitted <= 120);
    CHECK_FALSE(t.memo.is_full());
    t.memo.clear();
    CHECK(t.memo.admits(t.place()));
}

TEST_CASE("stack_memo: a frame pointer saved beside a return address is compared with it, and either tells stacks apart",
          "[live]") {
    memo_under_test t;
    const std::uint32_t slots[] = {0, 24, 56, 72, 120};  // of 24: saved at 16, needed by 56; of 56: at 48, by 72
    const std::uint32_t bases[] = {stack_memo::no_base, stack_memo::no_base, 16, 48, 96};
    for (std::uint32_t i = 0; i < 5; ++i) { t.words[slots[i] / 8] = 0x1001 * (i + 1); }
    for (const std::size_t word : {2U, 6U, 12U}) { t.words[word] = t.address(word + 3); }
    std::uint64_t walked[5];
    for (std::uint32_t i = 0; i < 5; ++i) { walked[i] = t.words[slots[i] / 8]; }
    REQUIRE(t.memo.add(t.place(), {walked, slots, bases, 5}, 9));
    CHECK(t.find() == 9);
    for (const std::size_t word : {0U, 2U, 3U, 6U, 7U, 9U, 12U, 15U}) {
        const std::uint64_t kept = t.words[word];
        for (const std::uint64_t other : {kept + 8, kept ^ std::uint64_t{1} << 63U, std::uint64_t{0}}) {
            t.words[word] = other;
            CHECK(t.find() == stack_memo::no_site);
        }
        t.words[word] = kept;
    }
    t.words[1] = t.words[4] = t.words[5] = t.words[8] = t.words[13] = 42;
    CHECK(t.find() == 9);
}
