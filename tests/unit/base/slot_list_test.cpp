// SPDX-License-Identifier: Apache-2.0
// The list itself on real threads, and the protocol around its mark on a model that goes through every interleaving: threads
// that wait for slots, give up, barge in and release, one atomic step at a time.
#include "base/slot_list.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <memory>
#include <set>
#include <thread>
#include <vector>

using namespace memwatch;

namespace {

// --- the model

enum class at : std::uint8_t { try_pop, lock, look, asleep, woken, leave, holds, release_seen, release_locked, notify, done };

struct actor {
    at place = at::try_pop;
    bool gets{};     // a slot
    bool is_late{};  // its time is up
    bool saw_mark{};
};

constexpr std::size_t most_actors = 4;

struct protocol {
    bool pushes_blindly{};    // a release that looks at the mark in one step and links the slot in the next
    bool gives_up_at_once{};  // a waiter whose time is up does not look again
};

struct world {
    std::array<actor, most_actors> actors{};
    std::uint8_t free{};     // slots in the list
    std::uint8_t waiting{};  // guarded by the lock
    std::uint8_t signals{};  // wake-ups that sleepers have not noticed
    bool is_marked{};
    bool is_locked{};

    [[nodiscard]] std::vector<std::uint8_t> key() const {
        std::vector<std::uint8_t> k{free, waiting, signals, is_marked, is_locked};
        for (const actor& a : actors) {
            k.push_back(static_cast<std::uint8_t>(a.place));
            k.push_back(static_cast<std::uint8_t>(a.gets | a.is_late << 1 | a.saw_mark << 2));
        }
        return k;
    }
};

class explorer {
public:
    explorer(protocol how, std::size_t actors, bool can_be_late) : how_(how), count_(actors), can_be_late_(can_be_late) {}

    // Whether there is an order of steps after which somebody sleeps for ever beside a free slot.
    [[nodiscard]] bool finds_lost_wakeup(std::uint8_t slots) {
        world start;
        start.free = slots;
        for (std::size_t i = count_; i < most_actors; ++i) { start.actors[i].place = at::done; }
        visit(start);
        return is_stuck_;
    }
    [[nodiscard]] std::size_t states() const { return seen_.size(); }

private:
    void visit(const world& w) {
        if (!seen_.insert(w.key()).second) { return; }
        bool moved = false;
        bool all_done = true;
        for (std::size_t i = 0; i < count_; ++i) {
            all_done = all_done && w.actors[i].place == at::done;
            moved |= step(w, i);
        }
        if (!moved && !all_done) { is_stuck_ = true; }
    }

    // All that actor `i` can do next; false: nothing.
    bool step(const world& before, std::size_t i) {
        world w = before;
        actor& a = w.actors[i];
        switch (a.place) {
            case at::try_pop:
                a.place = w.free > 0 ? at::holds : at::lock;
                if (w.free > 0) { --w.free; }
                break;
            case at::lock:
                if (w.is_locked) { return false; }
                w.is_locked = true;
                ++w.waiting;
                a.place = at::look;
                break;
            case at::look:  // pop_or_watch(), and the sleep that lets go of the lock in one step
                if (w.free > 0 && !(a.is_late && how_.gives_up_at_once)) {
                    --w.free;
                    a.gets = true;
                    a.place = at::leave;
                } else if (a.is_late) {
                    a.place = at::leave;
                } else {
                    w.is_marked = true;
                    w.is_locked = false;
                    a.place = at::asleep;
                }
                break;
            case at::asleep:
                return wake(before, i);
            case at::woken:
                if (w.is_locked) { return false; }
                w.is_locked = true;
                a.place = at::look;
                break;
            case at::leave:
                if (--w.waiting == 0) { w.is_marked = false; }
                w.is_locked = false;
                a.place = a.gets ? at::holds : at::done;
                break;
            case at::holds:
                a.saw_mark = w.is_marked;
                if (how_.pushes_blindly) {
                    a.place = at::release_seen;
                } else if (w.is_marked) {
                    a.place = at::release_locked;
                } else {  // try_push(): the look and the link are one exchange
                    ++w.free;
                    a.place = at::done;
                }
                break;
            case at::release_seen:
                if (a.saw_mark) {
                    a.place = at::release_locked;
                } else {
                    ++w.free;
                    a.place = at::done;
                }
                break;
            case at::release_locked:
                if (w.is_locked) { return false; }
                w.is_locked = true;
                ++w.free;
                a.place = at::notify;
                break;
            case at::notify:
                if (w.signals < sleepers(w)) { ++w.signals; }
                w.is_locked = false;
                a.place = at::done;
                break;
            case at::done:
                return false;
        }
        visit(w);
        return true;
    }

