// SPDX-License-Identifier: Apache-2.0
// Pools over pools over tags, and each byte once. Everything tracked here is aligned to 128 and nothing else is, so that what
// tracked things obtain from the process' allocator is what operator new is asked for at that alignment.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory_resource>
#include <new>
#include <optional>
#include <vector>

#include <memwatch/memwatch.hpp>

namespace {

std::atomic<std::uint64_t> obtained{0};
constexpr std::size_t tracked_alignment = 128;

struct front {  // of each block, for operator delete
    std::size_t bytes;
};

std::byte* front_of(void* block) { return static_cast<std::byte*>(block) - tracked_alignment; }

}  // namespace

void* operator new(std::size_t bytes, std::align_val_t alignment) {
    if (static_cast<std::size_t>(alignment) > tracked_alignment) { throw std::bad_alloc(); }
    const std::size_t rounded = (bytes + 2 * tracked_alignment - 1) / tracked_alignment * tracked_alignment;
    auto* const memory = static_cast<std::byte*>(std::aligned_alloc(tracked_alignment, rounded));
    if (memory == nullptr) { throw std::bad_alloc(); }
    const std::size_t counted = static_cast<std::size_t>(alignment) == tracked_alignment ? bytes : 0;
    new (memory) front{counted};
    obtained += counted;
    return memory + tracked_alignment;
}
void operator delete(void* block, std::align_val_t) noexcept {
    if (block == nullptr) { return; }
    obtained -= reinterpret_cast<front*>(front_of(block))->bytes;
    std::free(front_of(block));
}
void operator delete(void* block, std::size_t, std::align_val_t alignment) noexcept { operator delete(block, alignment); }

using namespace memwatch;

namespace {

template <std::size_t Size>
struct alignas(tracked_alignment) block {
    std::byte bytes[Size];
};

pool_totals row_of(const snapshot& s, const char* name) {
    for (const pool_totals& each : s.pools) {
        if (each.name == name) { return each; }
    }
    return {};
}

class scenario {
public:
    scenario() {
        options wanted;
        wanted.preset = preset_option::off;  // a sample sits on a page of its own
        session_ = session::start(wanted);
        allocator_at_start_ = obtained;
        counted_at_start_ = bytes_from_allocator(*session_.snapshot());
    }

    [[nodiscard]] snapshot check() const {
        snapshot frozen = *session_.snapshot();
        CHECK(bytes_from_allocator(frozen) - counted_at_start_ == obtained - allocator_at_start_);
        return frozen;
    }

private:
    session session_;
    std::uint64_t allocator_at_start_{};
    std::uint64_t counted_at_start_{};
};

pool_options over(std::pmr::memory_resource* upstream, std::size_t capacity, bool can_grow = false) {
    pool_options options;
    options.upstream = upstream;
    options.capacity = capacity;
    options.can_grow = can_grow;
    return options;
}

}  // namespace

TEST_CASE("pools: a pool of its own storage counts it once, however many objects are in use", "[alloc]") {
    const scenario s;
    object_pool<block<128>> pool("root", over(nullptr, 16, true));
    const snapshot empty = s.check();
    CHECK(row_of(empty, "root").storage_bytes == 16 * 128);
    CHECK(row_of(empty, "root").idle_bytes() == 16 * 128);
    CHECK(row_of(empty, "root").upstream.empty());
    std::vector<object_pool<block<128>>::handle> out;
    for (int i = 0; i < 40; ++i) { out.push_back(pool.acquire()); }
    const snapshot full = s.check();
    CHECK(row_of(full, "root").storage_bytes == 64 * 128);
    CHECK(row_of(full, "root").idle_bytes() == 24 * 128);
    CHECK(tag{"root"}.totals().live_bytes() == 40 * 128);
}

