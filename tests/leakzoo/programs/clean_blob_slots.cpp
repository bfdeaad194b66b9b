// SPDX-License-Identifier: Apache-2.0
// A table of slots whose blobs are replaced at random by blobs of other sizes, from 16 bytes to 16 KiB: nothing accumulates,
// but the heap fragments, some blobs are very old and the resident size says little.

#include <cstdlib>
#include <vector>

#include "zoo.hpp"

namespace {

class blob_table {
public:
    explicit blob_table(std::size_t slots) : slots_(slots) {}

    ZOO_FUNCTION void replace_blob(std::size_t slot, std::size_t size_bytes) {
        std::free(slots_[slot]);
        slots_[slot] = std::malloc(size_bytes);
        zoo::fill(slots_[slot], size_bytes);
    }
    std::size_t slots() const { return slots_.size(); }

private:
    std::vector<void*> slots_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("blob_table::replace_blob", "fragmentation");
    // Each slot gets its first blob at some time in the run's first sixth or so, as those of a table of n after n ln n draws
    // do.
    const double replacements = zoo.random().between(8.0, 16.0) / zoo.threads();  // a beat of 4 ms and thread
    const auto slots = static_cast<std::size_t>(replacements * 250 * zoo.seconds() / zoo.random().between(15.0, 40.0)) + 1;
    static std::vector<blob_table> tables(static_cast<std::size_t>(zoo.threads()), blob_table(slots));
    zoo.on_threads([&](zoo::worker& self) {
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < replacements * 250 * self.elapsed_s(); ++made) {
                const double size_bytes = 16 * std::pow(1024.0, self.random().unit());
                tables[self.index()].replace_blob(self.random().below(slots), static_cast<std::size_t>(size_bytes));
            }
        }
    });
    return zoo.end();
}
