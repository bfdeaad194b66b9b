// SPDX-License-Identifier: Apache-2.0
// A program that knows nothing of memwatch: some thousand small blocks a second leak beside healthy ones of the same size, and
// all of them come through one wrapper of malloc, as in many a code base.
//
//   escalation-victim SECONDS BLOCKS_A_SECOND
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <thread>
#include <vector>

namespace {

[[gnu::noinline]] void* allocate_or_die(std::size_t bytes) {
    void* const block = std::malloc(bytes);
    if (block == nullptr) { std::abort(); }
    std::memset(block, 1, bytes);
    return block;
}

struct listener {
    char name[56];
    listener* next;
};
listener* all_listeners = nullptr;

// Whoever subscribes never leaves.
[[gnu::noinline]] void subscribe(int number) {
    auto* const fresh = static_cast<listener*>(allocate_or_die(sizeof(listener)));
    std::snprintf(fresh->name, sizeof fresh->name, "listener %d", number);
    fresh->next = all_listeners;
    all_listeners = fresh;
}

// The same size, the same wrapper; each is freed when 500 others have come.
class recent_orders {
public:
    [[gnu::noinline]] void add() {
        orders_.push_back(allocate_or_die(sizeof(listener)));
        if (orders_.size() <= 500) { return; }
        std::free(orders_.front());
        orders_.pop_front();
    }

private:
    std::deque<void*> orders_;
};

[[gnu::noinline]] std::size_t answer_request(std::size_t bytes) {
    std::vector<char> answer(bytes, 'x');
    std::size_t sum = 0;
    for (const char c : answer) { sum += static_cast<unsigned char>(c); }
    return sum;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) { return 2; }
    const double seconds = std::atof(argv[1]);
    const double rate = std::atof(argv[2]);
    using clock = std::chrono::steady_clock;
    const auto began = clock::now();
    recent_orders orders;
    std::size_t sum = 0;
    int done = 0;
    std::thread other([] {});  // a program with threads: memwatch may have its own
    other.join();
    for (;;) {
        const double now = std::chrono::duration<double>(clock::now() - began).count();
        if (now >= seconds) { break; }
        for (; done < rate * now; ++done) {
            subscribe(done);
            orders.add();
            orders.add();
            if (done % 4 == 0) { sum += answer_request(1000 + static_cast<std::size_t>(done) % 7000); }
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    std::printf("%d listeners, sum %zu\n", done, sum);
    return 0;
}
