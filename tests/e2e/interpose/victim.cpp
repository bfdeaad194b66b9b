// SPDX-License-Identifier: Apache-2.0
// A program that uses the heap in every way there is, and knows what must come out. It runs under the preload object, over each
// allocator, sampled at several intervals and in full mode (run_victim.py); in a process without it, the modes that look into a
// snapshot say so and end with 77.
//
// It links the SDK, so each run also shows that the preload object and the SDK share one state.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <memwatch/memwatch.hpp>

namespace {

int failures = 0;
void check_at(bool holds, const char* what, int line) {
    if (holds) { return; }
    std::fprintf(stderr, "victim.cpp:%d: FAILED: %s\n", line, what);
    ++failures;
}
#define CHECK(...) check_at(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __LINE__)

// The compiler must neither pair an allocation with its free and drop both, nor know what a function returns.
template <class Pointer>
Pointer opaque(Pointer p) {
    asm volatile("" : "+r"(p) : : "memory");
    return p;
}
std::size_t opaque_size(std::size_t n) {
    asm volatile("" : "+r"(n));
    return n;
}

// What allocators of Debian 12 get wrong with and without us: jemalloc, tcmalloc and mimalloc forget errno on some failures;
// mimalloc 2.0.9 misaligns blocks whose size is a multiple of the alignment.
bool runs_over(std::string_view allocator) {
    const char* const name = std::getenv("VICTIM_ALLOCATOR");
    return name != nullptr && std::string_view(name) == allocator;
}
bool is_no_memory() { return errno == ENOMEM || std::getenv("VICTIM_ALLOCATOR") != nullptr; }
bool is_aligned(const void* block, std::size_t alignment) {
    return reinterpret_cast<std::uintptr_t>(block) % alignment == 0 || runs_over("mimalloc");
}

bool is_filled(const void* block, unsigned char with, std::size_t bytes) {
    const auto* const at = static_cast<const unsigned char*>(block);
    return std::all_of(at, at + bytes, [=](unsigned char c) { return c == with; });
}

const std::size_t sizes[] = {0,    1,    7,    8,    16,     24,      40,      100,     1000,      4000,
                             4088, 4089, 4096, 5000, 20'000, 100'000, 131'072, 200'000, 2'000'000, 40'000'000};

// ---------------------------------------------------------------- the process as memwatch sees it

// A session joined to the one that the preload object started.
memwatch::session& joined() {
    static memwatch::session session = memwatch::session::start();
    return session;
}

// Whether what `function` means is memwatch's.
bool is_ours(void* function) {
    Dl_info info{};
    return dladdr(function, &info) != 0 && std::strstr(info.dli_fname, "libmemwatch-") != nullptr;
}
bool is_interposed() { return is_ours(reinterpret_cast<void*>(&malloc)); }
bool is_new_interposed() { return is_ours(reinterpret_cast<void*>(static_cast<void* (*)(std::size_t)>(&operator new))); }

// What is live under sites that `wanted` picks.
template <class Predicate>
memwatch::sampled_totals live_where(Predicate wanted) {
    const auto frozen = joined().snapshot();
    memwatch::sampled_totals live;
    if (!frozen) { return live; }
    for (const memwatch::live_record& r : frozen->live) {
        if (wanted(*frozen, frozen->sites[r.site])) { live.add(r.size_bytes, r.interval_bytes); }
    }
    return live;
}

void describe(const memwatch::snapshot& s, const memwatch::site& site, std::uint64_t bytes) {
    std::fprintf(stderr, "  %llu B:", static_cast<unsigned long long>(bytes));
    for (const std::uint32_t f : s.stacks[site.stack].frames) {
        const auto& lines = s.frames[f].lines;
        std::fprintf(stderr, " <- %s", lines.empty() ? "?" : lines.front().function.c_str());
    }
    std::fprintf(stderr, "\n");
}

bool is_in_victim(const memwatch::snapshot& s, const memwatch::site& site) {
    const auto& frames = s.stacks[site.stack].frames;
    return std::any_of(frames.begin(), frames.end(), [&](std::uint32_t f) {
        const std::uint32_t m = s.frames[f].module;
        return m != memwatch::no_module && s.modules[m].path.find("interpose-victim") != std::string::npos;
    });
}

// ---------------------------------------------------------------- every entry point, to the letter

void check_malloc_family() {
    for (const std::size_t n : sizes) {
        auto* const p = static_cast<unsigned char*>(opaque(malloc(n)));
        CHECK(p != nullptr);
        CHECK(reinterpret_cast<std::uintptr_t>(p) % 16 == 0 || n < 16);
        CHECK(malloc_usable_size(p) >= n);
        std::memset(p, 0xA5, malloc_usable_size(p));  // all of what we are told is ours
        CHECK(is_filled(p, 0xA5, n));
        errno = 4711;
        free(p);
        CHECK(errno == 4711);

        auto* const c = static_cast<unsigned char*>(opaque(calloc(n, 1)));
        CHECK(c != nullptr && is_filled(c, 0, n));
        std::memset(c, 0xFF, n);
        free(c);
        auto* const again = static_cast<unsigned char*>(opaque(calloc(1, n)));
        CHECK(again != nullptr && is_filled(again, 0, n));
        free(again);
    }
    errno = 0;
    CHECK(opaque(calloc(opaque_size(SIZE_MAX / 2), 3)) == nullptr && is_no_memory());
    errno = 0;
    CHECK(opaque(malloc(opaque_size(PTRDIFF_MAX))) == nullptr && is_no_memory());
    CHECK(opaque(malloc(opaque_size(SIZE_MAX))) == nullptr);
    CHECK(opaque(malloc(opaque_size(SIZE_MAX - 4))) == nullptr);
    free(nullptr);
    char* const text = opaque(strdup("a text that strdup copies"));
    CHECK(std::string_view(text) == "a text that strdup copies");
    free(text);
}

void check_realloc() {
    for (const std::size_t from : sizes) {
        for (const std::size_t to : sizes) {
            if (from == 0 || to == 0) { continue; }
            auto* p = static_cast<unsigned char*>(opaque(malloc(from)));
            std::memset(p, 0x3C, from);
            p = static_cast<unsigned char*>(opaque(realloc(p, to)));
            CHECK(p != nullptr && is_filled(p, 0x3C, std::min(from, to)));
            std::memset(p, 0x3D, malloc_usable_size(p));
            free(p);
        }
    }
    // Growing step by step, as a vector of C does.
    auto* p = static_cast<unsigned char*>(opaque(realloc(nullptr, 1)));
    p[0] = 0;
    for (std::size_t n = 2; n < 3'000'000; n += n / 3 + 1) {
        p = static_cast<unsigned char*>(opaque(realloc(p, n)));
        p[n - 1] = 1;
        CHECK(p[0] == 0);
    }
    // A realloc that fails leaves the block as it is.
    std::memset(p, 0x77, 1000);
    errno = 0;
    CHECK(opaque(realloc(p, opaque_size(PTRDIFF_MAX))) == nullptr && is_no_memory());
    CHECK(is_filled(p, 0x77, 1000));
    free(p);
    errno = 0;
    void* const small = opaque(malloc(10));
    CHECK(opaque(reallocarray(opaque(small), opaque_size(SIZE_MAX / 2), 3)) == nullptr && is_no_memory());
    void* const grown = opaque(reallocarray(opaque(small), 100, 10));
    CHECK(grown != nullptr && malloc_usable_size(grown) >= 1000);
    free(grown);
}

void check_aligned() {
    for (const std::size_t alignment : {16, 32, 64, 256, 1024, 4096, 8192, 65536}) {
        for (const std::size_t n : {1, 100, 4000, 4088, 5000, 300'000}) {
            void* p = nullptr;
            errno = 4711;
            CHECK(posix_memalign(&p, alignment, n) == 0 && errno == 4711);
            void* const blocks[] = {p, opaque(aligned_alloc(alignment, (n + alignment - 1) / alignment * alignment)),
                                    opaque(memalign(alignment, n)), opaque(operator new (n, std::align_val_t{alignment})),
                                    opaque(operator new[](n, std::align_val_t{alignment}, std::nothrow))};
            for (void* const block : blocks) {
                CHECK(block != nullptr && is_aligned(block, alignment));
                CHECK(malloc_usable_size(block) >= n);
                std::memset(block, 0x11, n);
            }
            free(blocks[0]);
            free(blocks[1]);
            auto* const moved = static_cast<unsigned char*>(opaque(realloc(blocks[2], 2 * n)));
            CHECK(is_filled(moved, 0x11, n));
            free(moved);
            operator delete (blocks[3], n, std::align_val_t{alignment});
            operator delete[](blocks[4], std::align_val_t{alignment});
        }
    }
    void* untouched = &failures;
    CHECK(posix_memalign(&untouched, 3, 10) == EINVAL && untouched == &failures);
    CHECK(posix_memalign(&untouched, 4, 10) == EINVAL);
    CHECK(posix_memalign(&untouched, 64, opaque_size(PTRDIFF_MAX)) == ENOMEM && untouched == &failures);
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    void* const v = opaque(valloc(10));
    void* const pv = opaque(pvalloc(10));
    CHECK(reinterpret_cast<std::uintptr_t>(v) % page == 0 && reinterpret_cast<std::uintptr_t>(pv) % page == 0);
    CHECK(malloc_usable_size(pv) >= page);
    free(v);
    free(pv);
}

int handler_calls = 0;
void make_room() {
    if (++handler_calls == 3) { std::set_new_handler(nullptr); }
}

void check_operators() {
    for (const std::size_t n : sizes) {
        void* const blocks[] = {opaque(operator new(n)),
                                opaque(operator new[](n)),
                                opaque(operator new(n, std::nothrow)),
                                opaque(operator new[](n, std::nothrow)),
                                opaque(operator new(n)),
                                opaque(operator new[](n))};
        for (void* const block : blocks) {
            CHECK(block != nullptr);
            std::memset(block, 0x42, n);
        }
        operator delete(blocks[0]);
        operator delete[](blocks[1]);
        operator delete(blocks[2], std::nothrow);
        operator delete[](blocks[3], std::nothrow);
        operator delete(blocks[4], n);
        operator delete[](blocks[5], n);
    }
    operator delete(nullptr);
    operator delete (nullptr, std::size_t{8});
    bool has_thrown = false;
    try {
        opaque(operator new(opaque_size(PTRDIFF_MAX)));
    } catch (const std::bad_alloc&) { has_thrown = true; }
    CHECK(has_thrown);
    CHECK(opaque(operator new(opaque_size(PTRDIFF_MAX), std::nothrow)) == nullptr);
    std::set_new_handler(&make_room);
    has_thrown = false;
    try {
        opaque(operator new(opaque_size(PTRDIFF_MAX)));
    } catch (const std::bad_alloc&) { has_thrown = true; }
    CHECK(has_thrown && handler_calls == 3);
}

int entries() {
    check_malloc_family();
    check_realloc();
    check_aligned();
    check_operators();
    return failures;
}

// ---------------------------------------------------------------- many threads, balanced to the last block

struct held {
    unsigned char* block;
    std::size_t bytes;
    unsigned char fill;
    int kind;  // 0 malloc, 1 new[], 2 aligned
};

void release(const held& h) {
    CHECK(is_filled(h.block, h.fill, std::min<std::size_t>(h.bytes, 64)));
    switch (h.kind) {
        case 0:
            free(h.block);
            break;
        case 1:
            operator delete(h.block, h.bytes);
            break;
        default:
            operator delete (h.block, std::align_val_t{64});
    }
}

// A mailbox: blocks freed by another thread than the one that allocated them.
class mailbox {
public:
    void put(const held& h) {
        const std::lock_guard guard(mutex_);
        queue_.push_back(h);
    }
    bool take(held& h) {
        const std::lock_guard guard(mutex_);
        if (queue_.empty()) { return false; }
        h = queue_.back();
        queue_.pop_back();
        return true;
    }

private:
    std::mutex mutex_;
    std::vector<held> queue_;
};

void churn_thread(unsigned seed, int operations, mailbox& out, mailbox& in) {
    std::mt19937 random(seed);
    std::vector<held> mine;
    for (int i = 0; i < operations; ++i) {
        const unsigned what = random() % 16;
        if (what < 7 || mine.empty()) {
            const std::size_t n = random() % 100 < 97 ? 1 + random() % 600 : 1 + random() % 60'000;
            const int kind = static_cast<int>(random() % 3);
            const auto fill = static_cast<unsigned char>(random());
            void* const p = kind == 0 ? malloc(n) : kind == 1 ? operator new(n) : operator new (n, std::align_val_t{64});
            std::memset(p, fill, n);
            mine.push_back({static_cast<unsigned char*>(p), n, fill, kind});
            continue;
        }
        const std::size_t at = random() % mine.size();
        held h = mine[at];
        if (what < 9 && h.kind == 0) {
            const std::size_t n = 1 + random() % 3000;
            h.block = static_cast<unsigned char*>(realloc(h.block, n));
            std::memset(h.block, h.fill, n);
            h.bytes = n;
            mine[at] = h;
            continue;
        }
        mine[at] = mine.back();
        mine.pop_back();
        what < 12 ? out.put(h) : release(h);
        if (held foreign; in.take(foreign)) { release(foreign); }
    }
    for (const held& h : mine) { release(h); }
}

void churn_all(int threads, int operations) {
    std::vector<mailbox> boxes(static_cast<std::size_t>(threads));
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t) {
        running.emplace_back([&, t] {
            churn_thread(static_cast<unsigned>(t) + 1, operations, boxes[static_cast<std::size_t>(t)],
                         boxes[static_cast<std::size_t>((t + 1) % threads)]);
        });
    }
    for (std::thread& t : running) { t.join(); }
    for (mailbox& box : boxes) {
        for (held h; box.take(h);) { release(h); }
    }
}

int churn(int operations) {
    if (!is_interposed()) { return 77; }
    joined();
    churn_all(6, operations);
    // The churn ran on threads that have ended: what is left of theirs was lost.
    auto frozen = joined().snapshot();
    joined().name_functions(*frozen, 10'000);
    std::size_t lost = 0;
    for (const memwatch::live_record& r : frozen->live) {
        const std::string& thread = frozen->threads[r.thread].name;
        if (frozen->threads[r.thread].is_alive || thread == "other") { continue; }
        ++lost;
        describe(*frozen, frozen->sites[r.site], r.size_bytes);
    }
    std::printf("churn: %zu live samples in all, %zu of threads that ended\n", frozen->live.size(), lost);
    CHECK(lost == 0);
    for (const memwatch::named_value& drop : frozen->drops) {
        if (drop.name == "duplicate_block") { CHECK(drop.value == 0); }
    }
    return failures;
}

// ---------------------------------------------------------------- weights against the truth

// By malloc, and every second one by operator new; all of them where only that is seen.
bool is_by_new(int i) { return i % 2 == 0 || !is_interposed(); }
[[gnu::noinline]] void* keep_one(std::size_t n, int i) { return opaque(is_by_new(i) ? operator new(n) : malloc(n)); }

struct population {
    const char* name;
    int count;
    std::size_t (*size)(int i, std::mt19937& random);
};
const population populations[] = {
    {"tiny", 400'000, [](int, std::mt19937& random) { return std::size_t{1} + random() % 32; }},
    {"mixed", 300'000,
     [](int i, std::mt19937& random) {
         return std::size_t{i % 1000 == 0 ? 100'000 : i % 3 == 0 ? 16 + random() % 16 : 200 + random() % 400};
     }},
    {"far above R", 100, [](int, std::mt19937& random) { return std::size_t{3'000'000} + random() % 3'000'000; }},
};

// The sum of weights against the truth, and nothing left when all is freed.
void check_weights(const population& p) {
    std::mt19937 random(5);
    double truth = 0;
    std::vector<void*> kept(static_cast<std::size_t>(p.count));
    const memwatch::sampled_totals before = live_where(is_in_victim);
    for (int i = 0; i < p.count; ++i) {
        const std::size_t n = p.size(i, random);
        kept[static_cast<std::size_t>(i)] = keep_one(n, i);
        truth += static_cast<double>(n);
    }
    const memwatch::sampled_totals after = live_where(is_in_victim);
    const double estimate = after.bytes - before.bytes;
    const double sigma = after.bytes_standard_error();
    std::printf("weights, %s: truth %.0f, estimate %.0f +- %.0f: off by %.2f sigma\n", p.name, truth, estimate, sigma,
                sigma > 0 ? (estimate - truth) / sigma : 0);
    // By chance once in 150,000 runs; 1 byte for sums of doubles. Few samples make the error's own estimate rough: at least 25.
    if (after.samples >= 25) { CHECK(std::abs(estimate - truth) <= 4.5 * sigma + 1); }
    for (int i = 0; i < p.count; ++i) {
        void* const block = kept[static_cast<std::size_t>(i)];
        is_by_new(i) ? operator delete(block) : free(block);
    }
    CHECK(live_where(is_in_victim).samples == before.samples);
}

int weights() {
    if (!is_new_interposed()) { return 77; }
    for (const population& p : populations) { check_weights(p); }
    return failures;
}

// ---------------------------------------------------------------- one by one, what makes interposers fall over

std::size_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    statm >> total >> resident;
    return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

int sparse() {
    const std::size_t before = resident_bytes();
    constexpr std::size_t gib = 1UL << 30U;
    std::vector<unsigned char*> blocks;
    for (int i = 0; i < 4; ++i) {
        blocks.push_back(static_cast<unsigned char*>(opaque(calloc(gib, 1))));
        CHECK(blocks.back() != nullptr && blocks.back()[gib / 2] == 0);
    }
    const std::size_t after = resident_bytes();
    std::printf("sparse: %zu KiB more resident after 4 GiB of calloc\n", (after - before) >> 10U);
    // An allocator that touches what it hands out (tcmalloc, mimalloc) is judged by the runner, against itself without
    // memwatch.
    for (unsigned char* const b : blocks) { free(b); }
    return failures;
}

// What samples cost in memory once the heap has been turned over twenty times: page edges must not scatter it.
int turnover() {
    std::mt19937 random(3);
    std::vector<void*> kept(100'000);
    for (std::size_t i = 0; i < 20 * kept.size(); ++i) {
        void*& slot = kept[i < kept.size() ? i : random() % kept.size()];
        free(slot);
        const std::size_t n = random() % 50 == 0 ? 5000 + random() % 20'000 : 16 + random() % 800;
        slot = malloc(n);
        std::memset(slot, 1, n);
    }
    std::printf("turnover: %zu KiB resident\n", resident_bytes() >> 10U);
    for (void* const p : kept) { free(p); }
    return failures;
}

int fork_while_allocating() {
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&stop, t] {
            std::mt19937 random(static_cast<unsigned>(t));
            while (!stop) { free(opaque(malloc(1 + random() % 5000))); }
        });
    }
    for (int i = 0; i < 100; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            std::vector<std::string> words;
            for (int k = 0; k < 2000; ++k) { words.emplace_back(static_cast<std::size_t>(k), 'x'); }
            alarm(20);
            if (i % 4 == 0) {
                std::thread([] { free(opaque(malloc(100))); }).join();
            }
            _exit(words.size() == 2000 ? 0 : 1);
        }
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        if (i % 10 == 0) {
            const pid_t borrower = vfork();
            if (borrower == 0) { _exit(7); }
            CHECK(waitpid(borrower, &status, 0) == borrower && WEXITSTATUS(status) == 7);
            CHECK(std::system("exit 3") >> 8 == 3);
        }
    }
    stop = true;
    for (std::thread& t : threads) { t.join(); }
    return failures;
}

sigjmp_buf jump_target;
std::atomic<int> signals_taken{0};
void count_signal(int) { ++signals_taken; }
void jump_out(int) { siglongjmp(jump_target, 1); }

int signals() {
    struct sigaction action {};
    action.sa_handler = &count_signal;
    sigaction(SIGALRM, &action, nullptr);
    const itimerval every{{0, 200}, {0, 200}};
    setitimer(ITIMER_REAL, &every, nullptr);
    std::mt19937 random(1);
    std::vector<void*> kept(1000);
    for (int i = 0; i < 2'000'000; ++i) {
        void*& slot = kept[random() % kept.size()];
        free(slot);
        slot = malloc(random() % 2000);
    }
    for (void* const p : kept) { free(p); }
    const itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    CHECK(signals_taken > 10);
    std::printf("signals: %d taken\n", signals_taken.load());

    // longjmp out of frames that allocated, exceptions through frames that did.
    static int i = 0;  // not in a register: sigsetjmp returns twice
    for (i = 0; i < 1000; ++i) {
        if (sigsetjmp(jump_target, 1) == 0) {
            free(opaque(malloc(100)));
            jump_out(0);
        }
        try {
            const std::string text(static_cast<std::size_t>(i), 'x');
            throw std::runtime_error(text);
        } catch (const std::exception& e) { CHECK(std::strlen(e.what()) == static_cast<std::size_t>(i)); }
    }
    return failures;
}

pthread_key_t late_key;
void allocate_late(void* round) {
    const auto left = reinterpret_cast<std::intptr_t>(round);
    free(opaque(malloc(500)));
    if (left > 1) { pthread_setspecific(late_key, reinterpret_cast<void*>(left - 1)); }
}
struct late_allocator {
    std::vector<int> data{1, 2, 3};
    ~late_allocator() { data.assign(10'000, 4); }
};

int threads_that_end() {
    pthread_key_create(&late_key, &allocate_late);
    std::mutex mutex;
    std::vector<void*> orphans;
    for (int i = 0; i < 300; ++i) {
        std::thread([&] {
            thread_local late_allocator late;
            late.data.push_back(5);
            pthread_setspecific(late_key, reinterpret_cast<void*>(std::intptr_t{4}));
            const std::lock_guard guard(mutex);
            for (int k = 0; k < 20; ++k) { orphans.push_back(malloc(static_cast<std::size_t>(100 * k))); }
        }).join();
    }
    for (void* const p : orphans) { free(p); }
    return failures;
}

// `libforeign.so`, opened with RTLD_DEEPBIND: its malloc and free are libc's, whatever stands before.
int foreign(const char* library) {
    void* const handle = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    CHECK(handle != nullptr);
    if (handle == nullptr) { return failures; }
    auto* const free_there = reinterpret_cast<void (*)(void*)>(dlsym(handle, "foreign_free"));
    auto* const allocate_there = reinterpret_cast<void* (*)(std::size_t)>(dlsym(handle, "foreign_malloc"));
    for (int round = 0; round < 50; ++round) {
        std::vector<void*> ours;
        std::vector<void*> theirs;
        for (std::size_t n = 1; n < 3000; n += 7) {
            ours.push_back(opaque(malloc(n)));
            theirs.push_back(opaque(allocate_there(n)));
        }
        for (void* const p : ours) { free_there(p); }
        for (void* const p : theirs) { free(p); }
    }
    return failures;
}

int load_and_unload(const char* library) {
    std::atomic<bool> stop{false};
    std::thread other([&] {
        while (!stop) { free(opaque(malloc(300))); }
    });
    for (int i = 0; i < 500; ++i) {
        void* const handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
        CHECK(handle != nullptr);
        auto* const allocate_there = reinterpret_cast<void* (*)(std::size_t)>(dlsym(handle, "foreign_malloc"));
        void* const p = allocate_there(static_cast<std::size_t>(i) * 10);
        dlclose(handle);
        free(p);
    }
    stop = true;
    other.join();
    return failures;
}

// A host that behaves like a daemon: closes every descriptor, drops its rights, forbids itself most system calls.
int hostile_host() {
    for (int fd = 3; fd < 1024; ++fd) { close(fd); }
    const int mine = open("/dev/null", O_WRONLY);
    CHECK(mine >= 0);
    if (getuid() == 0) {
        CHECK(setresgid(65534, 65534, 65534) == 0);
        CHECK(setresuid(65534, 65534, 65534) == 0);
    }
    prctl(PR_SET_DUMPABLE, 0);
    for (int s = 1; s < 32; ++s) { signal(s, SIG_IGN); }
    churn_all(3, 20'000);
    // tcmalloc reuses a descriptor of its own that we closed, with and without memwatch.
    CHECK(write(mine, "x", 1) == 1 || runs_over("tcmalloc"));
    return failures;
}

// A host that locks itself in once it runs: opening a file or a socket kills it, asking for names or randomness fails.
int sandbox() {
    constexpr std::uint32_t kill = SECCOMP_RET_KILL_PROCESS;
    constexpr std::uint32_t refuse = SECCOMP_RET_ERRNO | EPERM;
    const std::pair<int, std::uint32_t> rules[] = {
        {SYS_openat, kill}, {SYS_socket, kill}, {SYS_connect, kill}, {SYS_prctl, refuse}, {SYS_getrandom, refuse}};
    std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
    for (const auto& [number, answer] : rules) {
        program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 1));
        program.push_back(BPF_STMT(BPF_RET | BPF_K, answer));
    }
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    mallopt(M_TRIM_THRESHOLD, 1 << 30);  // glibc opens a file of /proc before it trims an arena
    churn_all(2, 5'000);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        std::printf("sandbox: no seccomp here\n");
        return 77;
    }
    churn_all(4, 50'000);
    return failures;
}

// The user's function must be named though libstdc++ and libc, built without frame pointers, stand between.
[[gnu::noinline]] std::vector<char*> through_strdup() {
    std::vector<char*> kept;
    for (int i = 0; i < 3000; ++i) { kept.push_back(opaque(strdup("twenty bytes of text"))); }
    return kept;
}
[[gnu::noinline]] std::vector<std::string> through_string() {
    std::vector<std::string> kept;
    kept.reserve(3000);
    for (int i = 0; i < 3000; ++i) { kept.emplace_back(100, 'x'); }
    return kept;
}
int compare_and_allocate(const void* a, const void* b) {
    free(opaque(malloc(64)));
    return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}

int stacks() {
    if (!is_interposed()) { return 77; }
    const std::vector<char*> texts = through_strdup();
    const std::vector<std::string> strings = through_string();
    std::vector<int> numbers(1000);
    for (std::size_t i = 0; i < numbers.size(); ++i) { numbers[i] = static_cast<int>(i * 7919 % 1000); }
    std::qsort(numbers.data(), numbers.size(), sizeof(int), &compare_and_allocate);
    auto frozen = joined().snapshot();
    std::uint64_t truncated = 0;
    std::map<std::string, double> by_function;
    joined().name_functions(*frozen, 10'000);
    for (const memwatch::site& site : frozen->sites) {
        truncated += frozen->stacks[site.stack].is_truncated ? 1U : 0U;
        for (const std::uint32_t f : frozen->stacks[site.stack].frames) {
            for (const auto& line : frozen->frames[f].lines) { by_function[line.function] += site.live.bytes; }
        }
    }
    const auto live_below = [&](std::string_view name) {
        double bytes = 0;
        for (const auto& [function, live] : by_function) { bytes += function.find(name) != std::string::npos ? live : 0; }
        return bytes;
    };
    std::printf("stacks: strdup's user %.0f B, string's user %.0f B, %llu of %zu sites truncated\n",
                live_below("through_strdup"), live_below("through_string"), static_cast<unsigned long long>(truncated),
                frozen->sites.size());
    CHECK(live_below("through_strdup") > 20'000);
    CHECK(live_below("through_string") > 100'000);
    CHECK(truncated * 20 <= frozen->sites.size());
    for (char* const t : texts) { free(t); }
    return failures;
}

// Preload object and SDK in one process: one state, and no byte counted by both.
int shared_state() {
    if (!is_new_interposed()) { return 77; }
    memwatch::session& session = joined();
    CHECK(session.status().state != memwatch::session_state::stopped);
    const memwatch::tag cache{"shared-cache"};
    std::vector<std::vector<char, memwatch::tracked_allocator<char>>> kept;
    for (int i = 0; i < 20'000; ++i) { kept.emplace_back(1000, 'x', memwatch::tracked_allocator<char>{cache}); }
    const auto frozen = session.snapshot();
    memwatch::sampled_totals tagged;
    memwatch::sampled_totals others;
    for (const memwatch::site& site : frozen->sites) {
        if (is_in_victim(*frozen, site)) { (site.tag == cache.id() ? tagged : others).add(site.live); }
    }
    const double truth = 20e6;
    std::printf("shared: tagged %.0f of %.0f, others %.0f\n", tagged.bytes, truth, others.bytes);
    CHECK(std::abs(tagged.bytes - truth) <= 4.5 * tagged.bytes_standard_error());
    CHECK(others.bytes < 3e6 + 4.5 * others.bytes_standard_error());  // the outer vector (24 B a row, doubling), odds and ends
    CHECK(cache.totals().live_bytes() == 20'000'000);
    return failures;
}

struct mode {
    const char* name;
    int (*run)(const char* argument);
};
const mode modes[] = {
    {"entries", [](const char*) { return entries(); }},
    {"operators",
     [](const char*) {
         check_operators();
         return failures;
     }},
    {"churn", [](const char*) { return churn(200'000); }},
    {"long-churn", [](const char*) { return churn(17'000'000); }},
    {"weights", [](const char*) { return weights(); }},
    {"sparse", [](const char*) { return sparse(); }},
    {"turnover", [](const char*) { return turnover(); }},
    {"fork", [](const char*) { return fork_while_allocating(); }},
    {"signals", [](const char*) { return signals(); }},
    {"threads", [](const char*) { return threads_that_end(); }},
    {"foreign", [](const char* library) { return foreign(library); }},
    {"dlopen", [](const char* library) { return load_and_unload(library); }},
    {"hostile-host", [](const char*) { return hostile_host(); }},
    {"sandbox", [](const char*) { return sandbox(); }},
    {"stacks", [](const char*) { return stacks(); }},
    {"shared", [](const char*) { return shared_state(); }},
};

}  // namespace

int main(int argc, char** argv) {
    static char output[4096];  // or the first printf would be an allocation of ours
    std::setvbuf(stdout, output, _IOLBF, sizeof output);
    for (const mode& m : modes) {
        if (argc > 1 && std::string_view(m.name) == argv[1]) { return m.run(argc > 2 ? argv[2] : ""); }
    }
    std::fprintf(stderr, "usage: %s MODE [LIBRARY]\n", argv[0]);
    return 2;
}
