// SPDX-License-Identifier: Apache-2.0
#include "worker_pool.hpp"

#include <pthread.h>

#include <string>
#include <utility>

namespace orders {

worker_pool::worker_pool(unsigned threads, std::size_t queue_limit) : queue_limit_(queue_limit) {
    for (unsigned i = 0; i < threads; ++i) {
        threads_.emplace_back([this, i] {
            pthread_setname_np(pthread_self(), ("worker-" + std::to_string(i)).c_str());
            run();
        });
    }
}

worker_pool::~worker_pool() {
    {
        const std::scoped_lock lock{mutex_};
        is_closed_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) { thread.join(); }
}

bool worker_pool::try_submit(job work) {
    {
        const std::scoped_lock lock{mutex_};
        if (is_closed_ || queue_.size() >= queue_limit_) { return false; }
        queue_.push_back(std::move(work));
    }
    changed_.notify_one();
    return true;
}

std::size_t worker_pool::queued() const {
    const std::scoped_lock lock{mutex_};
    return queue_.size();
}

void worker_pool::run() {
    std::unique_lock lock{mutex_};
    for (;;) {
        changed_.wait(lock, [this] { return is_closed_ || !queue_.empty(); });
        if (queue_.empty()) { return; }
        job work = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        work();
        work = nullptr;  // what it captured goes before the lock is taken again
        lock.lock();
    }
}

}  // namespace orders
