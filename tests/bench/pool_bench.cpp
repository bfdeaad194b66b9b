// SPDX-License-Identifier: Apache-2.0
// object_pool beside what people use instead, with 1, 2 and 8 threads: ns an acquire and release.
//
//   pool_bench [ROUNDS]                the table: median of interleaved rounds, ratio round by round [10th .. 90th percentile]
//   pool_bench count WHAT N            N pairs of WHAT and nothing else, for an instruction counter: pool | new | boost
//
// Elapsed time is of all threads together (elapsed / operations), CPU time what they used between them: on a machine that
// others use as well, the second is the one to read. The peers: new/delete (the C library's, with its thread cache); a mutex
// around a vector of free objects; boost::object_pool, which keeps its free list in order (given back in reverse here, the case
// it is fast in) and is not thread-safe: in a mutex when there is more than one thread; a boost::lockfree::stack of pointers,
// without any checks.
#include <atomic>
#include <boost/lockfree/stack.hpp>
#include <boost/pool/object_pool.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include "bench/interleaved.hpp"

namespace {

constexpr std::size_t pool_size = 1024;
constexpr std::size_t batch_size = 64;

template <std::size_t Size>
struct object {
    object() noexcept {}  // storage is what is measured, not what is written into it
    char bytes[Size];
};

void escape(void* pointer) { asm volatile("" : : "g"(pointer) : "memory"); }

template <class Object>
struct memwatch_pool {
    static constexpr const char* name = "memwatch::object_pool";
    memwatch::object_pool<Object> pool{"bench"};
    Object* take() { return pool.acquire_raw(); }
    void give(Object* o) { pool.release(o); }
};

template <class Object>
struct heap {
    static constexpr const char* name = "new/delete";
    Object* take() { return ::new Object; }
    void give(Object* o) { delete o; }
};

template <class Object>
struct mutex_list {
    static constexpr const char* name = "mutex free list";
    mutex_list() : storage(pool_size) {
        for (Object& o : storage) { free.push_back(&o); }
    }
    Object* take() {
        const std::lock_guard guard(mutex);
        Object* const o = free.back();
        free.pop_back();
        return o;
    }
    void give(Object* o) {
        const std::lock_guard guard(mutex);
        free.push_back(o);
    }
    std::mutex mutex;
    std::vector<Object> storage;
    std::vector<Object*> free;
};

template <class Object>
struct boost_pool {
    static constexpr const char* name = "boost::object_pool (+ mutex)";
    Object* take() {
        if (!is_shared) { return pool.malloc(); }
        const std::lock_guard guard(mutex);
        return pool.malloc();
    }
    void give(Object* o) {
        if (!is_shared) { return pool.free(o); }
        const std::lock_guard guard(mutex);
        pool.free(o);
    }
    bool is_shared = true;
    std::mutex mutex;
    boost::object_pool<Object> pool{pool_size};
};

template <class Object>
struct lockfree_stack {
    static constexpr const char* name = "boost::lockfree::stack, naive";
    lockfree_stack() : storage(pool_size) {
        for (Object& o : storage) { free.bounded_push(&o); }
    }
    Object* take() {
        Object* o = nullptr;
        free.pop(o);
        return o;
    }
    void give(Object* o) { free.bounded_push(o); }
    std::vector<Object> storage;
    boost::lockfree::stack<Object*> free{pool_size};
};

// `operations` pairs, in batches: take them all, then give them all back.
template <class Pool>
[[gnu::noinline]] void pairs(Pool& pool, std::size_t operations, std::size_t batch) {
    decltype(pool.take()) held[batch_size];
    for (std::size_t done = 0; done < operations; done += batch) {
        for (std::size_t i = 0; i < batch; ++i) {
            held[i] = pool.take();
            escape(held[i]);
        }
        for (std::size_t i = batch; i > 0; --i) { pool.give(held[i - 1]); }
    }
}

// Threads that stand ready, so that a round measures no thread's birth: each does its share when the round's number changes.
class crew {
public:
    explicit crew(unsigned size) : size_(size) {
        for (unsigned i = 1; i < size; ++i) {
            threads_.emplace_back([this] { serve(); });
        }
    }
    ~crew() {
        share_ = 0;
        work_ = nullptr;
        round_.fetch_add(1);
        round_.notify_all();
        for (std::thread& t : threads_) { t.join(); }
    }

    template <class Pool>
    void run(Pool& pool, std::size_t operations, std::size_t batch) {
        share_ = operations / size_;
        batch_ = batch;
        pool_ = &pool;
        work_ = [](crew& c) { pairs(*static_cast<Pool*>(c.pool_), c.share_, c.batch_); };
        left_.store(size_ - 1);
        round_.fetch_add(1);
        round_.notify_all();
        work_(*this);
        while (const unsigned left = left_.load()) { left_.wait(left); }
    }

private:
    void serve() {
        for (unsigned seen = 0;;) {
            round_.wait(seen);
            seen = round_.load();
            if (work_ == nullptr) { return; }
            work_(*this);
            if (left_.fetch_sub(1) == 1) { left_.notify_all(); }
        }
    }

