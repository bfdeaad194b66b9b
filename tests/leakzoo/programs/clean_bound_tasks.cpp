// SPDX-License-Identifier: Apache-2.0
// Linked: requests end at once and leave a task behind that is bound to their trace; a worker does it after a while, for as
// many looks as the queue is long, and frees what the request had allocated for it.

#include <memwatch/memwatch.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct task {
    double due_s{};
    std::function<void()> work;
};

class task_queue {
public:
    ZOO_FUNCTION void leave_task(double due_s, std::size_t size_bytes) {
        auto image = std::make_shared<std::vector<char>>(size_bytes);
        std::function<void()> work = memwatch::bind([image] { zoo::fill(image->data(), image->size()); });
        const std::lock_guard lock(mutex_);
        tasks_.push_back({due_s, std::move(work)});
    }
    void run_until(double now_s) {
        for (;;) {
            std::function<void()> work;
            {
                const std::lock_guard lock(mutex_);
                if (tasks_.empty() || tasks_.front().due_s > now_s) { return; }
                work = std::move(tasks_.front().work);
                tasks_.pop_front();
            }
            work();
        }
    }

private:
    std::mutex mutex_;
    std::deque<task> tasks_;
};

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("task_queue::leave_task", "delayed_hand_off");
    const double requests = zoo.random().between(0.8, 3.0) / zoo.threads();  // a beat of 4 ms and thread
    const double delay_s = zoo.seconds() * zoo.random().between(0.03, 0.15);
    static task_queue queue;
    std::atomic<bool> is_open{true};
    std::thread worker([&] {
        for (; is_open; std::this_thread::sleep_for(std::chrono::milliseconds(5))) { queue.run_until(zoo.elapsed_s()); }
    });
    std::atomic<std::uint64_t> number{0};
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = requests; self.random().chance(left); --left) {
                const memwatch::trace_scope scope{"upload-" + std::to_string(++number), "/images"};
                queue.leave_task(self.elapsed_s() + delay_s, self.random().between(500U, 8000U));
            }
        }
    });
    is_open = false;
    worker.join();
    return zoo.end();
}
