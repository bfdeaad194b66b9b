// SPDX-License-Identifier: Apache-2.0
// A parser that throws in the middle of every third message. What it had built by then goes with the stack; what was parsed is
// kept in a window of the last so many messages.

#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct element {
    std::string name;
    std::vector<std::unique_ptr<element>> children;
};

class bad_message : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

ZOO_FUNCTION std::unique_ptr<element> parse_element(zoo::rng& random, unsigned depth, double bad_share) {
    auto parsed = std::make_unique<element>();
    parsed->name.assign(random.between(20U, 200U), 'e');
    if (random.chance(bad_share)) { throw bad_message("unexpected end of the element " + parsed->name); }
    for (auto children = random.below(depth + 1); children > 0; --children) {
        parsed->children.push_back(parse_element(random, depth - 1, bad_share));
    }
    return parsed;
}

class message_window {
public:
    ZOO_FUNCTION void receive(zoo::rng& random, double bad_share, std::size_t most) {
        try {
            messages_.push_back(parse_element(random, 4, bad_share));
        } catch (const bad_message&) { ++bad_; }
        if (messages_.size() > most) { messages_.pop_front(); }
    }

private:
    std::deque<std::unique_ptr<element>> messages_;
    std::uint64_t bad_{};
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("parse_element", "exception_path");
    zoo.is_clean("message_window::receive", "bounded_history");
    const double messages = zoo.random().between(1.0, 3.0) / zoo.threads();  // a beat of 4 ms and thread
    const double bad_share = zoo.random().between(0.01, 0.08);
    const auto most = static_cast<std::size_t>(messages * 250 * zoo.seconds() / zoo.random().between(4.0, 20.0)) + 1;
    static std::vector<message_window> windows(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < messages * 250 * self.elapsed_s(); ++made) {
                windows[self.index()].receive(self.random(), bad_share, most);
            }
        }
    });
    return zoo.end();
}
