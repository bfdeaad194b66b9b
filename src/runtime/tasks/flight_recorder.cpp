// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/flight_recorder.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <map>
#include <new>
#include <system_error>
#include <utility>
#include <vector>

#include <memwatch/base/log.hpp>
#include <memwatch/snapshot/codec.hpp>
#include <memwatch/version.hpp>
#include "blackbox/event.hpp"
#include "model/redaction.hpp"
#include "platform/platform.hpp"
#include "runtime/freeze_process.hpp"
#include "runtime/process_state.hpp"
#include "snapshot/excerpt.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

using blackbox::lane;
using blackbox::pulse;
using blackbox::record_kind;

constexpr std::uint64_t second_ns = 1'000'000'000;
// At the kill the last record is at most a second old: what other tasks of the worker take is to fit in as well.
constexpr std::uint64_t calm_pause_ns = 800'000'000;
constexpr std::uint64_t some_pause_ns = 400'000'000;
constexpr std::uint64_t near_pause_ns = 100'000'000;
constexpr std::uint64_t try_again_pause_ns = 60 * second_ns;
constexpr std::uint64_t minute_pause_ns = 60 * second_ns;
// A situation every 10 s, near the limit every second, and less often where that would take more than 1/300 of a CPU.
constexpr std::uint64_t calm_situation_ns = 10 * second_ns;
constexpr std::uint64_t near_situation_ns = second_ns;
constexpr std::uint64_t situation_share = 300;
constexpr std::uint64_t longest_calm_wait_ns = 60 * second_ns;
constexpr std::uint64_t longest_near_wait_ns = 3 * second_ns;
// Looking up names reads the files of modules: not when there is no time for it.
constexpr std::uint64_t most_naming_near_ns = 5'000'000;
constexpr std::size_t most_sites = 20;
constexpr double near_seconds = 120;
constexpr std::uint64_t longest_end_ns = 500'000'000;

std::uint64_t take_turn(void* state, std::uint64_t) noexcept {
    auto& all = *static_cast<process_state*>(state);
    return all.recorder.turn(all);
}

// Pressure of level `some` is where many services live.
bool is_near_the_end(const pulse& now) noexcept {
    return now.level == pressure_level::critical || (now.forecast && now.forecast->least_seconds < near_seconds);
}

std::uint64_t pause_after(const pulse& now) noexcept {
    if (is_near_the_end(now)) { return near_pause_ns; }
    return now.level == pressure_level::none ? calm_pause_ns : some_pause_ns;
}

// 20261122T154501.123456Z-4711-0f3a9c21.blackbox: sorts by time, and no two are equal.
std::string file_name(std::uint64_t unix_ns, std::uint64_t pid, const std::string& session) {
    const auto seconds = static_cast<std::time_t>(unix_ns / second_ns);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char text[64];
    const std::size_t used = std::strftime(text, sizeof text, "%Y%m%dT%H%M%S", &utc);
    std::snprintf(text + used, sizeof text - used, ".%06uZ-", static_cast<unsigned>(unix_ns / 1000 % 1'000'000));
    return text + std::to_string(pid) + "-" + session.substr(0, 8) + std::string(flight_recorder::suffix);
}

bool is_box(const std::string& name) {
    const std::string_view suffix = flight_recorder::suffix;
    return name.size() > suffix.size() && std::string_view(name).substr(name.size() - suffix.size()) == suffix;
}

struct ended_box {
    std::string name;
    std::string program;
};

std::string program_of(const state_file& file) {
    std::string copy(blackbox::head_copy_bytes, '\0');
    copy.resize(file.read_at(0, copy.data(), copy.size()));
    const result<blackbox::decoded_head> head = blackbox::decode_head(copy);
    return head ? head->whose.executable : std::string();
}

