// SPDX-License-Identifier: Apache-2.0
// Connections are served by threads of their own that come and go; each has scratch memory in a thread_local that its end gives
// back, and adds a line to a journal that is written out now and then.

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

class journal {
public:
    ZOO_FUNCTION void add_line(std::size_t bytes_served) {
        const std::lock_guard lock(mutex_);
        lines_.push_back("connection closed after " + std::to_string(bytes_served) + " bytes, no errors, kept alive: no");
        if (lines_.size() >= 100) { lines_.clear(); }
    }

private:
    std::mutex mutex_;
    std::vector<std::string> lines_;
};

ZOO_FUNCTION std::vector<char>& scratch(std::size_t size_bytes) {
    static thread_local std::vector<char> memory;
    memory.resize(size_bytes);
    return memory;
}

ZOO_FUNCTION void serve_connection(journal& log, std::size_t size_bytes) {
    std::vector<char>& memory = scratch(size_bytes);
    auto header = std::make_unique<char[]>(size_bytes / 8 + 1);
    zoo::fill(memory.data(), memory.size());
    zoo::use(header.get());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    log.add_line(size_bytes);
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("scratch", "thread_churn");
    zoo.is_clean("serve_connection", "thread_churn");
    zoo.is_clean("journal::add_line", "sawtooth");
    const std::chrono::milliseconds pause(zoo.random().between(5, 20) * zoo.threads());
    const auto largest = zoo.random().between(20'000U, 100'000U);
    static journal log;
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(pause)) {
            const std::size_t size_bytes = self.random().between(1000U, largest);
            std::thread connection([size_bytes] { serve_connection(log, size_bytes); });
            connection.join();
        }
    });
    return zoo.end();
}
