// SPDX-License-Identifier: Apache-2.0
#include "runtime/lifecycle.hpp"

#include <mutex>
#include <new>
#include <string>
#include <utility>

#include <memwatch/session.hpp>
#include <memwatch/snapshot/codec.hpp>
#include "capture/own_work.hpp"
#include "platform/platform.hpp"
#include "runtime/control_commands.hpp"
#include "runtime/process_state.hpp"
#include "runtime/run_worker.hpp"

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
        state.verdicts.look_now(state);
        const result<snapshot> frozen = session{}.snapshot("exit");
        if (!frozen) { return; }
        is_written =
            frozen->write_to(directory + "/" + std::to_string(platform::process_id()) + "-" + id + ".memtrace").has_value();
        written_id_ = id;
    }

    std::string written_id_;
};

}  // namespace

// Not under the session's mutex: what runs at the socket takes it.
bool run_worker(process_state& state) noexcept {
    if (state.inert_because != nullptr) { return false; }
    try {
        control_setup setup;
        {
            const std::lock_guard guard(state.session_mutex);
            const control_option wanted = state.session.effective.control;
            // The first second thread makes glibc's malloc and stdio take locks from then on: not for our sake.
            // A full mode that is to end is the exception: nobody else would end it; and verdicts, where they were asked for.
            const options& chosen = state.session.effective;
            // ... and who named a folder for what outlives the process.
            const bool must_run = (state.session.term.is_running() && chosen.preset == preset_option::full) ||
                                  chosen.verdicts == verdicts_option::on || !chosen.state_dir.empty();
            if (wanted != control_option::on && !must_run && platform::is_single_threaded()) { return false; }
            if (wanted != control_option::off && !platform::is_secure_mode()) {
                setup = {&answer_control, state.session.control_directory};
            }
        }
        const result<void> started = state.worker.ensure_running(std::move(setup));
        const std::lock_guard guard(state.session_mutex);
        state.session.control_problem = started ? std::string() : "no control socket: " + started.error().message();
    } catch (...) {}  // no memory: no worker
    return state.worker.is_running();
}

bool ensure_worker() noexcept {
    process_state& state = process();
    {
        const std::lock_guard guard(state.session_mutex);
        if (state.session.handles == 0) { return false; }
    }
    return run_worker(state);
}

void run_on_worker(std::uint64_t (*turn)(std::uint64_t now_ns) noexcept) noexcept {
    process().worker.bind(
        worker_task::door,
        [](void* function, std::uint64_t now_ns) {
            return reinterpret_cast<std::uint64_t (*)(std::uint64_t) noexcept>(function)(now_ns);
        },
        reinterpret_cast<void*>(turn));
}

bool write_judged_dump(std::uint64_t timeout_ns) noexcept { return process().verdicts.is_on() && write_exit_dump(timeout_ns); }

bool write_exit_dump(std::uint64_t timeout_ns) noexcept {
    // _exit in a signal handler that interrupted us: locks may be held that the dump would wait for.
    if (detail::own_work::is_running()) { return false; }
    const detail::own_work ours;
    // Not made by new: the caller may be a handler that interrupted the allocator. Never destroyed.
    alignas(exit_dump) static unsigned char storage[sizeof(exit_dump)];
    static exit_dump& dump = *new (storage) exit_dump;
    worker& background = process().worker;
    if (background.is_running() && !background.is_this_thread()) {
        return background.call(&exit_dump::write, &dump, timeout_ns) && dump.is_written;
    }
    exit_dump::write(&dump);
    return dump.is_written;
}

}  // namespace v1
}  // namespace memwatch
