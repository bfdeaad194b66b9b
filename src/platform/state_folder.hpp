// SPDX-License-Identifier: Apache-2.0
#pragma once
// The folder in which memwatch keeps what outlives the process (option state_dir): black box, kept snapshots. Once opened it is
// known by its descriptor: every file in it is reached from there, so nobody who renames or relinks a path above it leads us
// elsewhere, and a service that gives up its privileges or changes its root goes on writing.
//
//   state_folder::open("/var/lib/shop/memwatch")   made if missing, 0700; ours, writable by nobody else, no link
//     .replace("kept.mws", bytes)                  whole or not at all
//     .create("box.ring") -> state_file            write_at(), reserve(), try_lock(): for what is written bit by bit
//     .list(), .read(), .rename(), .remove()
//
// A host may close any descriptor and get its number again for a file of its own: each use looks first whether the number still
// names what was opened (own_descriptor), and fails if not. A forked child closes its copies; what the parent locked stays
// locked.
//
// In: a path; names without slashes. Out: bytes. Threads: const members from any. Errors: io (with the system's words),
// not_found, invalid_argument (a name that is a path), limit (read). state_file returns errno: it is used where memory is
// short.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>

#include "platform/own_thread.hpp"

namespace memwatch {
inline namespace v1 {

// A regular file in a state_folder, open for reading and writing at any place. Nothing is mapped: a full disk or a file cut
// short is an errno, not SIGBUS. Written bytes survive SIGKILL at once (they are in the page cache), a power cut after sync().
class state_file {
public:
    state_file() noexcept = default;

    // 0 or errno; EBADF: not open, or the host closed it. Writes all or fails.
    [[nodiscard]] int write_at(std::uint64_t offset, const void* bytes, std::size_t size_bytes) const noexcept;
    // Takes the space of [0, size_bytes) from the file system now, so that writing there cannot meet a full disk later.
    // 0 or errno (ENOSPC, EFBIG; EOPNOTSUPP where the file system cannot promise that: the size is set then all the same).
    [[nodiscard]] int reserve(std::uint64_t size_bytes) const noexcept;
    // Cuts or extends. 0 or errno.
    [[nodiscard]] int resize(std::uint64_t size_bytes) const noexcept;
    // Bytes read, less than asked for at the end of the file or on an error.
    [[nodiscard]] std::size_t read_at(std::uint64_t offset, void* into, std::size_t size_bytes) const noexcept;
    // 0 when it cannot be told.
    [[nodiscard]] std::uint64_t size_bytes() const noexcept;
    // Waits for the device. 0 or errno.
    [[nodiscard]] int sync() const noexcept;
    // Marks the file as in use until it is closed or the process ends, however it ends. False: another process uses it.
    [[nodiscard]] bool try_lock() const noexcept;
    // False also when somebody removed it from its folder: what is written to it then is lost.
    [[nodiscard]] bool is_linked() const noexcept;

    [[nodiscard]] bool is_open() const noexcept { return descriptor_.is_ours(); }
    // Touches the descriptor only: also for a forked child, whose copy of the rest may be half changed.
    void close() noexcept { descriptor_.close(); }

private:
    friend class state_folder;
    explicit state_file(platform::own_descriptor descriptor) noexcept : descriptor_(std::move(descriptor)) {}
    [[nodiscard]] int usable() const noexcept;  // the number, or -1 when it is not ours any more

    platform::own_descriptor descriptor_;
};

class state_folder {
public:
    struct entry {
        std::string name;
        std::uint64_t size_bytes{};
        std::uint64_t modified_ns{};  // Unix time
    };

    state_folder() noexcept = default;

    // What is relative is so to the working directory of now, which a daemon leaves. Empty: that is gone.
    [[nodiscard]] static std::string absolute_path(std::string path);
    // Makes it, and what is missing above it, with mode 0700. Errors: io (a link, not a folder, somebody else's, others may
    // write to it).
    [[nodiscard]] static result<state_folder> open(const std::string& path);
    // As it is; for those who only read. Errors: as above, not_found.
    [[nodiscard]] static result<state_folder> open_existing(const std::string& path);

    // A new empty file of mode 0600. Errors: io, also when the name is taken.
    [[nodiscard]] result<state_file> create(const std::string& name) const;
    // A file of this user's that nobody else can write, no link. Errors: not_found, io.
    [[nodiscard]] result<state_file> open_file(const std::string& name) const;

    // All of such a file. Errors: not_found, io, limit.
    [[nodiscard]] result<std::string> read(const std::string& name, std::uint64_t max_bytes) const;
    // Whole or not at all, also seen from outside; what had the name is replaced. `is_durable`: on the device when it returns.
    [[nodiscard]] result<void> replace(const std::string& name, std::string_view bytes, bool is_durable = false) const;
    [[nodiscard]] result<void> rename(const std::string& from, const std::string& to) const;
    // Fine if there was none.
    [[nodiscard]] result<void> remove(const std::string& name) const;
    // The regular files in it, at most `most`, in no order; leftovers of replace() that was killed included (".NAME.tmp").
    [[nodiscard]] result<std::vector<entry>> list(std::size_t most = 4096) const;

    // Files here are memory (tmpfs): they count against the container's limit, and do not outlive the pod or machine.
    [[nodiscard]] bool is_in_memory() const noexcept;
    [[nodiscard]] bool is_open() const noexcept { return descriptor_.is_ours(); }
    void close() noexcept { descriptor_.close(); }  // as state_file::close()
    // Absolute, for messages and for opening it again in a forked child.
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    state_folder(platform::own_descriptor descriptor, std::string path) noexcept
        : descriptor_(std::move(descriptor)), path_(std::move(path)) {}
    [[nodiscard]] result<state_file> open_with(const std::string& name, int flags) const;
    [[nodiscard]] result<int> number_for(const std::string& name) const;  // of the folder, if `name` may be in it
    [[nodiscard]] std::string path_of(const std::string& name) const { return path_ + "/" + name; }

    platform::own_descriptor descriptor_;
    std::string path_;
};

}  // namespace v1
}  // namespace memwatch
