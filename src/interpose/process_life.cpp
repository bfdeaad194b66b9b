// SPDX-License-Identifier: Apache-2.0
// What a process does that matters to us beside allocating: its end, before handlers and destructors tidy up (main returns,
// exit) or without any (_exit, _Exit, quick_exit, abort); dlclose, after which an address may be other code; and
// pthread_create, after which a thread of ours costs it nothing more.
#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cstdlib>

#include "interpose/last_word.hpp"
#include "runtime/lifecycle.hpp"

#define MEMWATCH_ENTRY extern "C" [[gnu::visibility("default")]]

namespace {

template <class Function>
Function next_of(const char* symbol) noexcept {
    return reinterpret_cast<Function>(dlsym(RTLD_NEXT, symbol));
}

// Looked up at start: these are called by signal handlers, and dlsym takes the loader's lock.
struct real_ends {
    void (*exit_now)(int){};
    void (*exit_now_c)(int){};
    void (*exit_quick)(int){};
    void (*abort)(){};
    void (*exit)(int){};
};
real_ends ends;

[[gnu::constructor]] void find_ends() {
    ends = {next_of<void (*)(int)>("_exit"), next_of<void (*)(int)>("_Exit"), next_of<void (*)(int)>("quick_exit"),
            next_of<void (*)()>("abort"), next_of<void (*)(int)>("exit")};
}

[[noreturn]] void end_by(void (*real)(int), const char* symbol, int status) noexcept {
    memwatch::interpose::say_last_word_abruptly();
    (real != nullptr ? real : next_of<void (*)(int)>(symbol))(status);
    __builtin_unreachable();
}

}  // namespace

namespace memwatch::interpose {
namespace {

using main_function = int (*)(int, char**, char**);
main_function main_of_the_program = nullptr;

// Below main on every stack of the first thread: its name says that it is plumbing (model/site_name.hpp).
int run_main(int argc, char** argv, char** environment) {
    const int status = main_of_the_program(argc, argv, environment);
    say_what_is_left();
    return status;
}

}  // namespace
}  // namespace memwatch::interpose

using memwatch::interpose::main_function;

// libc calls main by this, and then exit() without passing by ours.
MEMWATCH_ENTRY int __libc_start_main(main_function main, int argc, char** argv, void (*init)(), void (*fini)(),
                                     void (*loader_fini)(), void* stack_end) {
    using start_function = int (*)(main_function, int, char**, void (*)(), void (*)(), void (*)(), void*);
    memwatch::interpose::main_of_the_program = main;
    return next_of<start_function>("__libc_start_main")(&memwatch::interpose::run_main, argc, argv, init, fini, loader_fini,
                                                        stack_end);
}

MEMWATCH_ENTRY [[noreturn]] void exit(int status) noexcept {
    memwatch::interpose::say_what_is_left();
    (ends.exit != nullptr ? ends.exit : next_of<void (*)(int)>("exit"))(status);
    __builtin_unreachable();
}

MEMWATCH_ENTRY [[noreturn]] void _exit(int status) { end_by(ends.exit_now, "_exit", status); }
MEMWATCH_ENTRY [[noreturn]] void _Exit(int status) noexcept { end_by(ends.exit_now_c, "_Exit", status); }
MEMWATCH_ENTRY [[noreturn]] void quick_exit(int status) noexcept { end_by(ends.exit_quick, "quick_exit", status); }

MEMWATCH_ENTRY [[noreturn]] void abort() noexcept {
    memwatch::interpose::say_last_word_abruptly();
    (ends.abort != nullptr ? ends.abort : next_of<void (*)()>("abort"))();
    __builtin_unreachable();
}

// What is known of the code that went is forgotten; whatever is mapped there next is looked up anew.
MEMWATCH_ENTRY int dlclose(void* handle) noexcept {
    static const auto next = next_of<int (*)(void*)>("dlclose");
    const int result = next(handle);
    memwatch::code_was_unloaded();
    return result;
}

// Its first thread of its own: now the worker may come, too.
MEMWATCH_ENTRY int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*function)(void*),
                                  void* argument) noexcept {
    static const auto next = next_of<int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>("pthread_create");
    static std::atomic<bool> has_met{false};
    const int result = next(thread, attributes, function, argument);
    // relaxed: one call too many does nothing.
    if (result == 0 && !has_met.load(std::memory_order_relaxed) && memwatch::interpose::is_started()) {
        has_met.store(true, std::memory_order_relaxed);  // relaxed: as above; before the worker's own pthread_create comes by
        memwatch::ensure_worker();
    }
    return result;
}
