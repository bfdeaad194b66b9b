// SPDX-License-Identifier: Apache-2.0
// Stack capture. Loads other functions' frames from this thread's own stack: every read is bounded by the stack's end.
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <atomic>
#include <boost/stacktrace/safe_dump_to.hpp>
#include <cerrno>
#include <iterator>
#include <thread>

#include "platform/platform.hpp"

extern "C" void* __libc_stack_end;  // ld.so's: the top of the main thread's stack

namespace memwatch {
inline namespace v1 {
namespace platform {
namespace {

// Return addresses that only a thread's outermost frames have: __libc_start_call_main behind main, start_thread and
// std::thread's entry behind a thread function. libc and libstdc++ are built without frame pointers, so a walk that ends at
// one of these has seen all there is; one that ends elsewhere was cut off. Learned once, by unwinding from known places.
constexpr std::size_t max_base_frames = 8;
std::atomic<std::uint64_t> base_frames[max_base_frames];
std::atomic<std::size_t> base_frame_count{0};

bool is_base_frame(std::uint64_t address) noexcept {
    // acquire: pairs with the release in learn_base_frames().
    const std::size_t count = base_frame_count.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < count; ++i) {
        // relaxed: entries below the count do not change.
        if (base_frames[i].load(std::memory_order_relaxed) == address) { return true; }
    }
    return false;
}

bool is_in_runtime_library(std::uint64_t address, const std::vector<loaded_module>& modules) {
    constexpr const char* names[] = {"/libc.so", "/libc-", "/libstdc++", "/libc++", "/libtsan", "/libasan"};
    for (const loaded_module& m : modules) {
        if (address < m.start || address >= m.limit) { continue; }
        return std::any_of(std::begin(names), std::end(names),
                           [&](const char* n) { return m.path.find(n) != std::string::npos; });
    }
    return false;
}

void add_base_frame(std::uint64_t address) noexcept {
    // relaxed: one thread learns at a time (prime_unwinder), readers are held by the release below.
    const std::size_t count = base_frame_count.load(std::memory_order_relaxed);
    if (count == max_base_frames || is_base_frame(address)) { return; }
    // relaxed: published by the release below.
    base_frames[count].store(address, std::memory_order_relaxed);
    // release: pairs with the acquire in is_base_frame().
    base_frame_count.store(count + 1, std::memory_order_release);
}

// On the thread that primes: nobody knows what called us, so only the outermost run of library frames counts.
void learn_from_caller(const captured_stack& stack, const std::vector<loaded_module>& modules) {
    if (stack.is_truncated) { return; }  // its outermost frame is not the thread's
    std::uint32_t i = stack.depth;
    // _start, the outermost frame of main's thread, belongs to the executable.
    if (i > 0 && !is_in_runtime_library(stack.frames[i - 1], modules)) { --i; }
    for (; i > 0 && is_in_runtime_library(stack.frames[i - 1], modules); --i) { add_base_frame(stack.frames[i - 1]); }
}

// On a thread that does nothing else: whatever lies in a library is part of how threads begin.
void learn_from_own_thread(const captured_stack& stack, const std::vector<loaded_module>& modules) {
    for (std::uint32_t i = 0; i < stack.depth; ++i) {
        if (is_in_runtime_library(stack.frames[i], modules)) { add_base_frame(stack.frames[i]); }
    }
}

// Finds the mapping that holds `address` while /proc/self/maps streams by in small pieces; "55d0c000-55d0f000 rw-p ...".
class maps_scanner {
public:
    explicit maps_scanner(std::uint64_t address) noexcept : address_(address) {}

    // True once found().
    bool feed(const char* text, std::size_t size) noexcept {
        for (std::size_t i = 0; i < size; ++i) {
            if (take(text[i])) { return true; }
        }
        return false;
    }
    [[nodiscard]] address_range found() const noexcept { return {start_, end_}; }

private:
    bool take(char c) noexcept {
        if (c == '\n') {
            start_ = end_ = 0;
            field_ = field::start;
            return false;
        }
        if (field_ == field::rest) { return false; }
        if (c == '-' || c == ' ') {
            field_ = c == '-' ? field::end : field::rest;
            return c == ' ' && start_ <= address_ && address_ < end_;
        }
        std::uint64_t& number = field_ == field::start ? start_ : end_;
        number = number * 16 + static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
        return false;
    }

    enum class field { start, end, rest };
    std::uint64_t address_;
    std::uint64_t start_{};
    std::uint64_t end_{};
    field field_{field::start};
};

}  // namespace

address_range thread_stack() noexcept {
    const int saved_errno = errno;
    const bool is_main = thread_id() == process_id();
    // Not the current frame: that may lie on a fiber's stack, which somebody unmaps while we remember it.
    const auto anchor =
        is_main ? reinterpret_cast<std::uint64_t>(__libc_stack_end) : reinterpret_cast<std::uint64_t>(pthread_self());
    maps_scanner scanner(anchor);
    address_range stack;
    const long file = syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        char piece[512];
        for (long size = 0; stack.end == 0 && (size = syscall(SYS_read, file, piece, sizeof piece)) > 0;) {
            if (scanner.feed(piece, static_cast<std::size_t>(size))) { stack = scanner.found(); }
        }
        syscall(SYS_close, file);
    }
    if (is_main && stack.end != 0) {
        // The mapping grows down on demand; the kernel keeps the room that the limit allows it.
        rlimit limit{};
        constexpr rlim_t most = rlim_t{1} << 30U;
        if (getrlimit(RLIMIT_STACK, &limit) == 0) {
            stack.begin = std::min<std::uint64_t>(stack.begin, stack.end - std::min(limit.rlim_cur, most));
        }
    } else {
        stack.end = std::min(stack.end, anchor);  // a neighbour's mapping may have merged with ours above the control block
    }
    errno = saved_errno;
    return stack;
}

__attribute__((no_sanitize("address", "thread"))) void walk_frame_pointers(captured_stack& stack, std::uint32_t max_depth,
                                                                           const address_range& bounds) noexcept {
    // A frame record is {caller's frame pointer, return address} on x86-64 and aarch64 alike.
    constexpr std::uint64_t record_bytes = 16;
    stack.depth = 0;
    stack.is_truncated = true;
    auto frame = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
    while (stack.depth < max_depth && frame % 8 == 0 && frame >= bounds.begin && frame + record_bytes <= bounds.end) {
        const auto* const record = reinterpret_cast<const std::uint64_t*>(frame);
        const std::uint64_t return_address = record[1];
        if (return_address < 4096) { break; }
        stack.frames[stack.depth++] = return_address;
        if (is_base_frame(return_address)) {
            stack.is_truncated = false;
            break;
        }
        if (record[0] <= frame) { break; }  // stacks grow down: a caller's frame is always higher
        frame = record[0];
    }
}

void unwind_dwarf(captured_stack& stack, std::uint32_t max_depth) noexcept {
    static_assert(sizeof(const void*) == sizeof stack.frames[0], "safe_dump_to writes pointers");
    const int saved_errno = errno;
    // safe_dump_to ends its list with a null frame and counts it, so the last of max_stack_depth frames is given up.
    const std::size_t count =
        boost::stacktrace::safe_dump_to(0, static_cast<void*>(stack.frames), max_depth * sizeof stack.frames[0]);
    stack.depth = 0;
    while (stack.depth < count && stack.depth < max_depth && stack.frames[stack.depth] != 0) { ++stack.depth; }
    stack.is_truncated = stack.depth + 1 >= max_depth;
    errno = saved_errno;
}

namespace {

struct rules_walk {
    captured_stack* stack;
    std::uint32_t* slots;
    std::uint32_t max_depth;
    std::uint64_t entry;
    bool has_begun;
};

_Unwind_Reason_Code take_frame(_Unwind_Context* context, void* argument) {
    rules_walk& walk = *static_cast<rules_walk*>(argument);
    const std::uint64_t slot = _Unwind_GetCFA(context) - 8;
    walk.has_begun = walk.has_begun || slot == walk.entry;
    if (!walk.has_begun) { return _URC_NO_REASON; }
    captured_stack& stack = *walk.stack;
    if (stack.depth == walk.max_depth) { return _URC_END_OF_STACK; }
    if (_Unwind_GetIP(context) == 0) { return _URC_NO_REASON; }
    const std::uint64_t offset = slot - walk.entry;
    if (walk.slots != nullptr) { walk.slots[stack.depth] = offset < no_slot ? static_cast<std::uint32_t>(offset) : no_slot; }
    stack.frames[stack.depth++] = _Unwind_GetIP(context);
    return _URC_NO_REASON;
}

}  // namespace

void walk_by_rules(captured_stack& stack, std::uint32_t* slots, std::uint32_t max_depth, const void* entry,
                   std::uint64_t /*frame_pointer*/) noexcept {
    const int saved_errno = errno;
    stack.depth = 0;
    rules_walk walk{&stack, slots, max_depth, reinterpret_cast<std::uint64_t>(entry), false};
    const bool is_complete = _Unwind_Backtrace(&take_frame, &walk) == _URC_END_OF_STACK && stack.depth < max_depth;
    stack.is_truncated = !is_complete || stack.depth == 0;
    errno = saved_errno;
}

void prime_unwinder() noexcept {
    try {
        const std::vector<loaded_module> modules = loaded_modules();
        captured_stack stack;
        unwind_dwarf(stack, max_stack_depth);
        learn_from_caller(stack, modules);
        std::thread([&] {
            unwind_dwarf(stack, max_stack_depth);
            learn_from_own_thread(stack, modules);
        }).join();
    } catch (...) {
        // No thread to be had: walks on other threads then end in the DWARF unwinder. Slower, not wrong.
    }
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
