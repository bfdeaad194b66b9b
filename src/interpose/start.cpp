// SPDX-License-Identifier: Apache-2.0
// The preload object's life: started before the program's own constructors, its last word when main ends, or, where nothing is
// judged, after the program's destructors. The worker thread lives in a forked child, too: a child is a process like any other.
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/single_threaded.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include <memwatch/base/log.hpp>
#include <memwatch/session.hpp>
#include "capture/heap_door.hpp"
#include "capture/own_work.hpp"
#include "interpose/conflicts.hpp"
#include "interpose/emergency_heap.hpp"
#include "interpose/exact_heap.hpp"
#include "interpose/last_word.hpp"
#include "interpose/server_loader.hpp"
#include "interpose/targets.hpp"
#include "runtime/lifecycle.hpp"

namespace memwatch::interpose {
namespace {

// Lives as long as the process: blocks are freed after every destructor.
alignas(session) unsigned char session_storage[sizeof(session)];

bool is_dump_wanted = false;

// The process this is the memory of. A vfork()ed child shares it and must leave it alone.
std::atomic<pid_t> owner{0};

void follow_preset(preset_option now) noexcept { now == preset_option::full ? enter_full_mode() : leave_full_mode(); }

heap_door door{"preload", "", &follow_preset, nullptr, &exact_self_bytes};

void enter_child() {
    owner.store(getpid(), std::memory_order_relaxed);  // relaxed: the child has one thread
    ensure_worker();
}

// False: nothing is to be sampled.
bool start_session() {
    const detail::own_work ours;
    door.allocator = real.name;
    register_heap_door(door);
    const conflicts others = find_conflicts();
    for (const std::string& sentence : others.sentences) {
        write_log(log_level::warning, "memwatch level=warning event=preload detail=\"" + sentence + "\"");
    }
    if (others.must_stand_aside) { return false; }
    options wanted;
    wanted.control = control_option::automatic;
    new (session_storage) session(session::start(wanted));
    pthread_atfork(nullptr, nullptr, &enter_child);
    serve_if_asked();
    return true;
}

[[gnu::constructor]] void start() {
    resolve();
    if (getauxval(AT_SECURE) != 0) { return; }  // set-user-id: the environment is not to be trusted, so neither is being here
    if (!start_session()) { return; }
    is_dump_wanted = std::getenv("MEMWATCH_DUMP_DIR") != nullptr;
    owner.store(getpid(), std::memory_order_relaxed);  // relaxed: before main
    detail::this_thread.countdown = 0;                 // drawn for from the program's first block on
    detail::this_thread.random_state = 0;
}

// main returned or exit() was called, and the program's own destructors have run: what is live now stays. Also where libc
// called exit() itself (err(), the end of the last thread).
[[gnu::destructor]] void finish() { say_last_word(); }

}  // namespace

// relaxed: this process' own number, set before any second thread.
bool is_started() noexcept { return owner.load(std::memory_order_relaxed) == getpid(); }

void say_what_is_left() noexcept {
    if (is_dump_wanted && is_started()) { write_judged_dump(); }
}

void say_last_word() noexcept {
    if (is_dump_wanted && is_started()) { write_exit_dump(); }
}

void say_last_word_abruptly() noexcept {
    if (!is_dump_wanted || !is_started()) { return; }
    if (__libc_single_threaded != 0) { enter_emergency_heap(); }
    write_exit_dump();
}

}  // namespace memwatch::interpose
