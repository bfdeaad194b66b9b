// SPDX-License-Identifier: Apache-2.0
// One thread makes messages, another one takes and frees them, but throws away the pointer of every third. The rule:
// hand_off_lost.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "two_dumps.hpp"

namespace mail {

struct message {
    long id;
    char text[500];
};

class queue {
public:
    void push(message* m) {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(m);
        changed_.notify_one();
    }
    message* pop() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !waiting_.empty(); });
        message* const first = waiting_.front();
        waiting_.pop_front();
        return first;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<message*> waiting_;
};

[[gnu::noinline]] message* compose(long id) {
    auto* const m = new message;
    m->id = id;
    return m;
}

void deliver(queue& from) {
    while (message* const m = from.pop()) {
        if (m->id % 3 != 0) { delete m; }  // the bug
    }
}

}  // namespace mail

int main(int count, char** arguments) {
    mail::queue box;
    std::thread postman([&] { mail::deliver(box); });
    long next = 0;
    const int status = leaks::run(count, arguments, 3000, [&](int) { box.push(mail::compose(++next)); });
    box.push(nullptr);
    postman.join();
    return status;
}
