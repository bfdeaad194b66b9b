// SPDX-License-Identifier: Apache-2.0
// A row buffer for each row of a result, freed by the reader; the one row in ten thousand that needs a second fetch is not.

#include "zoo.hpp"

namespace {

ZOO_FUNCTION unsigned char* fetch_row(std::size_t bytes) {
    auto* row = static_cast<unsigned char*>(std::malloc(bytes));
    row[0] = 1;
    row[bytes - 1] = 2;
    zoo::use(row);
    return row;
}

ZOO_FUNCTION int read_rows(zoo::rng& random, int rows, std::size_t bytes, zoo::truth& refetched) {
    int sum = 0;
    for (int i = 0; i < rows; ++i) {
        unsigned char* row = fetch_row(bytes);
        if (random.chance(1e-4)) {
            refetched.lost(bytes);
            row = fetch_row(bytes);
        }
        sum += row[0] + row[bytes - 1];
        std::free(row);
    }
    return sum;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& refetched = zoo.leaks("fetch_row", "rare_path_1e4");
    const std::size_t bytes = zoo.random().between(2000U, 3000U);
    const int rows = zoo.random().between(100, 140);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(2) * zoo.threads())) { read_rows(self.random(), rows, bytes, refetched); }
    });
    return zoo.end();
}
