// SPDX-License-Identifier: Apache-2.0
// Stack capture. Loads other functions' frames from this thread's own stack: every read is bounded by the stack's end.
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/stacktrace/safe_dump_to.hpp>
#include <cerrno>
#include <iterator>

#include "platform/platform.hpp"

extern "C" void* __libc_stack_end;  // ld.so's: the top of the main thread's stack
// AddressSanitizer's, where it is linked and keeps locals in the heap: then nothing can be told from their addresses.
extern "C" [[gnu::weak]] void* __asan_get_current_fake_stack();

namespace memwatch {
inline namespace v1 {
namespace platform {
namespace {

// Return addresses that only a thread's outermost frames have: __libc_start_call_main behind main, start_thread and
// std::thread's entry behind a thread function. libc and libstdc++ are built without frame pointers, so a chain of them that
// ends at one of these has seen all there is; one that ends elsewhere was cut off. Learned from walks by rules, which see them
// all.
class base_frame_set {
public:
    // Most addresses of a program are not near libc's: one comparison says so.
    struct span {
        std::uint64_t lowest;
        std::uint64_t size;
        [[nodiscard]] bool may_hold(std::uint64_t address) const noexcept { return address - lowest < size; }
    };
    [[nodiscard]] span around() const noexcept {
        // relaxed, both: an older span only makes a walk end as before.
        const std::uint64_t lowest = lowest_.load(std::memory_order_relaxed);
        const std::uint64_t end = end_.load(std::memory_order_relaxed);  // relaxed: as above
        return {lowest, end > lowest ? end - lowest : 0};
    }
    [[nodiscard]] bool contains(std::uint64_t address) const noexcept {
        return std::any_of(std::begin(frames_), std::end(frames_), [&](const std::atomic<std::uint64_t>& f) {
            return f.load(std::memory_order_relaxed) == address;  // relaxed: entries go from 0 to an address, once
        });
    }
    void add(std::uint64_t address) noexcept {
        for (std::atomic<std::uint64_t>& frame : frames_) {
            std::uint64_t before = 0;
            // relaxed: an address stands for itself.
            if (frame.compare_exchange_strong(before, address, std::memory_order_relaxed)) {
                widen(address);
                return;
            }
            if (before == address) { return; }
        }
    }

private:
    void widen(std::uint64_t address) noexcept {
        // relaxed, all: as in around().
        std::uint64_t lowest = lowest_.load(std::memory_order_relaxed);
        while (address < lowest && !lowest_.compare_exchange_weak(lowest, address, std::memory_order_relaxed)) {}  // relaxed
        std::uint64_t end = end_.load(std::memory_order_relaxed);  // relaxed: as above
        while (address >= end && !end_.compare_exchange_weak(end, address + 1, std::memory_order_relaxed)) {}  // relaxed
    }

    std::atomic<std::uint64_t> frames_[8]{};
    std::atomic<std::uint64_t> lowest_{~std::uint64_t{0}};
    std::atomic<std::uint64_t> end_{0};
};
base_frame_set base_frames;

// Where libc and the C++ runtimes are loaded. Written once, before base frames are learned.
constexpr std::size_t max_runtime_libraries = 8;
address_range runtime_libraries[max_runtime_libraries];
std::atomic<std::size_t> runtime_library_count{0};

void note_runtime_libraries(const std::vector<loaded_module>& modules) noexcept {
    constexpr const char* names[] = {"/libc.so", "/libc-", "/libstdc++", "/libc++", "/libtsan", "/libasan"};
    // acquire: pairs with the release below. Libraries do not move: the first call's answer stays.
    if (runtime_library_count.load(std::memory_order_acquire) != 0) { return; }
    std::size_t count = 0;
    for (const loaded_module& m : modules) {
        const bool is_one =
            std::any_of(std::begin(names), std::end(names), [&](const char* n) { return m.path.find(n) != std::string::npos; });
        if (is_one && count < max_runtime_libraries) { runtime_libraries[count++] = {m.start, m.limit}; }
    }
    // release: pairs with the acquire in is_in_runtime_library().
    runtime_library_count.store(count, std::memory_order_release);
}

bool is_in_runtime_library(std::uint64_t address) noexcept {
    // acquire: pairs with the release in note_runtime_libraries().
    const std::size_t count = runtime_library_count.load(std::memory_order_acquire);
    return std::any_of(runtime_libraries, runtime_libraries + count,
                       [&](const address_range& library) { return library.contains(address); });
}

// From a complete stack: the outermost run of library frames is how its thread began.
void learn_base_frames(const captured_stack& stack) noexcept {
    if (stack.is_truncated) { return; }  // its outermost frame is not the thread's
    std::uint32_t i = stack.depth;
    // _start, the outermost frame of main's thread, belongs to the executable.
    if (i > 0 && !is_in_runtime_library(stack.frames[i - 1])) { --i; }
    for (; i > 0 && is_in_runtime_library(stack.frames[i - 1]); --i) { base_frames.add(stack.frames[i - 1]); }
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

bool is_on_this_stack(const void* local) noexcept {
    constexpr std::uint64_t largest_stack = std::uint64_t{1} << 30U;
    const auto here = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
    const auto block = reinterpret_cast<std::uint64_t>(pthread_self());
    // The main thread's control block is mapped, and mappings lie below its stack.
    const std::uint64_t end = block > here ? block : reinterpret_cast<std::uint64_t>(__libc_stack_end);
    const auto address = reinterpret_cast<std::uint64_t>(local);
    if (address >= here && address < end) { return end - here <= largest_stack; }
    return __asan_get_current_fake_stack != nullptr && __asan_get_current_fake_stack() != nullptr;
}

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

namespace {

__attribute__((no_sanitize("address", "thread"))) void follow_chain(captured_stack& stack, std::uint32_t max_depth,
                                                                    const address_range& bounds, std::uint64_t frame) noexcept {
    // A frame record is {caller's frame pointer, return address} on x86-64 and aarch64 alike.
    constexpr std::uint64_t record_bytes = 16;
    const std::uint64_t limit = bounds.end < record_bytes ? 0 : bounds.end - record_bytes + 1;  // no record begins at or above
    const base_frame_set::span near_base = base_frames.around();
    std::uint32_t depth = 0;
    stack.is_truncated = true;
    while (depth < max_depth && frame % 8 == 0 && frame >= bounds.begin && frame < limit) {
        const auto* const record = reinterpret_cast<const std::uint64_t*>(frame);
        const std::uint64_t return_address = record[1];
        if (return_address < 4096) { break; }
        stack.frames[depth++] = return_address;
        if (near_base.may_hold(return_address) && base_frames.contains(return_address)) {
            stack.is_truncated = false;
            break;
        }
        if (record[0] <= frame) { break; }  // stacks grow down: a caller's frame is always higher
        frame = record[0];
    }
    stack.depth = depth;
}

}  // namespace

void walk_frame_pointers(captured_stack& stack, std::uint32_t max_depth, const address_range& bounds) noexcept {
    const auto frame = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
    follow_chain(stack, max_depth, bounds, frame);
    const bool has_ended_early = stack.is_truncated && stack.depth < max_depth;
    if (!has_ended_early || !bounds.contains(frame)) { return; }
    // Perhaps a kind of thread that we have not seen begin yet: the rules tell.
    const walk_start start = start_at_caller();
    walk_by_rules(stack, nullptr, max_stack_depth, start.entry, start.frame_pointer);
    learn_base_frames(stack);
    follow_chain(stack, max_depth, bounds, frame);
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

void prime_unwinder() noexcept {
    try {
        note_runtime_libraries(loaded_modules());
    } catch (...) {
        // No memory: chains of frame pointers then count as cut off at their end.
    }
    captured_stack stack;
    unwind_dwarf(stack, max_stack_depth);
    const walk_start start = start_at_caller();
    walk_by_rules(stack, nullptr, max_stack_depth, start.entry, start.frame_pointer);
    learn_base_frames(stack);
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
