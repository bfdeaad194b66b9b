// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/remedies.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include <fmt/format.h>

#include <memwatch/base/log.hpp>
#include <memwatch/model/site_name.hpp>

#include "blackbox/event.hpp"
#include "capture/own_work.hpp"
#include "platform/allocators.hpp"
#include "platform/platform.hpp"
#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t turn_every_ns = 1'000'000'000;
constexpr std::size_t most_name_bytes = 64;

// For a line of the log and a metric's label.
std::string plain(std::string_view text) {
    std::string out(text.substr(0, most_name_bytes));
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == 0x7F) { c = '?'; }
    }
    return out;
}

constexpr const char* pressure_words[] = {"none", "some", "critical"};

bool is_pressed(const remedy_trigger& when, pressure_level now) noexcept {
    return when.on_pressure && now >= (when.only_critical ? pressure_level::critical : pressure_level::some);
}

}  // namespace

void remedy_keeper::bind(process_state& state) noexcept {
    state.worker.bind(
        worker_task::remedies,
        [](void* all, std::uint64_t now_ns) {
            auto& of = *static_cast<process_state*>(all);
            return of.remedies.turn(of, now_ns);
        },
        &state);
}

void remedy_keeper::begin() noexcept {
    const std::lock_guard guard(mutex_);
    accused_.clear();
}

void remedy_keeper::enter_child() noexcept {
    new (&running_) std::recursive_mutex();  // a lost thread may have held it
    new (&accused_) std::vector<accused>();  // nothing is freed in a forked child
}

std::uint64_t remedy_keeper::add(std::string_view name, remedy_trigger when, std::shared_ptr<remedy> function,
                                 remedy_limits limits) {
    std::uint64_t id = 0;
    {
        const std::lock_guard guard(mutex_);
        if (all_.size() < most_remedies) {
            id = ++last_id_;
            all_.push_back({id, plain(name), std::move(when), limits, std::move(function)});
        }
    }
    if (id == 0) {
        write_log(log_level::warning,
                  "memwatch level=warning event=remedy detail=\"there are too many remedies; one more is ignored\"");
    } else {
        process().worker.wake(worker_task::remedies);
    }
    return id;
}

void remedy_keeper::remove(std::uint64_t id) noexcept {
    if (id == 0) { return; }
    std::shared_ptr<remedy> last;  // deleted under no lock
    {
        const std::lock_guard call(running_);
        const std::lock_guard guard(mutex_);
        const auto at = std::find_if(all_.begin(), all_.end(), [&](const registered& r) { return r.id == id; });
        if (at == all_.end()) { return; }
        last = std::move(at->function);
        all_.erase(at);
    }
}

void remedy_keeper::note(const verdict& now, const snapshot& seen) {
    accused fresh{now.subject, {}, {}, now.kind};
    if (now.subject == verdict_subject::site) {
        const site& where = seen.sites[now.index];
        fresh.key = site_key(seen, where);
        fresh.tag = seen.tags[where.tag].name;
    } else {
        fresh.key = seen.pools[now.index].name;
        fresh.tag = seen.pools[now.index].tag;
    }
    {
        const std::lock_guard guard(mutex_);
        const auto is_it = [&](const accused& a) { return a.subject == fresh.subject && a.key == fresh.key; };
        accused_.erase(std::remove_if(accused_.begin(), accused_.end(), is_it), accused_.end());
        if (level_of(now.kind) == verdict_level::none || accused_.size() >= most_accused) { return; }
        accused_.push_back(std::move(fresh));
    }
    process().worker.wake(worker_task::remedies);
}

// Empty: there is none.
std::string remedy_keeper::reason_locked(const registered& of, pressure_level pressure) const {
    for (const accused& each : accused_) {
        if (of.when.level == verdict_level::none || level_of(each.kind) < of.when.level) { continue; }
        const bool is_pool = each.subject == verdict_subject::pool;
        if (!of.when.tag.empty() && of.when.tag != each.tag && !(is_pool && of.when.tag == each.key)) { continue; }
        return fmt::format("{} of {}", word_of(each.kind), is_pool ? each.key : each.tag.empty() ? each.key : each.tag);
    }
    if (!is_pressed(of.when, pressure)) { return {}; }
    return fmt::format("pressure {}", pressure_words[static_cast<std::size_t>(pressure)]);
}

std::vector<remedy_keeper::due_call> remedy_keeper::take_due_locked(std::uint64_t now_ns, pressure_level pressure) {
    std::vector<due_call> due;
    for (registered& each : all_) {
        if (each.last_ns != 0 && now_ns - each.last_ns < each.limits.least_interval_ns) { continue; }
        std::string reason = reason_locked(each, pressure);
        if (reason.empty()) { continue; }
        each.last_ns = now_ns;
        due.push_back({each.id, each.name, std::move(reason), each.limits.is_dry_run ? nullptr : each.function});
    }
    return due;
}

