// SPDX-License-Identifier: Apache-2.0
#include "runtime/control_commands.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include <memwatch/base/units.hpp>
#include <memwatch/session.hpp>
#include <memwatch/snapshot/codec.hpp>
#include <memwatch/version.hpp>
#include "model/redaction.hpp"
#include "platform/platform.hpp"
#include "runtime/process_state.hpp"
#include "runtime/process_status.hpp"
#include "runtime/steering.hpp"
#include "settings/chosen_options.hpp"
#include "snapshot/footprint_json.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t max_label_bytes = 64;
constexpr std::size_t max_named_sites = 200;  // symbol-table look-ups a snapshot may cost this process

std::uint64_t sum_of(const std::vector<named_value>& list) {
    std::uint64_t sum = 0;
    for (const named_value& each : list) { sum += each.value; }
    return sum;
}

void add_number(std::string& lines, std::string_view name, std::uint64_t value) {
    control::add_field(lines, name, fmt::format("{}", value));
}

std::string doors_in_words(const capture_state& capture, const char* heap_door::*what) {
    std::string out;
    for (const auto& slot : capture.doors) {
        // acquire: pairs with the release in register_heap_door().
        const heap_door* const door = slot.load(std::memory_order_acquire);
        if (door == nullptr || door->*what == nullptr) { continue; }
        out += (out.empty() ? "" : ", ") + std::string(door->*what);
    }
    return out;
}

std::string state_in_words(const session_status& status, bool is_paused) {
    if (status.state == session_state::stopped) { return "stopped"; }
    if (is_paused) { return "paused"; }
    return status.state == session_state::degraded ? "degraded: " + status.detail : "running";
}

void add_figures(std::string& lines) {
    const result<snapshot> s = session{}.summary();
    if (!s) { return; }
    std::uint64_t samples = 0;
    std::uint64_t live = 0;
    for (const site& each : s->sites) {
        samples += each.allocated.samples;
        live += each.live.samples;
    }
    control::add_field(lines, "session", s->info.session);
    add_number(lines, "started_unix_ns", s->info.started_unix_ns);
    add_number(lines, "up_ns", s->info.taken_ns);
    add_number(lines, "samples", samples);
    add_number(lines, "live_samples", live);
    add_number(lines, "drops", sum_of(s->drops));
    add_number(lines, "self_bytes", sum_of(s->self_bytes));
    add_number(lines, "resident_bytes", s->info.resident_bytes);
    if (s->info.baseline_ns != 0) { add_number(lines, "baseline_ns", s->info.baseline_ns); }
    if (s->info.exact_until_ns != 0) { add_number(lines, "exact_until_ns", s->info.exact_until_ns); }
}

result<std::string> status(const control::request&) {
    process_state& state = process();
    settle_term(state);
    options effective;
    preset_term term;
    bool is_paused = false;
    {
        const std::lock_guard guard(state.session_mutex);
        effective = state.session.effective;
        term = state.session.term;
        is_paused = state.session.is_paused;
    }
    const std::vector<std::string> secret = redaction_words(effective.redact);
    std::string lines;
    add_number(lines, "pid", platform::process_id());
    control::add_field(lines, "service", redacted(effective.service, secret));
    control::add_field(lines, "version", version);
    control::add_field(lines, "state", state_in_words(detail::process_status(), is_paused));
    control::add_field(lines, "preset", to_string(effective.preset));
    if (term.is_running()) {
        add_number(lines, "preset_ends_in_ns", term.left_ns(platform::monotonic_ns()));
        control::add_field(lines, "preset_after", to_string(term.preset_after()));
    }
    add_number(lines, "interval_bytes", effective.interval_bytes);
    control::add_field(lines, "sampler", option_text(effective, option_id::sampler));
    if (effective.min_size_bytes != 0) { add_number(lines, "min_size_bytes", effective.min_size_bytes); }
    // Other than the one asked for while samples cost too much or tables are near their limits.
    add_number(lines, "interval_in_force_bytes", state.capture.interval.in_force());
    control::add_field(lines, "dump_dir", redacted(effective.dump_dir, secret));
    control::add_field(lines, "door", doors_in_words(state.capture, &heap_door::name));
    control::add_field(lines, "allocator", doors_in_words(state.capture, &heap_door::allocator));
    add_figures(lines);
    return lines;
}

