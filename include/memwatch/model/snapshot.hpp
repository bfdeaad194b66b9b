// SPDX-License-Identifier: Apache-2.0
#pragma once
// A snapshot: frozen live state, a plain value. Every later stage (codec, diff, report, serve) takes snapshots as its only
// input and never reaches back into the running process, so a snapshot read from a file is as good as one taken just now.
//
// How the tables hang together, for a service that keeps two orders alive:
//
//   tags    [0]{"untagged"}  [1]{"order-cache", exact: allocated 4096 B / 2, freed 0 B / 0}
//   frames  [0]{module 0, offset 0x1a40, "insert"}   [1]{module 0, offset 0x2210, "handle"}   [2]{module 1, offset 0x29d90}
//   stacks  [0]{frames 0, 1, 2}                                    leaf (the allocating call) first
//   sites   [0]{stack 0, type "Order", tag 1, live: 2 samples}     a site = stack + type + tag
//   live    [0]{site 0, 2048 B, trace 4bf9.., route 1, thread 0}   one record a sampled block, oldest (lowest sequence) first
//   routes  [0]""  [1]"/api/v2/orders"                             index 0 = no route
//   threads [0]{"other"}  [1]{tid 4711, "worker-1"}                index 0 = threads beyond the table
//
// Laws (tests/unit/live, tests/unit/snapshot): the weights of `live` records of a site sum to `sites[i].live`; every index is
// in range (`validate`); exact tag totals never show more freed than allocated.
//
// Times are nanoseconds since the process' first session started (`info.started_unix_ns` anchors them to the wall clock), so
// that records, cohorts and two snapshots of one process compare without conversion.

#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/base/export.hpp>
#include <memwatch/base/result.hpp>
#include <memwatch/model/trace_id.hpp>
#include <memwatch/model/verdict.hpp>
#include <memwatch/model/weight.hpp>