void remedy_keeper::carry_out(const due_call& call) {
    remedy_record record;
    record.remedy = call.name;
    record.reason = call.reason;
    record.is_dry_run = call.function == nullptr;
    record.time_unix_ns = platform::unix_ns();
    record.resident_before = platform::resident_bytes();
    const std::uint64_t began_ns = platform::monotonic_ns();
    bool has_failed = false;
    if (!record.is_dry_run) {
        const std::lock_guard running(running_);
        {
            // It may have been taken back since; then it must not be called any more.
            const std::lock_guard guard(mutex_);
            const bool is_there = std::any_of(all_.begin(), all_.end(), [&](const registered& r) { return r.id == call.id; });
            if (!is_there) { return; }
        }
        try {
            record.said_bytes = call.function->run();
        } catch (...) { has_failed = true; }  // the program's own exception is not ours to tell
    }
    record.took_ns = platform::monotonic_ns() - began_ns;
    record.resident_after = platform::resident_bytes();
    keep(call, std::move(record), has_failed);
}

void remedy_keeper::keep(const due_call& call, remedy_record record, bool has_failed) {
    const auto shrunk = record.resident_before - std::min(record.resident_before, record.resident_after);
    const std::string line = fmt::format(
        "memwatch level={} event=remedy remedy=\"{}\" reason=\"{}\" dry_run={} failed={} resident_before={} resident_after={} "
        "said_bytes={} took_ns={}",
        has_failed ? "warning" : "info", record.remedy, plain(record.reason), record.is_dry_run ? 1 : 0, has_failed ? 1 : 0,
        record.resident_before, record.resident_after, record.said_bytes, record.took_ns);
    {
        const std::lock_guard guard(mutex_);
        for (registered& each : all_) {
            if (each.id != call.id) { continue; }
            ++(record.is_dry_run ? each.dry_runs : each.runs);
            each.failures += has_failed ? 1 : 0;
            each.released_bytes += record.is_dry_run ? 0 : shrunk;
        }
        records_.push_back(std::move(record));
        if (records_.size() > most_records) { records_.pop_front(); }
    }
    process().recorder.note(blackbox::event_names::remedy, std::string_view(line).substr(line.find("remedy=")));
    write_log(has_failed ? log_level::warning : log_level::info, line);
}

void remedy_keeper::look(std::uint64_t now_ns, pressure_level pressure) {
    std::vector<due_call> due;
    {
        const std::lock_guard guard(mutex_);
        due = take_due_locked(now_ns, pressure);
    }
    for (const due_call& each : due) { carry_out(each); }
}

std::uint64_t remedy_keeper::turn(process_state& state, std::uint64_t now_ns) noexcept {
    try {
        look(now_ns, state.memory.level());
    } catch (...) {}  // no memory: the next turn
    const std::lock_guard guard(mutex_);
    return all_.empty() ? worker::never : turn_every_ns;
}

std::vector<remedy_record> remedy_keeper::log() const {
    const std::lock_guard guard(mutex_);
    return {records_.begin(), records_.end()};
}

void remedy_keeper::copy_into(snapshot& into) const {
    const std::lock_guard guard(mutex_);
    for (const registered& each : all_) {
        into.activity.push_back({"remedy_runs:" + each.name, each.runs});
        into.activity.push_back({"remedy_dry_runs:" + each.name, each.dry_runs});
        into.activity.push_back({"remedy_failures:" + each.name, each.failures});
        into.activity.push_back({"remedy_released_bytes:" + each.name, each.released_bytes});
    }
}

// --- include/memwatch/remedies.hpp

remedy_registration::remedy_registration(std::string_view name, remedy_trigger when, remedy* function, remedy_limits limits) {
    const detail::own_work ours;
    std::shared_ptr<remedy> owned(function);
    id_ = process().remedies.add(name, std::move(when), std::move(owned), limits);
}

remedy_registration& remedy_registration::operator=(remedy_registration&& other) noexcept {
    if (this != &other) {
        process().remedies.remove(id_);
        id_ = std::exchange(other.id_, 0);
    }
    return *this;
}

remedy_registration::~remedy_registration() { process().remedies.remove(id_); }

std::uint64_t release_free_memory() noexcept {
    const detail::own_work ours;
    const std::uint64_t before = platform::resident_bytes();
    try {
        platform::release_free_memory();
    } catch (...) { return 0; }  // no memory to ask with
    const std::uint64_t after = platform::resident_bytes();
    return before - std::min(before, after);
}

std::vector<remedy_record> remedy_log() { return process().remedies.log(); }

}  // namespace v1
}  // namespace memwatch
