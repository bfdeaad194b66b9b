// SPDX-License-Identifier: Apache-2.0
// The head of a black box: whose it is. In the file twice, so that one may be damaged.
#include <algorithm>
#include <cstring>

#include "blackbox/ring_writer.hpp"

namespace memwatch {
inline namespace v1 {
namespace blackbox {
namespace {

constexpr std::string_view magic = "MWBLKBOX";
constexpr std::uint32_t format_version = 1;
constexpr std::size_t fixed_bytes = 8 + 8 + 4 + 4 + 3 * 8 + 8;  // checksum, magic, version, sector size, three numbers, size
// What each text may take; together with their lengths they fill a copy.
constexpr std::size_t text_bytes[] = {64, 256, 256, 1024, 64};

static_assert(fixed_bytes + 5 * 2 + 64 + 256 + 256 + 1024 + 64 <= head_copy_bytes);

void put_text(std::string& into, std::size_t& at, std::string_view text, std::size_t most) {
    text = text.substr(0, most);
    put_number(reinterpret_cast<unsigned char*>(into.data()) + at, text.size(), 2);
    std::memcpy(into.data() + at + 2, text.data(), text.size());
    at += 2 + text.size();
}

std::string take_text(std::string_view from, std::size_t& at, std::size_t most) {
    if (from.size() - at < 2) { return {}; }
    const auto length = static_cast<std::size_t>(get_number(reinterpret_cast<const unsigned char*>(from.data()) + at, 2));
    at += 2;
    const std::string_view text = from.substr(at, std::min(length, most));
    at += text.size();
    return std::string(text);
}

}  // namespace

std::string encode_head(const identity& whose, std::uint64_t size_bytes) {
    std::string bytes(head_copy_bytes, '\0');
    auto* const raw = reinterpret_cast<unsigned char*>(bytes.data());
    std::memcpy(raw + 8, magic.data(), magic.size());
    put_number(raw + 16, format_version, 4);
    put_number(raw + 20, sector_bytes, 4);
    put_number(raw + 24, size_bytes, 8);
    put_number(raw + 32, whose.pid, 8);
    put_number(raw + 40, whose.started_unix_ns, 8);
    put_number(raw + 48, whose.opened_unix_ns, 8);
    std::size_t at = fixed_bytes;
    const std::string* const texts[] = {&whose.session, &whose.service, &whose.host, &whose.executable, &whose.version};
    for (std::size_t i = 0; i < std::size(texts); ++i) { put_text(bytes, at, *texts[i], text_bytes[i]); }
    put_number(raw, checksum(raw + 8, bytes.size() - 8), 8);
    return bytes;
}

result<decoded_head> decode_head(std::string_view copy) {
    if (copy.size() != head_copy_bytes) { return fail(error_code::unreadable, "too short"); }
    const auto* const raw = reinterpret_cast<const unsigned char*>(copy.data());
    if (copy.substr(8, magic.size()) != magic) { return fail(error_code::unreadable, "not a black box"); }
    if (get_number(raw, 8) != checksum(raw + 8, copy.size() - 8)) {
        return fail(error_code::unreadable, "its head is damaged");
    }
    decoded_head found;
    found.version = static_cast<std::uint32_t>(get_number(raw + 16, 4));
    if (found.version != format_version || get_number(raw + 20, 4) != sector_bytes) {
        return fail(error_code::unsupported, "a black box of another version");
    }
    found.size_bytes = get_number(raw + 24, 8);
    found.whose.pid = get_number(raw + 32, 8);
    found.whose.started_unix_ns = get_number(raw + 40, 8);
    found.whose.opened_unix_ns = get_number(raw + 48, 8);
    std::size_t at = fixed_bytes;
    std::string* const texts[] = {&found.whose.session, &found.whose.service, &found.whose.host, &found.whose.executable,
                                  &found.whose.version};
    for (std::size_t i = 0; i < std::size(texts); ++i) { *texts[i] = take_text(copy, at, text_bytes[i]); }
    return found;
}

}  // namespace blackbox
}  // namespace v1
}  // namespace memwatch
