// SPDX-License-Identifier: Apache-2.0
#pragma once
// The ledger of full mode: every block, exactly, from open() on. A birth takes a free record of the thread's lane, a death
// gives it back; both count in the lane's cell of the site. Usually that is: no lock, no locked instruction, no look-up by
// address, and no walk of the stack (stack_memo).
//
//   thread's lane --- index ---> records (20 B a block)          freeze():  frees, then records, then allocations
//        |                         ^                               so that freed + live <= allocated for each site
//        +--- cells by site        +--- chains of 256 free ones, when a lane has none or too many
//
// The gate. Every operation marks its lane busy and then looks at the mode; whoever changes the mode (open, drain, close, fork,
// clearing the memo) sets it, fences all other threads (membarrier) and waits until no lane is busy. So hot operations need no
// fence, and the control lane may rebuild everything behind the gate. Where the kernel has no membarrier, operations fence.
//
// Threads: birth/death any; the rest one control thread at a time (a mutex). Nothing here allocates through malloc.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include <memwatch/base/clock.hpp>
#include <memwatch/model/snapshot.hpp>
#include "ledger/ledger_lane.hpp"
#include "ledger/ledger_records.hpp"
#include "ledger/stack_memo.hpp"
#include "ledger/trace_contexts.hpp"
#include "model/drop_reason.hpp"
#include "platform/platform.hpp"
#include "sites/site_table.hpp"
#include "sites/stack_table.hpp"
#include "sites/thread_table.hpp"

