// SPDX-License-Identifier: Apache-2.0
// A program as from a C compiler: one thread, no C++ library. Always busy in malloc, so that an attacher has to wait for a
// moment.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void* lost[100000];

extern "C" __attribute__((noinline)) void plain_leaks_here(int i) {
    lost[i] = malloc(5000);
    memset(lost[i], 1, 5000);
}

int main(int, char** arguments) {
    const int pause = atoi(arguments[1]);
    puts("ready.");
    fflush(stdout);
    for (int i = 0; i < 100000; ++i) {
        plain_leaks_here(i);
        for (int k = 0; k < 100000; ++k) {
            char* volatile block = static_cast<char*>(malloc(static_cast<size_t>(k % 1000)));
            free(block);
        }
        if (pause > 0) { usleep(static_cast<useconds_t>(pause)); }
        if (getppid() == 1) { return 0; }
    }
    return 0;
}
