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
constexpr std::size_t search_window = 1U << 20;
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
    std::uint64_t at;
    std::string type;
    std::uint64_t flags;
    std::uint16_t part;
    std::uint64_t stored_bytes;
    std::uint64_t raw_bytes;
    std::uint64_t payload_crc;

    [[nodiscard]] std::uint64_t end() const { return at + chunk_header_bytes + stored_bytes; }
};

chunk_reader::chunk_reader(byte_source& bytes, std::vector<std::string>& damage)
    : bytes_(&bytes), damage_(&damage), at_(file_header_bytes), budget_(unpack_budget(bytes.size())) {}

result<chunk_reader> chunk_reader::open(byte_source& bytes, std::vector<std::string>& damage) {
    const auto start = bytes.read(0, file_header_bytes);
    if (start.size() < file_header_bytes || start.substr(0, dump_magic.size()) != dump_magic) {
        return fail(error_code::unreadable, "not a whole header of a memwatch dump", "byte 0");
    }
    byte_reader in{start.substr(dump_magic.size())};
    const auto major = in.fixed(2);
    in.fixed(2);  // a newer minor version only adds chunk types and fields at the end of rows
    chunk_reader reader{bytes, damage};
    if (crc32_of(start.substr(0, file_header_bytes - 4)) != in.fixed(4)) {
        reader.note(8, "the version is damaged; read as version " + std::to_string(dump_major));
    } else if (major > dump_major) {
        return fail(
            error_code::unsupported,
            "written in format version " + std::to_string(major) + ", this build reads up to " + std::to_string(dump_major),
            "byte 8");
    }
    return reader;
}

void chunk_reader::skip(std::vector<std::string> types) {
    skip_ = std::move(types);
    if (!make_plan()) { plan_.reset(); }
}

bool chunk_reader::is_skipped(const std::string& type) const {
    return std::find(skip_.begin(), skip_.end(), type) != skip_.end();
}

// What the directory says, when it is where the end of the file says, whole, and in the order of the file.
std::optional<std::vector<chunk_reader::entry>> chunk_reader::sound_directory() const {
    const auto size = bytes_->size();
    if (size < file_header_bytes + trailer_bytes) { return std::nullopt; }
    byte_reader trailer{bytes_->read(size - trailer_bytes, trailer_bytes)};
    const auto at = trailer.fixed(8);
    header found;
    if (trailer.raw(trailer_magic.size()) != trailer_magic || at > size - trailer_bytes || !read_header(at, found)) {
        return std::nullopt;
    }
    if (found.type != directory_type || found.flags != 0 || found.end() != size - trailer_bytes) { return std::nullopt; }
    const auto payload = bytes_->read(at + chunk_header_bytes, found.stored_bytes);
    if (crc32_of(payload) != found.payload_crc) { return std::nullopt; }
    byte_reader in{payload};
    std::vector<entry> entries;
    std::uint64_t lowest = file_header_bytes;
    for (auto count = in.varint(); count > 0; --count) {
        std::string type{in.raw(4)};
        const auto offset = in.varint();
        if (in.failed() || offset < lowest || offset > at) { return std::nullopt; }
        entries.push_back({std::move(type), offset});
        lowest = offset + chunk_header_bytes;
    }
    entries.push_back({directory_type, at});
    return entries;
}

// True when each chunk that is wanted is where the directory says, and ends where the next one begins.
bool chunk_reader::make_plan() {
    const auto entries = sound_directory();
    if (!entries) { return false; }
    std::vector<std::uint64_t> wanted;
    std::uint64_t chunks = 0;
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i + 1 < entries->size(); ++i) {
        const auto& [type, at] = (*entries)[i];
        const auto next = (*entries)[i + 1].at;
        header found;
        if (is_skipped(type)) {
            ++chunks;
            bytes += next - at;
        } else if (!read_header(at, found) || found.type != type || found.end() != next) {
            return false;
        } else {
            wanted.push_back(at);
        }
    }
    plan_.emplace(wanted.rbegin(), wanted.rend());
    skipped_chunks_ = chunks;
    skipped_bytes_ = bytes;
    return true;
}

bool chunk_reader::parse_header(std::string_view bytes, std::uint64_t at, header& out) {
    if (bytes.size() < chunk_header_bytes) { return false; }
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

bool chunk_reader::read_header(std::uint64_t at, header& out) const {
    return parse_header(bytes_->read(at, chunk_header_bytes), at, out);
}

// The header at the present position, or the next sound one behind damaged bytes.
bool chunk_reader::find_header(header& out) {
    const auto damaged_at = at_;
    if (read_header(at_, out)) { return true; }
    if (!search_header(out)) { return false; }
    note(damaged_at, std::to_string(out.at - damaged_at) + " bytes are damaged");
    return true;
}

// Window by window, each reaching a header's length into the next.
bool chunk_reader::search_header(header& out) {
    for (auto at = at_ + 1; at < bytes_->size(); at += search_window) {
        const auto window = bytes_->read(at, search_window + chunk_header_bytes - 1);
        for (auto i = window.find(chunk_marker); i < search_window; i = window.find(chunk_marker, i + 1)) {
            if (parse_header(window.substr(i, chunk_header_bytes), at + i, out)) { return true; }
        }
    }
    return false;
}

bool chunk_reader::unpack(const header& from, chunk& out) {
    const auto name = "chunk " + from.type + " part " + std::to_string(from.part);
    const auto stored = bytes_->read(from.at + chunk_header_bytes, from.stored_bytes);
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

bool chunk_reader::next_of_plan(chunk& out) {
    while (!plan_->empty()) {
        const auto at = plan_->back();
        plan_->pop_back();
        header found;
        if (!read_header(at, found)) {  // it was sound a moment ago: somebody writes to the file
            note(at, "a chunk changed while it was read");
            continue;
        }
        if (unpack(found, out)) { return true; }
    }
    return false;
}

bool chunk_reader::next(chunk& out) {
    if (plan_) { return next_of_plan(out); }
    header found;
    while (!directory_at_ && find_header(found)) {
        at_ = std::min(found.end(), bytes_->size());
        if (found.type == directory_type) {
            read_directory(found);
            continue;
        }
        seen_types_.push_back(found.type);
        if (is_skipped(found.type)) {
            ++skipped_chunks_;
            skipped_bytes_ += at_ - found.at;
            if (found.end() > bytes_->size()) {
                note(found.at, "chunk " + found.type + " part " + std::to_string(found.part) + " is cut off");
            }
            continue;
        }
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
    const auto at = std::min(at_, bytes_->size());
    byte_reader trailer{bytes_->read(at, trailer_bytes + 1)};
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
