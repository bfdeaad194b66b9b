// SPDX-License-Identifier: Apache-2.0
#include "base/siphash.hpp"

#include <catch2/catch.hpp>
#include <string>

// vectors_sip128 of https://github.com/veorq/SipHash for the key 00 01 .. 0f and the messages "", 00, 00 01 .. 0f; reprinted by
//   printf '' | openssl mac -macopt hexkey:000102030405060708090a0b0c0d0e0f -macopt size:16 SIPHASH
TEST_CASE("siphash: the reference's vectors") {
    constexpr memwatch::siphash_key key{0x0706050403020100ULL, 0x0F0E0D0C0B0A0908ULL};
    const auto check = [&](std::size_t size, std::uint64_t first, std::uint64_t second) {
        std::string message;
        for (std::size_t i = 0; i < size; ++i) { message.push_back(static_cast<char>(i)); }
        const memwatch::siphash_value value = memwatch::siphash(key, message);
        CHECK(__builtin_bswap64(value.first) == first);
        CHECK(__builtin_bswap64(value.second) == second);
    };
    check(0, 0xA3817F04BA25A8E6ULL, 0x6DF67214C7550293ULL);
    check(1, 0xDA87C1D86B99AF44ULL, 0x347659119B22FC45ULL);
    check(16, 0x6EE2A4CA67B054BBULL, 0xFD3315BF85230577ULL);
}
