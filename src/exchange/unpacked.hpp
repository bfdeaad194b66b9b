// SPDX-License-Identifier: Apache-2.0
#pragma once
// A file that may be gzip, zstd or neither, as pieces of what is in it: a heaptrack recording of gigabytes is read in a window
// of 256 KiB. Hostile files unpack to anything, so there is a limit on what comes out, and the reader is told when it was hit.
//
//   file    1F 8B ...            pieces   "v 10400 3\nX ./app\n..."  |  "...+ 10\n- 10\n"  |  ""        and `damage()` says
//   whether
//                                                                                                that was the end of the file
//
// Threads: one a stream. Throws std::bad_alloc only.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <memwatch/base/result.hpp>

namespace memwatch::inline v1::exchange {

class unpacked_stream {
public:
    // `bytes` must outlive the stream; at most `limit` bytes come out.
    unpacked_stream(std::string_view bytes, std::uint64_t limit);
    ~unpacked_stream();
    unpacked_stream(const unpacked_stream&) = delete;
    unpacked_stream& operator=(const unpacked_stream&) = delete;

    // The next piece, valid until the next call; empty at the end.
    [[nodiscard]] std::string_view next();

    // Why the end came early: "the gzip data is cut off or damaged", or the limit. Empty = it did not.
    [[nodiscard]] const std::string& damage() const noexcept { return damage_; }
    [[nodiscard]] bool is_over_limit() const noexcept { return is_over_limit_; }

    // One way of unpacking: none, gzip, zstd.
    class decoder;

private:
    std::unique_ptr<decoder> decoder_;
    std::uint64_t left_;
    std::string damage_;
    bool is_over_limit_{};
};

// The first bytes of what is in `bytes`: enough to tell formats apart.
[[nodiscard]] std::string unpacked_head(std::string_view bytes, std::size_t size);

// All of it. Errors: unreadable (cut off, damaged), limit.
[[nodiscard]] result<std::string> unpack_all(std::string_view bytes, std::uint64_t limit);

// Lines without their ends, "\r\n" too. A line above the limit of 4 MiB ends the reading, as damage.
class line_reader {
public:
    explicit line_reader(unpacked_stream& from) : from_(from) {}

    // The next line, valid until the next call; nothing at the end.
    [[nodiscard]] std::optional<std::string_view> next();

    [[nodiscard]] bool is_last_line_cut() const noexcept { return is_last_line_cut_; }  // the file does not end in a newline
    [[nodiscard]] bool is_line_too_long() const noexcept { return is_line_too_long_; }

private:
    [[nodiscard]] std::optional<std::string_view> last_line();

    unpacked_stream& from_;
    std::string_view piece_;
    std::string carried_;  // the beginning of a line that did not end in its piece
    std::string line_;
    bool is_last_line_cut_{};
    bool is_line_too_long_{};
};

}  // namespace memwatch::inline v1::exchange
