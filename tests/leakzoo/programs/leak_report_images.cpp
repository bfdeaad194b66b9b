// SPDX-License-Identifier: Apache-2.0
// Rare and large: now and then a report is drawn into an image, and the client is gone before it can be sent.

#include <vector>

#include "zoo.hpp"

namespace {

struct image {
    std::size_t bytes;
    unsigned char* pixels;
};

ZOO_FUNCTION image draw_report(std::size_t bytes) {
    const image drawn{bytes, new unsigned char[bytes]};
    for (std::size_t at = 0; at < bytes; at += 65536) { drawn.pixels[at] = 0xff; }
    zoo::use(drawn.pixels);
    return drawn;
}

ZOO_FUNCTION void send(const image& sent) { delete[] sent.pixels; }

ZOO_FUNCTION void query_rows(zoo::rng& random) {
    std::vector<std::uint64_t> rows(random.between(10U, 800U), 7);
    zoo::use(rows.data());
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& unsent = zoo.leaks("draw_report", "large_rare");
    zoo.is_clean("query_rows", "churn");
    const std::size_t bytes = zoo.random().between(256U, 1024U) << 10U;
    const double mean_wait_s = zoo.random().between(0.08, 0.15);
    double due_s = 0;
    while (zoo.tick(std::chrono::milliseconds(2))) {
        query_rows(zoo.random());
        if (zoo.elapsed_s() < due_s) { continue; }
        due_s += zoo.random().exponential(mean_wait_s);
        const image drawn = draw_report(bytes);
        if (zoo.random().chance(0.5)) {
            unsent.lost(bytes);
        } else {
            send(drawn);
        }
    }
    return zoo.end();
}
