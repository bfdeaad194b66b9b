// SPDX-License-Identifier: Apache-2.0
// An arena a worker: chunks are added while a request needs them, and at its end all but those that the largest request of late
// needed go. Requests are of very different sizes; the arena breathes.

#include <memory>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

class arena {
public:
    void* allocate(std::size_t size_bytes) {
        if (used_ + size_bytes > chunk_bytes) { add_chunk(); }
        void* const block = chunks_[current_ - 1].get() + used_;
        used_ += size_bytes;
        return block;
    }
    // Ends a request. What was not used by the last fifty requests goes.
    void reset() {
        peak_ = std::max(peak_, current_);
        if (++requests_ % 50 == 0) {
            chunks_.resize(std::min(chunks_.size(), peak_));
            peak_ = 0;
        }
        current_ = 0;
        used_ = chunk_bytes;
    }
    static constexpr std::size_t chunk_bytes = 32 * 1024;

private:
    ZOO_FUNCTION void add_chunk() {
        if (current_ == chunks_.size()) { chunks_.push_back(std::make_unique<char[]>(chunk_bytes)); }
        ++current_;
        used_ = 0;
    }

    std::vector<std::unique_ptr<char[]>> chunks_;
    std::size_t current_{}, used_{chunk_bytes}, peak_{}, requests_{};
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("arena::add_chunk", "arena");
    const double typical_bytes = zoo.random().between(2e4, 1e5), alpha = zoo.random().between(1.1, 1.6);
    static std::vector<arena> arenas(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        arena& memory = arenas[self.index()];
        while (self.tick(std::chrono::milliseconds(8))) {
            const double request_bytes = std::min(4e6, self.random().pareto(typical_bytes, alpha));
            for (double used = 0; used < request_bytes; used += 1000) { zoo::fill(memory.allocate(1000), 1000); }
            memory.reset();
        }
    });
    return zoo.end();
}
