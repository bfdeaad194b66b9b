// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a service itself tells Alertmanager, for those without Prometheus: MemwatchLeak, one alert a site or pool that leaks,
// and MemwatchTimeToOom. Names, labels and thresholds are those of the rules in examples/operations/mixin, so that routes and
// silences fit both.
//
// In: a snapshot with verdicts, who speaks. Out: alerts. Threads: any; no clock, no socket.
//
// An alert fires again before it would lapse, and ends when its verdict does:
//
//   look      1      2      3      4      5
//   leaks     a      a b    a b      b    -
//   posted    a      b      a(again) a(end)  b(end)     what was not taken is due at the next look again
//
// One book an Alertmanager: of two, one may have been away.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>
#include <memwatch/model/snapshot.hpp>
#include "notify/alert.hpp"

namespace memwatch::inline v1::notify {

inline constexpr const char* leak_alert_name = "MemwatchLeak";
inline constexpr std::size_t most_leak_alerts = 20;  // as many as sites have series

struct speaker {
    label_set labels;           // service, instance, and what else each alert is to have
    std::string generator_url;  // "" = none
};

// "env=prod,team=shop": the user's own labels. Errors: invalid_argument (no label name, one that memwatch sets itself).
[[nodiscard]] result<label_set> read_labels(std::string_view list);

// Of the verdicts of level leak, those that matter most. `sentence` says one in words.
using sentence_function = std::function<std::string(const verdict&, const snapshot&)>;
[[nodiscard]] std::vector<alert> leak_alerts(const snapshot& s, const speaker& who, const sentence_function& sentence);

inline constexpr const char* oom_alert_name = "MemwatchTimeToOom";

// The limit is met within a day, 4 hours, 30 minutes: one for each that holds. None when no end is in sight.
[[nodiscard]] std::vector<alert> oom_alerts(const snapshot& s, const speaker& who);

// What one Alertmanager was told.
class alert_book {
public:
    struct pace {
        std::uint64_t repeat_ms{};  // between two posts of an alert that fires
        std::uint64_t lasts_ms{};   // how long it stands without another
    };

    // Paced by the steady clock, dated by the one that people set: a clock that was set back delays no post.
    struct moment {
        std::uint64_t unix_ms{};
        std::uint64_t steady_ms{};
    };

    explicit alert_book(pace with) : pace_(with) {}

    // What to post: what is new and has been so for long enough, due again, or over. Nothing if all of it is known. Of a leak
    // the highest severity of the last ten minutes counts, as in the rules: near a threshold it would go to and fro.
    [[nodiscard]] std::vector<alert> due(std::vector<alert> firing, moment now);
    // `posted` was taken.
    void keep(const std::vector<alert>& posted, moment now);

    [[nodiscard]] bool is_empty() const noexcept { return told_.empty(); }

private:
    struct told {
        alert what;
        std::uint64_t posted_ms;  // steady, as below
    };

    struct held {
        std::string severity;
        std::uint64_t until_ms;
    };
    void hold_severities(std::vector<alert>& firing, std::uint64_t now_ms);

    pace pace_;
    std::map<label_set, held> held_;  // by the labels but for the severity
    std::map<label_set, told> told_;
    std::map<label_set, std::uint64_t> waiting_;  // since when it fires, of what is not told yet
};

}  // namespace memwatch::inline v1::notify
