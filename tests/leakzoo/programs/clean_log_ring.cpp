// SPDX-License-Identifier: Apache-2.0
// The last so many lines of the log are kept in a ring for whoever asks, with their fields. It takes a while until the ring has
// gone round for the first time; then each line overwrites one.

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct line {
    std::string text;
    std::map<std::string, std::string> fields;
};

class log_ring {
public:
    explicit log_ring(std::size_t most) : lines_(most) {}

    ZOO_FUNCTION void write_line(std::uint64_t number, std::size_t text_bytes) {
        line fresh;
        fresh.text.assign(text_bytes, 'l');
        fresh.fields["request-number-of-this-process"] = "0000000000000000000000-" + std::to_string(number);
        if (number % 10 == 0) { fresh.fields["exception-that-was-caught"] = std::string(text_bytes / 2, 'x'); }
        const std::lock_guard lock(mutex_);
        lines_[next_++ % lines_.size()] = std::move(fresh);
    }

private:
    std::mutex mutex_;
    std::vector<line> lines_;
    std::size_t next_{};
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("log_ring::write_line", "ring");
    const double lines = zoo.random().between(2.0, 8.0);  // a beat of 4 ms
    static log_ring ring(static_cast<std::size_t>(lines * 250 * zoo.seconds() * zoo.random().between(0.05, 0.4)) + 1);
    std::atomic<std::uint64_t> number{0};
    zoo.on_threads([&](zoo::worker& self) {
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < (lines / zoo.threads()) * 250 * self.elapsed_s(); ++made) {
                ring.write_line(++number, self.random().between(80U, 900U));
            }
        }
    });
    return zoo.end();
}
