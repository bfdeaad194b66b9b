// SPDX-License-Identifier: Apache-2.0
#pragma once
// The atoms of the native dump: little-endian fixed numbers, LEB128 varints, zigzag, and reals.
//
// A real is a length byte n (0..8) and the n most significant bytes of the IEEE 754 double, the rest being zero: 0.0 is one
// byte, whole numbers as exact mode produces them are three to five, an arbitrary estimate is nine.
//
//   300      varint  AC 02
//   -2       zigzag  3 -> 03
//   4096.0   real    02 40 B0          (0x40B0000000000000)
//
// The reader never runs past its bytes: the first read that would makes it fail, and from then on everything reads as zero.

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace memwatch::inline v1::codec {

[[nodiscard]] constexpr std::uint64_t zigzag(std::uint64_t delta) { return delta << 1 ^ (delta >> 63 != 0 ? ~0ULL : 0ULL); }
[[nodiscard]] constexpr std::uint64_t unzigzag(std::uint64_t value) { return value >> 1 ^ ((value & 1) != 0 ? ~0ULL : 0ULL); }

class byte_writer {
public:
    void byte(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
    void fixed(std::uint64_t value, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) { byte(static_cast<std::uint8_t>(value >> (8 * i))); }
    }
    void varint(std::uint64_t value) {
        while (value > 0x7F) {
            byte(static_cast<std::uint8_t>(value | 0x80));
            value >>= 7;
        }
        byte(static_cast<std::uint8_t>(value));
    }
    void real(double value) {
        const auto bits = std::bit_cast<std::uint64_t>(value);
        const auto size = 8 - (bits == 0 ? 8 : static_cast<std::size_t>(std::countr_zero(bits)) / 8);
        byte(static_cast<std::uint8_t>(size));
        for (std::size_t i = 0; i < size; ++i) { byte(static_cast<std::uint8_t>(bits >> (56 - 8 * i))); }
    }
    void raw(std::string_view text) { bytes_.append(text); }
    void text(std::string_view text) {
        varint(text.size());
        raw(text);
    }

    [[nodiscard]] std::string& bytes() { return bytes_; }

private:
    std::string bytes_;
};

class byte_reader {
public:
    explicit byte_reader(std::string_view bytes) : bytes_(bytes) {}

    std::uint8_t byte() {
        if (at_ >= bytes_.size()) {
            failed_ = true;
            return 0;
        }
        return static_cast<std::uint8_t>(bytes_[at_++]);
    }
    std::uint64_t fixed(std::size_t size) {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < size; ++i) { value |= static_cast<std::uint64_t>(byte()) << (8 * i); }
        return value;
    }
    // At most ten bytes, and nothing beyond 64 bits.
    std::uint64_t varint() {
        if (at_ < bytes_.size() && static_cast<std::uint8_t>(bytes_[at_]) < 0x80) {
            return static_cast<std::uint8_t>(bytes_[at_++]);
        }
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto piece = byte();
            if (shift == 63 && piece > 1) { break; }
            value |= static_cast<std::uint64_t>(piece & 0x7F) << shift;
            if (piece < 0x80) { return value; }
        }
        failed_ = true;
        return 0;
    }
    std::uint32_t varint32() {
        const auto value = varint();
        failed_ = failed_ || value > 0xFFFF'FFFF;
        return static_cast<std::uint32_t>(value);
    }
    double real() {
        const std::size_t size = byte();
        failed_ = failed_ || size > 8;
        if (size == 0 || failed_) { return 0; }
        std::uint64_t bits = 0;
        if (std::endian::native == std::endian::little && left() >= sizeof bits) {  // dumps are mostly these
            std::memcpy(&bits, bytes_.data() + at_, sizeof bits);
            at_ += size;
            return std::bit_cast<double>(__builtin_bswap64(bits) & ~std::uint64_t{0} << (64 - 8 * size));
        }
        for (std::size_t i = 0; i < size && !failed_; ++i) { bits |= static_cast<std::uint64_t>(byte()) << (56 - 8 * i); }
        return std::bit_cast<double>(bits);
    }
    std::string_view raw(std::uint64_t size) {
        if (size > left()) {
            failed_ = true;
            return {};
        }
        at_ += size;
        return bytes_.substr(at_ - size, size);
    }
    std::string_view text() { return raw(varint()); }

    void refuse() { failed_ = true; }

    [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }
    [[nodiscard]] bool failed() const { return failed_; }

private:
    std::string_view bytes_;
    std::size_t at_{};
    bool failed_{};
};

}  // namespace memwatch::inline v1::codec
