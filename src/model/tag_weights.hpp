// SPDX-License-Identifier: Apache-2.0
#pragma once
// Business weights of tags as text, "order-cache=0.9,session=0.2": how much growth under a tag matters beside other growth
// (diff/ranking.hpp). The same words in the environment of a service (MEMWATCH_TAG_WEIGHTS), where they go into its snapshots,
// and at the command (--tag-weights), where they replace what a snapshot says.
//
// Exported for libmemwatch-serve, which reads the same options.
// In: text from the environment or a command line. Out: values, or what is wrong with which item. A name is what stands before
// the last '=' of an item, without spaces around it; names with commas cannot be written.

#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/export.hpp>
#include <memwatch/base/result.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1 {

struct tag_weight {
    std::string tag;
    double weight{};  // 0..1
};

[[nodiscard]] bool is_tag_weight(double weight) noexcept;  // false for NaN

// "" is no weight at all. Errors: invalid_argument, `where` is the item: no '=', no name, a weight that is no number from 0 to
// 1, a tag given twice.
[[nodiscard]] MEMWATCH_API result<std::vector<tag_weight>> parse_tag_weights(std::string_view text);

// Sets the weights of tags that `s` knows. Returns the names that it does not.
std::vector<std::string> set_tag_weights(snapshot& s, const std::vector<tag_weight>& weights);

}  // namespace memwatch::inline v1
