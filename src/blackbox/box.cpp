// SPDX-License-Identifier: Apache-2.0
#include "blackbox/box.hpp"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "platform/regular_file.hpp"

namespace memwatch {
inline namespace v1 {
namespace blackbox {
namespace {

constexpr std::size_t sectors_at_once = 128;

// A sector that was whole, with its payload.
struct found_sector {
    sector head;
    std::string payload;
};

bool is_empty(const unsigned char* bytes) noexcept {
    return std::all_of(bytes, bytes + sector_bytes, [](unsigned char each) { return each == 0; });
}

// True: at least one of the two heads is there.
result<bool> read_head(box& into, const read_function& read) {
    std::string copies(ring_writer::head_bytes, '\0');
    copies.resize(read(0, copies.data(), copies.size()));
    for (const std::size_t at : {std::size_t{0}, head_copy_bytes}) {
        if (copies.size() < at + head_copy_bytes) { break; }
        result<decoded_head> head = decode_head(std::string_view(copies).substr(at, head_copy_bytes));
        if (!head && head.error().code == error_code::unsupported) { return tl::unexpected<error>(std::move(head.error())); }
        if (!head) { continue; }
        into.whose = std::move(head->whose);
        into.expected_bytes = head->size_bytes;
        return true;
    }
    return false;
}

std::vector<found_sector> read_sectors(box& into, const read_function& read) {
    std::vector<found_sector> all;
    std::string bytes(sectors_at_once * sector_bytes, '\0');
    for (std::uint64_t at = ring_writer::head_bytes; at < into.file_bytes; at += bytes.size()) {
        const std::size_t got = read(at, bytes.data(), bytes.size());
        for (std::size_t i = 0; i + sector_bytes <= got; i += sector_bytes) {
            unsigned char one[sector_bytes];
            std::memcpy(one, bytes.data() + i, sector_bytes);
            if (is_empty(one)) { continue; }
            const std::optional<sector> whole = decode(one);
            if (!whole) {
                ++into.damaged_sectors;
                continue;
            }
            all.push_back({*whole, std::string(whole->payload)});
            all.back().head.payload = {};  // it pointed into a buffer
        }
        if (got % sector_bytes != 0) { ++into.damaged_sectors; }
        if (got < bytes.size()) { break; }
    }
    return all;
}

bool is_of_one_record(const sector& a, const sector& b) noexcept {
    return a.sequence == b.sequence && a.kind == b.kind && a.unix_ns == b.unix_ns && a.parts == b.parts && a.lane == b.lane;
}

// [from, to) are the sectors of one sequence number, by part. All of them, each once, or it is not a record.
bool is_whole(const std::vector<found_sector>& all, std::size_t from, std::size_t to) noexcept {
    if (to - from != all[from].head.parts || all[from].head.lane >= lane_count) { return false; }
    for (std::size_t i = from; i < to; ++i) {
        if (all[i].head.part != i - from || !is_of_one_record(all[i].head, all[from].head)) { return false; }
    }
    return true;
}

void join_records(box& into, std::vector<found_sector> all) {
    std::sort(all.begin(), all.end(), [](const found_sector& a, const found_sector& b) {
        return std::tuple(a.head.sequence, a.head.part) < std::tuple(b.head.sequence, b.head.part);
    });
    for (std::size_t from = 0, to = 0; from < all.size(); from = to) {
        for (to = from; to < all.size() && all[to].head.sequence == all[from].head.sequence;) { ++to; }
        if (!is_whole(all, from, to)) {
            ++into.incomplete_records;
            continue;
        }
        const sector& head = all[from].head;
        record made{head.sequence, head.unix_ns, head.kind, static_cast<lane>(head.lane), std::move(all[from].payload)};
        for (std::size_t i = from + 1; i < to; ++i) { made.payload += all[i].payload; }
        into.records.push_back(std::move(made));
    }
}

}  // namespace

result<box> read_box(std::uint64_t file_bytes, const read_function& read) {
    if (file_bytes > largest_box) { return fail(error_code::limit, "larger than any black box"); }
    box found;
    found.file_bytes = file_bytes;
    const result<bool> has_head = read_head(found, read);
    if (!has_head) { return tl::unexpected<error>(has_head.error()); }
    join_records(found, read_sectors(found, read));
    if (!*has_head && found.records.empty()) { return fail(error_code::unreadable, "not a black box"); }
    return found;
}

result<box> read_box(const std::string& path) {
    const result<regular_file> file = regular_file::open(path);
    if (!file) { return tl::unexpected<error>(file.error()); }
    result<box> found = read_box(file->size_bytes(), [&](std::uint64_t offset, void* into, std::size_t size_bytes) {
        return file->read_at(offset, into, size_bytes);
    });
    if (!found) { found.error().where = path; }
    return found;
}

}  // namespace blackbox
}  // namespace v1
}  // namespace memwatch