TEST_CASE("pools: over a tag's resource, the storage is the tag's and the pool names it", "[alloc]") {
    const scenario s;
    const tag storage{"pool-storage"};
    tracking_resource tracked(storage, std::pmr::new_delete_resource());
    {
        object_pool<block<128>> pool("on-tag", over(&tracked, 32));
        const auto held = pool.acquire();
        const snapshot frozen = s.check();
        CHECK(row_of(frozen, "on-tag").upstream == "pool-storage");
        CHECK_FALSE(row_of(frozen, "on-tag").upstream_is_pool);
        CHECK(storage.totals().live_bytes() == 32 * 128);
        CHECK(tag{"on-tag"}.totals().live_bytes() == 128);
    }
    CHECK(storage.totals().live_bytes() == 0);
    static_cast<void>(s.check());
}

TEST_CASE("pools: three deep, with a tag's other blocks, a user's pool and a late handle beside them", "[alloc]") {
    const scenario s;
    const tag storage{"deep-storage"};
    std::optional<object_pool<block<128>>::handle> late;
    {
        object_pool<block<8192>> pages("pages", over(resource(storage), 4, true));
        pool_resource from_pages(pages);
        object_pool<block<128>> orders("small", over(&from_pages, 60));
        const auto shown = register_pool("arena",
                                         [] {
                                             pool_stats stats;
                                             stats.capacity = 1;
                                             stats.in_use = 1;
                                             stats.object_bytes = 8192;
                                             return stats;
                                         },
                                         {orders.name() == "small" ? upstream_edge(pages) : upstream_edge()});
        const auto arena = pages.acquire();  // what the user's pool stands on
        tracked_allocator<block<128>> beside(storage);
        block<128>* const other = beside.allocate(3);
        late = orders.acquire();
        const auto more = orders.acquire();

        const snapshot frozen = s.check();
        CHECK(row_of(frozen, "pages").upstream == "deep-storage");
        CHECK(row_of(frozen, "small").upstream == "pages");
        CHECK(row_of(frozen, "small").upstream_is_pool);
        CHECK(row_of(frozen, "arena").upstream == "pages");
        CHECK(row_of(frozen, "pages").in_use == 2);
        CHECK(row_of(frozen, "small").storage_bytes == 60 * 128);
        beside.deallocate(other, 3);
        static_cast<void>(s.check());
        late.reset();
    }
    static_cast<void>(s.check());
    CHECK(storage.totals().live_bytes() == 0);
    CHECK(tag{"pages"}.totals().live_objects() == 0);
}

TEST_CASE("pool_resource: refuses what an object is too small for, and an exhausted pool is bad_alloc", "[alloc]") {
    object_pool<block<128>> pool("blocks", over(nullptr, 1));
    pool_resource r(pool);
    const pool_resource same(pool);
    CHECK(r.is_equal(same));
    CHECK_FALSE(r.is_equal(*std::pmr::new_delete_resource()));
    CHECK_THROWS_AS(r.allocate(129, 8), std::bad_alloc);
    CHECK_THROWS_AS(r.allocate(64, 256), std::bad_alloc);
    void* const only = r.allocate(10, 8);
    CHECK_THROWS_AS(r.allocate(10, 8), std::bad_alloc);
    r.deallocate(only, 10, 8);
    CHECK(pool.totals().in_use == 0);
    CHECK_THROWS_AS(object_pool<block<256>>("too large", over(&r, 1)), std::bad_alloc);
    CHECK(pool.totals().in_use == 0);
}

TEST_CASE("bytes_from_allocator: an edge, a root and an object in use, by hand", "[alloc]") {
    snapshot s;
    s.tags = {{"storage", 1000, 1, 0, 0}, {"orders", 500, 5, 300, 3}};
    pool_totals on_tag;
    on_tag.name = "orders";
    on_tag.upstream = "storage";
    on_tag.tag = "orders";
    on_tag.object_bytes = 100;
    on_tag.capacity = 10;
    on_tag.in_use = 2;
    on_tag.storage_bytes = 1000;
    s.pools = {on_tag};
    CHECK(bytes_from_allocator(s) == 1000);
    s.pools[0].upstream.clear();
    CHECK(bytes_from_allocator(s) == 2000);
}
