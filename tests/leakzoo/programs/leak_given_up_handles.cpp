// SPDX-License-Identifier: Apache-2.0
// Linked: a pool's handle gives its object up to an asynchronous write, whose completion releases it. A write that is aborted
// has no completion.

#include <memwatch/memwatch.hpp>

#include <array>

#include "zoo.hpp"

namespace {

struct write_buffer {
    char bytes[1000];
};

memwatch::object_pool<write_buffer>& buffers() {
    static auto* pool = new memwatch::object_pool<write_buffer>("write-buffers", {.capacity = 256, .can_grow = true});
    return *pool;
}

ZOO_FUNCTION write_buffer* begin_write() {
    auto taken = buffers().acquire();
    zoo::fill(taken->bytes, sizeof taken->bytes, 'w');
    return taken.release();
}

ZOO_FUNCTION void complete_write(write_buffer* written) { buffers().release(written); }

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo::truth& aborted = zoo.leaks("begin_write", "pool_not_returned").also("write-buffers");
    const double share_aborted = zoo.random().between(0.03, 0.2);
    zoo.on_threads([&](zoo::worker& self) {
        std::array<write_buffer*, 20> in_flight{};
        for (std::size_t written = 0; self.tick(std::chrono::milliseconds(2) * zoo.threads()); ++written) {
            write_buffer*& oldest = in_flight[written % in_flight.size()];
            if (oldest != nullptr && self.random().chance(share_aborted)) {
                aborted.lost(sizeof(write_buffer));
            } else if (oldest != nullptr) {
                complete_write(oldest);
            }
            oldest = begin_write();
        }
    });
    return zoo.end();
}
