// SPDX-License-Identifier: Apache-2.0
#include "cli/judged_source.hpp"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>
#include <memwatch/model/site_name.hpp>

#include "model/verdict_checks.hpp"
#include "verdict/baseline.hpp"
#include "verdict/series.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

struct dump {
    std::string argument;
    snapshot value;
};

result<std::vector<dump>> load_all(const std::vector<std::string>& inputs, source_options options) {
    options.symbolize = false;  // the last one alone is shown
    std::vector<dump> out;
    for (const std::string& input : inputs) {
        result<loaded_snapshot> one = load_snapshot(input, options);
        if (!one) { return tl::unexpected<error>(one.error()); }
        out.push_back({input, std::move(one->value)});
    }
    return out;
}

result<void> check_fit(const dump& one, const dump& first) {
    if (one.value.info.session.empty()) {
        return fail(error_code::invalid_argument, "has no session: a series is made of memwatch's own dumps", one.argument);
    }
    if (one.value.info.window_ns != 0) {
        return fail(error_code::invalid_argument, "holds a window only, not all that lived; leave out --duration",
                    one.argument);
    }
    if (one.value.info.session == first.value.info.session) { return {}; }
    return fail(error_code::invalid_argument,
                fmt::format("is of another session (pid {}) than {} (pid {}): a series is one process", one.value.info.pid,
                            first.argument, first.value.info.pid),
                one.argument);
}

result<void> put_in_order(std::vector<dump>& dumps) {
    for (const dump& each : dumps) {
        if (auto fits = check_fit(each, dumps.front()); !fits) { return fits; }
    }
    const auto time_of = [](const dump& d) { return d.value.info.taken_ns; };
    std::stable_sort(dumps.begin(), dumps.end(), [&](const dump& a, const dump& b) { return time_of(a) < time_of(b); });
    dumps.erase(std::unique(dumps.begin(), dumps.end(), [&](const dump& a, const dump& b) { return time_of(a) == time_of(b); }),
                dumps.end());
    if (dumps.size() >= fewest_dumps_of_a_series) { return {}; }
    return fail(error_code::invalid_argument,
                fmt::format("a series takes dumps of three moments, these are of {}", dumps.size()));
}

std::uint64_t usual_distance_ns(const std::vector<dump>& dumps) {
    std::vector<std::uint64_t> distances;
    for (std::size_t i = 1; i < dumps.size(); ++i) {
        distances.push_back(dumps[i].value.info.taken_ns - dumps[i - 1].value.info.taken_ns);
    }
    const auto middle = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2);
    std::nth_element(distances.begin(), middle, distances.end());
    return *middle;
}

using expectations = std::unordered_map<std::string, expectation>;

result<expectations> load_expectations(const std::string& baseline, const snapshot& now, const source_options& options) {
    if (baseline.empty()) { return expectations{}; }
    return load_snapshot(baseline, options).map([&](const loaded_snapshot& healthy) {
        return expectations_of(healthy.value, now);
    });
}

result<snapshot> judge_series(std::vector<dump> dumps, const std::string& baseline, const source_options& options) {
    if (auto ordered = put_in_order(dumps); !ordered) { return tl::unexpected<error>(ordered.error()); }
    snapshot& last = dumps.back().value;
    if (options.symbolize) { name_frames_aloud(last, options); }
    result<expectations> known = load_expectations(baseline, last, options);
    if (!known) { return tl::unexpected<error>(known.error()); }
    series judge({}, usual_distance_ns(dumps));
    judge.expect(std::move(*known));
    for (const dump& each : dumps) {
        if (auto added = judge.add(each.value); !added) { return fail(added.error().code, added.error().what, each.argument); }
    }
    last.verdicts = judge.verdicts();
    keep_whole_verdicts(last);  // dumps may hold any figures
    return std::move(last);
}

result<snapshot> take_verdicts(const std::string& input, const std::string& baseline, const source_options& options) {
    result<loaded_snapshot> loaded = load_snapshot(input, options);
    if (!loaded) { return tl::unexpected<error>(loaded.error()); }
    if (baseline.empty()) { return std::move(loaded->value); }
    const result<loaded_snapshot> healthy = load_snapshot(baseline, options);
    if (!healthy) { return tl::unexpected<error>(healthy.error()); }
    acquit(loaded->value, healthy->value);
    return std::move(loaded->value);
}

}  // namespace

void acquit(snapshot& s, const snapshot& healthy) {
    const expectations known = expectations_of(healthy, s);
    for (verdict& each : s.verdicts) {
        if (each.subject != verdict_subject::site || level_of(each.kind) == verdict_level::none) { continue; }
        const site& of = s.sites[each.index];
        const auto expected = known.find(site_key(s, of));
        if (expected == known.end() || !expected->second.covers(of.live.bytes)) { continue; }
        each.kind = verdict_class::steady;
        each.severity = verdict_severity::none;
    }
}

result<snapshot> load_judged(const judged_choice& choice, const source_options& options) {
    if (choice.inputs.size() == 1) { return take_verdicts(choice.inputs.front(), choice.baseline, options); }
    if (choice.inputs.size() < fewest_dumps_of_a_series) {
        return fail(error_code::invalid_argument, "two dumps say what grew (memwatch diff), it takes three to say what leaks");
    }
    return load_all(choice.inputs, options).and_then([&](std::vector<dump> dumps) {
        return judge_series(std::move(dumps), choice.baseline, options);
    });
}

}  // namespace v1
}  // namespace memwatch
