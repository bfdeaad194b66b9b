// SPDX-License-Identifier: Apache-2.0
// Downloads of unknown length in buffers that realloc doubles; some are a few KiB, some a few MiB, and their speeds differ as
// much. Done ones are shrunk to fit, looked at for a moment and freed.

#include <cstdlib>
#include <list>
#include <vector>

#include "zoo.hpp"

namespace {

struct download {
    std::size_t length_bytes{};
    std::size_t bytes_a_beat{};
    char* buffer{};
    std::size_t room_bytes{};
    std::size_t read_bytes{};
    double kept_until_s{};
};

// Reads what came within a beat; true when that was the last of it.
ZOO_FUNCTION bool read_more(download& one) {
    const std::size_t wanted = std::min(one.length_bytes, one.read_bytes + one.bytes_a_beat);
    while (one.room_bytes < wanted) {
        one.room_bytes = std::max<std::size_t>(1024, 2 * one.room_bytes);
        one.buffer = static_cast<char*>(std::realloc(one.buffer, one.room_bytes));
    }
    zoo::fill(one.buffer + one.read_bytes, wanted - one.read_bytes);
    one.read_bytes = wanted;
    return one.read_bytes == one.length_bytes;
}

ZOO_FUNCTION void shrink_to_fit(download& one) {
    if (one.room_bytes == one.read_bytes) { return; }
    one.buffer = static_cast<char*>(std::realloc(one.buffer, one.read_bytes));
    one.room_bytes = one.read_bytes;
}

// True when it was done for long enough.
bool advance(download& one, double now_s) {
    if (!read_more(one)) { return false; }
    shrink_to_fit(one);
    if (one.kept_until_s == 0) { one.kept_until_s = now_s + 0.3; }
    if (now_s < one.kept_until_s) { return false; }
    std::free(one.buffer);
    return true;
}

ZOO_FUNCTION void begin_download(std::list<download>& open, std::size_t length_bytes, std::size_t beats) {
    open.push_back({length_bytes, length_bytes / beats + 1});
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("read_more", "realloc");
    zoo.is_clean("shrink_to_fit", "realloc");
    zoo.is_clean("begin_download", "churn");
    const double downloads = zoo.random().between(0.05, 0.2) / zoo.threads();  // a beat of 8 ms and thread
    static std::vector<std::list<download>> open(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        std::list<download>& own = open[self.index()];
        while (self.tick(std::chrono::milliseconds(8))) {
            if (self.random().chance(downloads)) {
                const double length_bytes = 4096 * std::pow(500.0, self.random().unit());
                begin_download(own, static_cast<std::size_t>(length_bytes), self.random().between(5U, 300U));
            }
            own.remove_if([&](download& one) { return advance(one, self.elapsed_s()); });
        }
    });
    return zoo.end();
}
