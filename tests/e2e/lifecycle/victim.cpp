// SPDX-License-Identifier: Apache-2.0
#include "victim.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace lifecycle {

int check(bool holds, const char* what) {
    if (!holds) { std::fprintf(stderr, "FAILED: %s\n", what); }
    return holds ? 0 : 1;
}

memwatch::session start_full(memwatch::control_option control) {
    memwatch::options wanted;
    wanted.preset = memwatch::preset_option::full;
    wanted.control = control;
    return memwatch::session::start(wanted);
}

std::size_t records_of(const memwatch::session& session, tag owner) {
    const auto frozen = session.snapshot();
    std::size_t count = 0;
    for (const memwatch::live_record& r : frozen->live) { count += frozen->sites[r.site].tag == owner.id() ? 1 : 0; }
    return count;
}

std::uint64_t self_bytes_of(const memwatch::session& session) {
    std::uint64_t sum = 0;
    const auto frozen = session.snapshot();
    for (const auto& part : frozen->self_bytes) { sum += part.value; }
    return sum;
}

namespace {

struct mode {
    const char* name;
    int (*run)();
};
constexpr mode modes[] = {{"before-start-after-stop", &before_start_and_after_stop},
                          {"second-start", &second_start},
                          {"stop-and-restart", &stop_and_restart},
                          {"start-and-stop-from-threads", &start_and_stop_from_threads},
                          {"closed-descriptors", &closed_descriptors},
                          {"fork-while-allocating", &fork_while_allocating},
                          {"fork-and-exec", &fork_and_exec},
                          {"a-program-of-its-own", &a_program_of_its_own},
                          {"fork-and-exit", &fork_and_exit},
                          {"spawned", &spawned},
                          {"fork-handlers-of-the-host", &fork_handlers_of_the_host},
                          {"loader-in-a-forked-child", &loader_in_a_forked_child},
                          {"snapshot-in-a-forked-child", &snapshot_in_a_forked_child},
                          {"exec-while-loading", &exec_while_loading},
                          {"exit-while-loading", &exit_while_loading},
                          {"tls-destructors", &thread_exit_with_tls_destructors},
                          {"thread-churn", &thread_churn},
                          {"small-stacks", &small_stacks},
                          {"signals-during-sampling", &signals_during_sampling},
                          {"coroutine-frames", &coroutine_frames},
                          {"exit-from-a-thread", &exit_from_a_thread},
                          {"exit-while-allocating", &exit_while_allocating},
                          {"quick-exit", &quick_exit},
                          {"static-session", &static_session},
                          {"destroyed-late", &destroyed_late},
                          {"closed-plugin", &closed_plugin},
                          {"plugin-churn", &plugin_churn}};

// Ten seconds in which nothing ran are a deadlock, ten seconds of processor time a loop; on a busy machine neither has to be
// so.
constexpr unsigned patience_s = 10;

void look_after(int) {
    static timeval before{};
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const long total_us =
        (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1'000'000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
    const long since_us = total_us - before.tv_usec;
    before.tv_usec = total_us;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    constexpr long most_us = 100'000'000;
#else
    constexpr long most_us = 10'000'000;
#endif
    if (since_us < 50'000 || total_us > most_us) {
        constexpr char line[] = "watchdog: no end in sight\n";
        static_cast<void>(!write(STDERR_FILENO, line, sizeof line - 1));
        abort();
    }
    alarm(patience_s);
}

}  // namespace
}  // namespace lifecycle

int main(int argc, char** argv) {
    std::signal(SIGALRM, &lifecycle::look_after);
    alarm(lifecycle::patience_s);
    for (const lifecycle::mode& m : lifecycle::modes) {
        if (argc == 2 && std::strcmp(argv[1], m.name) == 0) { return m.run(); }
    }
    std::fprintf(stderr, "usage: victim MODE\n");
    return 2;
}
