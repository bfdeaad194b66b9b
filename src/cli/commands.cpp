// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>
#include <memwatch/diff/window.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "cli/http_client.hpp"
#include "cli/terminal.hpp"
#include "cli/url.hpp"
#include "control/client.hpp"
#include "report/json.hpp"
#include "report/json_writer.hpp"
#include "report/markdown.hpp"
#include "report/text.hpp"
#include "report/view.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

exit_status report(const error& e) {
    print_error(e);
    return status_of(e);
}

exit_status finish(const result<std::string>& text, exit_status status) {
    if (!text) { return report(text.error()); }
    const result<void> printed = print(*text);
    return printed ? status : report(printed.error());
}

// The views a summary is made of, as one JSON document.
result<std::string> summary_json(const snapshot& s, const show_command& command) {
    std::string json = "{\"kind\": \"memwatch.summary\", \"version\": 1";
    for (const view_kind kind : {view_kind::sites, view_kind::tags, view_kind::pools, view_kind::threads, view_kind::survivors,
                                 view_kind::hand_offs}) {
        const result<view> v = make_view(s, kind, {command.top, {}, {}, command.only});
        if (!v) { return tl::unexpected<error>(v.error()); }
        std::string document = render_json(*v);
        document.pop_back();  // its newline
        json += fmt::format(",\n\"{}\": {}", to_string(kind), document);
    }
    return json + "}\n";
}

result<std::string> summary_text(snapshot s, const show_command& command) {
    keep_survivors(s, command.only);
    return render_text(s, text_options{command.top, wants_colour(command.output.colour), command.only});
}

result<std::string> render(const snapshot& s, const show_command& command) {
    const text_options text{command.top, wants_colour(command.output.colour), command.only};
    const bool is_json = command.output.format == output_format::json;
    if (command.by.empty()) { return is_json ? summary_json(s, command) : summary_text(s, command); }
    const result<view_kind> kind = parse_view_kind(command.by);
    if (!kind) { return tl::unexpected<error>(kind.error()); }
    const result<view> v = make_view(s, *kind, {command.top, command.cursor, command.sort, command.only});
    if (!v) { return tl::unexpected<error>(v.error()); }
    return is_json ? render_json(*v) : render_text(*v, text);
}

std::string render(const delta& d, const diff_command& command) {
    switch (command.output.format) {
        case output_format::json:
            return render_json(d);
        case output_format::markdown:
            return render_markdown(d);
        case output_format::text:
            break;
    }
    return render_text(d, {command.how.top, wants_colour(command.output.colour), {}});
}

// Rows are ordered by growth, so that what `top` cut off is smaller; doubtful rows may stand before certain ones.
bool has_significant_growth(const delta& d) {
    return std::any_of(d.rows.begin(), d.rows.end(), [](const delta_row& r) { return r.bytes > 0 && r.is_significant(); });
}

std::string written_words(const snapshot_command& command, std::size_t bytes) {
    if (!command.json_summary) { return fmt::format("{}  {}\n", command.file, format_bytes(static_cast<double>(bytes))); }
    json_writer json;
    json.begin_object();
    json.key("kind").value("memwatch.written");
    json.key("file").value(command.file);
    json.key("format").value(command.format);
    json.key("label").value(command.label);
    json.key("bytes").value(std::uint64_t{bytes});
    json.end_object();
    return json.take();
}

result<std::string> ask(const snapshot_command& command) {
    const progress shown(fmt::format("taking a snapshot of pid {}", command.pid));
    control::request asked{"snapshot", {{"format", command.format}}};
    if (!command.label.empty()) { asked.parameters.emplace_back("label", command.label); }
    if (command.format != "memtrace") { asked.parameters.emplace_back("names", "200"); }
    return control::ask(command.pid, asked);
}

result<snapshot> ask_whole(std::uint64_t pid, const control::request& asked) {
    const result<std::string> bytes = control::ask(pid, asked);
    if (!bytes) { return tl::unexpected<error>(bytes.error()); }
    result<decoded_snapshot> decoded = decode(*bytes);
    if (!decoded) { return tl::unexpected<error>(decoded.error()); }
    return std::move(decoded->value);
}

