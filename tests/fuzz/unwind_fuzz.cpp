// SPDX-License-Identifier: Apache-2.0
// Any bytes as the unwind tables of a module: a rule comes out that a walk can follow, or none, and nothing outside is read.
//
//   input: u32 where .eh_frame_hdr is, i32 the function's address, both relative to the image; then the image

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "platform/call_frame_info.hpp"

namespace {

using memwatch::platform::unwind_image;
using memwatch::platform::unwind_rule;

constexpr std::uint64_t address = 0x7F0012340000;

void require(bool holds) {
    if (!holds) { std::abort(); }
}

void check(const unwind_rule& rule) {
    using way = unwind_rule::way;
    const bool is_walkable =
        rule.how == way::stack_pointer || rule.how == way::frame_pointer || rule.how == way::saved_by_frame;
    require(rule.how <= way::end_of_stack);
    require(rule.offset % 8 == 0 && rule.offset <= unwind_rule::most_offset);
    if (!is_walkable) { return; }
    require(rule.how == way::saved_by_frame || rule.offset >= 8);
    if (rule.how == way::stack_pointer && rule.fp_place != unwind_rule::fp_at_fp) {
        require(rule.fp_place * 8U <= rule.offset);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t prefix = 8;
    if (size < prefix) { return 0; }
    std::uint32_t header = 0;
    std::int32_t function = 0;
    std::memcpy(&header, data, sizeof header);
    std::memcpy(&function, data + sizeof header, sizeof function);
    const std::size_t bytes = size - prefix;
    const auto copy = std::make_unique<std::uint8_t[]>(bytes);  // of exactly this size: the sanitizer sees a byte too far
    std::memcpy(copy.get(), data + prefix, bytes);
    const unwind_image image{copy.get(), bytes, address};
    const std::uint64_t pc = address + static_cast<std::uint64_t>(std::int64_t{function});
    for (std::uint64_t i = 0; i < 64; ++i) { check(find_unwind_rule(image, address + header, pc + i)); }
    check(find_unwind_rule(image, header, pc));
    return 0;
}
