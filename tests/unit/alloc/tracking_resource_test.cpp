// SPDX-License-Identifier: Apache-2.0
#include <memwatch/alloc/tracking_resource.hpp>

#include <catch2/catch.hpp>
#include <map>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "support/full_session.hpp"

using namespace memwatch;

namespace {

// Passes on and remembers what it was asked for; refuses on demand.
class recording_resource final : public std::pmr::memory_resource {
public:
    bool refuses{false};
    std::size_t outstanding{};
    std::vector<std::size_t> alignments;

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (refuses) { throw std::bad_alloc(); }
        ++outstanding;
        alignments.push_back(alignment);
        return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        --outstanding;
        std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
    }
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

}  // namespace

TEST_CASE("tracking_resource: counts what pmr containers hold, to the byte", "[alloc]") {
    const tag owner{"pmr"};
    for (const preset_option preset : {preset_option::off, preset_option::full}) {
        const test_support::session_with session(preset);
        tracking_resource resource{owner};
        {
            std::pmr::vector<char> bytes(1 << 20, 0, &resource);
            CHECK(owner.totals().live_bytes() == 1 << 20);
            CHECK(session.live_records(owner) == (preset == preset_option::full ? 1 : 0));
            std::pmr::map<int, std::pmr::string> map(&resource);
            for (int i = 0; i < 100; ++i) { map.emplace(i, std::string(100, 'x')); }
            CHECK(owner.totals().live_objects() == 201);
        }
        CHECK(owner.totals().live_bytes() == 0);
        CHECK(session.live_records(owner) == 0);
    }
}

TEST_CASE("tracking_resource: size and alignment reach the upstream unchanged", "[alloc]") {
    const test_support::session_with session(preset_option::full);
    recording_resource upstream;
    tracking_resource resource{tag{"unchanged"}, &upstream};
    for (const std::size_t alignment : {1U, 8U, 64U, 4096U, 65536U}) {
        void* const block = resource.allocate(100, alignment);
        CHECK(upstream.alignments.back() == alignment);
        CHECK(reinterpret_cast<std::uintptr_t>(block) % alignment == 0);
        resource.deallocate(block, 100, alignment);
    }
    CHECK(upstream.outstanding == 0);
    CHECK(resource.upstream() == &upstream);
}

TEST_CASE("tracking_resource: a throwing upstream throws through, and nothing is counted", "[alloc]") {
    const test_support::session_with session(preset_option::full);
    const tag owner{"refused"};
    recording_resource upstream;
    upstream.refuses = true;
    tracking_resource resource{owner, &upstream};
    CHECK_THROWS_AS(static_cast<void>(resource.allocate(100)), std::bad_alloc);
    CHECK(owner.totals().allocations == 0);
    CHECK(session.live_records(owner) == 0);
}

TEST_CASE("tracking_resource: arenas and pools above and below keep their own books", "[alloc]") {
    const test_support::session_with session(preset_option::full);
    const tag below{"below the arena"};
    const tag above{"above the arena"};
    tracking_resource lower{below};
    {
        std::pmr::monotonic_buffer_resource arena{&lower};
        tracking_resource upper{above, &arena};
        std::pmr::vector<std::pmr::string> strings(&upper);
        for (int i = 0; i < 1000; ++i) { strings.emplace_back(std::string(50, 'y')); }
        CHECK(session.live_records(above) == above.totals().live_objects());
        CHECK(session.live_records(below) == below.totals().live_objects());
        CHECK(below.totals().live_bytes() >= above.totals().live_bytes());
    }
    CHECK(above.totals().live_bytes() == 0);
    CHECK(below.totals().live_bytes() == 0);
    CHECK(session.live_records(above) == 0);
    CHECK(session.live_records(below) == 0);
}

TEST_CASE("tracking_resource: is equal to itself only", "[alloc]") {
    tracking_resource a{tag{"eq"}};
    tracking_resource b{tag{"eq"}};
    CHECK(a == a);
    CHECK(a != b);
}

TEST_CASE("resource: one a tag for all threads, for ever, over new and delete", "[alloc]") {
    const tag owner{"resource-of-tag"};
    std::vector<std::thread> threads;
    std::vector<tracking_resource*> found(4);
    for (std::size_t i = 0; i < found.size(); ++i) {
        threads.emplace_back([&, i] { found[i] = resource(tag{"resource-of-tag"}); });
    }
    for (std::thread& t : threads) { t.join(); }
    for (tracking_resource* const each : found) { CHECK(each == resource(owner)); }
    CHECK(resource(owner) != resource(tag{"resource-of-another"}));
    CHECK(resource(owner)->tag() == owner);
    CHECK(resource(owner)->upstream() == std::pmr::new_delete_resource());
    CHECK(resource(tag{})->tag() == tag{});
    {
        std::pmr::vector<char> v(1 << 20, 0, resource(owner));
        CHECK(owner.totals().live_bytes() == 1 << 20);
        CHECK(owner.totals().live_objects() == 1);
    }
    CHECK(owner.totals().live_bytes() == 0);
}
