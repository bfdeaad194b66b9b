// SPDX-License-Identifier: Apache-2.0
#pragma once
// The matcher for Catch2:
//
//   TEST_CASE("one request leaks nothing") { REQUIRE_THAT([] { serve_one(); }, memwatch::LeaksNothing().warmup(3)); }
//
// For Catch2 2.13, which is what is tested, and for 3.x, whose spelling below is not: no Catch2 3 was at hand. The name follows
// Catch2's own matchers rather than this library's; leaks_nothing() is the same.

#if defined(__has_include) && __has_include(<catch2/matchers/catch_matchers_templated.hpp>)
#include <catch2/matchers/catch_matchers_templated.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <memwatch/testing.hpp>

namespace memwatch {
inline namespace v1 {
namespace testing {

#if defined(CATCH_VERSION_MAJOR) && CATCH_VERSION_MAJOR == 2
using catch2_matcher_base = Catch::MatcherBase<std::function<void()>>;
#else
using catch2_matcher_base = Catch::Matchers::MatcherGenericBase;
#endif

class leaks_nothing_matcher : public catch2_matcher_base {
public:
    leaks_nothing_matcher& warmup(unsigned calls) { return set(&leak_options::warmup, calls); }
    leaks_nothing_matcher& runs(unsigned calls) { return set(&leak_options::runs, calls); }
    leaks_nothing_matcher& threshold_bytes(std::uint64_t bytes) { return set(&leak_options::threshold_bytes, bytes); }
    leaks_nothing_matcher& in_this_thread() { return set(&leak_options::threads, leak_threads::this_thread); }
    leaks_nothing_matcher& of_everything() { return set(&leak_options::what, leak_coverage::everything); }
    leaks_nothing_matcher& of(std::vector<memwatch::tag> tags) { return set(&leak_options::tags, std::move(tags)); }

#if defined(CATCH_VERSION_MAJOR) && CATCH_VERSION_MAJOR == 2
    bool match(const std::function<void()>& function) const override { return judge(function); }
#else
    template <class Function>
    bool match(const Function& function) const {
        return judge(function);
    }
#endif

    std::string describe() const override {
        return report_.passed ? "leaks nothing" : "leaks nothing, but\n" + report_.message();
    }

private:
    template <class Value, class Given>
    leaks_nothing_matcher& set(Value leak_options::*option, Given&& value) {
        options_.*option = std::forward<Given>(value);
        return *this;
    }
    template <class Function>
    bool judge(const Function& function) const {
        report_ = leak_check(function, options_);
        return report_.passed;
    }

    leak_options options_;
    mutable leak_report report_;
};

}  // namespace testing

// The matcher without options: every tag and thread, no warm-up, not one object.
[[nodiscard]] inline testing::leaks_nothing_matcher leaks_nothing() { return {}; }
// The same, named as Catch2 names its own.
// NOLINTNEXTLINE(readability-identifier-naming)
[[nodiscard]] inline testing::leaks_nothing_matcher LeaksNothing() { return {}; }

}  // namespace v1
}  // namespace memwatch
