// SPDX-License-Identifier: Apache-2.0
// Walks by rules against libgcc's unwinder, frame by frame and slot by slot, through every kind of code we could think of.
// Compiled with -fomit-frame-pointer: a function here has one when its kind of frame needs it.
#if defined(__x86_64__)

#include "platform/unwind_rules.hpp"

#include <alloca.h>
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>
#include <unwind.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <csetjmp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "platform/platform.hpp"
#include "support/seed.hpp"

using namespace memwatch;
using platform::unwind_rule;
using platform::walk_end;

namespace {

constexpr std::uint32_t most = platform::max_stack_depth;

// One stack, walked both ways from the same frame.
struct walked_twice {
    platform::captured_stack ours{};
    std::uint32_t slots[most]{};
    std::uint32_t bases[most]{};
    walk_end end{};
    std::uint64_t entry{};
    std::uint64_t frame_pointer{};
    std::uint64_t base_words[most]{};  // what lay at `bases`
    std::uint64_t frames[most]{};
    std::uint64_t places[most]{};
    std::uint32_t depth{};
    bool has_begun{};
};

_Unwind_Reason_Code take_frame(_Unwind_Context* context, void* argument) {
    auto& walked = *static_cast<walked_twice*>(argument);
    const std::uint64_t place = _Unwind_GetCFA(context) - 8;
    walked.has_begun = walked.has_begun || place == walked.entry;
    if (!walked.has_begun || walked.depth == most || _Unwind_GetIP(context) == 0) { return _URC_NO_REASON; }
    walked.places[walked.depth] = place;
    walked.frames[walked.depth++] = _Unwind_GetIP(context);
    return _URC_NO_REASON;
}

[[gnu::noinline]] void walk_both_ways(walked_twice& walked) {
    const platform::walk_start start = platform::start_at_caller();
    walked.entry = reinterpret_cast<std::uint64_t>(start.entry);
    walked.depth = 0;
    walked.has_begun = false;
    walked.frame_pointer = start.frame_pointer;
    walked.end = platform::walk_by_rules(walked.ours, walked.slots, most, start.entry, start.frame_pointer, walked.bases);
    for (std::uint32_t i = 0; i < walked.ours.depth; ++i) {
        const bool is_word = walked.bases[i] < platform::in_register;
        walked.base_words[i] = is_word ? *reinterpret_cast<const std::uint64_t*>(walked.entry + walked.bases[i]) : 0;
    }
    _Unwind_Backtrace(&take_frame, &walked);
}

// How many frames agree, from the leaf on; a frame's slot counts too unless a signal put it there.
std::uint32_t agreeing(const walked_twice& walked) {
    std::uint32_t i = 0;
    const auto is_same = [&](std::uint32_t n) {
        if (walked.ours.frames[n] != walked.frames[n]) { return false; }
        const bool is_after_signal =
            n > 0 && platform::look_up_unwind_rule(walked.frames[n - 1]).how == unwind_rule::way::signal_frame;
        return is_after_signal || walked.slots[n] == platform::no_slot || walked.entry + walked.slots[n] == walked.places[n];
    };
    while (i < walked.ours.depth && i < walked.depth && is_same(i)) { ++i; }
    return i;
}

// What a place follows from: the slot before it, or the word at its base, and the rule of the function between.
bool is_based(const walked_twice& walked) {
    using way = unwind_rule::way;
    bool is_interrupted = false;
    for (std::uint32_t i = 0; i < walked.ours.depth; ++i) {
        const unwind_rule rule =
            i == 0 ? unwind_rule{} : platform::look_up_unwind_rule(walked.ours.frames[i - 1] + (is_interrupted ? 1 : 0));
        is_interrupted = rule.how == way::signal_frame;
        if (i == 0 || walked.slots[i] == platform::no_slot) { continue; }
        const std::uint64_t cfa = walked.entry + walked.slots[i] + 8;
        const bool is_by_register = walked.bases[i] == platform::in_register;
        const std::uint64_t word = is_by_register ? walked.frame_pointer : walked.base_words[i];
        bool is_right = false;
        if (walked.bases[i] == platform::no_slot) {
            const std::uint32_t distance = rule.how == way::signal_frame ? platform::ucontext_pc + 8 : rule.offset;
            is_right = walked.slots[i] - walked.slots[i - 1] == distance && rule.how != way::frame_pointer;
        } else if (rule.how == way::saved_by_frame) {
            is_right = word == cfa;
        } else {
            is_right = word + rule.offset == cfa;  // also of the sp that a signal saved
        }
        if (!is_right) { return false; }
    }
    return walked.bases[0] == platform::no_slot;
}

bool is_same_and_complete(const walked_twice& walked) {
    return is_based(walked) && walked.end == walk_end::complete && !walked.ours.is_truncated &&
           walked.depth == walked.ours.depth && agreeing(walked) == walked.depth;
}

// --- kinds of functions, each of which calls the rest of a path

struct path {
    const unsigned* kinds;
    std::size_t length;
    walked_twice* result;
};
void go_on(const path& p);

// Keeps the call from being the last thing a function does.
void not_a_tail_call() { asm volatile("" ::: "memory"); }

[[gnu::noinline]] void with_frame_pointer(const path& p) {
    asm volatile("" : : "r"(__builtin_frame_address(0)));
    go_on(p);
    not_a_tail_call();
}
[[gnu::noinline]] void without_frame_pointer(const path& p) {
    char room[200];
    asm volatile("" : : "r"(room) : "memory");
    go_on(p);
    not_a_tail_call();
}
[[gnu::noinline]] void frame_pointer_as_number(const path& p) {
    // All callee-saved registers hold something, rbp too.
    std::uint64_t a = p.length;
    std::uint64_t b = a + 1;
    std::uint64_t c = a + 2;
    std::uint64_t d = a + 3;
    std::uint64_t e = a + 4;
    std::uint64_t f = a + 5;
    asm volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
    go_on(p);
    asm volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
}
[[gnu::noinline]] void with_alloca(const path& p) {
    void* const room = alloca(16 + p.length * 24);
    asm volatile("" : : "r"(room) : "memory");
    go_on(p);
    not_a_tail_call();
}
[[gnu::noinline]] void realigned(const path& p) {
    alignas(64) char room[64];
    asm volatile("" : : "r"(room) : "memory");
    go_on(p);
    not_a_tail_call();
}
// gcc remembers where the arguments were (DRAP): the CFA is loaded from the frame.
[[gnu::noinline]] void realigned_with_arguments(const path& p, int, int, int, int, int, int on_stack, ...) {
    alignas(128) char room[128];
    void* const more = alloca(static_cast<std::size_t>(on_stack) + p.length * 8);
    asm volatile("" : : "r"(room), "r"(more), "r"(&on_stack) : "memory");
    go_on(p);
    not_a_tail_call();
}
[[gnu::noinline]] void large_frame(const path& p) {
    char room[300'000];
    asm volatile("" : : "r"(room) : "memory");
    go_on(p);
    not_a_tail_call();
}

struct in_comparator {
    const path* rest;
    bool is_done;
};
thread_local in_comparator* comparing = nullptr;

int compare_numbers(const void* a, const void* b) {
    if (in_comparator* const once = comparing; !once->is_done) {
        once->is_done = true;
        go_on(*once->rest);
        comparing = once;
    }
    return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}
[[gnu::noinline]] void through_qsort(const path& p) {
    in_comparator once{&p, false};
    comparing = &once;
    int numbers[] = {3, 1, 2, 9, 8, 7};
    std::qsort(numbers, std::size(numbers), sizeof numbers[0], &compare_numbers);
    not_a_tail_call();
}
[[gnu::noinline]] void through_sort(const path& p) {
    std::vector<int> numbers{3, 1, 2};
    bool is_done = false;
    std::sort(numbers.begin(), numbers.end(), [&](int a, int b) {
        if (!is_done) {
            is_done = true;
            go_on(p);
        }
        return a < b;
    });
}
[[gnu::noinline]] void through_function(const path& p) {
    const std::function<void(const path&)> next = [](const path& rest) {
        go_on(rest);
        not_a_tail_call();
    };
    next(p);
    not_a_tail_call();
}
[[gnu::noinline]] void in_catch(const path& p) {
    try {
        throw static_cast<int>(p.length);
    } catch (int) {
        go_on(p);
        not_a_tail_call();
    }
}
struct at_unwinding {
    const path& rest;
    ~at_unwinding() {
        go_on(rest);
        not_a_tail_call();
    }
};
// While an exception flies: libgcc's and libstdc++'s frames lie between.
[[gnu::noinline]] void in_destructor(const path& p) {
    try {
        const at_unwinding guard{p};
        throw static_cast<int>(p.length);
    } catch (int) { not_a_tail_call(); }
}

// The call that never returns is the last instruction: its return address belongs to the next function.
struct last_call {
    const path* rest;
    std::jmp_buf back;
};
[[noreturn, gnu::noinline]] void never_returns(last_call& call) {
    go_on(*call.rest);
    std::longjmp(call.back, 1);
}
[[noreturn, gnu::noinline]] void ends_in_a_call(last_call& call) {
    char room[120];
    asm volatile("" : : "r"(room) : "memory");
    never_returns(call);
}
[[gnu::noinline]] void through_noreturn(const path& p) {
    last_call call{&p, {}};
    if (setjmp(call.back) == 0) { ends_in_a_call(call); }
}

thread_local const path* in_handler = nullptr;
void handle(int) { go_on(*in_handler); }
[[gnu::noinline]] void through_signal(const path& p) {
    in_handler = &p;
    raise(SIGUSR1);
    not_a_tail_call();
}
void use_signal(int flags) {
    struct sigaction action {};
    action.sa_handler = &handle;
    action.sa_flags = flags | SA_NODEFER;
    sigaction(SIGUSR1, &action, nullptr);
}

#if defined(__SANITIZE_THREAD__)
constexpr bool has_signals = false;  // TSan rightly minds what some of the functions do in a handler: allocate
#else
constexpr bool has_signals = true;
#endif

constexpr void (*all_code[])(const path&) = {
    &with_frame_pointer,
    &without_frame_pointer,
    &frame_pointer_as_number,
    &with_alloca,
    &realigned,
    [](const path& p) { realigned_with_arguments(p, 1, 2, 3, 4, 5, 16, 7, 8); },
    &large_frame,
    &through_qsort,
    &through_sort,
    &through_function,
    &in_catch,
    &in_destructor,
    &through_noreturn,
    &through_signal,
};
constexpr std::size_t kinds_of_code = std::size(all_code) - (has_signals ? 0 : 1);

void go_on(const path& p) {
    if (p.length == 0) {
        walk_both_ways(*p.result);
    } else {
        all_code[*p.kinds]({p.kinds + 1, p.length - 1, p.result});
    }
    not_a_tail_call();
}

walked_twice walk_through(const std::vector<unsigned>& kinds) {
    walked_twice walked;
    go_on({kinds.data(), kinds.size(), &walked});
    return walked;
}

std::string describe(const walked_twice& walked) {
    std::string text = std::string(is_based(walked) ? "" : "bases are wrong; ") + "end " +
                       std::to_string(static_cast<int>(walked.end)) + ", agreeing " + std::to_string(agreeing(walked)) +
                       " of " + std::to_string(walked.ours.depth) + " and " + std::to_string(walked.depth);
    for (std::uint32_t i = 0; i < std::max(walked.ours.depth, walked.depth); ++i) {
        char line[160];
        Dl_info where{};
        dladdr(reinterpret_cast<void*>(walked.frames[i]), &where);
        std::snprintf(line, sizeof line, "\n%2u ours %016lx slot %x  libgcc %016lx slot %lx  %s", i,
                      static_cast<unsigned long>(walked.ours.frames[i]), walked.slots[i],
                      static_cast<unsigned long>(walked.frames[i]), static_cast<unsigned long>(walked.places[i] - walked.entry),
                      where.dli_fname != nullptr ? where.dli_fname : "");
        text += line;
    }
    return text;
}

}  // namespace

TEST_CASE("walk_by_rules: sees what libgcc sees, through each kind of code", "[platform]") {
    use_signal(0);
    for (unsigned kind = 0; kind < kinds_of_code; ++kind) {
        for (const unsigned below : {0U, 1U, 2U}) {
            const walked_twice walked = walk_through({0, kind, below});
            INFO("kind " << kind << " below " << below << ": " << describe(walked));
            CHECK(is_same_and_complete(walked));
        }
    }
}

TEST_CASE("walk_by_rules: sees what libgcc sees on random call trees, on main and in threads", "[platform]") {
    use_signal(0);
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    const auto check = [](std::uint64_t own_seed, int rounds, std::string& failure) {
        std::mt19937_64 random(own_seed);
        for (int i = 0; i < rounds && failure.empty(); ++i) {
            std::vector<unsigned> kinds(1 + random() % 8);
            for (unsigned& kind : kinds) { kind = static_cast<unsigned>(random() % kinds_of_code); }
            const walked_twice walked = walk_through(kinds);
            // Deeper than both can show: what is there must agree.
            const bool is_cut = walked.end == walk_end::depth && agreeing(walked) == most;
            if (!is_cut && !is_same_and_complete(walked)) {
                for (const unsigned kind : kinds) { failure += std::to_string(kind) + " "; }
                failure += describe(walked);
            }
        }
    };
    std::string failures[3];
    check(seed, 500, failures[0]);
    std::thread one(check, seed + 1, 500, std::ref(failures[1]));
    std::thread other(check, seed + 2, 500, std::ref(failures[2]));
    one.join();
    other.join();
    for (const std::string& failure : failures) { CHECK(failure == ""); }
}

TEST_CASE("walk_by_rules: a handler on a stack of its own shows whom it interrupted", "[platform]") {
    const auto memory = std::make_unique<char[]>(256 << 10);
    stack_t alternative{};
    alternative.ss_sp = memory.get();
    alternative.ss_size = 256 << 10;
    stack_t before{};
    REQUIRE(sigaltstack(&alternative, &before) == 0);
    use_signal(SA_ONSTACK);
    const walked_twice walked = walk_through({1, 13, 2});
    REQUIRE(sigaltstack(&before, nullptr) == 0);
    INFO(describe(walked));
    CHECK(is_same_and_complete(walked));
    CHECK(walked.slots[0] == 0);
}

namespace {

struct interruption {
    std::atomic<int> taken{0};
    int complete{0};
    int without_rule{0};
    std::string failure;
};
interruption* interrupted = nullptr;

void compare_in_handler(int) {
    walked_twice walked;
    walk_both_ways(walked);
    interrupted->complete += walked.end == walk_end::complete ? 1 : 0;
    interrupted->without_rule += walked.end == walk_end::no_rule ? 1 : 0;
    const bool is_same =
        agreeing(walked) == walked.ours.depth && (walked.end != walk_end::complete || is_same_and_complete(walked));
    if (!is_same && interrupted->failure.empty()) { interrupted->failure = describe(walked); }
    // relaxed: a counter; the thread that waits for it only sends the next signal.
    interrupted->taken.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

// Prologues, epilogues, libc's hand-written code, linkage tables: whatever the signal hits.
TEST_CASE("walk_by_rules: agrees with libgcc wherever a signal interrupts", "[platform]") {
    constexpr int wanted = 2000;
    interruption seen;
    interrupted = &seen;
    seen.failure.reserve(16 << 10);
    struct sigaction action {};
    action.sa_handler = &compare_in_handler;
    sigaction(SIGUSR2, &action, nullptr);
    const pthread_t self = pthread_self();
    std::thread sender([&] {
        for (int i = 0; i < wanted; ++i) {
            pthread_kill(self, SIGUSR2);
            while (seen.taken.load(std::memory_order_relaxed) == i) {}  // relaxed: as above
        }
    });
    std::uint64_t work = 0;
    while (seen.taken.load(std::memory_order_relaxed) < wanted) {  // relaxed: as above
        char text[64];
        work += static_cast<std::uint64_t>(std::snprintf(text, sizeof text, "%f %lu", 0.1 * static_cast<double>(work), work));
        int numbers[] = {3, 1, 2, 9, 8, 7};
        std::qsort(numbers, std::size(numbers), sizeof numbers[0],
                   [](const void* a, const void* b) { return *static_cast<const int*>(a) - *static_cast<const int*>(b); });
        work += std::strlen(std::strstr(text, " "));
        std::free(strdup(text));
    }
    sender.join();
    signal(SIGUSR2, SIG_DFL);
    INFO(seen.complete << " complete, " << seen.without_rule << " without a rule, of " << seen.taken << ", work " << work);
    CHECK(seen.failure == "");
    CHECK(seen.complete >= wanted * 9 / 10);
}

TEST_CASE("walk_by_rules: deeper than 64 is cut and says so", "[platform]") {
    std::vector<unsigned> kinds(80, 1);
    const walked_twice walked = walk_through(kinds);
    CHECK(walked.end == walk_end::depth);
    CHECK(walked.ours.depth == most);
    CHECK(walked.ours.is_truncated);
    CHECK(agreeing(walked) == most);
}

extern "C" platform::walk_end end_of_walk_in_constructor;  // unwind_early.cpp

TEST_CASE("walk_by_rules: in a constructor that ld.so calls, the stack is complete at ld.so's start", "[platform]") {
    CHECK(end_of_walk_in_constructor == walk_end::complete);
}

namespace {

struct fiber {
    walked_twice walked;
    ucontext_t back;
    ucontext_t own;
};
fiber* running = nullptr;

void fiber_body() {
    const unsigned kinds[] = {1, 4, 5, 7, 2};
    go_on({kinds, std::size(kinds), &running->walked});
}

}  // namespace

TEST_CASE("walk_by_rules: a fiber's stack is complete where its context begins", "[platform]") {
    constexpr std::size_t bytes = 256 << 10;
    const auto memory = std::make_unique<char[]>(bytes);
    fiber f{};
    running = &f;
    getcontext(&f.own);
    f.own.uc_stack.ss_sp = memory.get();
    f.own.uc_stack.ss_size = bytes;
    f.own.uc_link = &f.back;
    makecontext(&f.own, &fiber_body, 0);
    swapcontext(&f.back, &f.own);
    INFO(describe(f.walked));
    CHECK(is_same_and_complete(f.walked));
}

TEST_CASE("walk_by_rules: whatever lies on a stack, it reads nothing outside and comes back", "[platform]") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    std::thread([&] {
        std::mt19937_64 random(seed);
        std::uint64_t stack_words[512];
        const auto own = reinterpret_cast<std::uint64_t>(&stack_words[0]);
        const std::uint64_t code[] = {reinterpret_cast<std::uint64_t>(&walk_both_ways), reinterpret_cast<std::uint64_t>(&go_on),
                                      reinterpret_cast<std::uint64_t>(&std::qsort),
                                      reinterpret_cast<std::uint64_t>(&std::snprintf),
                                      reinterpret_cast<std::uint64_t>(&realigned_with_arguments)};
        for (int i = 0; i < 20'000; ++i) {
            for (std::uint64_t& word : stack_words) {
                switch (random() % 6) {
                    case 0:
                        word = random();
                        break;
                    case 1:
                        word = own + random() % sizeof stack_words;
                        break;
                    case 2:
                        word = random() % 3;
                        break;
                    default:
                        word = code[random() % std::size(code)] + random() % 600;
                }
            }
            platform::captured_stack stack;
            std::uint32_t slots[most];
            const std::uint64_t* const entry = stack_words + random() % 256;
            const std::uint64_t frame_pointer = stack_words[random() % std::size(stack_words)];
            platform::walk_by_rules(stack, slots, most, entry, frame_pointer);
            for (std::uint32_t n = 1; n < stack.depth; ++n) {
                const bool is_above =
                    slots[n] == platform::no_slot || slots[n - 1] == platform::no_slot || slots[n] > slots[n - 1];
                if (!is_above) { FAIL("slots go down"); }
            }
        }
    }).join();
}

// --- the table

namespace {

// Addresses all over the code of the loaded modules, many more than the table has room for.
std::vector<std::uint64_t> addresses_in_code() {
    std::vector<std::uint64_t> addresses;
    for (const platform::loaded_module& m : platform::loaded_modules()) {
        if (m.limit - m.start < 4096 || m.path.empty()) { continue; }
        const std::uint64_t end = std::min<std::uint64_t>(m.limit, m.start + (1U << 20U));
        for (std::uint64_t a = m.start + 1; a < end; a += 37) { addresses.push_back(a); }
    }
    return addresses;
}

}  // namespace

TEST_CASE("unwind rules: the table never changes the answer, also while others read, miss and forget", "[platform]") {
    const std::vector<std::uint64_t> addresses = addresses_in_code();
    REQUIRE(addresses.size() > 50'000);
    std::vector<unwind_rule> rules;
    std::size_t known = 0;
    for (const std::uint64_t a : addresses) {
        rules.push_back(platform::look_up_unwind_rule(a));
        known += rules.back().how >= unwind_rule::way::stack_pointer ? 1 : 0;
    }
    CHECK(known > addresses.size() * 3 / 4);
    std::atomic<std::size_t> wrong{0};
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
            std::mt19937_64 random(t);
            for (std::size_t n = 0; n < addresses.size(); ++n) {
                const std::size_t i = random() % 2 == 0 ? n : random() % addresses.size();
                // relaxed: a counter, read after joining.
                if (!(platform::remembered_unwind_rule(addresses[i]) == rules[i])) {
                    wrong.fetch_add(1, std::memory_order_relaxed);
                }
            }
        });
    }
    std::thread forgetful([&] {
        while (!is_over.load(std::memory_order_relaxed)) { platform::forget_unwind_rules(); }  // relaxed: a flag
    });
    for (std::thread& t : threads) { t.join(); }
    is_over.store(true, std::memory_order_relaxed);  // relaxed: a flag
    forgetful.join();
    CHECK(wrong.load(std::memory_order_relaxed) == 0);  // relaxed: the threads have ended
}

