// SPDX-License-Identifier: Apache-2.0
#pragma once
// Interned strings with small ids, insert-only and bounded: tag names, routes, type names. Id 0 is the empty string.

#include <cstring>
#include <string_view>

#include "base/arena.hpp"
#include "base/hash.hpp"
#include "base/intern_index.hpp"

namespace memwatch {
inline namespace v1 {

class string_table {
public:
    // Zeroed bytes for `capacity` strings and `text_bytes` of text in all.
    [[nodiscard]] static constexpr std::size_t memory_bytes(std::size_t capacity, std::size_t text_bytes) noexcept {
        return (capacity + 1) * sizeof(entry) + intern_index::memory_bytes(capacity) + text_bytes;
    }

    string_table(void* memory, std::size_t capacity, std::size_t text_bytes) noexcept
        : entries_(static_cast<entry*>(memory)),
          capacity_(static_cast<std::uint32_t>(capacity)),
          index_(behind(memory, (capacity + 1) * sizeof(entry)), capacity),
          text_(behind(memory, (capacity + 1) * sizeof(entry) + intern_index::memory_bytes(capacity)), text_bytes) {}

    // The id of `text`; 0 for the empty string, and `full` when the table or its text space is.
    [[nodiscard]] std::uint32_t intern(std::string_view text, std::uint32_t full) noexcept {
        if (text.empty()) { return 0; }
        if (entries_ == nullptr) { return full; }  // the kernel refused us memory
        const std::uint64_t hash = hash_text(text);
        const std::uint32_t id = index_.intern(
            hash, [&](std::uint32_t candidate) { return at(candidate) == text; }, [&] { return append(text); });
        return id == intern_index::none ? full : id;
    }

    [[nodiscard]] std::string_view at(std::uint32_t id) const noexcept {
        return entries_ == nullptr ? std::string_view{} : std::string_view{entries_[id].text, entries_[id].size};
    }

    // Ids in use are 0 .. size() - 1; those below it are complete.
    // acquire: pairs with the release in append().
    [[nodiscard]] std::uint32_t size() const noexcept { return last_id_.load(std::memory_order_acquire) + 1; }

    [[nodiscard]] spin_lock& lock() noexcept { return index_.lock(); }

private:
    struct entry {
        const char* text;
        std::size_t size;
    };

    [[nodiscard]] static void* behind(void* memory, std::size_t bytes) noexcept {
        return memory == nullptr ? nullptr : static_cast<std::byte*>(memory) + bytes;
    }

    std::uint32_t append(std::string_view text) noexcept {
        // relaxed: changes only under the index's lock, which is held here.
        const std::uint32_t id = last_id_.load(std::memory_order_relaxed) + 1;
        char* const copy = id > capacity_ ? nullptr : static_cast<char*>(text_.allocate(text.size()));
        if (copy == nullptr) { return intern_index::none; }
        std::memcpy(copy, text.data(), text.size());
        entries_[id] = {copy, text.size()};
        // release: pairs with the acquire in size().
        last_id_.store(id, std::memory_order_release);
        return id;
    }

    entry* entries_;
    std::uint32_t capacity_;
    std::atomic<std::uint32_t> last_id_{0};
    intern_index index_;
    arena text_;
};

}  // namespace v1
}  // namespace memwatch