// Those that go, until `most` are left: each time the oldest one of the program that left the most. Health checks and other
// helpers that inherit a service's environment come and go by the minute, and must not push out what the service left.
std::vector<std::string> superfluous(std::vector<ended_box> ended, std::size_t most) {
    std::sort(ended.begin(), ended.end(), [](const ended_box& a, const ended_box& b) { return a.name < b.name; });
    std::map<std::string, std::size_t> left;
    for (const ended_box& each : ended) { ++left[each.program]; }
    std::vector<std::string> gone;
    while (ended.size() > most) {
        const auto is_rarer = [&](const ended_box& a, const ended_box& b) { return left[a.program] < left[b.program]; };
        const auto next = std::max_element(ended.begin(), ended.end(), is_rarer);  // of equal ones the first
        --left[next->program];
        gone.push_back(std::move(next->name));
        ended.erase(next);
    }
    return gone;
}

}  // namespace

void flight_recorder::begin(process_state& state, const options& chosen) noexcept {
    try {
        const std::lock_guard guard(mutex_);
        wanted_.size_bytes = chosen.blackbox_bytes;
        wanted_.folder = chosen.state_dir;
        ++wanted_.session;
        wanted_.is_over = false;
        path_.clear();  // until there is a file of this session
        if (wanted_.folder.empty() || wanted_.size_bytes == 0) { return; }
    } catch (...) { return; }  // no memory for a path
    state.worker.bind(worker_task::flight_recorder, &take_turn, &state);
}

void flight_recorder::end(process_state& state, std::string_view how) noexcept {
    {
        const std::lock_guard guard(mutex_);
        if (wanted_.is_over || wanted_.folder.empty() || wanted_.size_bytes == 0) { return; }
        wanted_.is_over = true;  // also where there is no file yet: the worker may be about to make it
        how_it_ends_ = how;
    }
    const auto close_it = [](void* recorder) { static_cast<flight_recorder*>(recorder)->end_now(); };
    static_cast<void>(state.worker.call(close_it, this, longest_end_ns));
}

void flight_recorder::end_now() noexcept {
    std::string_view how;
    {
        const std::lock_guard guard(mutex_);
        how = how_it_ends_;
    }
    close(how);
}

flight_recorder::wanted_file flight_recorder::wanted() const {
    const std::lock_guard guard(mutex_);
    return wanted_;
}

std::string flight_recorder::path() const {
    const std::lock_guard guard(mutex_);
    return path_;
}

std::uint64_t flight_recorder::turn(process_state& state) noexcept {
    try {
        const wanted_file want = wanted();
        if (want.folder.empty() || want.size_bytes == 0) {
            close("another session began, without a black box");
            return worker::never;
        }
        if (want.is_over) {
            end_now();
            return worker::never;
        }
        if (!has_file(state, want)) { return try_again_pause_ns; }
    } catch (...) { return calm_pause_ns; }  // no memory
    const std::uint64_t now_ns = platform::monotonic_ns();
    const pulse now = take_pulse(state);
    const bool is_near = is_near_the_end(now);
    note_pressure(now);
    write_pulse(now, now_ns);
    if (is_near && tape_.situation_ns > now_ns + longest_near_wait_ns) { tape_.situation_ns = now_ns; }
    if (now_ns >= tape_.situation_ns) { write_situation(is_near); }
    tape_.last = now;
    return pause_after(now);
}

// --- the file

bool flight_recorder::has_file(process_state& state, const wanted_file& want) noexcept {
    if (tape_.session == want.session && tape_.file.mend()) { return true; }
    const std::uint64_t now_ns = platform::monotonic_ns();
    if (tape_.session == want.session && now_ns < tape_.try_again_ns) { return false; }
    close("another session began");
    tape_.session = want.session;
    tape_.try_again_ns = now_ns + try_again_pause_ns;
    try {
        const result<void> opened = open(state, want);
        if (!opened) { complain(opened.error().message()); }
        return opened.has_value();
    } catch (...) { return false; }  // no memory
}

