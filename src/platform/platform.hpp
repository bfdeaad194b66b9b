// SPDX-License-Identifier: Apache-2.0
#pragma once
// The whole port: everything memwatch asks of the operating system, libc internals, ELF and the unwinder, and the only room
// with #ifdef. Linux, glibc, x86-64 and aarch64.
//
// Functions marked [hook] may run on an application's thread inside an allocation: they take no lock, allocate nothing, keep
// errno and use less than 1 KiB of stack, but for the DWARF unwinder, which takes some 2 KiB more. The others belong to the
// control lane. Nothing throws except std::bad_alloc.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace memwatch {
inline namespace v1 {
namespace platform {

// --- time and chance
[[nodiscard]] std::uint64_t monotonic_ns() noexcept;  // [hook] CLOCK_MONOTONIC
[[nodiscard]] std::uint64_t coarse_ns() noexcept;     // [hook] the same, as of the kernel's last tick (4 ms at 250 Hz)
[[nodiscard]] std::uint64_t coarse_ms() noexcept;     // [hook] the same clock as of its last tick (1-10 ms ago), for 3 ns
[[nodiscard]] std::uint64_t unix_ns() noexcept;       // CLOCK_REALTIME
// Pages that other threads than the calling one have touched first, since the process began: minor faults, each of one page
// (of a huge page, too: so at least). It grows while a heap moves, also where as much goes as comes.
[[nodiscard]] std::uint64_t bytes_touched_by_others() noexcept;
[[nodiscard]] std::uint64_t thread_cpu_ns() noexcept;  // CLOCK_THREAD_CPUTIME_ID: what the calling thread has run for
[[nodiscard]] std::uint64_t random_seed() noexcept;    // [hook] getrandom(2), never 0

// --- memory
// Zeroed, lazily backed, never given back; null when the kernel refuses. [hook]
[[nodiscard]] void* reserve_memory(std::size_t bytes) noexcept;
// Makes private anonymous memory read as zero without touching whole pages of it. [hook]
void zero_pages(void* memory, std::size_t bytes) noexcept;
// Gives the whole pages inside private anonymous memory back to the system: what was there reads as zero. Returns how many
// bytes were in memory; 0 also where the kernel refuses (locked memory).
std::size_t discard_pages(void* memory, std::size_t bytes) noexcept;
[[nodiscard]] std::uint64_t resident_bytes() noexcept;  // of this process, 0 = unknown
// The tightest memory limit of this process' cgroup and its ancestors (v2 memory.max, v1 memory.limit_in_bytes); 0 = none.
// `root` is where cgroupfs is mounted; tests pass a fixture tree.
[[nodiscard]] std::uint64_t cgroup_memory_limit(const std::string& root = "/sys/fs/cgroup",
                                                const std::string& self = "/proc/self/cgroup");
// A cgroup whose memory is counted: where its files are, and which kind they are of.
struct memory_group {
    std::string folder;
    bool is_v2{};
};
// This process' group and then those above it, as far as they can be seen from here: a container sees its own as the root. v2
// where it counts memory, else v1. Empty: none does, as in the machine's root group.
[[nodiscard]] std::vector<memory_group> memory_groups(const std::string& root = "/sys/fs/cgroup",
                                                      const std::string& self = "/proc/self/cgroup");

// --- CPUs
// How many CPUs this process can use at once: those it may run on (affinity; those that are online), or less where a cgroup's
// quota says so (v2 cpu.max, v1 cpu.cfs_quota_us; the tightest of the group and its ancestors). Above 0, may be a fraction.
[[nodiscard]] double available_cpus(const std::string& root = "/sys/fs/cgroup", const std::string& self = "/proc/self/cgroup");
// In how many periods the CPU quota of this process' cgroup or one above it made somebody wait, ever (cpu.stat); 0 without one.
[[nodiscard]] std::uint64_t throttled_periods(const std::string& root = "/sys/fs/cgroup",
                                              const std::string& self = "/proc/self/cgroup");

// --- threads
// The other half of asymmetric fences: when it returns, every other thread of the process has passed a full memory fence
// since the call (membarrier(2)). can_fence_all_threads() must have said yes once in this process, and in a forked child again.
[[nodiscard]] bool can_fence_all_threads() noexcept;
void fence_all_threads() noexcept;
[[nodiscard]] std::uint32_t thread_id() noexcept;             // [hook] kernel thread id
inline constexpr std::size_t thread_name_size = 16;           // with the terminating zero, as prctl(PR_GET_NAME) fills it
void thread_name(char (&name)[thread_name_size]) noexcept;    // [hook]
[[nodiscard]] std::string name_of_thread(std::uint32_t tid);  // of another thread; empty = gone
[[nodiscard]] bool is_thread_alive(std::uint32_t tid) noexcept;
struct address_range {
    std::uint64_t begin{};
    std::uint64_t end{};  // one past the last; 0 = unknown
    [[nodiscard]] bool contains(std::uint64_t address) const noexcept { return address >= begin && address < end; }
};
// Where the calling thread's own stack is, or for the main thread may grow to, whatever stack it runs on now: the mapping that
// holds the thread's control block (glibc puts it at the stack's top), for the main thread what the kernel set up. From
// /proc/self/maps by raw reads (pthread_getattr_np allocates and locks). [hook, but tens of microseconds: once per thread]
[[nodiscard]] address_range thread_stack() noexcept;
// Whether `local`, of the caller or one of its callers, lies on the calling thread's own stack rather than in a coroutine's
// frame or elsewhere in the heap. Two comparisons: glibc keeps the control block at a stack's top. Wrong (true) on a fiber
// whose stack lies within 1 GiB below that. [hook]
[[nodiscard]] bool is_on_this_stack(const void* local) noexcept;
// Calls the handlers around fork(), for the life of the process. False: refused.
bool on_fork(void (*prepare)(), void (*parent)(), void (*child)()) noexcept;
// Calls `at_exit(argument)` when the calling thread ends, after its C++ thread_local destructors. [hook]
bool on_thread_exit(void (*at_exit)(void*), void* argument) noexcept;

// --- stacks
inline constexpr std::size_t max_stack_depth = 64;

struct captured_stack {
    std::uint64_t frames[max_stack_depth];  // return addresses, leaf first
    std::uint32_t depth;
    bool is_truncated;  // did not reach the thread's base frame
};

// Walks saved frame pointers from the caller on. Reads nothing outside `bounds`, and nothing at all when the caller runs on
// another stack: a fiber's, whose surroundings need not be mapped. [hook]
void walk_frame_pointers(captured_stack& stack, std::uint32_t max_depth, const address_range& bounds) noexcept;
// Walks by the unwind rules of the code (.eh_frame), so that functions without a frame pointer are no gaps. `entry` is the
// stack pointer as it was when the asking function was entered: *entry is the return address into its caller, frames[0].
// `frame_pointer` is the frame pointer register at that moment. slots[i], unless null, is how many bytes above `entry`
// frames[i] was read (slots[0] == 0), or no_slot when that has no such number: beyond a signal handler on a stack of its own.
// bases[i], unless null, is what makes slots[i] still the right place when somebody looks there again: no_slot when it follows
// from the slot before, in_register when it follows from the argument `frame_pointer`, else how many bytes above `entry` the
// word lies that it follows from (a saved frame pointer, or what a signal saved): the same word there, the same place here.
// bases[0] == no_slot. Reads only slots of frames, upwards, below the end of the thread's stack where that is known. On aarch64
// this is the chain of frame records. [hook]
enum class walk_end : std::uint8_t {
    complete,      // a thread or a fiber begins here; the only end that isn't truncated
    depth,         // max_depth frames
    unknown_code,  // code that no unwind table describes, as a JIT's: no unwinder can go on
    no_rule,       // tables that say what a rule can't: unwind_dwarf() may know more
};
inline constexpr std::uint32_t no_slot = 0xFFFFFFFFU;
inline constexpr std::uint32_t in_register = 0xFFFFFFFEU;
walk_end walk_by_rules(captured_stack& stack, std::uint32_t* slots, std::uint32_t max_depth, const void* entry,
                       std::uint64_t frame_pointer, std::uint32_t* bases = nullptr) noexcept;

// The two arguments above for a walk that begins in the caller of the function that asks. Ask in a small function that is not
// inlined: one that realigns its frame (a local with alignas(32) or more; any large local under ASan) keeps a copy of the
// return address there, and behind a copy the caller's frame does not follow.
struct walk_start {
    const void* entry;
    std::uint64_t frame_pointer;
};
[[nodiscard, gnu::always_inline]] inline walk_start start_at_caller() noexcept {
    // {caller's frame pointer, return address} on x86-64 and aarch64 alike; naming it makes the compiler keep one.
    const auto* const record = static_cast<const std::uint64_t*>(__builtin_frame_address(0));
    return {record + 1, record[0]};
}

// The DWARF unwinder behind Boost.Stacktrace's safe_dump_to. [hook once primed; 1-2 us]
void unwind_dwarf(captured_stack& stack, std::uint32_t max_depth) noexcept;
// Learns which return addresses are the outermost frames of threads, and primes the unwinder (its first use may allocate).
// Call at start, outside any hook, once per process.
void prime_unwinder() noexcept;

// --- the program
// A loaded ELF object: the executable bytes [start, limit), mapped from `file_offset` on.
struct loaded_module {
    std::string path;
    std::string build_id;  // lower-case hex; empty = none
    std::uint64_t start{};
    std::uint64_t limit{};
    std::uint64_t file_offset{};
};
// The main executable first. Empty where walk_modules() does not walk (module_walk.hpp).
[[nodiscard]] std::vector<loaded_module> loaded_modules();
[[nodiscard]] const char* const* environment() noexcept;  // "NAME=value" strings, null-terminated
[[nodiscard]] std::string executable_path();
[[nodiscard]] std::string host_name();
[[nodiscard]] std::uint64_t process_id() noexcept;
[[nodiscard]] bool is_single_threaded() noexcept;  // never had a second thread, as far as glibc knows
[[nodiscard]] bool is_secure_mode() noexcept;      // AT_SECURE: the environment is not to be trusted

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
