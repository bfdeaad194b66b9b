// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/judged_pools.hpp"

namespace memwatch {
inline namespace v1 {

std::vector<judged_pools::which> judged_pools::tell_apart(const std::vector<std::string>& names) {
    std::map<std::string, std::uint32_t> met;
    std::vector<which> all;
    all.reserve(names.size());
    for (const std::string& name : names) { all.emplace_back(name, met[name]++); }
    return all;
}

void judged_pools::add(const std::vector<std::string>& names) {
    for (which& each : tell_apart(names)) {
        if (numbers_.size() < most) { numbers_.emplace(std::move(each), static_cast<std::uint32_t>(numbers_.size())); }
    }
}

std::vector<std::uint32_t> judged_pools::numbers_of(const std::vector<std::string>& names) const {
    std::vector<std::uint32_t> numbers;
    numbers.reserve(names.size());
    for (const which& each : tell_apart(names)) {
        const auto known = numbers_.find(each);
        numbers.push_back(known == numbers_.end() ? none : known->second);
    }
    return numbers;
}

}  // namespace v1
}  // namespace memwatch