namespace memwatch {
inline namespace v1 {

// A count or size with a name, for open-ended lists that newer versions extend (drops, self bytes ...).
struct named_value {
    std::string name;
    std::uint64_t value{};
};

// Where a snapshot comes from: enough to warn when two of them should not be compared.
struct snapshot_info {
    std::string label;    // chosen by whoever took it; never used as a file name
    std::string service;  // options.service
    std::string host;
    std::string executable;  // path of /proc/self/exe
    std::string version;     // memwatch version that froze it
    std::string session;     // 32 hex digits, new for each session and each forked child
    std::uint64_t pid{};
    std::uint64_t started_unix_ns{};  // wall clock at time 0: the start of the process' first session
    std::uint64_t taken_ns{};         // since time 0
    std::uint64_t epoch_ns{};         // length of an epoch
    std::uint64_t first_epoch{};      // the epoch this session began in; above 0 after a restart or in a forked child
    std::uint64_t interval_bytes{};   // R in force at the freeze; records carry their own. 0 = every block is recorded
    std::uint64_t resident_bytes{};   // VmRSS at the freeze; 0 = unknown
    std::uint64_t exact_until_ns{};   // full mode: blocks born later may be missing; 0 = none is, or full mode was never on
    std::uint64_t window_ns{};        // only what happened in this time before the freeze (diff/window.hpp); 0 = all of it
    std::string sampler;              // "poisson", "one_in_n", "own", "full" (every block); empty = a dump before 1.2
    std::uint64_t one_in{};           // N of sampler one_in_n; else 0
    std::uint64_t min_size_bytes{};   // smaller blocks were no samples in this session: estimates are of the others
    std::uint64_t baseline_ns{};      // when somebody said "from here on" (session::mark_baseline); 0 = nobody did
};

// A loaded ELF object. Frames name code as module + file offset, which survives ASLR; the build id finds the right symbols.
struct module {
    std::string path;
    std::string build_id;         // lower-case hex of .note.gnu.build-id; empty = none
    std::uint64_t start{};        // address of the lowest executable byte when the snapshot was taken
    std::uint64_t limit{};        // one past the highest
    std::uint64_t file_offset{};  // file offset that `start` was mapped from
};

// One source position; a frame has several when the compiler inlined calls into it.
struct source_line {
    std::string function;           // demangled; empty = unknown
    std::string file;               // empty = unknown
    std::uint32_t line{};           // 0 = unknown
    std::uint32_t function_line{};  // where the function is declared, so that `line` can be told from its start; 0 = unknown
};

// `frame.module` of code that is in no module: generated, or unloaded.
inline constexpr std::uint32_t no_module = 0xFFFF'FFFF;

// A return address. `offset` is the file offset inside the module (address - start + file_offset), or the absolute address when
// `module` is `no_module`. It points behind the call: symbolize `offset - 1`.
struct frame {
    std::uint32_t module{no_module};
    std::uint64_t offset{};
    std::vector<source_line> lines;  // innermost inlined call first; empty = not symbolized
};

// The calls that led to an allocation.
struct stack {
    std::vector<std::uint32_t> frames;  // indices into snapshot.frames, leaf first
    bool is_truncated{};                // the walk did not reach the thread's base frame
};

// Births of a site in one epoch. How much of them is alive follows from the live records born in that epoch.
struct cohort {
    std::uint64_t epoch{};  // epoch number, counted from time 0
    double born_bytes{};    // weighted
    double born_objects{};
    bool is_merged{};  // stands for this epoch and all before it
};

// Lifetimes of freed blocks, weighted objects per bucket. Bucket i counts lifetimes <= bounds[i] (and above the one before);
// the last bucket is +Inf. Powers of four from 1 ms, after the advice of at most 12 buckets in Prometheus' documentation.
inline constexpr std::size_t lifetime_bucket_count = 12;
// The buckets' upper bounds; the last bucket has none.
inline constexpr std::uint64_t lifetime_bounds_ns[lifetime_bucket_count - 1] = {
    1'000'000ULL,     4'000'000ULL,      16'000'000ULL,     64'000'000ULL,      256'000'000ULL,      1'024'000'000ULL,
    4'096'000'000ULL, 16'384'000'000ULL, 65'536'000'000ULL, 262'144'000'000ULL, 1'048'576'000'000ULL};

// Which bucket a lifetime belongs to. Threads: any. [hook]
[[nodiscard]] constexpr std::size_t lifetime_bucket(std::uint64_t lifetime_ns) noexcept {
    std::size_t bucket = 0;
    while (bucket + 1 < lifetime_bucket_count && lifetime_ns > lifetime_bounds_ns[bucket]) { ++bucket; }
    return bucket;
}

// How long a site's freed blocks lived.
struct lifetime_histogram {
    double objects[lifetime_bucket_count]{};  // weighted frees per bucket (not cumulative)
    double sum_seconds{};                     // weighted sum of lifetimes
};

// A site: one interned stack, the allocated type, the tag. The unit that leaks.
struct site {
    std::uint32_t stack{};
    std::uint32_t tag{};
    std::string type;          // C++ type name as the compiler spells it; empty = unknown
    sampled_totals live;       // alive at the freeze; equals the sum over its live records
    sampled_totals allocated;  // since session start
    sampled_totals freed;
    sampled_totals freed_by_other_thread;  // part of `freed` whose freeing thread was not the allocating one
    std::vector<cohort> cohorts;           // oldest first
    lifetime_histogram lifetimes;
};

// One sampled block that is alive. No address and no contents: `sequence` is the identity (unique within a session, in order
// of allocation), so a block seen in two snapshots is the same block, and a reused address is not.
struct live_record {
    std::uint64_t sequence{};
    std::uint64_t size_bytes{};
    std::uint64_t birth_ns{};        // 0 = unknown: a profile of another tool
    std::uint64_t interval_bytes{};  // R this record is weighted with; raised when the table was thinned
    trace_id trace;
    std::uint32_t site{};
    std::uint32_t route{};
    std::uint32_t thread{};  // thread that allocated
};

// How much a tag matters to those who run the service, 0 (not at all) to 1: what nobody stated.
inline constexpr double default_tag_weight = 0.5;

// A tag with its exact counters: to the byte when the program is quiet, never torn, never more freed than allocated.
struct tag_totals {
    std::string name;
    std::uint64_t allocated_bytes{};
    std::uint64_t allocations{};
    std::uint64_t freed_bytes{};
    std::uint64_t frees{};
    double weight{default_tag_weight};  // 0..1; a term of the ranking of a diff

    [[nodiscard]] std::uint64_t live_bytes() const noexcept { return allocated_bytes - freed_bytes; }
    [[nodiscard]] std::uint64_t live_objects() const noexcept { return allocations - frees; }
};

// A pool, memwatch's own or a registered one. Counts are objects.
//
// Its storage (`storage_bytes`) is counted once: under `upstream` when that names a tag or a pool whose objects the storage is
// made of, else as the pool's own. Objects in use are counted a second time under `tag`, which says who has them, not where
// memory comes from; bytes_from_allocator() takes them out again.
struct pool_totals {
    std::string name;
    std::string upstream;          // tag or pool that the pool's storage is already counted under; empty = none
    std::uint64_t object_bytes{};  // size of one object; 0 = varies
    std::uint64_t capacity{};      // objects that storage exists for
    std::uint64_t in_use{};
    std::uint64_t high_water{};        // most in use at once
    std::uint64_t acquires{};          // since creation
    std::uint64_t hits{};              // acquires served without growing
    std::uint64_t acquire_failures{};  // pool exhausted, or nothing released in time
    std::uint64_t misuses{};           // double release, foreign pointer, outstanding at destruction
    std::string tag{};                 // what objects in use are counted under; empty = nothing
    bool upstream_is_pool{};
    std::uint64_t storage_bytes{};       // obtained from upstream, padding between objects included
    std::uint64_t waiters{};             // threads that wait for an object now
    std::uint64_t most_waiters{};        // at once
    std::uint64_t waits{};               // acquires that waited
    std::uint64_t wait_ns{};             // all waits that ended, added up
    std::uint64_t oldest_checkout_ns{};  // age of the object that is out longest; 0 = none is, or unknown
    trace_id oldest_trace{};             // what that object was acquired for
    std::uint32_t oldest_route{};        // index into routes
    std::uint32_t oldest_frame{};        // who acquired it: index into frames + 1; 0 = unknown

    [[nodiscard]] std::uint64_t free() const noexcept { return capacity > in_use ? capacity - in_use : 0; }
    // What the pool holds and nobody uses. In bytes of objects.
    [[nodiscard]] std::uint64_t idle_bytes() const noexcept { return free() * object_bytes; }
};

// A thread that allocated or freed a sampled block.
struct thread_info {
    std::string name;
    std::uint64_t tid{};  // 0 = several threads ("other")
    bool is_alive{};
};

// What became of a site's blocks, beyond its totals: from lifecycle telemetry, so it may be behind by what a full ring lost
// (drops: telemetry_ring_full). A survivor was alive when the second epoch after its own began.
struct survival {
    std::uint32_t site{};
    sampled_totals survived;
    sampled_totals ended;            // survivors that were freed after all
    sampled_totals short_lived;      // freed in the epoch of their birth: no later snapshot can show them
    double survived_traced_bytes{};  // part of `survived` that was born in a trace, and has most likely outlived it
};

// Blocks that one thread made and another freed. The last row may have tid 0 twice: what the list had no room for.
struct hand_off {
    std::string from;
    std::string to;
    std::uint64_t from_tid{};
    std::uint64_t to_tid{};
    sampled_totals freed;
};

// The youngest sampled block of a site that was born in a trace: one request to look up for it. Summaries carry them; where
// there are records, these say it themselves.
struct trace_example {
    std::uint32_t site{};
    trace_id trace;
    std::uint64_t size_bytes{};
    std::uint64_t birth_ns{};
};

// A request whose block was the last to die in a bucket of lifetimes. Summaries of a process carry them; no dump does.
struct lifetime_example {
    std::uint32_t tag{};
    trace_id trace;
    std::uint64_t lifetime_ns{};
    std::uint64_t died_ns{};
};

struct snapshot {
    snapshot_info info;
    std::vector<module> modules;
    std::vector<frame> frames;
    std::vector<stack> stacks;
    std::vector<tag_totals> tags;
    std::vector<std::string> routes;
    std::vector<thread_info> threads;
    std::vector<pool_totals> pools;
    std::vector<site> sites;
    std::vector<live_record> live;
    std::vector<named_value> drops;                   // records lost, by reason
    std::vector<named_value> degradations;            // steps taken to stay in budget, by name
    std::vector<named_value> self_bytes;              // what memwatch itself holds, by component
    std::vector<survival> survivals;                  // by site, each at most once
    std::vector<hand_off> hand_offs;                  // most objects first
    std::vector<trace_example> examples;              // by site, each at most once; summaries only
    std::vector<lifetime_example> lifetime_examples;  // by tag and bucket; summaries only
    std::vector<named_value> activity;  // of memwatch since the process' start: events, lifetimes, own time; open-ended
    std::vector<verdict> verdicts;      // of all sites and pools that were judged, by the last look before the freeze

    // Writes the `.memtrace` dump to `path`: into a temporary file of mode 0600 beside it, synced, then renamed over, so that
    // a reader sees the old file or the whole new one. Defined in snapshot/ (this header knows no file format).
    // Errors: io. Threads: any.
    [[nodiscard]] MEMWATCH_API result<void> write_to(const std::string& path) const;
};

// Checks every index and law that does not need arithmetic tolerance; hostile input passes through here before use. A site may
// have fewer records than samples (a summary, a dump that lost some), never more.
// Errors: unreadable, naming the table and the row.
[[nodiscard]] MEMWATCH_API result<void> validate(const snapshot& s);

// Exactly counted bytes, each once and where it was obtained: what tags and pools have from the process' allocator. A law when
// the program is quiet (tests/unit/alloc/pool_accounting_test.cpp); a running one may be off by what is under way.
[[nodiscard]] MEMWATCH_API std::uint64_t bytes_from_allocator(const snapshot& s) noexcept;

// Sum over live records: the estimated live heap.
[[nodiscard]] MEMWATCH_API sampled_totals live_totals(const snapshot& s);

}  // namespace v1
}  // namespace memwatch
