// SPDX-License-Identifier: Apache-2.0
#include "runtime/lifecycle.hpp"

#include <mutex>
#include <string>

#include <memwatch/session.hpp>
#include <memwatch/snapshot/codec.hpp>
#include "capture/own_work.hpp"
#include "platform/platform.hpp"
#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// A static, because a worker that came too late still reads and writes it.
struct exit_dump {
    bool is_written{};

    static void write(void* at) noexcept {
        try {
            static_cast<exit_dump*>(at)->write();
        } catch (...) {}  // no memory: no dump
    }

private:
    void write() {
        is_written = false;
        process_state& state = process();
        std::string directory;
        std::string id;
        {
            const std::lock_guard guard(state.session_mutex);
            directory = state.session.effective.dump_dir;
            id = state.session.id;
        }
        if (directory.empty() || id.empty() || id == written_id_) { return; }
        const result<snapshot> frozen = session{}.snapshot("exit");
        if (!frozen) { return; }
        is_written =
            frozen->write_to(directory + "/" + std::to_string(platform::process_id()) + "-" + id + ".memtrace").has_value();
        written_id_ = id;
    }

    std::string written_id_;
};

}  // namespace

bool restart_worker_in_child() noexcept {
    process_state& state = process();
    {
        const std::lock_guard guard(state.session_mutex);
        if (state.session.handles == 0) { return false; }
    }
    return state.worker.ensure_running();
}

bool write_exit_dump(std::uint64_t timeout_ns) noexcept {
    static exit_dump& dump = *new exit_dump;
    worker& background = process().worker;
    const detail::own_work ours;
    if (background.is_running() && !background.is_this_thread()) {
        return background.call(&exit_dump::write, &dump, timeout_ns) && dump.is_written;
    }
    exit_dump::write(&dump);
    return dump.is_written;
}

}  // namespace v1
}  // namespace memwatch
