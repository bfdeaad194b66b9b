// SPDX-License-Identifier: Apache-2.0
// Frames for the camera are aligned for its DMA engine: some by aligned_alloc, some by aligned new. A dropped frame is marked
// as dropped, and that is all.

#include <new>

#include "zoo.hpp"

namespace {

constexpr std::size_t dma_alignment = 64;

ZOO_FUNCTION void* allocate_frame(std::size_t bytes) {
    void* const frame = std::aligned_alloc(dma_alignment, bytes / dma_alignment * dma_alignment);
    zoo::fill(frame, bytes / dma_alignment * dma_alignment);
    return frame;
}

ZOO_FUNCTION void* allocate_metadata(std::size_t bytes) {
    void* const metadata = ::operator new (bytes, std::align_val_t{dma_alignment});
    zoo::fill(metadata, bytes);
    return metadata;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& frames = zoo.leaks("allocate_frame", "aligned");
    zoo.is_clean("allocate_metadata", "churn");
    const double share_dropped = zoo.random().between(0.03, 0.15);
    const std::size_t bytes = zoo.random().between(4U, 16U) << 10U;
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4) * zoo.threads())) {
            void* const frame = allocate_frame(bytes);
            void* const metadata = allocate_metadata(bytes / 16);
            if (self.random().chance(share_dropped)) {
                frames.lost(bytes);
            } else {
                std::free(frame);
            }
            ::operator delete (metadata, std::align_val_t{dma_alignment});
        }
    });
    return zoo.end();
}
