// SPDX-License-Identifier: Apache-2.0
#include "attribution/rules.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

namespace memwatch::inline v1 {
namespace {

// What counts as "all", "some" and "none" in the conditions below. Chosen by judgement; the e2e programs and the unit tests on
// both sides of each bound are what they were checked on.
constexpr double hardly_any = 0.05;       // a share
constexpr double some = 0.2;              // a share
constexpr double nearly_all = 0.8;        // a share
constexpr double burst = 0.25;            // below: most of the growth came in a part of the time
constexpr std::uint64_t few_samples = 8;  // below: shares of freed bytes say nothing
constexpr std::size_t many_ended = 4;     // threads
constexpr double blocks_of_a_thread = 64;
constexpr double long_checkout = 0.5;  // of the time between the snapshots
constexpr double retained_bytes = 4.0 * 1024 * 1024;
constexpr double few_objects = 8;
constexpr double forgotten_lifetimes = 4;  // times what nine of ten freed blocks reach

// --- words

std::string bytes(double value) { return format_bytes(value); }
std::string percent(double share) { return fmt::format("{:.0f} %", 100 * std::clamp(share, 0.0, 1.0)); }
std::string count(double value, const char* one, const char* many) {
    return fmt::format("{:.0f} {}", value, std::lround(value) == 1 ? one : many);
}
std::string age(std::uint64_t nanoseconds) { return format_duration(nanoseconds); }
const char* span(const facts& f) { return f.is_between ? "between the snapshots" : "since the process started"; }

std::string born_words(const facts& f) {
    return bytes(f.born_bytes) + " in " + count(f.born_objects, "block", "blocks") + " allocated " + span(f);
}

// "Of 12 MiB in 3000 blocks allocated between the snapshots, 2 % was freed"
std::string fate_words(const facts& f) {
    const std::string freed = f.freed_bytes <= 0 ? std::string("none was freed") : percent(f.freed_share()) + " was freed";
    return f.born_bytes <= 0 ? std::string() : "Of " + born_words(f) + ", " + freed;
}

// --- conditions that several rules share

bool is_growing_site(const facts& f) { return f.kind == finding_kind::site && f.is_significant && f.grown_bytes > 0; }
bool is_burst(const facts& f) { return f.steady_share >= 0 && f.steady_share < burst; }
// Of what is freed, nine of ten live up to a time that nothing alive has reached.
bool is_young(const facts& f) {
    return f.freed_samples >= few_samples && f.freed_share() >= some && f.oldest_age_ns > 0 &&
           static_cast<double>(f.oldest_age_ns) / 1e9 <= f.normal_lifetime_seconds;
}
bool is_accusable(const facts& f) { return is_growing_site(f) && !is_burst(f) && !is_young(f); }
bool is_node_container(container what) { return what == container::tree || what == container::hash || what == container::list; }
bool is_kept(const facts& f) { return f.born_bytes > 0 && f.freed_share() <= hardly_any; }
bool is_partly_freed(const facts& f) {
    return f.freed_samples >= few_samples && f.freed_share() > hardly_any && f.freed_share() < 1;
}
bool named_cache(const facts& f) {
    return sounds_like_cache(f.tag) || sounds_like_cache(f.function) || sounds_like_cache(f.type);
}

// --- the rules' conditions and reasons

bool pool_not_returned(const facts& f) {
    if (!f.has_pool || f.pool.after.in_use <= f.pool.before.in_use) { return false; }
    const bool is_long_out = static_cast<double>(f.pool.after.oldest_checkout_ns) >= long_checkout * f.seconds * 1e9;
    return is_long_out || f.pool.after.acquire_failures > f.pool.before.acquire_failures ||
           f.pool.after.oldest_checkout_ns == 0;
}

sentence pool_reason(const facts& f) {
    const pool_totals& now = f.pool.after;
    sentence words{"Pool "};
    words.name(now.name).say(fmt::format(" had {} in use, now {}",
                                         count(static_cast<double>(f.pool.before.in_use), "object", "objects"), now.in_use));
    if (now.capacity != 0) { words.say(fmt::format(" of {}", now.capacity)); }
    words.say(fmt::format(" (+{})", now.in_use - f.pool.before.in_use));
    if (now.oldest_checkout_ns != 0) {
        words.say("; the one that is out longest was acquired " + age(now.oldest_checkout_ns) + " ago");
    }
    if (!f.pool.oldest_site.empty()) { words.say(" by ").name(f.pool.oldest_site); }
    if (!f.pool.oldest_route.empty()) { words.say(" for route ").name(f.pool.oldest_route); }
    if (now.acquire_failures > f.pool.before.acquire_failures) {
        words.say(fmt::format("; {} acquires failed between", now.acquire_failures - f.pool.before.acquire_failures));
    }
    return words.say(".");
}

bool allocator_retention(const facts& f) {
    if (f.kind != finding_kind::process) { return false; }
    const double grown = f.process.resident_growth();
    const double live = f.process.live_after - f.process.live_before + 2 * f.process.live_error;
    const double self = static_cast<double>(f.process.self_after) - static_cast<double>(f.process.self_before);
    return grown - std::max(0.0, self) >= retained_bytes && std::max(0.0, live) < 0.5 * (grown - std::max(0.0, self));
}

sentence retention_reason(const facts& f) {
    const process_facts& p = f.process;
    const double self = static_cast<double>(p.self_after) - static_cast<double>(p.self_before);
    std::string words = "RSS grew by " + bytes(p.resident_growth()) + " to " + bytes(static_cast<double>(p.resident_after)) +
                        " while live blocks changed by " + format_bytes_signed(p.live_after - p.live_before);
    if (p.live_error > 0) { words += " +- " + bytes(p.live_error); }
    if (self > 0) { words += " and memwatch's own memory by " + bytes(self); }
    return words + ": the rest was freed by the program and is kept by the allocator, or was never allocated through it.";
}

bool burst_or_warm_up(const facts& f) { return is_growing_site(f) && is_burst(f); }

sentence burst_reason(const facts& f) {
    return fmt::format(
        "Only {} of the growth came evenly over the time between the snapshots; the rest came in a part of it, as when a cache "
        "fills up "
        "or one large request is served.",
        percent(f.steady_share));
}

bool within_usual_age(const facts& f) { return is_growing_site(f) && !is_burst(f) && is_young(f); }

sentence young_reason(const facts& f) {
    sentence words{fate_words(f) + ", nine of ten blocks "};
    words.say(std::isfinite(f.normal_lifetime_seconds)
                  ? "within " + age(static_cast<std::uint64_t>(f.normal_lifetime_seconds * 1e9)) + " of their birth"
                  : std::string("later than after 17 minutes"));
    return words.say(". Nothing alive is older than " + age(f.oldest_age_ns) + ", so all of it may go as usual.");
}

bool ended_threads(const facts& f) {
    return is_accusable(f) && f.threads.ended >= many_ended && f.threads.ended_share >= nearly_all &&
           f.threads.blocks_each <= blocks_of_a_thread;
}

sentence threads_reason(const facts& f) {
    return fmt::format("{} of what survived was made by {} that have ended, {} each: what belongs to a thread outlives it.",
                       percent(f.threads.ended_share), count(static_cast<double>(f.threads.ended), "thread", "threads"),
                       count(f.threads.blocks_each, "block", "blocks"));
}

bool hand_off_lost(const facts& f) {
    const bool is_queue = f.held_in() != container::tree && f.held_in() != container::hash && f.mutual_share < 0.5;
    return is_accusable(f) && is_queue && f.freed_samples >= few_samples && f.freed_elsewhere_share() >= nearly_all &&
           f.freed_share() < 1;
}

sentence hand_off_reason(const facts& f) {
    sentence words{fate_words(f) + ", " + percent(f.freed_elsewhere_share()) +
                   " of that by another thread than the one that allocated"};
    if (!f.hand_offs.empty()) {
        const hand_off& most = f.hand_offs.front();
        words.say(" (mostly ").name(most.from).say(" -> ").name(most.to).say(")");
    }
    return words.say(". Blocks travel to another thread, and some have not arrived or wait there.");
}

bool reference_cycle(const facts& f) {
    const bool is_shared = f.code.made == container::shared_pointer || f.code.holder == container::shared_pointer;
    return is_accusable(f) && is_shared && f.companion == container::none && f.freed_share() < nearly_all;
}

sentence cycle_reason(const facts& f) {
    return fate_words(f) +
           ". They are owned by shared_ptr (object and reference count in one block), and no container grows in the same "
           "function "
           "that could hold them: their count never falls to zero.";
}

bool held_by_container(const facts& f) {
    const bool is_in_sequence = f.companion == container::vector || f.companion == container::deque;
    return is_accusable(f) && is_in_sequence && !is_node_container(f.code.holder) && f.freed_share() < nearly_all;
}

sentence held_reason(const facts& f) {
    return sentence{fate_words(f) + ". In the same function "}
        .name(f.companion_called)
        .say(std::string(" makes a ") + to_string(f.companion) + " grow: it most likely holds them.");
}

bool callbacks_kept(const facts& f) {
    const bool is_function = f.code.made == container::function || f.code.holder == container::function;
    return is_accusable(f) && is_function && is_kept(f);
}

sentence callbacks_reason(const facts& f) {
    return fate_words(f) + ". They are what std::function objects captured: callbacks that were registered and never removed.";
}

bool erase_skipped(const facts& f) { return is_accusable(f) && is_node_container(f.held_in()) && is_partly_freed(f); }

// Who put it there: its own stack, or a site of the same function.
const std::string& inserting_call(const facts& f) { return f.held_in() == f.code.holder ? f.code.called : f.companion_called; }

sentence skipped_reason(const facts& f) {
    sentence words{fate_words(f)};
    if (f.normal_lifetime_seconds > 0 && std::isfinite(f.normal_lifetime_seconds)) {
        words.say(" (nine of ten within " + age(static_cast<std::uint64_t>(f.normal_lifetime_seconds * 1e9)) + ")");
    }
    words.say(std::string(", and the rest stays in a ") + to_string(f.held_in()) + " that ").name(inserting_call(f));
    words.say(" added to; the oldest is " + age(f.oldest_age_ns) + " old. Some paths erase what they insert, one does not.");
    return words;
}

bool cache_without_bound(const facts& f) {
    const bool is_container =
        is_node_container(f.held_in()) || f.code.holder == container::vector || f.code.holder == container::deque;
    return is_accusable(f) && is_container && is_kept(f) && named_cache(f);
}

sentence cache_reason(const facts& f) {
    return sentence{fate_words(f) + ", in a " + to_string(f.held_in()) + " that "}
        .name(inserting_call(f))
        .say(" adds to. It is called a cache, and nothing ever leaves it.");
}

bool erase_missing(const facts& f) { return is_accusable(f) && is_node_container(f.held_in()) && is_kept(f); }

sentence erase_reason(const facts& f) {
    return sentence{fate_words(f) + ": "}
        .name(inserting_call(f))
        .say(std::string(" inserts into a ") + to_string(f.held_in()) + ", and nothing is erased from it.");
}

bool release_skipped(const facts& f) {
    const bool is_forgotten = f.normal_lifetime_seconds > 0 &&
                              static_cast<double>(f.oldest_age_ns) / 1e9 >= forgotten_lifetimes * f.normal_lifetime_seconds;
    return is_accusable(f) && is_partly_freed(f) && is_forgotten && f.live_objects > few_objects &&
           !is_node_container(f.held_in());
}

sentence release_reason(const facts& f) {
    return fate_words(f) + ", nine of ten blocks within " + age(static_cast<std::uint64_t>(f.normal_lifetime_seconds * 1e9)) +
           " of their birth; the oldest that is alive has reached " + age(f.oldest_age_ns) +
           ". Some paths let them go, one does not.";
}

bool one_buffer_grows(const facts& f) {
    const bool is_buffer = f.code.made == container::string || f.code.made == container::vector;
    return is_accusable(f) && is_buffer && f.code.made == f.code.holder && f.live_objects > 0 && f.live_objects <= few_objects;
}

sentence buffer_reason(const facts& f) {
    return sentence{count(f.live_objects, "block", "blocks") + " of " + bytes(f.mean_block_bytes()) +
                    " on average, larger by " + bytes(f.grown_bytes) + " than before: "}
        .name(f.code.called)
        .say(std::string(" appends to the same ") + to_string(f.code.made) + " again and again, which is never emptied.");
}

bool text_accumulates(const facts& f) {
    return is_accusable(f) && f.code.made == container::string && f.freed_share() < nearly_all;
}

sentence text_reason(const facts& f) {
    return sentence{fate_words(f) + ": the text of " + count(f.live_objects, "string", "strings") + " of " +
                    bytes(f.mean_block_bytes()) + " on average, made by "}
        .name(f.code.called)
        .say(".");
}

bool sequence_grows(const facts& f) {
    const bool is_sequence = f.code.holder == container::vector || f.code.holder == container::deque;
    return is_accusable(f) && is_sequence;
}

sentence sequence_reason(const facts& f) {
    sentence words{fate_words(f) + "; "};
    words.name(f.code.called);
    if (f.live_objects > few_objects) {
        return words.say(" made them: " + count(f.live_objects, to_string(f.code.holder), "sequences") +
                         " that somebody keeps.");
    }
    return words.say(std::string(" adds to a ") + to_string(f.code.holder) + " that only grows.");
}

bool free_missing(const facts& f) {
    return is_accusable(f) && f.code.made == container::c_heap && f.code.holder == container::c_heap &&
           f.freed_share() < nearly_all;
}

sentence free_reason(const facts& f) {
    return sentence{fate_words(f) + ". They come from "}
        .name(f.code.called)
        .say(", straight from the function's own code: whoever gets the pointer has to free it.");
}

// A stack often begins at the caller of operator new or malloc: no library frame, then, but names.
bool is_plain(const facts& f) {
    const container made = f.code.made;
    return made == f.code.holder && f.has_names && f.type.empty() && (made == container::plain_new || made == container::none);
}

bool delete_missing(const facts& f) { return is_accusable(f) && is_plain(f) && f.freed_share() < nearly_all; }

sentence delete_reason(const facts& f) {
    return fate_words(f) + ". They come from " + (f.code.made == container::plain_new ? "new" : "new or malloc") +
           ", straight from the function's own code, without a container or smart pointer around it.";
}

bool is_doubtful(const facts& f) { return f.kind == finding_kind::site && !f.is_significant && f.grown_bytes != 0; }

sentence doubt_reason(const facts& f) {
    return "The growth of " + bytes(f.grown_bytes) + " is less than two standard errors (" + bytes(f.grown_error) +
           " each): sampling alone could explain it.";
}

bool is_nameless(const facts& f) { return f.kind == finding_kind::site && !f.has_names; }
sentence nameless_reason(const facts&) {
    return "The stack has no function names, so nothing can be said about who keeps the memory.";
}

bool is_cut(const facts& f) { return f.kind == finding_kind::site && f.is_truncated; }
sentence cut_reason(const facts&) {
    return "The stack does not reach the start of its thread: who asked for the memory is missing.";
}

bool is_untagged(const facts& f) { return is_growing_site(f) && !f.is_tagged; }
sentence untagged_reason(const facts&) {
    return "The memory has no tag: it belongs to no component, and no exact counter knows it.";
}

bool is_untraced(const facts& f) { return is_growing_site(f) && f.untraced_share > 0.5; }
sentence untraced_reason(const facts& f) {
    return percent(f.untraced_share) + " of what survived names no trace, so the requests it was allocated for are unknown.";
}

bool is_of_other_session(const facts& f) { return f.kind == finding_kind::site && !f.is_same_session; }
sentence session_reason(const facts&) {
    return "The snapshots are of different processes: what survived, how steadily it grew and since when is not known between "
           "them.";
}

bool is_without_records(const facts& f) { return f.kind == finding_kind::site && !f.has_records; }
sentence records_reason(const facts&) {
    return "The last snapshot is a summary without live records: ages, routes and traces are unknown.";
}

bool has_unknown_fate(const facts& f) { return is_growing_site(f) && f.born_bytes > 0 && f.born_samples < few_samples; }
sentence fate_reason(const facts& f) {
    return "Only " + count(static_cast<double>(f.born_samples), "block", "blocks") +
           " of it were sampled: shares of what was freed and by whom say little.";
}

struct rule {
    const char* id;
    hint_kind kind;
    const char* title;
    const char* condition;
    bool (*applies)(const facts&);
    sentence (*reason)(const facts&);
    const char* suggestion;
};

constexpr std::array rules{
    rule{"pool_not_returned", hint_kind::fix, "Return what is acquired",
         "a pool has more objects in use than before, and one is out for half of the time between, acquires failed, or ages "
         "are unknown",
         pool_not_returned, pool_reason,
         "Keep the handle that acquire() returns instead of the raw object, so that every return and exception gives it back; "
         "look at the "
         "early returns of the function that acquired the oldest one."},
    rule{"allocator_retention", hint_kind::fix, "Not a leak of objects: give memory back to the system",
         "RSS grew by 4 MiB or more beyond memwatch's own memory, and live blocks explain less than half of it",
         allocator_retention, retention_reason,
         "With glibc: malloc_trim() after the peak, or fewer arenas (MALLOC_ARENA_MAX=2); with jemalloc: a shorter "
         "dirty_decay_ms. Long-lived "
         "small blocks among short-lived ones pin whole pages: give them a pool or arena of their own. Memory that is mapped "
         "directly is "
         "not seen here either."},
    rule{"burst_or_warm_up", hint_kind::wait, "Look again before changing anything",
         "the growth is certain, but less than a quarter of it came evenly over the time between", burst_or_warm_up,
         burst_reason,
         "Take another snapshot after a while and compare it with this one: what has filled up does not show again."},
    rule{"within_usual_age", hint_kind::wait, "Watch longer before changing anything",
         "a fifth or more was freed, and nothing alive is older than what nine of ten freed blocks reached", within_usual_age,
         young_reason,
         "Take another snapshot when the process has run several times as long as its blocks usually live: then what is still "
         "older was "
         "forgotten."},
    rule{"ended_threads", hint_kind::fix, "Free what belongs to a thread when it ends",
         "four or more threads that ended made 80 % of what survived, at most 64 blocks each", ended_threads, threads_reason,
         "Give the thread_local or pthread key a destructor (hold it by value or unique_ptr instead of a raw pointer), or keep "
         "the threads "
         "in a pool instead of making new ones."},
    rule{"hand_off_lost", hint_kind::fix, "Follow the blocks to the other thread",
         "another thread does 80 % of the freeing, part of what is allocated is never freed, no map or hash table holds it, "
         "and the threads that make it do not free each other's",
         hand_off_lost, hand_off_reason,
         "Bound the queue between the threads, so that a slow consumer slows the producer down; look at the paths where the "
         "consumer drops, "
         "fails or shuts down without freeing what it took."},
    rule{"reference_cycle", hint_kind::fix, "Break the cycle of shared_ptr",
         "made by make_shared or owned by shared_ptr, mostly not freed, and no container grows in the same function",
         reference_cycle, cycle_reason,
         "Make the way back (child to parent, callback to owner) a weak_ptr; look for lambdas that capture a shared_ptr of the "
         "object they "
         "are stored in."},
    rule{"held_by_container", hint_kind::fix, "Erase from the container that holds them",
         "mostly not freed, and another site of the same function makes one vector or deque grow", held_by_container,
         held_reason, "Fix the container's finding first: what it holds goes with its elements."},
    rule{"callbacks_kept", hint_kind::fix, "Unregister callbacks", "made by std::function, and at most 5 % was freed",
         callbacks_kept, callbacks_reason,
         "Return a handle from the registration which removes the callback when it goes out of scope."},
    rule{"erase_skipped", hint_kind::fix, "Erase on every path",
         "elements of a map, hash table or list (or made in a function that inserts into one), of which some are freed and "
         "some never",
         erase_skipped, skipped_reason,
         "Look at early returns and exceptions between insert and erase; a guard object that erases in its destructor covers "
         "them all."},
    rule{"cache_without_bound", hint_kind::fix, "Bound the cache",
         "a container whose function, type or tag is named like a cache, and at most 5 % was freed", cache_without_bound,
         cache_reason, "Give it a largest size and an order to evict in (least recently used), or an age at which entries go."},
    rule{"erase_missing", hint_kind::fix, "Erase what is inserted",
         "elements of a map, hash table or list (or made in a function that inserts into one), of which at most 5 % was freed",
         erase_missing, erase_reason,
         "Erase the entry where the request, session or job that it belongs to ends; a guard object that erases in its "
         "destructor covers "
         "every return and exception."},
    rule{"release_skipped", hint_kind::fix, "Let go on every path",
         "part was freed, soon, and what is alive is four times older than nine of ten of that; more than eight blocks, in no "
         "map or list",
         release_skipped, release_reason,
         "Look at who holds them on the way out of the function's callers: early returns and exceptions between keeping and "
         "letting go; a "
         "guard object or the owner's destructor covers them all."},
    rule{"one_buffer_grows", hint_kind::fix, "Empty the buffer",
         "at most eight live blocks of a string or vector, larger than before", one_buffer_grows, buffer_reason,
         "Clear it when its content was used, write it out in pieces, or make it a ring of fixed size."},
    rule{"text_accumulates", hint_kind::fix, "Let strings go", "made by std::string, mostly not freed", text_accumulates,
         text_reason,
         "Find who stores them (a log, a list of errors, a set of names seen): bound it, or store an id or a view instead of a "
         "copy."},
    rule{"sequence_grows", hint_kind::fix, "Bound or empty the sequence", "a vector or deque that grows steadily",
         sequence_grows, sequence_reason,
         "Remove what was handled (pop, erase, clear), or drop the oldest beyond a largest size."},
    rule{"free_missing", hint_kind::fix, "Free the result",
         "made by malloc, strdup, getline or another C function, outside of any container, mostly not freed", free_missing,
         free_reason,
         "Hold it by std::unique_ptr<char, decltype(&std::free)>, or copy it into a std::string and free it at once; look at "
         "the early "
         "returns behind the call."},
    rule{"delete_missing", hint_kind::fix, "Give it an owner",
         "made by new or malloc straight from the user's code, of no known type, mostly not freed", delete_missing,
         delete_reason,
         "Use std::make_unique (or the container's own element) instead of new; look at the early returns and exceptions "
         "behind it."},

    rule{"doubtful", hint_kind::measure, "Take another snapshot later, or sample more", "less than two standard errors",
         is_doubtful, doubt_reason,
         "Wait longer between the snapshots, or set a smaller interval (MEMWATCH_INTERVAL, preset investigate)."},
    rule{"no_names", hint_kind::measure, "Give the report the symbols", "no frame of the stack has a function name",
         is_nameless, nameless_reason,
         "Pass --debug-dir with the unstripped binaries or their debug files of the same build id."},
    rule{"stack_cut", hint_kind::measure, "Record deeper stacks", "the stack does not reach its thread's start", is_cut,
         cut_reason, "Raise the stack depth, or build with frame pointers or unwind tables."},
    rule{"untagged", hint_kind::measure, "Give it a tag", "the growth carries no tag", is_untagged, untagged_reason,
         "Use tracked_allocator, tracking_resource or a tag_scope: a tag's bytes are exact and carry a name and a weight."},
    rule{"untraced", hint_kind::measure, "Open trace scopes", "most of what survived names no trace", is_untraced,
         untraced_reason, "Open a trace_scope where a request begins, and carry it over threads with bind() or the adapters."},
    rule{"few_samples", hint_kind::measure, "Sample more", "fewer than eight sampled blocks were allocated between",
         has_unknown_fate, fate_reason,
         "Set a smaller interval (preset investigate), or record everything for a while (preset full)."},
    rule{"other_session", hint_kind::measure, "Compare snapshots of one process", "BEFORE and AFTER are of different sessions",
         is_of_other_session, session_reason, "Take two snapshots of the process that grows."},
    rule{"no_records", hint_kind::measure, "Take a whole snapshot", "AFTER is a summary", is_without_records, records_reason,
         "Use `memwatch snapshot` or format=memtrace instead of a summary."},
};

}  // namespace

const char* to_string(hint_kind kind) noexcept {
    switch (kind) {
        case hint_kind::fix:
            return "fix";
        case hint_kind::wait:
            return "wait";
        case hint_kind::measure:
            return "measure";
    }
    return "?";
}

std::vector<hint> apply_rules(const facts& f) {
    std::vector<hint> hints;
    for (const rule& each : rules) {
        if (each.applies(f)) { hints.push_back({each.id, each.kind, each.title, each.reason(f), each.suggestion}); }
    }
    return hints;
}

std::vector<rule_words> all_rules() {
    std::vector<rule_words> words;
    for (const rule& each : rules) { words.push_back({each.id, each.kind, each.title, each.condition}); }
    return words;
}

}  // namespace memwatch::inline v1
