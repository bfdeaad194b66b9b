// SPDX-License-Identifier: Apache-2.0
// Error texts live in a thread-specific slot that was made without a destructor, in workers that are replaced all the time.

#include <pthread.h>

#include <thread>

#include "zoo.hpp"

namespace {

struct error_state {
    int code;
    char text[2044];
};

pthread_key_t error_slot;

ZOO_FUNCTION error_state* error_of_this_thread() {
    auto* state = static_cast<error_state*>(pthread_getspecific(error_slot));
    if (state == nullptr) {
        state = static_cast<error_state*>(std::calloc(1, sizeof(error_state)));
        pthread_setspecific(error_slot, state);
    }
    return state;
}

ZOO_FUNCTION void work_once(int task, zoo::truth& orphaned) {
    char* const scratch = new char[4000];
    zoo::fill(scratch, 4000);
    if (task % 2 == 0) {
        error_state* const state = error_of_this_thread();
        state->code = task;
        std::snprintf(state->text, sizeof state->text, "task %d: no such file", task);
        orphaned.lost(sizeof(error_state));
    }
    delete[] scratch;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& orphaned = zoo.leaks("error_of_this_thread", "thread_local_churn");
    zoo.is_clean("work_once", "churn");
    pthread_key_create(&error_slot, nullptr);
    const std::chrono::milliseconds period(zoo.random().between(10, 25));
    zoo.on_threads([&](zoo::worker& self) {
        for (int task = 0; self.tick(period * zoo.threads()); ++task) {
            std::thread worker(work_once, task, std::ref(orphaned));
            worker.join();
        }
    });
    return zoo.end();
}
