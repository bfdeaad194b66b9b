// SPDX-License-Identifier: Apache-2.0
#pragma once
// The containers of this service: the std ones, on memwatch's allocator. A component makes one tag, hands it to its containers,
// and from then on its bytes are counted exactly and its allocations are sampled with stack, type and trace.

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <memwatch/memwatch.hpp>

namespace orders {

template <typename T>
using tracked = memwatch::tracked_allocator<T>;

template <typename T>
using tracked_vector = std::vector<T, tracked<T>>;

using tracked_string = std::basic_string<char, std::char_traits<char>, tracked<char>>;

// Lets a map keyed by tracked_string be searched with any string, without a copy.
struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

struct text_equal {
    using is_transparent = void;
    bool operator()(std::string_view left, std::string_view right) const noexcept { return left == right; }
};

template <typename Value>
using tracked_text_map =
    std::unordered_map<tracked_string, Value, text_hash, text_equal, tracked<std::pair<const tracked_string, Value>>>;

template <typename Key, typename Value>
using tracked_map = std::unordered_map<Key, Value, std::hash<Key>, std::equal_to<Key>, tracked<std::pair<const Key, Value>>>;

}  // namespace orders
