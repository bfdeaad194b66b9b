// SPDX-License-Identifier: Apache-2.0
// Each thread makes a scratch buffer on first use and none frees it; threads come and go. The rule: ended_threads.
#include <thread>

#include "two_dumps.hpp"

namespace jobs {

[[gnu::noinline]] char* scratch() {
    thread_local char* buffer = nullptr;  // the bug: a raw pointer has no destructor
    if (buffer == nullptr) { buffer = new char[8192]; }
    return buffer;
}

void work() {
    scratch()[0] = 1;
    scratch()[1] = 2;
}

}  // namespace jobs

int main(int count, char** arguments) {
    return leaks::run(count, arguments, 100, [](int) { std::thread(jobs::work).join(); });
}
