// SPDX-License-Identifier: Apache-2.0
#include "diff/comparability.hpp"

#include <algorithm>
#include <cstdio>

#include "model/sampling_stop.hpp"

namespace memwatch::inline v1 {
namespace {

double signed_seconds(std::uint64_t from_ns, std::uint64_t to_ns) {
    return to_ns >= from_ns ? static_cast<double>(to_ns - from_ns) / 1e9 : -static_cast<double>(from_ns - to_ns) / 1e9;
}

// The executable's module; null when it is not in the table.
const module* main_module(const snapshot& s) {
    const auto found =
        std::find_if(s.modules.begin(), s.modules.end(), [&](const module& m) { return m.path == s.info.executable; });
    return found == s.modules.end() ? nullptr : &*found;
}

std::string quoted(const std::string& text) { return text.empty() ? "(none)" : text; }

void warn_if_different(std::vector<std::string>& warnings, const char* what, const std::string& before,
                       const std::string& after) {
    if (before != after) { warnings.push_back(std::string{what} + ": " + quoted(before) + " and " + quoted(after)); }
}

void warn_of_builds(std::vector<std::string>& warnings, const snapshot& before, const snapshot& after) {
    const auto* old_main = main_module(before);
    const auto* new_main = main_module(after);
    if (old_main == nullptr || new_main == nullptr || old_main->build_id.empty() || new_main->build_id.empty()) { return; }
    warn_if_different(warnings, "different builds of the program", old_main->build_id, new_main->build_id);
}

// Without a build id one path is all there is to go by, and the file behind it may have been built anew.
void warn_of_guessed_modules(std::vector<std::string>& warnings, const snapshot& before, const snapshot& after) {
    const auto is_guessed = [&](const module& mine) {
        return std::any_of(before.modules.begin(), before.modules.end(), [&](const module& theirs) {
            return mine.path == theirs.path && (mine.build_id.empty() || theirs.build_id.empty());
        });
    };
    std::vector<std::string> guessed;
    for (const module& each : after.modules) {
        if (is_guessed(each)) { guessed.push_back(each.path); }
    }
    if (guessed.empty()) { return; }
    const std::string others = guessed.size() > 1 ? " and " + std::to_string(guessed.size() - 1) + " more" : "";
    warnings.push_back("without a build id on both sides, " + guessed.front() + others +
                       " counts as the same build by its path: offsets mislead if it was built anew");
}

}  // namespace

double seconds_between(const snapshot& before, const snapshot& after) {
    if (is_same_session(before, after)) { return signed_seconds(before.info.taken_ns, after.info.taken_ns); }
    if (before.info.started_unix_ns == 0 || after.info.started_unix_ns == 0) { return 0; }
    return signed_seconds(before.info.started_unix_ns + before.info.taken_ns, after.info.started_unix_ns + after.info.taken_ns);
}

std::vector<std::string> comparability_warnings(const snapshot& before, const snapshot& after) {
    std::vector<std::string> warnings;
    const double seconds = seconds_between(before, after);
    if (seconds < 0) {
        char text[96];
        std::snprintf(text, sizeof text, "BEFORE was taken %.1f s after AFTER: are they swapped?", -seconds);
        warnings.emplace_back(text);
    }
    const auto& old_info = before.info;
    const auto& new_info = after.info;
    warn_if_different(warnings, "different services", old_info.service, new_info.service);
    warn_if_different(warnings, "different hosts", old_info.host, new_info.host);
    warn_of_builds(warnings, before, after);
    if (!is_same_session(before, after)) {
        warn_of_guessed_modules(warnings, before, after);
        warnings.emplace_back(
            "different sessions: no block can be followed from one to the other, so sampling errors are larger");
    }
    if (old_info.interval_bytes != new_info.interval_bytes) {
        warn_if_different(warnings, "different sampling intervals in bytes", std::to_string(old_info.interval_bytes),
                          std::to_string(new_info.interval_bytes));
    }
    if (old_info.sampler != new_info.sampler && !old_info.sampler.empty() && !new_info.sampler.empty()) {
        warn_if_different(warnings, "different samplers", old_info.sampler, new_info.sampler);
    }
    if (old_info.min_size_bytes != new_info.min_size_bytes) {
        warn_if_different(warnings, "blocks from different sizes on are sampled, in bytes",
                          std::to_string(old_info.min_size_bytes), std::to_string(new_info.min_size_bytes));
    }
    for (const snapshot* const each : {&before, &after}) {
        if (const char* const why = why_nothing_is_sampled(*each); why != nullptr) {
            warnings.push_back(std::string(each == &before ? "BEFORE" : "AFTER") + " was taken while nothing was sampled (" +
                               why + "): what was allocated then is in no estimate");
        }
    }
    if ((old_info.window_ns == 0) != (new_info.window_ns == 0)) {
        warnings.emplace_back("one of the dumps holds a window only: what is older counts as new or gone");
    }
    if (seconds == 0 && !is_same_session(before, after)) {
        warnings.emplace_back("the time between the snapshots is unknown: no rates");
    }
    return warnings;
}

}  // namespace memwatch::inline v1
