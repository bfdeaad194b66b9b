// SPDX-License-Identifier: Apache-2.0
#include "platform/module_walk.hpp"

#include <link.h>

#include "platform/own_thread.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace platform {
namespace {

constexpr std::uint64_t piece_ns = 50'000;
constexpr std::uint64_t longest_wait_ns = 1'000'000'000;
// In a child that does not know whether the loader works: who walks there may be stuck for good.
constexpr std::uint64_t unproven_wait_ns = 10'000'000;
constexpr std::size_t probe_stack_bytes = 65536;

constinit walk_gate gate_of_this_copy{};
constinit std::atomic<walk_gate*> shared_gate{&gate_of_this_copy};

// A walk inside a walk is part of it.
__attribute__((tls_model("initial-exec"))) __thread bool is_walking = false;

// Never walked: the first process, or one that was handed no memory of ours.
bool is_proven(const walk_gate& gate, std::uint64_t pid) noexcept {
    // acquire: pairs with the release in note_proven(); nothing else is read behind it.
    const std::uint64_t proven = gate.proven_in.load(std::memory_order_acquire);
    return proven == 0 || proven == pid;
}

void note_proven(walk_gate& gate, std::uint64_t pid) noexcept {
    // release: pairs with the acquire in is_proven().
    gate.proven_in.store(pid, std::memory_order_release);
}

void pass(walk_gate& gate) noexcept {
    // Bounded: a fork handler of the host may wait for the very lock of the loader that this thread holds.
    for (std::uint64_t waited = 0; waited < longest_wait_ns; waited += piece_ns) {
        // acq_rel: pairs with closing: the forker sees this walk, or this thread sees the gate closed.
        if ((gate.walks.fetch_add(1, std::memory_order_acq_rel) & walk_gate::closed) == 0) { return; }
        // release: pairs with the acquire in close_walks_for_fork().
        gate.walks.fetch_sub(1, std::memory_order_release);
        sleep_ns(piece_ns);
    }
    // relaxed: too late for any order.
    gate.walks.fetch_add(1, std::memory_order_relaxed);
}

struct walk {
    module_visitor visit;
    void* context;
    static void run(void* at) {
        const auto& self = *static_cast<const walk*>(at);
        dl_iterate_phdr(self.visit, self.context);
    }
};

// On a thread of its own, which holds nothing and is waited for by nobody.
void probe(void*) {
    use_loader(&walk::run, [] {
        static walk nothing{[](dl_phdr_info*, std::size_t, void*) { return 1; }, nullptr};
        return &nothing;
    }());
}

void send_probe(walk_gate& gate, std::uint64_t pid) noexcept {
    // relaxed: compared with itself only; one thread of memwatch's asks.
    if (gate.probed_in.exchange(pid, std::memory_order_relaxed) == pid) { return; }
    own_thread thread;
    // relaxed: as in note_own_thread(), which the new thread calls.
    const std::uint32_t worker = gate.worker_thread.load(std::memory_order_relaxed);
    if (thread.start("memwatch-probe", probe_stack_bytes, &probe, nullptr)) { thread.join(0); }
    gate.worker_thread.store(worker, std::memory_order_relaxed);  // relaxed: as above
}

}  // namespace

walk_gate& this_walk_gate() noexcept {
    // acquire: pairs with the release in share_walk_gate().
    return *shared_gate.load(std::memory_order_acquire);
}

void share_walk_gate(walk_gate& other) noexcept {
    // release: pairs with the acquire in this_walk_gate().
    shared_gate.store(&other, std::memory_order_release);
}

void use_loader(void (*use)(void* context), void* context) noexcept {
    if (is_walking) { return use(context); }
    walk_gate& gate = this_walk_gate();
    pass(gate);
    is_walking = true;
    use(context);
    is_walking = false;
    // release: pairs with the acquire in close_walks_for_fork().
    gate.walks.fetch_sub(1, std::memory_order_release);
    note_proven(gate, process_id());
}

bool can_walk_modules() noexcept {
    const walk_gate& gate = this_walk_gate();
    // relaxed: only ever equal on the thread that wrote it.
    return is_proven(gate, process_id()) || gate.worker_thread.load(std::memory_order_relaxed) != thread_id();
}

bool walk_modules(module_visitor visit, void* context) noexcept {
    if (!is_walking && !can_walk_modules()) {
        send_probe(this_walk_gate(), process_id());
        return false;
    }
    walk wanted{visit, context};
    use_loader(&walk::run, &wanted);
    return true;
}

void close_walks_for_fork() noexcept {
    walk_gate& gate = this_walk_gate();
    // acq_rel: pairs with pass().
    gate.walks.fetch_or(walk_gate::closed, std::memory_order_acq_rel);
    const std::uint32_t own = is_walking ? 1 : 0;  // fork() by a signal handler
    const std::uint64_t until = monotonic_ns() + (is_proven(gate, process_id()) ? longest_wait_ns : unproven_wait_ns);
    // acquire: pairs with the releases of those that walked: the loader's lock is free again.
    while ((gate.walks.load(std::memory_order_acquire) & ~walk_gate::closed) > own && monotonic_ns() < until) {
        sleep_ns(piece_ns);
    }
}

void open_walks_after_fork() noexcept {
    // release: pairs with the acq_rel in pass().
    this_walk_gate().walks.fetch_and(~walk_gate::closed, std::memory_order_release);
}

void enter_child_walks() noexcept {
    walk_gate& gate = this_walk_gate();
    gate.walks.store(is_walking ? 1 : 0, std::memory_order_relaxed);  // relaxed: the child has one thread
    gate.worker_thread.store(0, std::memory_order_relaxed);           // relaxed: as above
}

void note_own_thread() noexcept {
    // relaxed: only ever equal on the thread that wrote it.
    this_walk_gate().worker_thread.store(thread_id(), std::memory_order_relaxed);
}

// glibc takes it out of the stack that is asked for. Of the modules that the program started with: those that are loaded later
// have theirs elsewhere, or in what was left over for them.
std::size_t thread_local_bytes() noexcept {
    static std::atomic<std::size_t> measured{0};
    // relaxed, all: a number that is the same whoever measured it.
    if (const std::size_t before = measured.load(std::memory_order_relaxed); before != 0) { return before; }
    std::size_t sum = 1;  // never 0, so that it is measured once
    walk_modules(
        [](dl_phdr_info* info, std::size_t, void* total) {
            for (ElfW(Half) i = 0; i < info->dlpi_phnum; ++i) {
                const ElfW(Phdr)& segment = info->dlpi_phdr[i];
                if (segment.p_type == PT_TLS) { *static_cast<std::size_t*>(total) += segment.p_memsz + segment.p_align; }
            }
            return 0;
        },
        &sum);
    measured.store(sum, std::memory_order_relaxed);
    return sum;
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
