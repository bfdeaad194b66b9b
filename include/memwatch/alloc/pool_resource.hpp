// SPDX-License-Identifier: Apache-2.0
#pragma once
// A pool's objects as memory for others: a std::pmr::memory_resource whose every block is one object of the pool,
// unconstructed. So a pool can stand on a pool:
//
//   struct alignas(64) page { std::byte bytes[65536]; };
//   memwatch::object_pool<page> pages{"pages"};
//   memwatch::pool_resource from_pages{pages};
//   memwatch::object_pool<order> orders{"orders", {.capacity = 512, .upstream = &from_pages}};    // its row: upstream "pages"
//
// Throws std::bad_alloc for a request that an object is too small for, and when the pool is exhausted. The pool must outlive
// this. Threads: any. Equal iff of the same pool.

#include <memory_resource>

#include <memwatch/alloc/object_pool.hpp>
#include <memwatch/base/export.hpp>

namespace memwatch {
inline namespace v1 {

class MEMWATCH_API pool_resource final : public std::pmr::memory_resource {
public:
    template <class Type>
    explicit pool_resource(object_pool<Type>& pool) noexcept : core_(*pool.core_) {}
    ~pool_resource() override;
    pool_resource(const pool_resource&) = delete;
    pool_resource& operator=(const pool_resource&) = delete;

    [[nodiscard]] std::string_view pool_name() const noexcept { return core_.name(); }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override;
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override;

    detail::pool_core& core_;
};

}  // namespace v1
}  // namespace memwatch
