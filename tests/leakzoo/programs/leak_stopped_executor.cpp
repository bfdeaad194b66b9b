// SPDX-License-Identifier: Apache-2.0
// Linked: follow-up work of a request is bound to its trace and queued. The executor for rare work was stopped; its queue still
// takes tasks.

#include <memwatch/memwatch.hpp>

#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "zoo.hpp"

namespace {

struct executor {
    std::mutex guard;
    std::deque<std::function<void()>> tasks;

    ZOO_FUNCTION void post(std::function<void()>&& task) {
        const std::lock_guard<std::mutex> lock(guard);
        tasks.push_back(std::move(task));
    }
    ZOO_FUNCTION void run_all() {
        for (;;) {
            std::function<void()> task;
            {
                const std::lock_guard<std::mutex> lock(guard);
                if (tasks.empty()) { return; }
                task = std::move(tasks.front());
                tasks.pop_front();
            }
            task();
        }
    }
};

executor common_work;
executor rare_work;

struct thumbnail_request {
    char path[400];
    ZOO_FUNCTION void operator()() const { zoo::use(path); }
};

ZOO_FUNCTION std::function<void()> thumbnail_task(char letter) {
    thumbnail_request request;
    zoo::fill(request.path, sizeof request.path, letter);
    return memwatch::bind(request);
}

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo::truth& tasks = zoo.leaks("thumbnail_task", "stopped_executor");
    zoo::truth& queued = zoo.leaks("executor::post", "stopped_executor");
    const double share_rare = zoo.random().between(0.1, 0.4);
    zoo.on_threads([&](zoo::worker& self) {
        for (std::uint64_t number = 1; self.tick(std::chrono::milliseconds(2) * zoo.threads()); ++number) {
            const memwatch::trace_scope request{memwatch::trace_id{number, 7}, "/thumbnails"};
            const bool is_rare = self.random().chance(share_rare);
            (is_rare ? rare_work : common_work).post(thumbnail_task('p'));
            if (is_rare) {
                tasks.lost(sizeof(thumbnail_request) + 32);
                queued.lost(sizeof(std::function<void()>), number % 16 == 0 ? 1 : 0);
            }
            common_work.run_all();
        }
    });
    return zoo.end();
}
