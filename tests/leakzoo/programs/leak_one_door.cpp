// SPDX-License-Identifier: Apache-2.0
// All buffers come through one function: those of the ring of recent frames go back, those of the thumbnails do not.

#include <array>

#include "zoo.hpp"

namespace {

ZOO_FUNCTION char* make_buffer(std::size_t bytes) {
    char* const made = static_cast<char*>(std::malloc(bytes));
    zoo::fill(made, bytes);
    return made;
}

struct frames {
    std::array<char*, 128> recent{};
    std::size_t next = 0;

    ZOO_FUNCTION void keep_frame(std::size_t bytes) {
        char*& oldest = recent[next++ % recent.size()];
        std::free(oldest);
        oldest = make_buffer(bytes);
    }
};

ZOO_FUNCTION void decode_scratch(std::size_t bytes) { std::free(make_buffer(bytes)); }

ZOO_FUNCTION void draw_thumbnail(std::size_t bytes) { zoo::use(make_buffer(bytes)); }

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& thumbnails = zoo.leaks("make_buffer", "one_door");
    const std::size_t frame_bytes = zoo.random().between(8000U, 20000U);
    const std::size_t thumbnail_bytes = frame_bytes / zoo.random().between(8U, 20U);
    static frames kept;
    while (zoo.tick(std::chrono::milliseconds(4))) {
        kept.keep_frame(frame_bytes);
        decode_scratch(frame_bytes);
        if (!zoo.random().chance(0.25)) { continue; }
        draw_thumbnail(thumbnail_bytes);
        thumbnails.lost(thumbnail_bytes);
    }
    return zoo.end();
}
