// SPDX-License-Identifier: Apache-2.0
// A program that links memwatch, whose plain mallocs it does not see.
#include <unistd.h>

#include <cstdlib>

#include <memwatch/session.hpp>

extern "C" [[gnu::noinline]] void* linked_leaks_here() {
    void* const block = std::malloc(5000);
    asm volatile("" ::"r"(block) : "memory");
    return block;
}

int main() {
    memwatch::options wanted;
    wanted.interval_bytes = 32768;
    wanted.service = "mine";
    const auto session = memwatch::session::start(wanted);
    for (int i = 0; i < 60000 && getppid() != 1; ++i) {
        linked_leaks_here();
        usleep(1000);
    }
    return 0;
}
