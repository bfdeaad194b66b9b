// SPDX-License-Identifier: Apache-2.0
// Any bytes as a black box: as they are, and once more with right checksums, without which nothing would get past the first
// look. What comes out is in order, no larger than the file, and its records can be taken apart.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "blackbox/box.hpp"
#include "blackbox/event.hpp"
#include "blackbox/pulse.hpp"

namespace {

using namespace memwatch::blackbox;

void require(bool holds) {
    if (!holds) { std::abort(); }
}

void check(const std::string& bytes) {
    const auto found = read_box(bytes.size(), [&](std::uint64_t offset, void* into, std::size_t size) -> std::size_t {
        if (offset >= bytes.size()) { return 0; }
        const std::string_view part = std::string_view(bytes).substr(offset, size);
        std::memcpy(into, part.data(), part.size());
        return part.size();
    });
    if (!found) { return; }
    std::size_t payload_bytes = 0;
    std::uint64_t before = 0;
    for (const record& each : found->records) {
        require(each.sequence > before);
        before = each.sequence;
        payload_bytes += each.payload.size();
        if (const auto p = decode_pulse(each.payload)) {
            require(p->tag_count <= pulse::most_tags);
            pulse_bytes again;
            require(encode(*p, again) <= again.size());
        }
        if (const auto e = decode_event(each.payload)) { require(e->name.size() + 1 + e->text.size() == each.payload.size()); }
    }
    require(payload_bytes <= bytes.size());
}

void correct(std::string& bytes, std::size_t at, std::size_t size) {
    if (bytes.size() < at + size) { return; }
    auto* const raw = reinterpret_cast<unsigned char*>(bytes.data()) + at;
    put_number(raw, checksum(raw + 8, size - 8), 8);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string bytes(reinterpret_cast<const char*>(data), size);
    check(bytes);
    correct(bytes, 0, head_copy_bytes);
    correct(bytes, head_copy_bytes, head_copy_bytes);
    for (std::size_t at = ring_writer::head_bytes; at < bytes.size(); at += sector_bytes) { correct(bytes, at, sector_bytes); }
    check(bytes);
    return 0;
}