namespace {

walked_twice* through_module = nullptr;
void (*inner_of_module)(void (*)()) = nullptr;

void leaf() {
    walk_both_ways(*through_module);
    not_a_tail_call();
}
void leaf_behind_inner() {
    inner_of_module(&leaf);
    not_a_tail_call();
}

class loaded {
public:
    explicit loaded(const char* name)
        : handle_(dlopen((std::string(UNWIND_MODULES "/") + name).c_str(), RTLD_NOW | RTLD_LOCAL)) {
        REQUIRE(handle_ != nullptr);
    }
    ~loaded() { dlclose(handle_); }
    loaded(const loaded&) = delete;
    loaded& operator=(const loaded&) = delete;

    template <class Function>
    [[nodiscard]] Function symbol(const char* name) const {
        return reinterpret_cast<Function>(dlsym(handle_, name));
    }
    [[nodiscard]] std::uint64_t address() const { return reinterpret_cast<std::uint64_t>(dlsym(handle_, "outer")); }
    [[nodiscard]] walked_twice walk(bool is_through_inner) const {
        walked_twice walked;
        through_module = &walked;
        inner_of_module = symbol<void (*)(void (*)())>("inner");
        symbol<void (*)(void (*)())>("outer")(is_through_inner ? &leaf_behind_inner : &leaf);
        return walked;
    }

private:
    void* handle_;
};

// Walks through one module, closes it, walks through another that lies at the same place. False: it lies elsewhere.
bool is_right_after_replacing(const char* first, const char* second, bool is_forgotten, bool& is_right) {
    platform::forget_unwind_rules();
    std::uint64_t before = 0;
    {
        const loaded module(first);
        before = module.address();
        CHECK(is_same_and_complete(module.walk(false)));
    }
    if (is_forgotten) { platform::forget_unwind_rules(); }
    const loaded module(second);
    const walked_twice walked = module.walk(!is_forgotten);
    is_right = is_same_and_complete(walked);
    return module.address() == before;
}

}  // namespace

TEST_CASE("unwind rules: a module rebuilt with other frames and loaded at the same place is walked by its own rules",
          "[platform]") {
    bool is_right = false;
    const bool is_same_place = is_right_after_replacing("libunwind-small.so", "libunwind-large.so", true, is_right);
    CHECK(is_right);
    if (!is_same_place) { WARN("the second module lies elsewhere: nothing was put to the test"); }
}

TEST_CASE("unwind rules: another module at the same place is noticed by the first miss, nobody needs to tell", "[platform]") {
    bool is_right = false;
    const bool is_same_place = is_right_after_replacing("libunwind-small.so", "libunwind-other.so", false, is_right);
    CHECK(is_right);
    if (!is_same_place) { WARN("the second module lies elsewhere: nothing was put to the test"); }
}

#endif
