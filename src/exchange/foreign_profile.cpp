// SPDX-License-Identifier: Apache-2.0
#include "exchange/foreign_profile.hpp"

#include <new>

#include "exchange/unpacked.hpp"

namespace memwatch::inline v1::exchange {
namespace {

constexpr std::size_t head_bytes = 64;

bool starts_with(std::string_view text, std::string_view with) { return text.substr(0, with.size()) == with; }

// The first field is a sample type, or the period's type (Go): a short message that begins with one of its two numbers.
bool looks_like_profile_proto(std::string_view head) {
    constexpr char sample_type = 0x0A, period_type = 0x5A, type = 0x08, unit = 0x10;
    return head.size() > 3 && (head[0] == sample_type || head[0] == period_type) &&
           static_cast<unsigned char>(head[1]) < 0x40 && (head[2] == type || head[2] == unit);
}

}  // namespace

foreign_format recognize(std::string_view bytes) {
    const std::string head = unpacked_head(bytes, head_bytes);
    if (starts_with(head, "heap profile:") || starts_with(head, "heap_v2/")) { return foreign_format::heap_text; }
    if (starts_with(head, "v ") && head.find('\n') != std::string::npos) { return foreign_format::heaptrack; }
    return looks_like_profile_proto(head) ? foreign_format::pprof : foreign_format::none;
}

const char* to_string(foreign_format format) noexcept {
    switch (format) {
        case foreign_format::pprof:
            return "pprof";
        case foreign_format::heap_text:
            return "heap profile";
        case foreign_format::heaptrack:
            return "heaptrack";
        case foreign_format::none:
            break;
    }
    return "none";
}

result<imported_profile> read_foreign_profile(std::string_view bytes) {
    result<imported_profile> read = [&]() -> result<imported_profile> {
        switch (recognize(bytes)) {
            case foreign_format::pprof:
                return read_pprof(bytes);
            case foreign_format::heap_text:
                return read_heap_text(bytes);
            case foreign_format::heaptrack:
                return read_heaptrack(bytes);
            case foreign_format::none:
                break;
        }
        return fail(error_code::unreadable, "not a pprof, heaptrack, jemalloc or gperftools heap profile", "byte 0");
    }();
    if (!read) { return read; }
    if (const auto checked = validate(read->value); !checked) { return tl::unexpected<error>(checked.error()); }
    return read;
}

}  // namespace memwatch::inline v1::exchange
