// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes a black box: a file of fixed size, taken from the disk when it is made, whose lanes are rings of sectors. Old records
// make room for new ones of their own lane only, so a flood of one kind leaves the others alone.
//
//   [head, twice | minutes: 1/8 | seconds: 1/4 | events: 1/16 | situations: the rest]
//     4 MiB:       17 h          34 min          511 events     some 200 of 10 KiB
//
// Everything is pwrite(): what was written survives the process' death, SIGKILL included, because it is in the kernel's page
// cache. A full disk, a file that was cut short or removed are errno, counted and got over; none of them is a signal.
//
// In: records. Out: bytes in a file. Threads: one. Allocates: not in write().

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <memwatch/base/result.hpp>

#include "blackbox/sector.hpp"
#include "platform/state_folder.hpp"

namespace memwatch {
inline namespace v1 {
namespace blackbox {

// Whose box it is; in the head, cut to what fits.
struct identity {
    std::uint64_t pid{};
    std::uint64_t started_unix_ns{};  // wall clock at time 0 of the process' timeline
    std::uint64_t opened_unix_ns{};
    std::string session;
    std::string service;
    std::string host;
    std::string executable;
    std::string version;
};

enum class lane : std::uint16_t { minutes, seconds, events, situations };
inline constexpr std::size_t lane_count = 4;

class ring_writer {
public:
    static constexpr std::uint64_t head_bytes = 4096;
    static constexpr std::uint64_t least_bytes = 64 * 1024;

    ring_writer() noexcept = default;

    // Makes the file `name` in `folder`, in use (locked) from now on. Less than `least_bytes` is that. Errors: io (also no
    // space: then there is no file either).
    [[nodiscard]] static result<ring_writer> create(const state_folder& folder, const std::string& name, const identity& whose,
                                                    std::uint64_t size_bytes);

    // 0 or errno; EMSGSIZE: larger than largest(). After a failure the same place is tried again.
    [[nodiscard]] int write(lane where, record_kind kind, std::uint64_t unix_ns, std::string_view payload) noexcept;

    // Bytes of a record that leaves the one before it whole.
    [[nodiscard]] std::size_t largest(lane where) const noexcept;

    // Gives a file that was cut short its head and its space back. False: it is gone (removed, or the host closed it), and a
    // new one is to be made.
    [[nodiscard]] bool mend() noexcept;

    [[nodiscard]] bool is_open() const noexcept { return file_.is_open(); }
    void close() noexcept { file_.close(); }  // as state_file::close()
    [[nodiscard]] std::uint64_t size_bytes() const noexcept { return size_bytes_; }
    // How much of it the disk has promised: false where the file system cannot.
    [[nodiscard]] bool is_reserved() const noexcept { return is_reserved_; }

private:
    struct ring {
        std::uint64_t first{};  // sector number in the file
        std::uint64_t count{};
        std::uint64_t next{};  // 0 .. count - 1
    };

    ring_writer(state_file file, std::uint64_t size_bytes) noexcept;
    [[nodiscard]] int reserve() noexcept;

    state_file file_;
    std::uint64_t size_bytes_{};
    std::uint64_t next_sequence_{1};
    ring rings_[lane_count];
    std::string head_;  // as it is in the file
    bool is_reserved_{};
    bool is_locked_{};
};

// One copy of the head; also what readers take it apart with. Nothing: damaged.
inline constexpr std::size_t head_copy_bytes = ring_writer::head_bytes / 2;
[[nodiscard]] std::string encode_head(const identity& whose, std::uint64_t size_bytes);
struct decoded_head {
    identity whose;
    std::uint64_t size_bytes{};
    std::uint32_t version{};
};
[[nodiscard]] result<decoded_head> decode_head(std::string_view copy);

}  // namespace blackbox
}  // namespace v1
}  // namespace memwatch