result<void> flight_recorder::open(process_state& state, const wanted_file& want) {
    result<state_folder> folder = state_folder::open(want.folder);
    if (folder) {
        tape_.folder = std::move(*folder);
        tape_.folder_name = want.folder;
    } else if (tape_.folder_name != want.folder || !tape_.folder.is_open()) {  // else: a right that was given up since
        return tl::unexpected<error>(std::move(folder.error()));
    }
    if (result<void> made = make_room(); !made) { return made; }
    blackbox::identity whose;
    {
        const std::lock_guard guard(state.session_mutex);
        whose.session = state.session.id;
        whose.service = redacted(state.session.effective.service, redaction_words(state.session.effective.redact));
        whose.started_unix_ns = state.session.origin_unix_ns;
    }
    whose.pid = platform::process_id();
    whose.opened_unix_ns = platform::unix_ns();
    whose.host = platform::host_name();
    whose.executable = platform::executable_path();
    whose.version = version;
    const std::string name = file_name(whose.opened_unix_ns, whose.pid, whose.session);
    result<blackbox::ring_writer> file = blackbox::ring_writer::create(tape_.folder, name, whose, want.size_bytes);
    if (!file) { return tl::unexpected<error>(std::move(file.error())); }
    tape_.file = std::move(*file);
    tape_.failures_in_a_row = 0;
    tape_.last.reset();
    tape_.minute_ns = tape_.situation_ns = 0;
    tape_.opened_ns = platform::monotonic_ns();
    {
        const std::lock_guard guard(mutex_);
        path_ = tape_.folder.path() + "/" + name;
    }
    note(blackbox::event_names::opened,
         tape_.folder.is_in_memory() ? "in memory: counts against the limit, and goes with the container" : "on disk");
    return {};
}

// Files of processes that have ended are kept, but not all; those of processes that run are theirs.
result<void> flight_recorder::make_room() const {
    result<std::vector<state_folder::entry>> all = tape_.folder.list();
    if (!all) { return tl::unexpected<error>(std::move(all.error())); }
    std::vector<ended_box> ended;
    std::size_t writers = 0;
    for (state_folder::entry& each : *all) {
        if (!is_box(each.name)) { continue; }
        const result<state_file> file = tape_.folder.open_file(each.name);
        if (!file) { continue; }
        if (file->try_lock()) {
            std::string program = program_of(*file);
            ended.push_back({std::move(each.name), std::move(program)});
        } else {
            ++writers;
        }
    }
    for (const std::string& name : superfluous(std::move(ended), most_kept)) { static_cast<void>(tape_.folder.remove(name)); }
    if (writers >= most_writers) {
        return fail(error_code::limit, "as many processes as may write black boxes into it do", tape_.folder.path());
    }
    return {};
}

void flight_recorder::close(std::string_view how) noexcept {
    if (!tape_.file.is_open()) { return; }
    note(blackbox::event_names::end, how);
    tape_.file.close();
    const std::lock_guard guard(mutex_);
    path_.clear();
}

// --- records

pulse flight_recorder::take_pulse(process_state& state) const noexcept {
    pulse now;
    now.reading = state.memory.latest();
    now.level = state.memory.level();
    now.forecast = state.memory.forecast();
    now.completed_traces = state.capture.tags.completed_traces();
    // acquire: pairs with the release in build_live().
    const live_state* const live = state.live.load(std::memory_order_acquire);
    if (live != nullptr) { now.live_samples = live->live_samples(); }
    now.leaks = tape_.leaks;
    now.suspects = tape_.suspects;
    read_tags(state, now);
    return now;
}