result<std::size_t> sites_to_name(const control::request& asked) {
    const std::string* const text = asked.find("names");
    std::size_t count = 0;
    if (text == nullptr) { return count; }
    const auto parsed = std::from_chars(text->data(), text->data() + text->size(), count);
    if (parsed.ec != std::errc{} || parsed.ptr != text->data() + text->size() || count > max_named_sites) {
        return fail(error_code::invalid_argument, fmt::format("a number up to {}", max_named_sites), "names");
    }
    return count;
}

result<std::string> encoded(result<snapshot> frozen, const control::request& asked) {
    if (!frozen) { return tl::unexpected<error>(frozen.error()); }
    const std::string* const word = asked.find("format");
    const result<dump_format> format = parse_dump_format(word == nullptr ? "memtrace" : *word);
    if (!format) { return tl::unexpected<error>(format.error()); }
    const result<std::size_t> names = sites_to_name(asked);
    if (!names) { return tl::unexpected<error>(names.error()); }
    if (*names > 0) { session{}.name_functions(*frozen, *names); }
    return encode(*frozen, *format);
}

result<std::string> take_snapshot(const control::request& asked) {
    const std::string* const label = asked.find("label");
    if (label != nullptr && label->size() > max_label_bytes) {
        return fail(error_code::invalid_argument, "at most 64 characters", "label");
    }
    return encoded(session{}.snapshot(label == nullptr ? std::string_view() : *label), asked);
}

result<std::string> summarize(const control::request& asked) { return encoded(session{}.summary(), asked); }

// detail=1: also where that takes long; detail=0: what is cheap.
result<footprint_request> footprint_asked_for(const control::request& asked) {
    footprint_request wanted;
    const std::string* const detail = asked.find("detail");
    if (detail == nullptr) { return wanted; }
    if (*detail != "0" && *detail != "1") { return fail(error_code::invalid_argument, "0 or 1", "detail"); }
    wanted.must_be_detailed = *detail == "1";
    if (*detail == "0") { wanted.most_resident_bytes = 0; }
    return wanted;
}

result<std::string> where_memory_is(const control::request& asked) {
    return footprint_asked_for(asked).and_then(&detail::process_footprint).map(&encode_footprint);
}

// Any options that may change while it runs, by their external names; all of them or none.
result<std::string> set(const control::request& asked) {
    if (asked.parameters.empty()) {
        return fail(error_code::invalid_argument, "set takes options: preset=full interval=64KiB");
    }
    return steer_options(process(), asked.parameters).and_then([&] { return status(asked); });
}

result<std::string> mark_baseline(const control::request& asked) {
    return session{}.mark_baseline().and_then([&](std::uint64_t) { return status(asked); });
}

// NAME=BYTES TAKEN_UNIX_NS AGE_NS [what is wrong with it], oldest first, below some lines about all of them.
result<std::string> list_history(const control::request&) {
    const history_keeper::listing listed = process().history.list(process());
    std::string lines;
    control::add_field(lines, "where", listed.where);
    control::add_field(lines, "problem", listed.problem);
    add_number(lines, "bytes", listed.bytes);
    add_number(lines, "max_bytes", listed.max_bytes);
    for (const history::past_snapshot& each : listed.all) {
        const std::uint64_t age_ns = listed.now_unix_ns > each.taken_unix_ns ? listed.now_unix_ns - each.taken_unix_ns : 0;
        control::add_field(lines, each.name, fmt::format("{} {} {} {}", each.bytes, each.taken_unix_ns, age_ns, each.problem));
    }
    return lines;
}

