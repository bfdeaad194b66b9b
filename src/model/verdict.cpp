// SPDX-License-Identifier: Apache-2.0
#include <memwatch/model/verdict.hpp>

#include <iterator>

namespace memwatch {
inline namespace v1 {
namespace {

// In the order of the enums.
constexpr std::string_view class_words[] = {"inconclusive", "steady",      "warmup",         "bounded",
                                            "cache",        "pool_bloat",  "suspect_growth", "leak_retained",
                                            "pool_leak",    "leak_orphan", "leak_cycle"};
constexpr std::string_view level_words[] = {"none", "suspect", "leak"};
constexpr std::string_view severity_words[] = {"none", "info", "warning", "critical"};
constexpr std::string_view doubt_words[] = {"none",        "too_few_samples", "too_short", "follow_up_short",
                                            "still_early", "records_lost"};
constexpr std::string_view subject_words[] = {"site", "pool"};
constexpr std::string_view feature_words[] = {"amount",    "plateau", "follow_up", "generations", "growth",     "lateness",
                                              "per_trace", "escape",  "hand_off",  "expectation", "persistence"};
static_assert(std::size(class_words) == verdict_class_count);
static_assert(std::size(level_words) == verdict_level_count);
static_assert(std::size(severity_words) == verdict_severity_count);
static_assert(std::size(doubt_words) == verdict_doubt_count);
static_assert(std::size(feature_words) == verdict_feature_count);

template <typename Enum, std::size_t N>
constexpr std::string_view word(Enum value, const std::string_view (&words)[N]) noexcept {
    const auto i = static_cast<std::size_t>(value);
    return i < N ? words[i] : std::string_view{"unknown"};
}

template <typename Enum, std::size_t N>
constexpr std::optional<Enum> value(std::string_view word, const std::string_view (&words)[N]) noexcept {
    for (std::size_t i = 0; i < N; ++i) {
        if (words[i] == word) { return static_cast<Enum>(i); }
    }
    return std::nullopt;
}

}  // namespace

std::string_view word_of(verdict_class kind) noexcept { return word(kind, class_words); }
std::string_view word_of(verdict_level level) noexcept { return word(level, level_words); }
std::string_view word_of(verdict_severity severity) noexcept { return word(severity, severity_words); }
std::string_view word_of(verdict_doubt doubt) noexcept { return word(doubt, doubt_words); }
std::string_view word_of(verdict_subject subject) noexcept { return word(subject, subject_words); }
std::string_view word_of(verdict_feature_kind kind) noexcept { return word(kind, feature_words); }

std::optional<verdict_class> verdict_class_of(std::string_view word) noexcept {
    return value<verdict_class>(word, class_words);
}
std::optional<verdict_level> verdict_level_of(std::string_view word) noexcept {
    return value<verdict_level>(word, level_words);
}
std::optional<verdict_severity> verdict_severity_of(std::string_view word) noexcept {
    return value<verdict_severity>(word, severity_words);
}
std::optional<verdict_doubt> verdict_doubt_of(std::string_view word) noexcept {
    return value<verdict_doubt>(word, doubt_words);
}
std::optional<verdict_subject> verdict_subject_of(std::string_view word) noexcept {
    return value<verdict_subject>(word, subject_words);
}
std::optional<verdict_feature_kind> verdict_feature_of(std::string_view word) noexcept {
    return value<verdict_feature_kind>(word, feature_words);
}

}  // namespace v1
}  // namespace memwatch
