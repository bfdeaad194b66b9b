// SPDX-License-Identifier: Apache-2.0
#pragma once
// Threads that take jobs from a bounded queue, so that slow work stays off the connections' threads. Whoever submits a job
// binds the trace context to it (service.cpp): the pool itself knows nothing of traces.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace orders {

// Threads: try_submit() from any.
class worker_pool {
public:
    using job = std::function<void()>;

    worker_pool(unsigned threads, std::size_t queue_limit);
    worker_pool(const worker_pool&) = delete;
    worker_pool& operator=(const worker_pool&) = delete;
    ~worker_pool();  // finishes the jobs that are queued

    // False when the queue is full.
    [[nodiscard]] bool try_submit(job work);
    [[nodiscard]] std::size_t queued() const;

private:
    void run();

    const std::size_t queue_limit_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<job> queue_;
    bool is_closed_{};
    std::vector<std::thread> threads_;
};

}  // namespace orders