result<std::string> give_past(const control::request& asked) {
    const std::string* const name = asked.find("name");
    const std::string* const since = asked.find("since");
    if ((name == nullptr) == (since == nullptr)) {
        return fail(error_code::invalid_argument, "takes name=NAME or since=DURATION", "past");
    }
    if (name != nullptr) { return process().history.dump(*name); }
    const result<std::uint64_t> age_ns = parse_duration(*since);
    if (!age_ns) { return fail(error_code::invalid_argument, age_ns.error().what, "since"); }
    return process().history.dump_from(process(), *age_ns);
}

// What a client wants to see of the past; at most what is kept.
result<std::string> show_timeline(const control::request& asked) {
    constexpr std::uint64_t second_ns = 1'000'000'000;
    const std::string* const since = asked.find("since");
    const result<std::uint64_t> span_ns = parse_duration(since == nullptr ? "15m" : *since);
    if (!span_ns) { return fail(error_code::invalid_argument, span_ns.error().what, "since"); }
    const std::string* const format = asked.find("format");
    const bool is_text = format != nullptr && *format == "text";
    if (!is_text && format != nullptr && *format != "json") {
        return fail(error_code::invalid_argument, "json or text", "format");
    }
    process_state& state = process();
    constexpr std::uint64_t longest_s = 7 * 86'400;
    memory_timeline shown = state.memory.timeline(static_cast<std::uint32_t>(std::min(*span_ns / second_ns, longest_s)));
    {
        const std::lock_guard guard(state.session_mutex);
        shown.started_unix_ns = state.session.origin_unix_ns;
    }
    return is_text ? render_text(shown) : render_json(shown);
}

result<std::string> stop(const control::request& asked) {
    return session{}.pause().and_then([&] { return status(asked); });
}

result<std::string> resume(const control::request& asked) {
    return session{}.resume().and_then([&] { return status(asked); });
}

// What was tracked stays tracked: only the doors that can be undone are.
result<std::string> detach(const control::request& asked) {
    bool is_done = false;
    for (const auto& slot : process().capture.doors) {
        // acquire: pairs with the release in register_heap_door().
        const heap_door* const door = slot.load(std::memory_order_acquire);
        if (door != nullptr && door->detach != nullptr && door->detach()) { is_done = true; }
    }
    if (!is_done) { return fail(error_code::unsupported, "nothing here was attached while it ran; 'stop' makes it idle"); }
    return status(asked);
}

struct command {
    std::string_view name;
    std::string_view parameters;  // all it understands, '|' around each; "*": it checks them itself
    result<std::string> (*run)(const control::request&);
};

constexpr command commands[] = {
    {"status", "", &status},
    {"snapshot", "|format|label|names|", &take_snapshot},
    {"summary", "|format|names|", &summarize},
    {"footprint", "|detail|", &where_memory_is},
    {"history", "", &list_history},
    {"past", "|name|since|", &give_past},
    {"timeline", "|since|format|", &show_timeline},
    {"set", "*", &set},
    {"baseline", "", &mark_baseline},
    {"stop", "", &stop},
    {"resume", "", &resume},
    {"detach", "", &detach},
};

}  // namespace

result<std::string> answer_control(const control::request& asked) {
    for (const command& each : commands) {
        if (each.name != asked.command) { continue; }
        for (const auto& [name, value] : asked.parameters) {
            if (each.parameters != "*" && each.parameters.find("|" + name + "|") == std::string_view::npos) {
                return fail(error_code::invalid_argument, "is no parameter of " + asked.command, name);
            }
        }
        return each.run(asked);
    }
    return fail(
        error_code::invalid_argument,
        "no such command; there are status, snapshot, summary, history, past, timeline, set, baseline, stop, resume, detach",
        asked.command);
}

result<footprint> detail::process_footprint(const footprint_request& asked) { return measure_footprint(process(), asked); }

result<std::string> detail::control_process(std::string_view line) {
    return control::parse_request(line).and_then([](const control::request& asked) { return answer_control(asked); });
}

}  // namespace v1
}  // namespace memwatch