    bool wake(const world& before, std::size_t i) {
        bool moved = false;
        if (before.signals > 0) {
            world w = before;
            --w.signals;
            w.actors[i].place = at::woken;
            visit(w);
            // Its time may be up at the very moment that it is told.
            if (can_be_late_) {
                w.actors[i].is_late = true;
                visit(w);
            }
            moved = true;
        }
        if (can_be_late_ && i % 2 == 0) {
            world w = before;
            w.actors[i].place = at::woken;
            w.actors[i].is_late = true;
            w.signals = std::min(w.signals, sleepers(w));
            visit(w);
            moved = true;
        }
        return moved;
    }

    [[nodiscard]] std::uint8_t sleepers(const world& w) const {
        std::uint8_t count = 0;
        for (const actor& a : w.actors) { count = static_cast<std::uint8_t>(count + (a.place == at::asleep)); }
        return count;
    }

    protocol how_;
    std::size_t count_;
    bool can_be_late_;
    bool is_stuck_{};
    std::set<std::vector<std::uint8_t>> seen_;
};

// --- the list

struct owner {
    explicit owner(std::uint32_t count) : links(new slot_list::link[count]()) {
        for (std::uint32_t i = 0; i < count; ++i) { list.push(i, links[i]); }
    }
    [[nodiscard]] auto finder() const {
        return [this](std::uint32_t i) -> slot_list::link& { return links[i]; };
    }
    slot_list list;
    std::unique_ptr<slot_list::link[]> links;
};

}  // namespace

TEST_CASE("slot_list: no order of steps loses a wake-up", "[base]") {
    for (const bool can_be_late : {false, true}) {
        for (std::size_t actors = 2; actors <= most_actors; ++actors) {
            for (std::uint8_t slots = 1; slots < actors; ++slots) {
                INFO(actors << " threads, " << int{slots} << " slots" << (can_be_late ? ", some impatient" : ""));
                explorer model({}, actors, can_be_late);
                CHECK_FALSE(model.finds_lost_wakeup(slots));
                CHECK(model.states() > 10);
            }
        }
    }
}

TEST_CASE("slot_list: the model sees what goes wrong without the mark in the same word, or without a last look", "[base]") {
    explorer blind({.pushes_blindly = true}, 2, false);
    CHECK(blind.finds_lost_wakeup(1));
    explorer hasty({.gives_up_at_once = true}, 3, true);
    CHECK(hasty.finds_lost_wakeup(1));
}

TEST_CASE("slot_list: last in, first out; a watched list refuses pushes until it is let go", "[base]") {
    owner o(3);
    std::uint32_t slot = 0;
    REQUIRE(o.list.try_pop(slot, o.finder()));
    CHECK(slot == 2);
    CHECK(o.list.length(o.finder()) == 2);
    o.list.watch();
    CHECK_FALSE(o.list.try_push(2, o.links[2]));
    CHECK(o.list.length(o.finder()) == 2);
    o.list.push(2, o.links[2]);
    CHECK(o.list.length(o.finder()) == 3);
    for (const std::uint32_t expected : {2U, 1U, 0U}) {
        REQUIRE(o.list.pop_or_watch(slot, o.finder()));
        CHECK(slot == expected);
    }
    o.list.unwatch();
    CHECK_FALSE(o.list.pop_or_watch(slot, o.finder()));
    CHECK_FALSE(o.list.try_push(1, o.links[1]));
    o.list.unwatch();
    CHECK(o.list.try_push(1, o.links[1]));
    CHECK(o.list.try_pop(slot, o.finder()));
    CHECK(slot == 1);
    CHECK_FALSE(o.list.try_pop(slot, o.finder()));
}

TEST_CASE("slot_list: threads that take and give back never share a slot and lose none", "[base]") {
    constexpr std::uint32_t slots = 5;
    owner o(slots);
    std::vector<std::atomic<int>> holders(slots);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 50'000; ++i) {
                std::uint32_t slot = 0;
                if (!o.list.try_pop(slot, o.finder())) { continue; }
                if (holders[slot].fetch_add(1) != 0) { ++wrong; }
                holders[slot].fetch_sub(1);
                if (!o.list.try_push(slot, o.links[slot])) { ++wrong; }
            }
        });
    }
    for (std::thread& t : threads) { t.join(); }
    CHECK(wrong == 0);
    CHECK(o.list.length(o.finder()) == slots);
}
