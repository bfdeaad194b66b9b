// SPDX-License-Identifier: Apache-2.0
// Message blocks are recycled through a cache a thread; what one thread has too much of goes to a central list, where others
// find it. Who allocates a block is never who frees it; the central list above its bound gives back to the heap.

#include <memory>
#include <mutex>
#include <vector>

#include "zoo.hpp"

namespace {

using block = std::vector<char>;
using block_list = std::vector<std::unique_ptr<block>>;

class central_list {
public:
    void put(block_list& from, std::size_t keep) {
        const std::lock_guard lock(mutex_);
        for (; from.size() > keep; from.pop_back()) {
            if (blocks_.size() < most) { blocks_.push_back(std::move(from.back())); }
        }
    }
    ZOO_FUNCTION std::unique_ptr<block> get(std::size_t size_bytes) {
        const std::lock_guard lock(mutex_);
        if (blocks_.empty()) { return std::make_unique<block>(size_bytes); }
        auto found = std::move(blocks_.back());
        blocks_.pop_back();
        return found;
    }

private:
    static constexpr std::size_t most = 500;
    std::mutex mutex_;
    block_list blocks_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("central_list::get", "free_list");
    const double messages = zoo.random().between(4.0, 12.0);  // a beat of 4 ms
    const std::size_t size_bytes = zoo.random().between(500U, 3000U);
    const double tide = zoo.random().between(4.0, 9.0);
    static central_list central;
    static std::mutex mailbox_mutex;
    static block_list mailbox;
    // The receiver empties the mailbox at its own pace, which comes and goes with the tide.
    std::atomic<bool> is_open{true};
    std::thread receiver([&] {
        double before_s = 0, due = 0;
        for (block_list own; is_open; std::this_thread::sleep_for(std::chrono::milliseconds(4))) {
            const double pace = 1.3 + std::sin(6.28 * zoo.progress() * tide), now_s = zoo.elapsed_s();
            due = due - std::floor(due) + pace * messages * 250 * (now_s - before_s);
            before_s = now_s;
            {
                const std::lock_guard lock(mailbox_mutex);
                for (double left = due; left >= 1 && !mailbox.empty(); --left) {
                    own.push_back(std::move(mailbox.back()));
                    mailbox.pop_back();
                }
            }
            central.put(own, 50);
        }
    });
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = messages / zoo.threads(); self.random().chance(left); --left) {
                auto written = central.get(size_bytes);
                const std::lock_guard lock(mailbox_mutex);
                if (mailbox.size() < 2500) { mailbox.push_back(std::move(written)); }  // the receiver is behind: dropped
            }
        }
    });
    is_open = false;
    receiver.join();
    return zoo.end();
}
