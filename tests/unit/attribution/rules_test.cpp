// SPDX-License-Identifier: Apache-2.0
#include "attribution/rules.hpp"

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <string>

#include <catch2/catch.hpp>

using namespace memwatch;

namespace {

// A site that grew by 1 MiB, steadily and surely, of which nothing is known beyond that.
facts grown() {
    facts f;
    f.grown_bytes = 1 << 20;
    f.grown_objects = 4096;
    f.live_bytes = 2 << 20;
    f.live_objects = 8192;
    f.seconds = 90;
    f.is_significant = f.is_between = f.is_same_session = f.has_records = f.has_names = f.is_tagged = true;
    f.samples = 500;
    f.steady_share = 0.95;
    f.born_bytes = 1 << 20;
    f.born_objects = 4096;
    f.born_samples = 500;
    f.untraced_share = 0;
    f.oldest_age_ns = 90'000'000'000;
    f.function = "shop::remember";
    f.tag = "orders";
    f.type = "shop::order";
    return f;
}

facts held_by(container holder, container made) {
    facts f = grown();
    f.code.holder = holder;
    f.code.made = made;
    f.code.called = "std::thing::emplace";
    f.code.user_function = "shop::remember(int)";
    return f;
}

facts partly_freed(facts f, double share) {
    f.freed_bytes = share * f.born_bytes;
    f.freed_samples = 300;
    return f;
}

facts pool_with(std::uint64_t before, std::uint64_t after) {
    facts f = grown();
    f.kind = finding_kind::pool;
    f.has_pool = true;
    f.pool.before.in_use = before;
    f.pool.after.name = "connections";
    f.pool.after.in_use = after;
    f.pool.after.capacity = 512;
    f.pool.after.oldest_checkout_ns = 95'000'000'000;
    f.pool.oldest_site = "db::query";
    return f;
}

facts process_with(double resident_mib, double live_mib) {
    facts f;
    f.kind = finding_kind::process;
    f.is_same_session = f.is_significant = true;
    f.process.resident_before = 100 << 20;
    f.process.resident_after = f.process.resident_before + static_cast<std::uint64_t>(resident_mib * 1048576);
    f.process.live_after = live_mib * 1048576;
    return f;
}

facts threads_with(std::size_t ended, double share, double each) {
    facts f = grown();
    f.threads = {ended + 1, ended, share, each, ended};
    return f;
}

facts beside(facts f, container companion) {
    f.companion = companion;
    f.companion_called = "std::thing::push";
    return f;
}

// Freed within 64 s as a rule, oldest alive `age_s`.
facts aged(facts f, std::uint64_t age_s) {
    f.normal_lifetime_seconds = 65.536;
    f.oldest_age_ns = age_s * 1'000'000'000;
    return f;
}

facts forgotten(facts f, std::uint64_t age_s) { return aged(partly_freed(std::move(f), 0.6), age_s); }

struct rule_case {
    const char* rule;
    facts applies;
    facts does_not;
    const char* says;  // in the reason
};

template <class Change>
facts with(facts f, Change change) {
    change(f);
    return f;
}

std::vector<rule_case> cases() {
    const facts map = held_by(container::tree, container::tree);
    const facts queue =
        partly_freed(with(held_by(container::none, container::none), [](facts& f) { f.freed_elsewhere_bytes = 1e9; }), 0.6);
    const facts shared = held_by(container::shared_pointer, container::shared_pointer);
    const facts plain = with(held_by(container::none, container::none), [](facts& f) { f.type.clear(); });
    const facts buffer = with(held_by(container::string, container::string), [](facts& f) { f.live_objects = 1; });
    return {
        {"pool_not_returned", pool_with(12, 340), pool_with(340, 340), "had 12 objects in use, now 340 of 512 (+328)"},
        {"allocator_retention", process_with(64, 1), process_with(64, 60), "RSS grew by 64.0 MiB"},
        {"burst_or_warm_up", with(map, [](facts& f) { f.steady_share = 0.1; }), map, "Only 10 %"},
        {"within_usual_age", aged(partly_freed(map, 0.6), 60), aged(partly_freed(map, 0.6), 70),
         "Nothing alive is older than 1m00s"},
        {"erase_skipped", aged(partly_freed(map, 0.6), 70), aged(partly_freed(map, 0.6), 60), "60 % was freed"},
        {"erase_skipped", beside(partly_freed(held_by(container::vector, container::vector), 0.6), container::hash),
         partly_freed(held_by(container::vector, container::vector), 0.6), "hash table that std::thing::push"},
        {"erase_missing", beside(held_by(container::string, container::string), container::tree),
         held_by(container::string, container::string), "std::thing::push inserts into a map"},
        {"ended_threads", threads_with(40, 0.95, 1), threads_with(40, 0.5, 1), "40 threads that have ended, 1 block each"},
        {"ended_threads", threads_with(4, 0.95, 1), threads_with(3, 0.95, 1), "4 threads"},
        {"hand_off_lost", queue, with(queue, [](facts& f) { f.freed_elsewhere_bytes = 0; }), "100 % of that by another thread"},
        {"hand_off_lost", queue, with(queue, [](facts& f) { f.code.holder = container::hash; }), "60 % was freed"},
        {"hand_off_lost", queue, beside(queue, container::hash), "60 % was freed"},
        {"reference_cycle", shared, beside(shared, container::tree), "shared_ptr"},
        {"held_by_container", beside(shared, container::vector), shared, "std::thing::push"},
        {"callbacks_kept", held_by(container::function, container::function),
         partly_freed(held_by(container::function, container::function), 0.5), "callbacks"},
        {"erase_skipped", partly_freed(map, 0.75), map, "75 % was freed"},
        {"cache_without_bound", with(map, [](facts& f) { f.tag = "answer-cache"; }), map, "called a cache"},
        {"erase_missing", map, partly_freed(map, 0.5), "none was freed"},
        {"release_skipped", forgotten(held_by(container::vector, container::vector), 300),
         forgotten(held_by(container::vector, container::vector), 200), "nine of ten blocks within 1m05s"},
        {"release_skipped", forgotten(plain, 300), forgotten(map, 300), "has reached 5m00s"},
        {"hand_off_lost", queue, with(queue, [](facts& f) { f.mutual_share = 0.9; }), "60 % was freed"},
        {"one_buffer_grows", buffer, with(buffer, [](facts& f) { f.live_objects = 9; }), "appends to the same string"},
        {"text_accumulates", held_by(container::vector, container::string),
         partly_freed(held_by(container::vector, container::string), 0.9), "the text of 8192 strings"},
        {"sequence_grows", held_by(container::vector, container::vector), map, "8192 sequences that somebody keeps"},
        {"sequence_grows", with(held_by(container::deque, container::vector), [](facts& f) { f.live_objects = 1; }), map,
         "adds to a deque"},
        {"free_missing", held_by(container::c_heap, container::c_heap), plain, "whoever gets the pointer"},
        {"delete_missing", plain, with(plain, [](facts& f) { f.type = "shop::order"; }), "new or malloc"},
        {"doubtful",
         with(map,
              [](facts& f) {
                  f.is_significant = false;
                  f.grown_error = 9e5;
              }),
         map, "two standard errors"},
        {"no_names", with(grown(), [](facts& f) { f.has_names = false; }), grown(), "no function names"},
        {"stack_cut", with(grown(), [](facts& f) { f.is_truncated = true; }), grown(), "does not reach"},
        {"untagged", with(grown(), [](facts& f) { f.is_tagged = false; }), grown(), "no tag"},
        {"untraced", with(grown(), [](facts& f) { f.untraced_share = 0.8; }), grown(), "80 %"},
        {"few_samples", with(grown(), [](facts& f) { f.born_samples = 7; }), grown(), "Only 7 blocks"},
        {"other_session", with(grown(), [](facts& f) { f.is_same_session = false; }), grown(), "different processes"},
        {"no_records", with(grown(), [](facts& f) { f.has_records = false; }), grown(), "summary"},
    };
}

const hint* find(const std::vector<hint>& hints, std::string_view rule) {
    const auto found = std::find_if(hints.begin(), hints.end(), [&](const hint& h) { return h.rule == rule; });
    return found == hints.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("rules: each applies to its case and says the numbers, and not to the case beside it") {
    for (const rule_case& each : cases()) {
        CAPTURE(each.rule);
        const auto hints = apply_rules(each.applies);
        const hint* const found = find(hints, each.rule);
        REQUIRE(found != nullptr);
        CAPTURE(found->why.plain());
        CHECK(found->why.plain().find(each.says) != std::string::npos);
        CHECK(find(apply_rules(each.does_not), each.rule) == nullptr);
    }
}

TEST_CASE("rules: there is a case for every rule") {
    const auto tested = cases();
    for (const rule_words& rule : all_rules()) {
        CAPTURE(rule.rule);
        CHECK(std::any_of(tested.begin(), tested.end(),
                          [&](const rule_case& each) { return std::string_view(each.rule) == rule.rule; }));
    }
}

TEST_CASE("rules: the page lists each, in their order, with its condition") {
    std::ifstream file(MEMWATCH_REPORT_PAGE);
    const std::string page{std::istreambuf_iterator<char>(file), {}};
    std::size_t at = 0;
    for (const rule_words& rule : all_rules()) {
        const std::string row =
            std::string("| `") + rule.rule + "` | " + to_string(rule.kind) + " | " + rule.title + " | " + rule.condition + " |";
        INFO("docs/report.md has no row, or not in this place: " << row);
        const std::size_t found = page.find(row, at);
        REQUIRE(found != std::string::npos);
        at = found;
    }
}

TEST_CASE("rules: where nothing fits, nothing is made up") {
    for (const hint& each : apply_rules(grown())) { CHECK(each.kind == hint_kind::measure); }
    CHECK(apply_rules(grown()).empty());
}

TEST_CASE("rules: growth that came in a burst is not called a missing erase") {
    facts f = held_by(container::tree, container::tree);
    f.steady_share = 0.1;
    const auto hints = apply_rules(f);
    REQUIRE_FALSE(hints.empty());
    CHECK(hints.front().kind == hint_kind::wait);
    CHECK(find(hints, "erase_missing") == nullptr);
}

TEST_CASE("rules: what shrank or may be noise is accused of nothing") {
    for (const auto& change : {std::function<void(facts&)>([](facts& f) { f.grown_bytes = -5e6; }),
                               std::function<void(facts&)>([](facts& f) { f.is_significant = false; })}) {
        for (container what :
             {container::tree, container::string, container::shared_pointer, container::c_heap, container::none}) {
            facts f = held_by(what, what);
            change(f);
            for (const hint& each : apply_rules(f)) { CHECK(each.kind == hint_kind::measure); }
        }
    }
}

TEST_CASE("rules: facts that do not exist in nature are survived") {
    facts f = held_by(container::tree, container::tree);
    f.born_bytes = -1;
    f.freed_bytes = 1e300;
    f.steady_share = 7;
    f.normal_lifetime_seconds = std::numeric_limits<double>::infinity();
    f.freed_samples = 100;
    for (const hint& each : apply_rules(f)) { CHECK_FALSE(each.why.empty()); }
}
