// SPDX-License-Identifier: Apache-2.0
#include "cli/source.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>

#include <fmt/format.h>
#include <memwatch/snapshot/codec.hpp>

#include "cli/foreign_source.hpp"
#include "cli/terminal.hpp"
#include "cli/text_file.hpp"
#include "cli/url.hpp"
#include "control/client.hpp"
#include "gate/baseline.hpp"
#include "http/client.hpp"
#include "snapshot/dump_tables.hpp"
#include "symbols/symbol_cache.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t most_warnings = 5;
constexpr std::uint64_t largest_baseline = 1U << 30U;
constexpr std::uint64_t large_dump_bytes = 64ULL << 20;  // 3 M records; below, everything is read in less than half a second

// A service hands out one full snapshot a second in the long run: a command that wants two, or came second, waits its turn.
result<std::string> get_in_turn(const http_url& url) {
    constexpr std::uint64_t longest_turn_s = 3;  // longer: somebody has a window open, and said so
    constexpr int most_tries = 5;
    for (int tries = 1;; ++tries) {
        const result<http_answer> answer = http_ask(url);
        if (!answer) { return tl::unexpected<error>(answer.error()); }
        if (answer->status == 200) { return answer->body; }
        const bool is_worth_waiting = answer->status == 429 && answer->retry_after_s <= longest_turn_s && tries < most_tries;
        if (!is_worth_waiting) { return tl::unexpected<error>(refusal_of(url, *answer)); }
        std::this_thread::sleep_for(std::chrono::seconds(std::max<std::uint64_t>(answer->retry_after_s, 1)));
    }
}

result<decoded_snapshot> fetch(const std::string& argument, const snapshot_query& query = {}) {
    const result<http_url> base = parse_url(argument);
    if (!base) { return tl::unexpected<error>(base.error()); }
    const http_url url = snapshot_url(*base, query);
    const result<std::string> bytes = get_in_turn(url);
    if (!bytes) { return tl::unexpected<error>(bytes.error()); }
    result<decoded_snapshot> decoded = decode(*bytes);
    if (!decoded) {
        error e = decoded.error();
        e.where = url.address() + url.target + (e.where.empty() ? "" : ", " + e.where);
        return tl::unexpected<error>(std::move(e));
    }
    return decoded;
}

result<decoded_snapshot> ask(std::uint64_t pid, const control::request& asked = {"snapshot", {}}) {
    const result<std::string> bytes = control::ask(pid, asked);
    if (!bytes) { return tl::unexpected<error>(bytes.error()); }
    result<decoded_snapshot> decoded = decode(*bytes);
    if (!decoded) { decoded.error().where = fmt::format("pid {}: {}", pid, decoded.error().where); }
    return decoded;
}

result<decoded_snapshot> read_baseline_file(const std::string& path) {
    const result<std::string> text = read_text_file(path, largest_baseline);
    if (!text) { return tl::unexpected<error>(text.error()); }
    result<snapshot> known = gate::read_baseline(*text);
    if (!known) { return fail(known.error().code, known.error().what, path + ": " + known.error().where); }
    return decoded_snapshot{std::move(*known), {}};
}

result<loaded_snapshot> loaded(result<decoded_snapshot> decoded) {
    if (!decoded) { return tl::unexpected<error>(decoded.error()); }
    return loaded_snapshot{std::move(decoded->value), std::move(decoded->damage)};
}

result<loaded_snapshot> read_file(const std::string& path, const source_options& options) {
    if (options.may_skip_records) {
        const dump_kind kind = kind_of_dump(path);
        if (kind.is_memtrace && kind.size_bytes >= large_dump_bytes) {
            result<dump_tables> tables = read_tables(path);
            if (!tables) { return tl::unexpected<error>(tables.error()); }
            return loaded_snapshot{std::move(tables->value), std::move(tables->damage), tables->unread_bytes};
        }
    }
    if (gate::looks_like_baseline(read_head(path, 256))) { return loaded(read_baseline_file(path)); }
    return loaded(read_dump(path));
}

result<loaded_snapshot> obtain(const std::string& argument, const source_options& options) {
    if (const std::uint64_t pid = process_of(argument); pid != 0) { return loaded(ask(pid)); }
    if (is_url(argument)) { return loaded(fetch(argument)); }
    std::error_code ignored;
    if (std::filesystem::is_socket(argument, ignored)) {
        return fail(error_code::io,
                    "is a socket, not a dump; to ask who listens there write unix:" +
                        std::filesystem::absolute(argument, ignored).string(),
                    argument);
    }
    return read_file(argument, options);
}

void print_warnings(const std::vector<std::string>& warnings, const std::string& prefix) {
    for (std::size_t i = 0; i < warnings.size() && i < most_warnings; ++i) { print_warning(prefix + warnings[i]); }
    if (warnings.size() > most_warnings) {
        print_warning(fmt::format("and {} more of these", warnings.size() - most_warnings));
    }
}

}  // namespace

