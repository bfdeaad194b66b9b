// SPDX-License-Identifier: Apache-2.0
// Story S4: a million items, allocated under a trace on one thread, pushed through a queue, freed on another; 8 threads.
// Nothing is left, no owner was mistaken, and what is kept names who allocated it, although another thread touched it last.
//
//   s4_handoff right     the story
//   s4_handoff wrong     a program that frees under another tag than it allocated with: each sampled one is proof, and counted
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include <memwatch/serve/http_handler.hpp>

namespace {

constexpr std::size_t pairs = 4;
constexpr std::size_t items_of_a_pair = 1'000'000 / pairs;
constexpr std::size_t kept_every = 250;  // 1,000 a producer: the odds that none of them is a sample are below 1e-12

struct item {
    char payload[120];
};
using allocator = memwatch::tracked_allocator<item>;

int failures = 0;
void check(bool holds, const char* what) {
    if (holds) { return; }
    std::fprintf(stderr, "FAILED: %s\n", what);
    ++failures;
}

// Bounded, as a service's is: with a backlog of its own the sampler would spend its pages on what is under way.
class queue {
public:
    void push(item* value) {
        std::unique_lock lock(mutex_);
        room_.wait(lock, [&] { return items_.size() < capacity; });
        items_.push_back(value);
        ready_.notify_one();
    }
    item* pop() {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [&] { return !items_.empty(); });
        item* const value = items_.front();
        items_.pop_front();
        if (items_.size() == capacity / 2) { room_.notify_one(); }
        return value;
    }

private:
    static constexpr std::size_t capacity = 1000;
    std::mutex mutex_;
    std::condition_variable ready_;
    std::condition_variable room_;
    std::deque<item*> items_;
};

memwatch::trace_id trace_of(std::size_t producer) { return {0x4444, producer + 1}; }

void produce(queue& to, allocator from, std::size_t producer) {
    for (std::size_t i = 0; i < items_of_a_pair; ++i) {
        const memwatch::trace_scope scope(trace_of(producer), "/producer");
        item* const one = from.allocate(1);
        std::memset(one->payload, 1, sizeof one->payload);
        to.push(one);
    }
    to.push(nullptr);
}

void consume(queue& from, allocator to, std::vector<item*>& kept) {
    const memwatch::trace_scope scope("consumer", "/consumer");
    std::size_t seen = 0;
    while (item* const one = from.pop()) {
        one->payload[0] = 2;  // touched last here
        if (++seen % kept_every == 0) {
            kept.push_back(one);
        } else {
            to.deallocate(one, 1);
        }
    }
}

double metric(const memwatch::http_handler_function& ask, const std::string& series) {
    const std::string page = ask({"GET", "/metrics", {{"Host", "localhost"}}, {}}).body;
    const std::size_t at = page.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::strtod(page.c_str() + at + series.size() + 2, nullptr);
}

std::string get(const memwatch::http_handler_function& ask, const std::string& target) {
    const memwatch::http_response answer = ask({"GET", target, {{"Host", "localhost"}}, {}});
    check(answer.status == 200, target.c_str());
    return answer.body;
}

void expect_producers(const memwatch::session& session, memwatch::tag owner) {
    const auto s = session.snapshot();
    std::size_t seen = 0;
    for (const memwatch::live_record& r : s->live) {
        if (s->sites[r.site].tag != owner.id()) { continue; }
        ++seen;
        check(r.trace.high == 0x4444 && s->routes[r.route] == "/producer", "a kept item names who allocated it");
    }
    std::printf("%zu of the kept items are samples\n", seen);
    check(seen > 0, "some kept items are samples");
}

void run_story(const memwatch::session& session) {
    const memwatch::tag owner{"items"};
    const allocator items{owner};
    const memwatch::http_handler_function ask = memwatch::http_handler(session);
    std::vector<queue> queues(pairs);
    std::vector<std::vector<item*>> kept(pairs);
    std::vector<std::thread> threads;
    for (std::size_t p = 0; p < pairs; ++p) {
        threads.emplace_back([&, p] { produce(queues[p], items, p); });
        threads.emplace_back([&, p] { consume(queues[p], items, kept[p]); });
    }
    for (std::thread& t : threads) { t.join(); }

    expect_producers(session, owner);
    const std::string by_trace = get(ask, "/debug/memtrace/traces?top=50");
    for (std::size_t p = 0; p < pairs; ++p) {
        check(by_trace.find(to_string(trace_of(p))) != std::string::npos, "traces name each producer");
    }
    check(get(ask, "/debug/memtrace?top=3").find("name no trace") != std::string::npos, "what names no trace is said");
    check(metric(ask, "memwatch_live_objects{tag=\"items\"}") == pairs * items_of_a_pair / kept_every, "kept items are live");
    for (std::vector<item*>& each : kept) {
        for (item* const one : each) { allocator(items).deallocate(one, 1); }
    }
    check(metric(ask, "memwatch_live_bytes{tag=\"items\"}") == 0, "live 0");
    check(metric(ask, "memwatch_allocations_total{tag=\"items\"}") == pairs * items_of_a_pair, "a million items");
    check(metric(ask, "memwatch_attribution_mismatch_total") == 0, "attribution_mismatch 0");
    check(metric(ask, "memwatch_sampled_bytes_total{context=\"trace\"}") > 0, "bytes with a trace are counted");
}

// Freed under another tag: the exact counters of two tags are wrong, which is why it must not go unnoticed.
void run_wrong(const memwatch::session& session) {
    const memwatch::tag rightful{"rightful"};
    const memwatch::tag mistaken{"mistaken"};
    const memwatch::http_handler_function ask = memwatch::http_handler(session);
    check(metric(ask, "memwatch_attribution_mismatch_total") == 0, "nothing was wrong yet");
    std::vector<item*> items;
    for (int i = 0; i < 10'000; ++i) { items.push_back(allocator(rightful).allocate(1)); }
    for (int i = 0; i < 10'000; ++i) { items.push_back(allocator(mistaken).allocate(1)); }
    const auto before = session.snapshot();
    for (item* const one : items) { allocator(mistaken).deallocate(one, 1); }
    const auto after = session.snapshot();
    check(validate(*after).has_value(), "the snapshot is valid all the same");
    check(metric(ask, "memwatch_live_bytes{tag=\"mistaken\"}") == 0, "no tag shows more freed than allocated");
    check(metric(ask, "memwatch_attribution_mismatch_total") > 10'000, "each excess free and each sample is proof");
    std::size_t left = 0;
    for (const memwatch::live_record& r : after->live) {
        left += after->sites[r.site].tag == rightful.id() || after->sites[r.site].tag == mistaken.id() ? 1 : 0;
    }
    check(before->live.size() > after->live.size() && left == 0, "and no record stays behind");
}

}  // namespace

int main(int argc, char** argv) {
    alarm(240);
    memwatch::options wanted;
    wanted.interval_bytes = 4096;
    wanted.target_samples_per_second = 0;
    wanted.target_overhead_permille = 0;
    const memwatch::session session = memwatch::session::start(wanted);
    const bool is_wrong = argc > 1 && std::strcmp(argv[1], "wrong") == 0;
    is_wrong ? run_wrong(session) : run_story(session);
    return failures == 0 ? 0 : 1;
}
