// SPDX-License-Identifier: Apache-2.0
#include "snapshot/chunks.hpp"

#include <algorithm>
#include <utility>

#include "snapshot/bytes.hpp"

namespace memwatch::inline v1::codec {
namespace {

constexpr std::string_view chunk_marker{"\xCEMWC", 4};
constexpr std::string_view trailer_magic{"MWDUMPED", 8};
constexpr std::size_t file_header_bytes = 16;
constexpr std::size_t chunk_header_bytes = 28;
constexpr std::size_t trailer_bytes = 16;
constexpr std::uint64_t flag_deflated = 1;
constexpr const char* directory_type = "DIRY";
constexpr std::size_t worth_deflating = 64;  // zlib's own header and checksum are 6 bytes

void append_crc(std::string& to, std::size_t from) {
    byte_writer crc;
    crc.fixed(crc32_of(std::string_view{to}.substr(from)), 4);
    to += crc.bytes();
}

}  // namespace

chunk_writer::chunk_writer() {
    byte_writer header;
    header.raw(dump_magic);
    header.fixed(dump_major, 2);
    header.fixed(dump_minor, 2);
    out_ = std::move(header.bytes());
    append_crc(out_, 0);
}

void chunk_writer::add(const char* type, std::uint16_t part, std::string_view payload, std::optional<packing> as) {
    is_too_large_ = is_too_large_ || payload.size() > max_chunk_bytes;
    if (is_too_large_) { return; }
    raw_bytes_ += payload.size();
    std::string deflated;
    if (as && payload.size() >= worth_deflating) { deflated = deflate_zlib(payload, *as); }
    const bool pays = !deflated.empty() && deflated.size() < payload.size() - payload.size() / 16;
    const std::string_view stored = pays ? deflated : payload;
    byte_writer header;
    header.raw(chunk_marker);
    header.raw({type, 4});
    header.fixed(pays ? flag_deflated : 0, 2);
    header.fixed(part, 2);
    header.fixed(stored.size(), 4);
    header.fixed(payload.size(), 4);
    header.fixed(crc32_of(stored), 4);
    offsets_.push_back(out_.size());
    out_ += header.bytes();
    append_crc(out_, offsets_.back());
    out_ += stored;
}

bool chunk_writer::finish() {
    byte_writer directory;
    directory.varint(offsets_.size());
    for (const auto offset : offsets_) {
        directory.raw(std::string_view{out_}.substr(offset + chunk_marker.size(), 4));
        directory.varint(offset);
    }
    const auto at = out_.size();
    add(directory_type, 0, directory.bytes(), std::nullopt);
    byte_writer trailer;
    trailer.fixed(at, 8);
    trailer.raw(trailer_magic);
    out_ += trailer.bytes();
    return !is_too_large_;
}

struct chunk_reader::header {
    std::size_t at;
    std::string type;
    std::uint64_t flags;
    std::uint16_t part;
    std::uint64_t stored_bytes;
    std::uint64_t raw_bytes;
    std::uint64_t payload_crc;
};

chunk_reader::chunk_reader(std::string_view bytes, std::vector<std::string>& damage)
    : bytes_(bytes), damage_(&damage), at_(file_header_bytes), budget_(unpack_budget(bytes.size())) {}

result<chunk_reader> chunk_reader::open(std::string_view bytes, std::vector<std::string>& damage) {
    if (bytes.size() < file_header_bytes || bytes.substr(0, dump_magic.size()) != dump_magic) {
        return fail(error_code::unreadable, "not a whole header of a memwatch dump", "byte 0");
    }
    byte_reader in{bytes.substr(dump_magic.size(), file_header_bytes - dump_magic.size())};
    const auto major = in.fixed(2);
    in.fixed(2);  // a newer minor version only adds chunk types and fields at the end of rows
    chunk_reader reader{bytes, damage};
    if (crc32_of(bytes.substr(0, file_header_bytes - 4)) != in.fixed(4)) {
        reader.note(8, "the version is damaged; read as version " + std::to_string(dump_major));
    } else if (major > dump_major) {
        return fail(
            error_code::unsupported,
            "written in format version " + std::to_string(major) + ", this build reads up to " + std::to_string(dump_major),
            "byte 8");
    }
    return reader;
}

bool chunk_reader::read_header(std::size_t at, header& out) const {
    if (bytes_.size() < chunk_header_bytes || at > bytes_.size() - chunk_header_bytes) { return false; }
    const auto bytes = bytes_.substr(at, chunk_header_bytes);
    byte_reader in{bytes};
    if (in.raw(chunk_marker.size()) != chunk_marker) { return false; }
    out.at = at;
    out.type = in.raw(4);
    out.flags = in.fixed(2);
    out.part = static_cast<std::uint16_t>(in.fixed(2));
    out.stored_bytes = in.fixed(4);
    out.raw_bytes = in.fixed(4);
    out.payload_crc = in.fixed(4);
    return crc32_of(bytes.substr(0, chunk_header_bytes - 4)) == in.fixed(4);
}

// The header at the present position, or the next sound one behind damaged bytes.
bool chunk_reader::find_header(header& out) {
    if (read_header(at_, out)) { return true; }
    const auto damaged_at = at_;
    for (auto at = bytes_.find(chunk_marker, at_ + 1); at != std::string_view::npos; at = bytes_.find(chunk_marker, at + 1)) {
        if (read_header(at, out)) {
            note(damaged_at, std::to_string(at - damaged_at) + " bytes are damaged");
            return true;
        }
    }
    return false;
}

bool chunk_reader::unpack(const header& from, chunk& out) {
    const auto name = "chunk " + from.type + " part " + std::to_string(from.part);
    const auto stored = bytes_.substr(from.at + chunk_header_bytes, from.stored_bytes);
    if (stored.size() < from.stored_bytes) { return note(from.at, name + " is cut off"), false; }
    if (crc32_of(stored) != from.payload_crc) { return note(from.at, name + " is damaged"), false; }
    if ((from.flags & ~flag_deflated) != 0) {
        return note(from.at, name + " is packed in a way this build does not know"), false;
    }
    if (from.raw_bytes > max_chunk_bytes || !charge(from.raw_bytes)) { return note(from.at, name + " is too large"), false; }
    out.type = from.type;
    out.part = from.part;
    out.payload = stored;
    if ((from.flags & flag_deflated) == 0) { return true; }
    auto inflated = inflate_zlib(stored, from.raw_bytes);
    if (!inflated) { return note(from.at, name + " does not unpack"), false; }
    unpacked_ = std::move(*inflated);
    out.payload = unpacked_;
    return true;
}

bool chunk_reader::next(chunk& out) {
    header found;
    while (!directory_at_ && find_header(found)) {
        at_ = found.at + chunk_header_bytes + std::min<std::uint64_t>(found.stored_bytes, bytes_.size());
        if (found.type == directory_type) {
            read_directory(found);
            continue;
        }
        seen_types_.push_back(found.type);
        if (unpack(found, out)) { return true; }
    }
    return end();
}

// Names the chunks that no sound header was found for. By count and not by offset, which shifts when bytes got lost.
void chunk_reader::read_directory(const header& at) {
    directory_at_ = at.at;
    chunk directory;
    if (!unpack(at, directory)) { return; }
    byte_reader in{directory.payload};
    for (auto count = in.varint(); count > 0 && !in.failed(); --count) {
        const std::string type{in.raw(4)};
        in.varint();
        const auto found = std::find(seen_types_.begin(), seen_types_.end(), type);
        if (found != seen_types_.end()) {
            *found = "";
        } else if (!in.failed()) {
            note(at.at, "a chunk " + type + " is lost");
        }
    }
}

bool chunk_reader::end() {
    const auto at = std::min(at_, bytes_.size());
    byte_reader trailer{bytes_.substr(at)};
    if (!directory_at_) {
        note(at, "the dump ends here without its directory: what follows is lost");
    } else if (trailer.left() != trailer_bytes || trailer.fixed(8) != *directory_at_ || trailer.raw(8) != trailer_magic) {
        note(at, "the end of the dump is damaged");
    }
    return false;
}

bool chunk_reader::charge(std::uint64_t bytes) {
    if (bytes > budget_) {
        if (!std::exchange(is_over_budget_, true)) {
            note(at_, "unpacks to more than a dump of this size may: the rest is left out");
        }
        return false;
    }
    budget_ -= bytes;
    return true;
}

}  // namespace memwatch::inline v1::codec
