// SPDX-License-Identifier: Apache-2.0
// Reading frames the C way: malloc, check, process, free. One frame in ten has a wrong checksum, and that check returns early.

#include "zoo.hpp"

namespace {

struct frame {
    std::uint32_t bytes;
    std::uint32_t checksum;
    unsigned char* payload;
};

ZOO_FUNCTION int read_frame(frame* read, std::uint32_t bytes, std::uint32_t checksum) {
    read->bytes = bytes;
    read->checksum = checksum;
    read->payload = static_cast<unsigned char*>(std::malloc(bytes));
    if (read->payload == nullptr) { return -1; }
    zoo::fill(read->payload, bytes);
    return 0;
}

ZOO_FUNCTION int process_frame(std::uint32_t bytes, std::uint32_t checksum) {
    frame current;
    if (read_frame(&current, bytes, checksum) != 0) { return -1; }
    if (current.checksum % 10 == 0) { return -2; }
    zoo::use(current.payload);
    std::free(current.payload);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& dropped = zoo.leaks("read_frame", "rare_path");
    const std::uint32_t mtu = zoo.random().between(256U, 1500U);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(2) * zoo.threads())) {
            const auto checksum = static_cast<std::uint32_t>(self.random().next());
            if (process_frame(mtu, checksum) == -2) { dropped.lost(mtu); }
        }
    });
    return zoo.end();
}
