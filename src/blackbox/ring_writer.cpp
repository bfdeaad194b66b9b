// SPDX-License-Identifier: Apache-2.0
#include "blackbox/ring_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace memwatch {
inline namespace v1 {
namespace blackbox {

ring_writer::ring_writer(state_file file, std::uint64_t size_bytes) noexcept : file_(std::move(file)), size_bytes_(size_bytes) {
    const std::uint64_t sectors = (size_bytes - head_bytes) / sector_bytes;
    std::uint64_t next = head_bytes / sector_bytes;
    std::uint64_t left = sectors;
    const auto give = [&](lane which, std::uint64_t count) {
        rings_[static_cast<std::size_t>(which)] = {next, count, 0};
        next += count;
        left -= count;
    };
    give(lane::minutes, sectors / 8);
    give(lane::seconds, sectors / 4);
    give(lane::events, sectors / 16);
    give(lane::situations, left);
}

result<ring_writer> ring_writer::create(const state_folder& folder, const std::string& name, const identity& whose,
                                        std::uint64_t size_bytes) {
    result<state_file> file = folder.create(name);
    if (!file) { return tl::unexpected<error>(std::move(file.error())); }
    ring_writer writer(std::move(*file), std::max(size_bytes, least_bytes));
    int failed = writer.reserve();
    if (failed == 0) {
        writer.head_ = encode_head(whose, writer.size_bytes_);
        writer.head_ += writer.head_;
        failed = writer.file_.write_at(0, writer.head_.data(), writer.head_.size());
    }
    if (failed != 0) {
        static_cast<void>(folder.remove(name));
        return fail(error_code::io, std::generic_category().message(failed), folder.path() + "/" + name);
    }
    writer.is_locked_ = writer.file_.try_lock();  // where there are no locks, readers cannot tell that it is in use
    return writer;
}

int ring_writer::reserve() noexcept {
    const int failed = file_.reserve(size_bytes_);
    is_reserved_ = failed == 0;
    return failed == EOPNOTSUPP ? 0 : failed;
}

std::size_t ring_writer::largest(lane where) const noexcept {
    const std::uint64_t half = rings_[static_cast<std::size_t>(where)].count / 2;
    return static_cast<std::size_t>(std::min<std::uint64_t>(half, most_parts)) * sector_payload_bytes;
}

int ring_writer::write(lane where, record_kind kind, std::uint64_t unix_ns, std::string_view payload) noexcept {
    if (payload.size() > largest(where)) { return EMSGSIZE; }
    ring& to = rings_[static_cast<std::size_t>(where)];
    const std::size_t parts = std::max<std::size_t>(1, (payload.size() + sector_payload_bytes - 1) / sector_payload_bytes);
    // Also after a failure: parts of the record that failed must not be taken for parts of the next.
    sector next{next_sequence_++, unix_ns, kind, static_cast<std::uint16_t>(where), 0, static_cast<std::uint16_t>(parts), {}};
    unsigned char bytes[sector_bytes];
    for (std::size_t part = 0; part < parts; ++part) {
        next.part = static_cast<std::uint16_t>(part);
        next.payload = payload.substr(part * sector_payload_bytes, sector_payload_bytes);
        encode(next, bytes);
        const std::uint64_t place = to.first + (to.next + part) % to.count;
        if (const int failed = file_.write_at(place * sector_bytes, bytes, sector_bytes); failed != 0) { return failed; }
    }
    to.next = (to.next + parts) % to.count;
    return 0;
}

bool ring_writer::mend() noexcept {
    if (!file_.is_linked()) { return false; }
    // Another process that looked for files of the dead may have held it for a moment.
    if (!is_locked_) { is_locked_ = file_.try_lock(); }
    if (file_.size_bytes() >= size_bytes_) { return true; }
    // A full disk is no reason to give up: it may have room again, and what is left of the file is written on.
    static_cast<void>(reserve());
    static_cast<void>(file_.write_at(0, head_.data(), head_.size()));
    return true;
}

}  // namespace blackbox
}  // namespace v1
}  // namespace memwatch