    unsigned size_;
    std::atomic<unsigned> round_{0};
    std::atomic<unsigned> left_{0};
    std::size_t share_{};
    std::size_t batch_{};
    void* pool_{};
    void (*work_)(crew&){};
    std::vector<std::thread> threads_;
};

constexpr std::size_t operations = 16'384;  // a round: less than a time slice

struct cost {
    double elapsed_ns;
    double cpu_ns;
};

template <class Action>
cost measure(Action action) {
    const std::clock_t began = std::clock();
    const double elapsed = bench::nanoseconds_per(operations, [&](std::size_t) { action(); });
    return {elapsed, static_cast<double>(std::clock() - began) * 1e9 / CLOCKS_PER_SEC / static_cast<double>(operations)};
}

template <class Object, template <class> class Peer>
void against(crew& threads, unsigned size, std::size_t rounds, std::size_t batch) {
    memwatch_pool<Object> ours;
    Peer<Object> theirs;
    if constexpr (requires { theirs.is_shared; }) { theirs.is_shared = size > 1; }
    const auto run_ours = [&] { return measure([&] { threads.run(ours, operations, batch); }); };
    const auto run_theirs = [&] { return measure([&] { threads.run(theirs, operations, batch); }); };
    std::vector<double> ours_ns, theirs_ns, ratios, ours_cpu, theirs_cpu, cpu_ratios;
    for (std::size_t i = 0; i < rounds + 3; ++i) {
        cost a{}, b{};
        if (i % 2 == 0) { a = run_ours(); }
        b = run_theirs();
        if (i % 2 != 0) { a = run_ours(); }
        if (i < 3 || b.cpu_ns == 0) { continue; }
        ours_ns.push_back(a.elapsed_ns);
        theirs_ns.push_back(b.elapsed_ns);
        ratios.push_back(a.elapsed_ns / b.elapsed_ns);
        ours_cpu.push_back(a.cpu_ns);
        theirs_cpu.push_back(b.cpu_ns);
        cpu_ratios.push_back(a.cpu_ns / b.cpu_ns);
    }
    const bench::summary r = bench::summarize(ratios), c = bench::summarize(cpu_ratios);
    std::printf("%7u %6zu %5zu  %-28s  elapsed %6.1f : %6.1f  %5.2f [%.2f .. %.2f]   CPU %6.1f : %6.1f  %5.2f [%.2f .. %.2f]\n",
                size, sizeof(Object), batch, Peer<Object>::name, bench::summarize(ours_ns).median,
                bench::summarize(theirs_ns).median, r.median, r.low, r.high, bench::summarize(ours_cpu).median,
                bench::summarize(theirs_cpu).median, c.median, c.low, c.high);
    std::fflush(stdout);
}

template <class Object>
void all_peers(crew& threads, unsigned size, std::size_t rounds, std::size_t batch) {
    against<Object, heap>(threads, size, rounds, batch);
    against<Object, mutex_list>(threads, size, rounds, batch);
    against<Object, boost_pool>(threads, size, rounds, batch);
    against<Object, lockfree_stack>(threads, size, rounds, batch);
}

void freezes() {
    memwatch::object_pool<object<64>> large{"large", {.capacity = 1U << 20U}};
    std::vector<object<64>*> out;
    for (std::size_t i = 0; i < 1U << 20U; ++i) { out.push_back(large.acquire_raw()); }
    std::vector<double> costs;
    for (int i = 0; i < 20; ++i) {
        costs.push_back(bench::nanoseconds_per(1U << 20U, [&](std::size_t) { static_cast<void>(large.totals()); }));
    }
    std::printf("totals() of 2^20 objects that are out: %.2f ns each\n", bench::summarize(costs).median);
    for (auto* o : out) { large.release(o); }
}

template <class Pool>
int count_pairs(std::size_t operations) {
    Pool pool;
    if constexpr (requires { pool.is_shared; }) { pool.is_shared = false; }
    pairs(pool, operations, 1);
    return 0;
}

int count(const char* what, std::size_t operations) {
    if (std::strcmp(what, "pool") == 0) { return count_pairs<memwatch_pool<object<64>>>(operations); }
    if (std::strcmp(what, "new") == 0) { return count_pairs<heap<object<64>>>(operations); }
    if (std::strcmp(what, "boost") == 0) { return count_pairs<boost_pool<object<64>>>(operations); }
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 4 && std::strcmp(argv[1], "count") == 0) { return count(argv[2], std::strtoull(argv[3], nullptr, 10)); }
    const std::size_t rounds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 60;
    const auto session = memwatch::session::start();
    std::printf("threads object batch  object_pool : peer, ns a pair, ratio\n");
    for (const unsigned size : {1U, 2U, 8U}) {
        crew threads(size);
        for (const std::size_t batch : {std::size_t{1}, batch_size}) {
            all_peers<object<64>>(threads, size, rounds, batch);
            all_peers<object<1024>>(threads, size, rounds, batch);
        }
    }
    freezes();
    return 0;
}
