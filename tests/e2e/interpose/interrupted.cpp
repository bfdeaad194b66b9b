// SPDX-License-Identifier: Apache-2.0
// Ends by _exit in a signal handler that interrupts whatever is going on, which is mostly memwatch at work. Must not hang. The
// handler waits for nothing of ours: a second thread makes the worker come, whose dump needs what the first may hold.
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>

namespace {

void leave(int) { _exit(7); }

void* sleep_on(void*) {
    for (;;) { pause(); }
}

}  // namespace

int main() {
    sigset_t alarm_only;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm_only, nullptr);
    pthread_t second{};
    pthread_create(&second, nullptr, &sleep_on, nullptr);
    pthread_sigmask(SIG_UNBLOCK, &alarm_only, nullptr);
    signal(SIGALRM, &leave);
    const itimerval soon{{0, 0}, {0, 20'000 + getpid() % 50 * 37}};
    setitimer(ITIMER_REAL, &soon, nullptr);
    void* blocks[64]{};
    for (unsigned i = 0;; ++i) {
        void*& block = blocks[i * 2654435761U >> 26U];
        std::free(block);
        block = std::malloc(2000 + i % 977 * 16);
    }
}
