// SPDX-License-Identifier: Apache-2.0
#pragma once
// A standard allocator that counts under a tag and lets the sampler see each block.
//
//   memwatch::tag cache{"order-cache"};
//   std::vector<order, memwatch::tracked_allocator<order>> v{memwatch::tracked_allocator<order>{cache}};
//
// Memory comes from operator new. Equal iff the tags are equal; all propagate traits are true, so a container's memory is
// always counted and uncounted under the same tag. Throws what operator new throws, and std::bad_array_new_length for n >
// max_size(). Threads: as std::allocator. Cost over std::allocator: 5 instructions, plus the exact counters
// (tests/bench/hot_path_bench.cpp).

#include <cstddef>
#include <limits>
#include <new>
#include <type_traits>

#include <memwatch/capture/edge_block.hpp>
#include <memwatch/capture/sampler.hpp>
#include <memwatch/capture/tag.hpp>
#include <memwatch/capture/type_name.hpp>

namespace memwatch {
inline namespace v1 {

template <class Type>
class tracked_allocator {
public:
    using value_type = Type;
    using propagate_on_container_copy_assignment = std::true_type;
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;
    using is_always_equal = std::false_type;

    constexpr tracked_allocator() noexcept = default;  // counts under the untagged tag
    constexpr explicit tracked_allocator(memwatch::tag owner) noexcept : tag_(owner) {}
    template <class Other>
    constexpr tracked_allocator(const tracked_allocator<Other>& other) noexcept : tag_(other.tag()) {}

    [[nodiscard]] Type* allocate(std::size_t count);
    void deallocate(Type* block, std::size_t count) noexcept;

    [[nodiscard]] static constexpr std::size_t max_size() noexcept {
        return static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / sizeof(Type);
    }
    [[nodiscard]] constexpr memwatch::tag tag() const noexcept { return tag_; }

    template <class Other>
    friend constexpr bool operator==(const tracked_allocator& a, const tracked_allocator<Other>& b) noexcept {
        return a.tag() == b.tag();
    }
    template <class Other>
    friend constexpr bool operator!=(const tracked_allocator& a, const tracked_allocator<Other>& b) noexcept {
        return !(a == b);
    }

private:
    static constexpr bool is_over_aligned = alignof(Type) > __STDCPP_DEFAULT_NEW_ALIGNMENT__;

    [[nodiscard]] static void* plain_allocate(std::size_t bytes);
    static void plain_deallocate(void* block, std::size_t bytes) noexcept;

    memwatch::tag tag_;
};

template <class Type>
inline Type* tracked_allocator<Type>::allocate(std::size_t count) {
    if (__builtin_expect(count > max_size(), 0)) { throw std::bad_array_new_length(); }
    const std::size_t bytes = count * sizeof(Type);
    void* block = nullptr;
    if (__builtin_expect(detail::countdown_borrows(bytes), 0)) {
        block = detail::allocate_sampled(bytes, alignof(Type), tag_.id(), type_name<Type>());
    }
    if (__builtin_expect(block == nullptr, 1)) { block = plain_allocate(bytes); }
    detail::count_allocation(tag_.id(), bytes);
    return static_cast<Type*>(block);
}

template <class Type>
inline void tracked_allocator<Type>::deallocate(Type* block, std::size_t count) noexcept {
    const std::size_t bytes = count * sizeof(Type);
    detail::count_free(tag_.id(), bytes);
    if (__builtin_expect(detail::is_edge(block), 0) && detail::release_sampled(block, bytes, alignof(Type), tag_.id())) {
        return;
    }
    plain_deallocate(block, bytes);
}

template <class Type>
inline void* tracked_allocator<Type>::plain_allocate(std::size_t bytes) {
    const detail::covered_scope covered;
    if constexpr (is_over_aligned) {
        return ::operator new (bytes, std::align_val_t{alignof(Type)});
    } else {
        return ::operator new(bytes);
    }
}

template <class Type>
inline void tracked_allocator<Type>::plain_deallocate(void* block, std::size_t bytes) noexcept {
#if defined(__cpp_sized_deallocation)
    if constexpr (is_over_aligned) {
        ::operator delete (block, bytes, std::align_val_t{alignof(Type)});
    } else {
        ::operator delete(block, bytes);
    }
#else  // clang below 19 without -fsized-deallocation
    static_cast<void>(bytes);
    if constexpr (is_over_aligned) {
        ::operator delete (block, std::align_val_t{alignof(Type)});
    } else {
        ::operator delete(block);
    }
#endif
}

}  // namespace v1
}  // namespace memwatch