// The window is cut here: the control socket answers one client at a time and never waits. Its start needs no records.
result<std::string> ask_window(const snapshot_command& command) {
    const result<dump_format> format = parse_dump_format(command.format);
    if (!format) { return tl::unexpected<error>(format.error()); }
    const progress shown(fmt::format("watching pid {} for {}", command.pid, format_duration(command.duration_ns)));
    const result<snapshot> start = ask_whole(command.pid, {"summary", {}});
    if (!start) { return tl::unexpected<error>(start.error()); }
    std::this_thread::sleep_for(std::chrono::nanoseconds(command.duration_ns));
    control::request asked{"snapshot", {}};
    if (!command.label.empty()) { asked.parameters.emplace_back("label", command.label); }
    if (command.format != "memtrace") { asked.parameters.emplace_back("names", "200"); }
    result<snapshot> end = ask_whole(command.pid, asked);
    if (!end) { return tl::unexpected<error>(end.error()); }
    const result<snapshot> window = window_between(*start, std::move(*end));
    return window ? encode(*window, *format) : tl::unexpected<error>(window.error());
}

result<std::string> fetch(const snapshot_command& command) {
    if (command.pid != 0) { return command.duration_ns == 0 ? ask(command) : ask_window(command); }
    const result<http_url> base = parse_url(command.url);
    if (!base) { return tl::unexpected<error>(base.error()); }
    snapshot_query query{command.format, command.label, {}};
    http_limits limits;
    if (command.duration_ns != 0) {
        query.seconds = fmt::format("{}", (command.duration_ns + 999'999'999) / 1'000'000'000);
        limits.answer += std::chrono::milliseconds(command.duration_ns / 1'000'000);
    }
    const progress shown("taking a snapshot of " + base->address());
    return http_get(snapshot_url(*base, query), limits);
}

bool is_binary(const std::string& format) { return format == "memtrace" || format == "pprof" || format == "pprof_allocs"; }

}  // namespace

exit_status status_of(const error& e) noexcept {
    switch (e.code) {
        case error_code::invalid_argument:
            return exit_status::usage;
        case error_code::unreachable:
        case error_code::unavailable:
            return exit_status::unreachable;
        default:
            return exit_status::unreadable;
    }
}

namespace {

// Leaves what was born after the mark.
result<void> cut(snapshot& s, std::uint64_t mark_ns) {
    result<snapshot> later = born_since(std::move(s), mark_ns);
    if (!later) { return fail(later.error().code, later.error().what, "--since-baseline"); }
    s = std::move(*later);
    return {};
}

// A BEFORE from before the mark has nothing to say.
result<void> cut(snapshot& before, snapshot& after) {
    const std::uint64_t mark_ns = after.info.baseline_ns;
    if (mark_ns != 0 && before.info.session != after.info.session) {
        return fail(error_code::invalid_argument, "the snapshots are of different sessions: one mark is not in both",
                    "--since-baseline");
    }
    return cut(before, std::min(mark_ns, before.info.taken_ns)).and_then([&] { return cut(after, mark_ns); });
}

}  // namespace

exit_status run(const show_command& command) {
    result<loaded_snapshot> s = load_snapshot(command.input, command.source);
    if (s && command.since_baseline) {
        if (const auto done = cut(s->value, s->value.info.baseline_ns); !done) { return report(done.error()); }
    }
    return s ? finish(render(s->value, command), exit_status::fine) : report(s.error());
}

exit_status run(const diff_command& command) {
    result<loaded_snapshot> before = load_snapshot(command.before, command.source);
    if (!before) { return report(before.error()); }
    result<loaded_snapshot> after = load_snapshot(command.after, command.source);
    if (!after) { return report(after.error()); }
    if (command.since_baseline) {
        if (const auto done = cut(before->value, after->value); !done) { return report(done.error()); }
    }
    result<delta> d = diff(before->value, after->value, command.how);
    if (!d) { return report(d.error()); }
    for (const loaded_snapshot* side : {&*before, &*after}) {
        d->warnings.insert(d->warnings.end(), side->damage.begin(), side->damage.end());
    }
    return finish(render(*d, command),
                  command.exit_code && has_significant_growth(*d) ? exit_status::found : exit_status::fine);
}

exit_status run(const snapshot_command& command) {
    if (command.file.empty() && is_binary(command.format) && is_terminal_output()) {
        return report({error_code::invalid_argument, "binary output does not go to a terminal; give -o FILE",
                       "--format " + command.format});
    }
    const result<std::string> bytes = fetch(command);
    if (!bytes) { return report(bytes.error()); }
    if (command.file.empty()) { return finish(*bytes, exit_status::fine); }
    if (const result<void> written = write_file_atomically(command.file, *bytes); !written) { return report(written.error()); }
    return finish(written_words(command, bytes->size()), exit_status::fine);
}

}  // namespace v1
}  // namespace memwatch
