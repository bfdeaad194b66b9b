// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which modules are loaded, and which were: blocks outlive the plugin that allocated them, and their stacks lead into code that
// is gone. Stacks are addresses; a module that was seen while it was loaded still gives them its name, its build id and an
// offset to look up in its file.
//
//   look()  plugin.so at 0x7f10..., seen           look()  plugin.so gone: kept as what lay there
//   look()  other.so mapped at 0x7f10...: what lay there before is forgotten, its frames would be told apart no more
//
// Seen means: somebody looked between its dlopen and its dlclose; a snapshot, the session's start or the worker's turn.
// Threads: any; a mutex, and it allocates. Not in a hook.

#include <cstdint>
#include <mutex>
#include <vector>

#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {

class module_history {
public:
    // The modules that are loaded now, the executable first, and behind them those that are gone. Where walking is out of the
    // question (platform/module_walk.hpp), those of the last look.
    [[nodiscard]] std::vector<platform::loaded_module> look();

    // Whether modules came or went since the last look, for the price of a look at the loader's counters.
    [[nodiscard]] bool is_behind();

    [[nodiscard]] std::uint64_t self_bytes();

    // Around fork(). The child goes on with the lists; in place of unlocking calls both. Waits a second at most: a host may
    // keep who looks waiting inside the loader, and the child then begins with empty lists.
    void lock_for_fork() noexcept;
    void unlock_after_fork() noexcept;
    void enter_child() noexcept;

private:
    void note(const std::vector<platform::loaded_module>& now, std::uint64_t changes);

    static constexpr std::size_t most_gone = 64;

    std::mutex mutex_;
    bool is_held_for_fork_{};                      // the forking thread only
    std::vector<platform::loaded_module> loaded_;  // at the last look
    std::vector<platform::loaded_module> gone_;    // oldest first; overlapping neither each other nor what is loaded
    std::uint64_t changes_{};                      // platform::module_changes() at the last look
};

}  // namespace v1
}  // namespace memwatch