// All of them where they are few; else those that were the largest when somebody looked at all.
void flight_recorder::read_tags(process_state& state, pulse& now) const noexcept {
    const tag_table& tags = state.capture.tags;
    const bool are_few = tags.size() <= pulse::most_tags;
    const std::size_t count = are_few ? tags.size() : tape_.tag_count;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t tag = are_few ? i : tape_.tags[i].tag;
        const std::uint64_t live_bytes = tags.totals(static_cast<tag_id>(tag)).live_bytes();
        if (live_bytes != 0) { now.tags[now.tag_count++] = {tag, live_bytes}; }
    }
    std::sort(now.tags.begin(), now.tags.begin() + static_cast<std::ptrdiff_t>(now.tag_count),
              [](const pulse::tag_bytes& a, const pulse::tag_bytes& b) { return a.live_bytes > b.live_bytes; });
}

void flight_recorder::write_pulse(const pulse& now, std::uint64_t now_ns) noexcept {
    blackbox::pulse_bytes bytes;
    const std::size_t used = blackbox::encode(now, bytes);
    const std::string_view payload(reinterpret_cast<const char*>(bytes.data()), used);
    write(lane::seconds, record_kind::pulse, payload);
    if (tape_.minute_ns != 0 && now_ns < tape_.minute_ns + minute_pause_ns) { return; }
    tape_.minute_ns = now_ns;
    write(lane::minutes, record_kind::pulse, payload);
}

void flight_recorder::note_pressure(const pulse& now) noexcept {
    if (!tape_.last) { return; }
    const pulse& before = *tape_.last;
    const auto percent = [](const memory_reading& r) {
        return r.cgroup.limit == 0 ? 0.0
                                   : 100.0 * static_cast<double>(r.cgroup.unreclaimable) / static_cast<double>(r.cgroup.limit);
    };
    char text[160];
    if (now.level != before.level) {
        const int used = std::snprintf(text, sizeof text, "%s, was %s: %.1f %% of the limit", word_of(now.level),
                                       word_of(before.level), percent(now.reading));
        note(blackbox::event_names::pressure, {text, static_cast<std::size_t>(used)});
        if (now.level > before.level) { tape_.situation_ns = 0; }
    }
    const pressure_events& a = before.reading.cgroup.events;
    const pressure_events& b = now.reading.cgroup.events;
    if (before.reading.time_ns != 0 && (b.oom > a.oom || b.oom_kill > a.oom_kill)) {
        const int used = std::snprintf(text, sizeof text, "cgroup: oom %llu, oom_kill %llu",
                                       static_cast<unsigned long long>(b.oom), static_cast<unsigned long long>(b.oom_kill));
        note(blackbox::event_names::pressure, {text, static_cast<std::size_t>(used)});
    }
}

void flight_recorder::note(std::string_view name, std::string_view text) noexcept {
    if (!tape_.file.is_open()) { return; }
    char payload[blackbox::sector_payload_bytes];
    const std::size_t used = blackbox::encode(blackbox::event{name, text}, payload);
    write(lane::events, record_kind::event, {payload, used});
    // What is accused now, and for whom, is what the next situation tells.
    if (name == blackbox::event_names::verdict) { tape_.situation_ns = 0; }
}

void flight_recorder::write_situation(bool is_near) noexcept {
    const std::uint64_t began_ns = platform::thread_cpu_ns();
    tape_.naming_ns = is_near ? tape_.naming_ns : 0;
    try {
        write_situation_of(is_near);
    } catch (...) {}  // no memory: the next one, perhaps
    const std::uint64_t took_ns = platform::thread_cpu_ns() - began_ns;
    const std::uint64_t now_ns = platform::monotonic_ns();
    // A start may end within seconds: as soon again as it is old.
    const std::uint64_t young_ns = std::clamp(now_ns - tape_.opened_ns, near_situation_ns / 2, calm_situation_ns);
    const std::uint64_t least = is_near ? near_situation_ns : young_ns;
    const std::uint64_t most = is_near ? longest_near_wait_ns : longest_calm_wait_ns;
    tape_.situation_ns = now_ns + std::clamp(took_ns * situation_share, least, most);
}

