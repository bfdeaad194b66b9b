// SPDX-License-Identifier: Apache-2.0
#pragma once
// A std::pmr::memory_resource that counts under a tag and lets the sampler see each block, over any upstream resource.
//
//   memwatch::tracking_resource resource{cache};                       // over the default resource
//   std::pmr::vector<char> bytes{&resource};                           // exact in cache.totals() from here on
//   std::pmr::vector<char> more(1 << 20, 0, memwatch::resource(cache));  // the process' own one for the tag, over new and
//   delete
//
// Sizes and alignments are passed on unchanged, so an arena or monotonic upstream sees what it would see without memwatch;
// which blocks are samples is remembered here, in a small table of counters, because nothing about the pointer can tell. Throws
// what upstream throws, and then counts nothing. Threads: as upstream. Equal only to itself.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>

#include <memwatch/base/export.hpp>
#include <memwatch/capture/tag.hpp>

namespace memwatch {
inline namespace v1 {

class MEMWATCH_API tracking_resource final : public std::pmr::memory_resource {
public:
    // `upstream` must outlive this; null means std::pmr::get_default_resource() at this moment.
    explicit tracking_resource(memwatch::tag owner, std::pmr::memory_resource* upstream = nullptr) noexcept;
    ~tracking_resource() override;
    tracking_resource(const tracking_resource&) = delete;
    tracking_resource& operator=(const tracking_resource&) = delete;

    [[nodiscard]] memwatch::tag tag() const noexcept { return tag_; }
    [[nodiscard]] std::pmr::memory_resource* upstream() const noexcept { return upstream_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override;
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

    // How many live samples hash to each counter: a zero proves that a block is none, for a load and a branch.
    static constexpr std::size_t filter_size = 256;
    [[nodiscard]] std::atomic<std::uint32_t>& filter_of(const void* block) noexcept;

    memwatch::tag tag_;
    std::pmr::memory_resource* upstream_;
    std::atomic<std::uint32_t> live_samples_[filter_size]{};
};

// The process' resource for a tag: a tracking_resource over std::pmr::new_delete_resource() that lives for ever, so that what
// is allocated from it may be freed whenever. The same one for equal tags. Threads: any. Lock-free after a tag's first call,
// which allocates. Throws std::bad_alloc.
[[nodiscard]] MEMWATCH_API tracking_resource* resource(memwatch::tag owner);

}  // namespace v1
}  // namespace memwatch
