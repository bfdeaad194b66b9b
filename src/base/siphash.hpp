// SPDX-License-Identifier: Apache-2.0
#pragma once
// SipHash-2-4 with 128 bits of output: a keyed hash nobody can invert or steer without the key.
//
// In: a 128-bit key, bytes. Out: 128 bits. Threads: any. Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012); the
// 128-bit variant and its test vectors: https://github.com/veorq/SipHash (vectors_sip128), also in tests/unit/base.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace memwatch {
inline namespace v1 {

struct siphash_key {
    std::uint64_t first{};
    std::uint64_t second{};
};

struct siphash_value {
    std::uint64_t first{};  // bytes 0..7 of the reference output, little-endian
    std::uint64_t second{};
};

class siphash_state {
public:
    explicit constexpr siphash_state(siphash_key key) noexcept
        : v_{0x736F6D6570736575ULL ^ key.first, 0x646F72616E646F6DULL ^ key.second ^ 0xEE, 0x6C7967656E657261ULL ^ key.first,
             0x7465646279746573ULL ^ key.second} {}

    constexpr void add(std::uint64_t word) noexcept {
        v_[3] ^= word;
        rounds(2);
        v_[0] ^= word;
    }

    [[nodiscard]] constexpr siphash_value finish() noexcept {
        v_[2] ^= 0xEE;
        rounds(4);
        const std::uint64_t first = folded();
        v_[1] ^= 0xDD;
        rounds(4);
        return {first, folded()};
    }

private:
    [[nodiscard]] constexpr std::uint64_t folded() const noexcept { return v_[0] ^ v_[1] ^ v_[2] ^ v_[3]; }

    constexpr void rounds(int count) noexcept {
        for (; count > 0; --count) {
            half(v_[0], v_[1], 13, 32);
            half(v_[2], v_[3], 16, 0);
            half(v_[2], v_[1], 17, 32);
            half(v_[0], v_[3], 21, 0);
        }
    }

    static constexpr void half(std::uint64_t& a, std::uint64_t& b, int turn_b, int turn_a) noexcept {
        a += b;
        b = std::rotl(b, turn_b) ^ a;
        a = std::rotl(a, turn_a);
    }

    std::uint64_t v_[4];
};

[[nodiscard]] constexpr siphash_value siphash(siphash_key key, std::string_view bytes) noexcept {
    siphash_state state(key);
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        word |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * (i % 8));
        if (i % 8 == 7) {
            state.add(word);
            word = 0;
        }
    }
    state.add(word | std::uint64_t{bytes.size() & 0xFFU} << 56U);
    return state.finish();
}

}  // namespace v1
}  // namespace memwatch