namespace memwatch {
inline namespace v1 {

struct ledger_settings {
    std::uint64_t budget_bytes{256U << 20U};
    std::uint32_t stack_depth{64};
    clock_function clock{nullptr};  // null: the coarse system clock
    std::uint64_t origin_ns{0};
    std::uint64_t epoch_ns{1};
};

// What is known of a site through full mode. Sums over all lanes.
struct exact_site_totals {
    std::uint64_t allocated_bytes{};
    std::uint64_t allocations{};
    std::uint64_t freed_bytes{};
    std::uint64_t frees{};
    std::uint64_t elsewhere_bytes{};
    std::uint64_t elsewhere_frees{};
    std::uint64_t abandoned_bytes{};  // live when full mode was left
    std::uint64_t abandoned{};
    std::uint64_t lifetime_ms{};
    std::uint64_t lifetimes[lifetime_bucket_count]{};
};

// How the budget is divided. Whatever is never touched is never backed.
struct ledger_sizes {
    std::uint32_t lanes;  // the shared one included
    std::uint32_t records;
    std::size_t memo_bytes;
    std::size_t cells_bytes;  // of one lane
    std::size_t memory_bytes;

    [[nodiscard]] static ledger_sizes for_budget(std::uint64_t budget_bytes, std::size_t sites, std::size_t stacks) noexcept;
};

class ledger {
public:
    static constexpr std::uint32_t most_lanes = 33;  // lane 0 is shared by threads without one of their own
    // No site known: the stack has to be walked.
    static constexpr std::uint32_t no_site = stack_memo::no_site;

    ledger(stack_table& stacks, site_table& sites, thread_table& threads, loss_counters& losses) noexcept
        : stacks_(stacks), sites_(sites), threads_(threads), losses_(losses) {}

    // --- control lane
    // Records from now on; what a drained ledger still follows goes on. False: no memory. The first budget stays.
    bool open(const ledger_settings& settings) noexcept;
    // No new records; deaths are still followed.
    void drain() noexcept;
    // Gives up every record, counted as abandoned, and the memory with them.
    void close() noexcept;
    // Chores: ends epochs, takes back trace numbers and threads, empties a full memo. Returns in how many ns it wants to be
    // called again; `never`: when it was opened.
    static constexpr std::uint64_t never = ~std::uint64_t{0};
    std::uint64_t tend() noexcept;
    // Code was unloaded: what the memo knows may be about other code by now.
    void forget_code() noexcept;

    // --- threads [hook]
    // A lane for the calling thread; null when all are taken. `stack`: where its stack is.
    [[nodiscard]] ledger_lane* lease_lane(std::uint16_t thread, const platform::address_range& stack) noexcept;
    void release_lane(ledger_lane& lane) noexcept;

    // A hint; birth() looks again. acquire: pairs with the store in set_mode(): the ledger is built.
    [[nodiscard]] bool takes_births() const noexcept { return (mode_.load(std::memory_order_acquire) & births) != 0; }

    // `lane` is the thread's, or null: it has none, and `thread` is its index. 0: not recorded.
    [[nodiscard]] std::uint32_t birth(ledger_lane* lane, std::uint16_t thread, const void* block, std::size_t bytes,
                                      const void* entry, std::uint64_t frame_pointer, const trace_label& label) noexcept;
    // The same with the site already known. Tests.
    [[nodiscard]] std::uint32_t birth_at(ledger_lane* lane, std::uint16_t thread, const void* block, std::size_t bytes,
                                         std::uint32_t site, const trace_label& label) noexcept;
    // Nothing happens unless `index` holds the live record of `block`. It may take effect later, but before anybody looks.
    void death(ledger_lane* lane, std::uint16_t thread, std::uint32_t index, const void* block) noexcept;
    // The same at once; whether there was such a record. Tests.
    bool death_now(ledger_lane* lane, std::uint16_t thread, std::uint32_t index, const void* block) noexcept;

    // --- freeze
    // Sums up the sites, and appends the live records to `live` when asked for them, in order of sequence.
    void freeze(std::vector<exact_site_totals>& totals, std::vector<live_record>* live);
    // As freeze(), but that each live record is shown in passing, without its sequence: see(record), in no order and under no
    // lock of a table. Those born meanwhile may be among them.
    template <class See>
    void visit(std::vector<exact_site_totals>& totals, See see);
    [[nodiscard]] std::size_t most_records() const noexcept { return records_.carved(); }
    // Since when it is not exact; 0: it is, or was never open.
    [[nodiscard]] std::uint64_t exact_until_ns() const noexcept;
    void add_self_bytes(std::vector<named_value>& into);

    // --- fork, around those of the tables; the control mutex before them. `own`: the forking thread's lane
    void hold_for_fork(ledger_lane* own) noexcept;
    void lock_for_fork() noexcept;
    void unlock_after_fork() noexcept;
    void let_go_after_fork() noexcept;
    // In the child, while held and locked: of the lanes only `own` has a thread.
    void enter_child(ledger_lane* own) noexcept;

private:
    // Bits of mode_.
    static constexpr std::uint32_t births = 1;
    static constexpr std::uint32_t deaths = 2;
    static constexpr std::uint32_t held = 4;  // wait

    struct site_mark {              // control lane only
        std::uint64_t epoch_bytes;  // allocated when births were last given to an epoch
        std::uint64_t epoch_objects;
        std::uint64_t abandoned_bytes;
        std::uint64_t abandoned;
    };

    // --- the gate
    [[nodiscard]] bool enter(ledger_lane& lane, std::uint32_t wanted) noexcept {
        for (;;) {
            mark_busy(lane);
            // seq_cst: pairs with the store in set_mode(); see there.
            const std::uint32_t seen = mode_.load(std::memory_order_seq_cst);
            if (__builtin_expect((seen & (wanted | held)) == wanted, 1)) { return true; }
            leave(lane);
            if (!wait_or_give_up(seen, wanted)) { return false; }
            if (is_gate_mine()) {  // only a death comes here: nobody else is at work
                mark_busy(lane);
                return true;
            }
        }
    }
    void mark_busy(ledger_lane& lane) noexcept {
        if (__builtin_expect(needs_fence_, 0)) {
            // seq_cst: pairs with the store in set_mode(): either it sees us busy, or we see its mode.
            lane.busy.exchange(1, std::memory_order_seq_cst);
        } else {
            // relaxed and a compiler's fence: pairs with the fence in set_mode(), which makes us pass one (membarrier).
            lane.busy.store(1, std::memory_order_relaxed);
            std::atomic_signal_fence(std::memory_order_seq_cst);
        }
    }
    [[nodiscard]] static bool is_gate_mine() noexcept;
    static void leave(ledger_lane& lane) noexcept {
        // release: pairs with the acquire in wait_until_idle(): what this operation wrote is there.
        lane.busy.store(0, std::memory_order_release);
    }
    // After a refusal by mode `seen`. True: try again.
    [[gnu::cold]] bool wait_or_give_up(std::uint32_t seen, std::uint32_t wanted) noexcept;
    [[nodiscard]] bool enter_shared(std::uint32_t wanted) noexcept;
    // release: pairs with the acquire in wait_until_idle().
    void leave_shared() noexcept { shared_busy_.fetch_sub(1, std::memory_order_release); }
    void set_mode(std::uint32_t mode, const ledger_lane* own) noexcept;
    void wait_until_idle(const ledger_lane* own) noexcept;
    // Does something while no operation runs. It must not allocate.
    template <class Work>
    void behind_gate(const ledger_lane* own, Work work) noexcept;

    // --- pieces of birth and death
    [[nodiscard]] std::uint64_t now_ms() const noexcept;
    // A birth is later than the last freeze began, whatever the clock's resolution.
    [[nodiscard]] std::uint64_t birth_ms() const noexcept;
    [[nodiscard]] std::uint32_t take_free(ledger_lane& lane) noexcept;
    [[gnu::cold]] std::uint32_t take_free_slow(ledger_lane& lane) noexcept;
    void give_free(ledger_lane& lane, std::uint32_t index) noexcept;
    [[gnu::cold]] void give_free_slow(ledger_lane& lane) noexcept;
    [[nodiscard]] std::uint16_t number_of(ledger_lane& lane, const trace_label& label) noexcept;
    [[gnu::cold]] std::uint16_t number_of_slow(ledger_lane::known_trace& known, const trace_label& label) noexcept;
    [[nodiscard]] bool fit_size(std::uint32_t index, std::size_t bytes, std::uint32_t& size) noexcept;
    [[nodiscard]] std::uint32_t known_site(const ledger_lane& lane, const void* entry,
                                           std::uint64_t frame_pointer) const noexcept;
    static void unwind_from(platform::captured_stack& stack, const void* entry, std::uint32_t most) noexcept;
    [[gnu::noinline]] std::uint32_t walk_to_site(ledger_lane* lane, const void* entry, std::uint64_t frame_pointer) noexcept;
    // The site of a stack without type and tag. `is_new`: this is the first time that it is asked for.
    [[nodiscard]] std::uint32_t site_of_stack(std::uint32_t stack, bool& is_new) noexcept;
    [[gnu::noinline]] void remember(ledger_lane& lane, stack_memo::place at, platform::captured_stack& stack,
                                    std::uint32_t most, std::uint32_t site) noexcept;
    void publish(std::uint32_t index, const void* block, std::uint32_t size, std::uint32_t site, std::uint32_t thread,
                 std::uint16_t number) noexcept;
    [[nodiscard]] std::uint32_t record_and_leave(ledger_lane& lane, const void* block, std::size_t bytes, std::uint32_t site,
                                                 const trace_label& label) noexcept;
    [[gnu::cold]] std::uint32_t birth_shared(std::uint16_t thread, const void* block, std::size_t bytes, std::uint32_t site,
                                             const trace_label& label) noexcept;
    [[gnu::cold]] bool death_shared(std::uint16_t thread, std::uint32_t index, const void* block) noexcept;
    [[gnu::cold]] std::uint32_t not_recorded(drop_reason reason) noexcept;
    struct ended {  // what a death needs to know of the record it ends
        std::uint64_t bytes;
        std::uint64_t lifetime_ms;
        std::uint32_t site;
        std::uint32_t thread;
    };
    [[nodiscard]] bool end_record(std::uint32_t index, const void* block, std::uint64_t died_ms, ended& record) noexcept;
    bool complete(ledger_lane& lane, std::uint32_t index, const void* block, std::uint64_t died_ms) noexcept;
    void complete(ledger_lane& lane, const ledger_lane::pending_death& death) noexcept;
    void pin(std::uint16_t thread) noexcept;

    // --- control
    [[nodiscard]] ledger_lane& shared_lane() noexcept { return lanes_[0]; }
    void divide(std::byte* memory) noexcept;
    void forget_lanes() noexcept;
    // What `lane` put off. Its thread in an operation, or behind the gate.
    void complete_pending(ledger_lane& lane) noexcept;
    void complete_all_pending() noexcept;
    void abandon_records() noexcept;
    void roll_epochs() noexcept;
    void share_births(std::uint32_t site, double bytes, double objects, std::uint64_t from_ms, std::uint64_t to_ms) noexcept;
    void sweep() noexcept;
    void unpin_all() noexcept;
    void begin_totals(std::vector<exact_site_totals>& totals);
    void end_totals(std::vector<exact_site_totals>& totals);
    void sum_frees(std::vector<exact_site_totals>& totals) const;
    void sum_allocations(std::vector<exact_site_totals>& totals) const;
    void collect(std::vector<live_record>& live);
    // A record as it is at one moment.
    struct seen_record {
        std::uint64_t word;  // 0 = none
        std::uint64_t bytes;
        std::uint64_t time_ms;
        std::uint32_t context;
    };
    [[nodiscard]] seen_record look_at(std::uint32_t index) noexcept;
    [[nodiscard]] live_record as_live_record(const seen_record& seen) const noexcept;
    [[nodiscard]] std::uint32_t lanes_in_use() const noexcept;

    stack_table& stacks_;
    site_table& sites_;
    thread_table& threads_;
    loss_counters& losses_;

    // Written at open(), read by everybody.
    alignas(64) std::atomic<std::uint32_t> mode_{0};
    bool needs_fence_{true};
    std::atomic<std::uint32_t> stack_depth_{64};
    std::atomic<clock_function> clock_{nullptr};
    std::atomic<std::uint64_t> origin_ms_{0};
    std::atomic<std::uint64_t> floor_ms_{0};
    ledger_records records_;
    stack_memo memo_;
    trace_contexts contexts_;
    std::atomic<std::uint32_t>* site_of_stack_{nullptr};  // + 1; 0 = not known. By the stack's id
    ledger_lane* lanes_{nullptr};
    ledger_sizes sizes_{};

    std::atomic<std::uint32_t> used_lanes_{0};  // lanes ever leased, the shared one included
    std::atomic<std::uint32_t> shared_busy_{0};
    std::atomic<std::uint64_t> exact_until_ms_{0};  // + 1; 0 = exact
    std::atomic<std::uint32_t> pinned_count_{0};
    std::atomic<std::uint64_t> pinned_[thread_table::capacity / 64]{};  // threads held in the thread table for our records
    spin_lock lanes_lock_{lock_rank::ledger_lanes};
    spin_lock shared_lock_{lock_rank::ledger_shared};

    std::mutex control_;          // ranks below all spin locks, above the session's mutex
    std::uint64_t epoch_ns_{1};   // guarded by control_, as what follows
    bool has_code_gone_{false};   // while the gate is held for a fork
    std::uint64_t rolled_ms_{0};  // until when births have been given to epochs
    site_mark* marks_{nullptr};   // one a site
    trace_contexts::sweep sweep_{};
};

template <class See>
void ledger::visit(std::vector<exact_site_totals>& totals, See see) {
    const std::lock_guard guard(control_);
    totals.clear();
    if (lanes_ == nullptr) { return; }
    begin_totals(totals);
    const std::uint32_t end = records_.carved();
    for (std::uint32_t index = ledger_records::first_index; index < end; ++index) {
        const seen_record seen = look_at(index);
        if (seen.word != 0) { see(as_live_record(seen)); }
    }
    end_totals(totals);
}

inline std::uint64_t ledger::now_ms() const noexcept {
    // relaxed: settings, made before births are let in.
    const clock_function replaced = clock_.load(std::memory_order_relaxed);
    const std::uint64_t now = __builtin_expect(replaced == nullptr, 1) ? platform::coarse_ms() : replaced() / 1'000'000;
    const std::uint64_t origin = origin_ms_.load(std::memory_order_relaxed);  // relaxed: as above
    return now > origin ? now - origin : 0;
}

}  // namespace v1
}  // namespace memwatch