std::uint64_t process_of(const std::string& argument) noexcept {
    constexpr std::string_view scheme = "pid:";
    std::uint64_t pid = 0;
    if (argument.compare(0, scheme.size(), scheme) != 0) { return 0; }
    const auto parsed = std::from_chars(argument.data() + scheme.size(), argument.data() + argument.size(), pid);
    return parsed.ec == std::errc{} && parsed.ptr == argument.data() + argument.size() ? pid : 0;
}

bool is_running_source(const std::string& argument) { return process_of(argument) != 0 || is_url(argument); }

symbolize_summary name_frames(snapshot& s, const source_options& options) {
    progress shown("looking up names");
    static const result<symbol_cache> cache = symbol_cache::open(symbol_cache::default_path());
    symbolize_options how{options.debug_dirs, true, options.use_cache && cache ? &*cache : nullptr, {}};
    how.progress = [&](std::size_t done, std::size_t of) { shown.say(fmt::format("naming frame {} of {}", done, of)); };
    return symbolize(s, how);
}

void name_frames_aloud(snapshot& s, const source_options& options) {
    print_warnings(name_frames(s, options).warnings, "no names for ");
}

namespace {

// A profile comes with names, or with modules that have some on this machine.
loaded_snapshot name_foreign(const std::string& argument, exchange::imported_profile profile, const source_options& options) {
    const bool needs_names = options.symbolize && has_nameless_frame(profile.value);
    if (needs_names) { take_local_build_ids(profile, argument); }
    for (std::string& loss : profile.damage) { loss = argument + ": " + loss; }
    print_warnings(profile.damage, "");
    print_warnings(profile.notes, argument + ": ");
    if (needs_names) { name_frames_aloud(profile.value, options); }
    return {std::move(profile.value), std::move(profile.damage), 0};
}

// "/debug/pprof/heap" of Go, "/pprof/heap" of gperftools and brpc: asked for as it stands.
bool is_profile_url(const std::string& argument) {
    if (process_of(argument) != 0 || !is_url(argument)) { return false; }
    const result<http_url> url = parse_url(argument);
    return url && url->target.substr(0, url->target.find('?')).find("/pprof/") != std::string::npos;
}

result<std::optional<exchange::imported_profile>> fetch_foreign(const std::string& argument) {
    return parse_url(argument)
        .and_then([](const http_url& url) { return http_get(url); })
        .and_then([&](const std::string& bytes) { return name_source(exchange::read_foreign_profile(bytes), argument); });
}

// Nothing when it is a dump of our own, or of nobody.
result<std::optional<exchange::imported_profile>> obtain_foreign(const std::string& argument) {
    if (is_profile_url(argument)) { return fetch_foreign(argument); }
    if (is_running_source(argument)) { return std::nullopt; }
    return read_foreign_file(argument);
}

// A file that is no dump is no profile of another tool either: that was tried first.
error say_what_is_read(error e) {
    if (e.where.ends_with("byte 0")) { e.what += ", nor a profile of pprof, heaptrack, jemalloc or gperftools"; }
    return e;
}

loaded_snapshot finished(const std::string& argument, loaded_snapshot one, const source_options& options) {
    for (std::string& loss : one.damage) { loss = argument + ": " + loss; }
    print_warnings(one.damage, "");
    if (options.symbolize) { name_frames_aloud(one.value, options); }
    return one;
}

}  // namespace

result<loaded_snapshot> load_snapshot(const std::string& argument, const source_options& options) {
    std::optional<progress> shown("reading " + argument);
    auto foreign = obtain_foreign(argument);
    if (!foreign) { return tl::unexpected<error>(foreign.error()); }
    if (*foreign) { return name_foreign(argument, std::move(**foreign), options); }
    result<loaded_snapshot> loaded = obtain(argument, options);
    shown.reset();
    if (!loaded) {
        return tl::unexpected<error>(is_running_source(argument) ? loaded.error() : say_what_is_read(loaded.error()));
    }
    return finished(argument, std::move(*loaded), options);
}

result<loaded_snapshot> load_past_snapshot(const std::string& argument, const std::string& age, const source_options& options) {
    if (!is_running_source(argument)) {
        return fail(error_code::invalid_argument, "only a running service has a history: its URL, or pid:N", argument);
    }
    std::optional<progress> shown("reading the history of " + argument);
    const std::uint64_t pid = process_of(argument);
    result<loaded_snapshot> past =
        loaded(pid != 0 ? ask(pid, {"past", {{"since", age}}}) : fetch(argument, {"memtrace", {}, {}, age}));
    shown.reset();
    if (!past) { return past; }
    return finished(argument, std::move(*past), options);
}

}  // namespace v1
}  // namespace memwatch
