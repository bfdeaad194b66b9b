// SPDX-License-Identifier: Apache-2.0
#pragma once
// Dumps of a history as files of the state folder, so that they outlive the process:
//
//   history-orders-0.lock                                     held by the process that writes this line of files
//   history-orders-0-20261122T153000Z-3fa9c1d2.memtrace       an ordinary dump: `memwatch diff` reads it
//
// The number tells apart processes of one service that share a folder: each takes the lowest that nobody holds, and with it
// what the last holder left. So the process that comes after a restart goes on with the history of the one before, and two
// that run side by side never touch each other's.
//
// A file appears under its name by rename, whole. It is not synced: a process that dies loses nothing (the bytes are the
// kernel's), a machine that loses power may lose the last half minute, and what is torn then is passed over by its reader.
// Waiting for a disk on memwatch's thread every few minutes would buy that with a black box that is late.
//
// Threads: as shelf says.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "history/history.hpp"
#include "history/shelf.hpp"
#include "platform/state_folder.hpp"

namespace memwatch {
inline namespace v1 {
namespace history {

class folder_shelf final : public shelf {
public:
    struct opened {
        std::unique_ptr<folder_shelf> place;
        std::vector<past_snapshot> found;
    };

    // Takes a line of files and says what it holds. Removes what is too old of any process of the service, and what a process
    // that was killed left half-written; a file that is larger than all may be is not read. Errors: io.
    [[nodiscard]] static result<opened> open(const std::string& path, const std::string& service, const history_bounds& within,
                                             std::uint64_t now_unix_ns);

    [[nodiscard]] result<void> put(const std::string& name, std::string_view dump) override;
    [[nodiscard]] result<std::string> get(const std::string& name) const override;
    void drop(const std::string& name) noexcept override;
    [[nodiscard]] std::size_t bytes_in_memory() const noexcept override { return 0; }
    [[nodiscard]] std::string where() const override { return folder_.path(); }
    bool enter_child() noexcept override;

private:
    folder_shelf(state_folder folder, state_file lock, std::string prefix, std::uint64_t max_bytes)
        : folder_(std::move(folder)), lock_(std::move(lock)), prefix_(std::move(prefix)), max_bytes_(max_bytes) {}
    [[nodiscard]] std::string file_of(const std::string& name) const { return prefix_ + name + ".memtrace"; }

    state_folder folder_;
    state_file lock_;
    const std::string prefix_;  // "history-orders-0-"
    const std::uint64_t max_bytes_;
};

// A service's name as it stands in a file's: others than A-Z a-z 0-9 _ become '_', at most 48 characters.
[[nodiscard]] std::string file_word(std::string_view service);

}  // namespace history
}  // namespace v1
}  // namespace memwatch
