// SPDX-License-Identifier: Apache-2.0
// A program that never heard of memwatch, and leaks until its standard input ends.

#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace leaker {

void* volatile lost;

[[gnu::noinline]] void lose(std::size_t size) {
    lost = std::malloc(size);
    std::memset(lost, 1, size);
}

}  // namespace leaker

int main() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    while (::poll(&input, 1, 5) == 0) { leaker::lose(10'000); }
    return 0;
}
