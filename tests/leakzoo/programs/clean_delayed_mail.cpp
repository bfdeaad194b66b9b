// SPDX-License-Identifier: Apache-2.0
// Mail is handed from the threads that write it to the one that delivers, and each letter lies there for a fixed while first
// (the sender may still undo). So nothing that a writer allocates is freed by it, and nothing is freed for many looks.

#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "zoo.hpp"

namespace {

struct letter {
    double due_s{};
    std::string to;
    std::string body;
};

class outbox {
public:
    ZOO_FUNCTION void post_letter(double due_s, std::uint64_t to, std::size_t body_bytes) {
        auto written = std::make_unique<letter>();
        written->due_s = due_s;
        written->to = "subscriber-number-" + std::to_string(to) + "@example.org";
        written->body.assign(body_bytes, 'm');
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(written));
    }
    void deliver(double now_s) {
        const std::lock_guard lock(mutex_);
        for (; !waiting_.empty() && waiting_.front()->due_s <= now_s; waiting_.pop_front()) {
            zoo::use(waiting_.front().get());
        }
    }

private:
    std::mutex mutex_;
    std::deque<std::unique_ptr<letter>> waiting_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("outbox::post_letter", "delayed_hand_off");
    const double letters = zoo.random().between(1.5, 6.0) / zoo.threads();  // a beat of 4 ms and thread
    const double delay_s = zoo.seconds() * zoo.random().between(0.05, 0.2);
    static outbox mail;
    std::atomic<bool> is_open{true};
    std::thread courier([&] {
        while (is_open) {
            mail.deliver(zoo.elapsed_s());
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    });
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = letters; self.random().chance(left); --left) {
                mail.post_letter(self.elapsed_s() + delay_s, self.random().next(), self.random().between(200U, 4000U));
            }
        }
    });
    is_open = false;
    courier.join();
    return zoo.end();
}