void flight_recorder::write_situation_of(bool is_near) {
    result<frozen_process> frozen = freeze_process({}, live_state::detail::requests);
    if (!frozen) { return; }
    snapshot& whole = frozen->value;
    remember_what_matters(whole);
    const std::size_t sites = whole.sites.size();
    snapshot cut = excerpt_of(std::move(whole), most_sites);
    cut.info.label = "black box: " + std::to_string(cut.sites.size()) + " of " + std::to_string(sites) + " sites";
    if (!is_near || tape_.naming_ns <= most_naming_near_ns) { name_functions_in(cut); }
    const std::size_t largest = tape_.file.largest(lane::situations);
    for (std::size_t most = most_sites; most > 0; most /= 2) {
        const result<std::string> bytes = encode(cut, dump_format::memtrace);
        if (!bytes) { return; }
        if (bytes->size() <= largest) { return write(lane::situations, record_kind::situation, *bytes); }
        cut.live.clear();
        cut = excerpt_of(std::move(cut), most / 2);
    }
}

void flight_recorder::name_functions_in(snapshot& cut) {
    const std::uint64_t began_ns = platform::thread_cpu_ns();
    std::vector<std::uint32_t> rows(cut.sites.size());
    for (std::uint32_t i = 0; i < rows.size(); ++i) { rows[i] = i; }
    name_functions_of(cut, rows);
    tape_.naming_ns = platform::thread_cpu_ns() - began_ns;
}

// What pulses say until the next situation. Rows of tags are their numbers: nothing was cut yet.
void flight_recorder::remember_what_matters(const snapshot& s) {
    tape_.leaks = tape_.suspects = 0;
    for (const verdict& each : s.verdicts) {
        if (level_of(each.kind) == verdict_level::leak) { ++tape_.leaks; }
        if (level_of(each.kind) == verdict_level::suspect) { ++tape_.suspects; }
    }
    std::vector<pulse::tag_bytes> tags;
    for (std::size_t i = 0; i < s.tags.size(); ++i) {
        if (s.tags[i].allocations != 0) { tags.push_back({i, s.tags[i].live_bytes()}); }
    }
    std::sort(tags.begin(), tags.end(),
              [](const pulse::tag_bytes& a, const pulse::tag_bytes& b) { return a.live_bytes > b.live_bytes; });
    tape_.tag_count = std::min(tags.size(), tape_.tags.size());
    std::copy_n(tags.begin(), tape_.tag_count, tape_.tags.begin());
}

void flight_recorder::write(lane where, record_kind kind, std::string_view payload) noexcept {
    const int failed = tape_.file.write(where, kind, platform::unix_ns(), payload);
    // relaxed, both: statistics.
    if (failed == 0) {
        records_.fetch_add(1, std::memory_order_relaxed);
        tape_.failures_in_a_row = 0;
        return;
    }
    failures_.fetch_add(1, std::memory_order_relaxed);
    if (++tape_.failures_in_a_row != 1) { return; }  // said already
    try {
        complain(std::generic_category().message(failed));
    } catch (...) {}  // no memory for words
}

void flight_recorder::complain(const std::string& what) noexcept {
    failures_.fetch_add(1, std::memory_order_relaxed);  // relaxed: a statistic
    try {
        std::string words = "not written: " + what;
        std::replace(words.begin(), words.end(), '"', '\'');
        write_log(log_level::warning, "memwatch level=warning event=black_box detail=\"" + words + "\"");
    } catch (...) {}  // as above
}

void flight_recorder::copy_into(snapshot& into) const {
    if (wanted().folder.empty()) { return; }
    // relaxed: statistics.
    into.activity.push_back({"blackbox_records", records_.load(std::memory_order_relaxed)});
    into.activity.push_back({"blackbox_failures", failures_.load(std::memory_order_relaxed)});
}

void flight_recorder::enter_child() noexcept {
    tape_.folder.close();
    tape_.file.close();
    new (&tape_) tape();
    path_.clear();
    ++wanted_.session;
}

}  // namespace v1
}  // namespace memwatch
