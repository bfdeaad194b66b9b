// SPDX-License-Identifier: Apache-2.0
#pragma once
// FNV-1a with 128 bits (http://www.isthe.com/chongo/tech/comp/fnv: offset basis, prime 2^88 + 0x13B). The same number on every
// machine and in every version of memwatch, in twenty lines and without a library in the host; nobody attacks it here: who can
// choose what a program allocates gains nothing from two heaps with one fingerprint. Checked against Go's hash/fnv.

#include <bit>
#include <cstdint>
#include <string_view>

namespace memwatch::inline v1 {

class fnv128 {
public:
    __extension__ typedef unsigned __int128 number;

    void add_byte(unsigned char byte) {
        value_ ^= byte;
        value_ = (value_ << 88U) + value_ * 0x13BU;  // times the prime
    }
    void add(std::uint64_t value) {
        for (unsigned shift = 0; shift < 64; shift += 8) { add_byte(static_cast<unsigned char>(value >> shift)); }
    }
    void add(double value) { add(std::bit_cast<std::uint64_t>(value)); }
    // A number that is a hash already (a frame's, within a stack) in one step instead of sixteen: FNV's on the whole word, and
    // the halves exchanged, because multiplying carries upwards only. Still one to one in the state and in the word.
    void add(number hash) {
        value_ ^= hash;
        value_ = (value_ << 88U) + value_ * 0x13BU;
        value_ = value_ << 64U | value_ >> 64U;
    }
    // With its length, so that "ab"+"c" is not "a"+"bc".
    void add(std::string_view text) {
        add(std::uint64_t{text.size()});
        add_bytes(text);
    }
    void add_bytes(std::string_view text) {
        for (const char c : text) { add_byte(static_cast<unsigned char>(c)); }
    }

    [[nodiscard]] number value() const { return value_; }

private:
    number value_{(number{0x6C62272E07BB0142ULL} << 64U) + 0x62B821756295C58DULL};
};

}  // namespace memwatch::inline v1
