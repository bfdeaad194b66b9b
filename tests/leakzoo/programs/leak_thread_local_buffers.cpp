// SPDX-License-Identifier: Apache-2.0
// A formatting buffer for each thread, made on first use and held by a plain thread-local pointer. Threads come and go.

#include <thread>

#include "zoo.hpp"

namespace {

thread_local char* line_buffer = nullptr;

ZOO_FUNCTION char* buffer_of_this_thread(std::size_t bytes) {
    if (line_buffer == nullptr) {
        line_buffer = static_cast<char*>(std::malloc(bytes));
        zoo::fill(line_buffer, bytes);
    }
    return line_buffer;
}

ZOO_FUNCTION void answer_request(std::size_t bytes, std::uint64_t number) {
    char* const line = buffer_of_this_thread(bytes);
    for (int i = 0; i < 8; ++i) {
        zoo::use(line + std::snprintf(line, bytes, "%llu %d", static_cast<unsigned long long>(number), i));
    }
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& orphaned = zoo.leaks("buffer_of_this_thread", "thread_local_churn");
    const std::size_t bytes = zoo.random().between(1U, 6U) << 10U;
    const std::chrono::milliseconds period(zoo.random().between(12, 30));
    zoo.on_threads([&](zoo::worker& self) {
        for (std::uint64_t number = 0; self.tick(period * zoo.threads()); ++number) {
            std::thread(answer_request, bytes, number).join();
            orphaned.lost(bytes);
        }
    });
    return zoo.end();
}
