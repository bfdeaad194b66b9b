// SPDX-License-Identifier: Apache-2.0
// Linked: messages come from a pool over a tagged resource and are released by the thread that reads them. The ring between has
// room for a few; a message that finds none is gone.

#include <memwatch/memwatch.hpp>

#include <array>
#include <mutex>
#include <thread>

#include "zoo.hpp"

namespace {

struct message {
    char body[700];
};

memwatch::object_pool<message>& messages() {
    static const memwatch::tag storage{"zoo/message-storage"};
    static auto* pool = new memwatch::object_pool<message>(
        "messages", {.capacity = 512, .can_grow = true, .upstream = memwatch::resource(storage)});
    return *pool;
}

std::mutex guard;
std::array<message*, 24> ring{};
std::size_t head = 0;
std::size_t tail = 0;

ZOO_FUNCTION message* write_message(char letter) {
    message* const written = messages().acquire_raw();
    zoo::fill(written->body, sizeof written->body, letter);
    return written;
}

ZOO_FUNCTION bool try_push(message* pushed) {
    const std::lock_guard<std::mutex> lock(guard);
    if (head - tail == ring.size()) { return false; }
    ring[head++ % ring.size()] = pushed;
    return true;
}

ZOO_FUNCTION void read_messages() {
    const std::lock_guard<std::mutex> lock(guard);
    while (tail != head) { messages().release(ring[tail++ % ring.size()]); }
}

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo::truth& lost = zoo.leaks("write_message", "cross_thread_loss").also("messages");
    const std::size_t burst = zoo.random().between(28U, 40U);
    std::thread reader([&] {
        while (zoo.is_running()) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            read_messages();
        }
    });
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(80) * zoo.threads())) {
            for (std::size_t i = 0; i < burst; ++i) {
                if (!try_push(write_message('m'))) { lost.lost(sizeof(message)); }
            }
        }
    });
    reader.join();
    return zoo.end();
}
