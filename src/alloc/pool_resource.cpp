// SPDX-License-Identifier: Apache-2.0
#include <memwatch/alloc/pool_resource.hpp>

#include <new>

#include <memwatch/alloc/pool_registry.hpp>
#include <memwatch/alloc/tracking_resource.hpp>

namespace memwatch {
inline namespace v1 {

pool_resource::~pool_resource() = default;

void* pool_resource::do_allocate(std::size_t bytes, std::size_t alignment) {
    if (bytes > core_.object_bytes() || alignment > core_.alignment()) { throw std::bad_alloc(); }
    void* const block = core_.acquire();
    if (block == nullptr) { throw std::bad_alloc(); }
    return block;
}

void pool_resource::do_deallocate(void* block, std::size_t, std::size_t) { core_.release(block); }

bool pool_resource::do_is_equal(const std::pmr::memory_resource& other) const noexcept {
    const auto* const same_kind = dynamic_cast<const pool_resource*>(&other);
    return same_kind != nullptr && &same_kind->core_ == &core_;
}

upstream_edge upstream_edge::of(const std::pmr::memory_resource& resource) {
    if (const auto* const tracked = dynamic_cast<const tracking_resource*>(&resource)) { return tracked->tag(); }
    if (const auto* const pooled = dynamic_cast<const pool_resource*>(&resource)) { return pool_named(pooled->pool_name()); }
    return {};
}

}  // namespace v1
}  // namespace memwatch
