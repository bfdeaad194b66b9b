// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/history.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <memwatch/base/log.hpp>
#include <memwatch/session.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "capture/own_work.hpp"
#include "history/folder_shelf.hpp"
#include "history/past_name.hpp"
#include "model/redaction.hpp"
#include "platform/platform.hpp"
#include "runtime/freeze_process.hpp"
#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t first_share = 5;  // of history_every: when the first one is taken
constexpr std::size_t named_sites = 200;  // look-ups in symbol tables that a snapshot may cost

std::uint64_t session_time(const process_state& state) noexcept {
    // acquire: pairs with the release in build_live().
    const live_state* const live = state.live.load(std::memory_order_acquire);
    const std::uint64_t now = state.capture.now_ns();
    return live != nullptr && now > live->origin_ns() ? now - live->origin_ns() : 0;
}

tl::unexpected<error> nothing_kept() {
    return fail(error_code::not_found,
                "this process keeps no history: it is switched off (MEMWATCH_HISTORY=0), has just begun, or memwatch has no "
                "thread here");
}

std::uint64_t take_turn(void* state, std::uint64_t) noexcept {
    auto& all = *static_cast<process_state*>(state);
    return all.history.turn(all);
}

}  // namespace

void begin_history(process_state& state) { state.worker.bind(worker_task::history, &take_turn, &state); }

void history_keeper::begin(const options& chosen, std::uint64_t now_ns, std::uint64_t origin_unix_ns) noexcept {
    const std::lock_guard guard(mutex_);
    try {
        settings wanted{chosen.state_dir, redacted(chosen.service, redaction_words(chosen.redact)), chosen.history_bytes,
                        std::max<std::uint64_t>(chosen.history_every_ns, 1)};
        const bool is_same = kept_ != nullptr && wanted.folder == wanted_.folder && wanted.service == wanted_.service &&
                             wanted.max_bytes == wanted_.max_bytes;
        wanted_ = std::move(wanted);
        must_open_ = must_open_ || !is_same;
    } catch (...) { wanted_.max_bytes = 0; }                                            // no memory
    origin_unix_ns_.store(origin_unix_ns, std::memory_order_relaxed);                   // relaxed: a setting
    due_ns_.store(now_ns + wanted_.every_ns / first_share, std::memory_order_relaxed);  // relaxed: as above
}

// By the process' own clock, so that two snapshots of a life are as far apart as it says, whoever sets the machine's clock.
std::uint64_t history_keeper::now_unix_ns(const process_state& state) const noexcept {
    return origin_unix_ns_.load(std::memory_order_relaxed) + session_time(state);  // relaxed: a setting
}

std::uint64_t history_keeper::turn(process_state& state) noexcept {
    const detail::own_work ours;
    std::uint64_t every_ns = 0;
    try {
        bool must_open = false;
        {
            const std::lock_guard guard(mutex_);
            if (wanted_.max_bytes == 0 && kept_ == nullptr) { return worker::never; }
            must_open = must_open_;
            every_ns = wanted_.every_ns;
        }
        if (must_open) { open(state); }
        const std::uint64_t due_ns = due_ns_.load(std::memory_order_relaxed);  // relaxed: a setting
        if (const std::uint64_t now_ns = session_time(state); now_ns < due_ns) { return due_ns - now_ns; }
        const result<void> taken = take_one(state);
        say(taken ? std::string() : taken.error().message());
    } catch (...) {}                                                           // no memory: the next one
    due_ns_.store(session_time(state) + every_ns, std::memory_order_relaxed);  // relaxed: as above
    return std::max<std::uint64_t>(every_ns, 1);
}

// Holding no lock: a folder may be slow.
void history_keeper::open(const process_state& state) {
    settings wanted;
    {
        const std::lock_guard guard(mutex_);
        wanted = wanted_;
        must_open_ = false;
        kept_ = nullptr;  // the files it held must be free before it looks for some
    }
    if (wanted.max_bytes == 0) { return; }
    history::history_bounds within;
    within.bytes = wanted.max_bytes;
    std::string problem;
    std::shared_ptr<history::snapshot_history> made;
    if (!wanted.folder.empty()) {
        auto opened = history::folder_shelf::open(wanted.folder, wanted.service, within, now_unix_ns(state));
        if (opened) {
            made = std::make_shared<history::snapshot_history>(std::move(opened->place), within, wanted.service,
                                                               std::move(opened->found));
        } else {
            problem = "in memory only: " + opened.error().message();
            write_log(log_level::warning, "memwatch level=warning event=history detail=\"" + problem + "\"");
        }
    }
    if (made == nullptr) {
        within.bytes /= share_in_memory;
        made = std::make_shared<history::snapshot_history>(std::make_unique<history::memory_shelf>(), within, wanted.service);
    }
    const std::lock_guard guard(mutex_);
    kept_ = std::move(made);
    place_problem_ = std::move(problem);
}

result<void> history_keeper::take_one(process_state& state) {
    const std::shared_ptr<history::snapshot_history> kept = current();
    if (kept == nullptr) { return {}; }
    const std::uint64_t now = now_unix_ns(state);
    result<frozen_process> frozen = freeze_process(history::moment_in_words(now), live_state::detail::records);
    if (!frozen) { return tl::unexpected<error>(frozen.error()); }
    session{}.name_functions(frozen->value, named_sites);
    const result<std::string> dump = encode(frozen->value, dump_format::memtrace);
    if (!dump) { return tl::unexpected<error>(dump.error()); }
    return kept->keep({history::make_past_name(now, frozen->value.info.session), now, dump->size(), {}, true}, *dump, now);
}

void history_keeper::say(std::string problem) {
    bool is_new = false;
    {
        const std::lock_guard guard(mutex_);
        is_new = !problem.empty() && problem_.empty();
        problem_ = problem;
        if (!problem.empty()) { ++failures_; }
    }
    if (is_new) { write_log(log_level::warning, "memwatch level=warning event=history detail=\"not kept: " + problem + "\""); }
}

std::shared_ptr<history::snapshot_history> history_keeper::current() const {
    const std::lock_guard guard(mutex_);
    return kept_;
}

history_keeper::listing history_keeper::list(const process_state& state) const {
    listing out;
    std::shared_ptr<history::snapshot_history> kept;
    {
        const std::lock_guard guard(mutex_);
        kept = kept_;
        out.max_bytes = wanted_.max_bytes;
        out.problem = problem_.empty() ? place_problem_ : problem_;
    }
    out.now_unix_ns = now_unix_ns(state);
    if (kept == nullptr) { return out; }
    out.all = kept->list();
    out.bytes = kept->bytes();
    out.max_bytes = kept->bounds().bytes;
    out.where = kept->where();
    return out;
}

result<std::string> history_keeper::dump(std::string_view name) const {
    const auto kept = current();
    if (kept == nullptr) { return nothing_kept(); }
    return kept->read(name);
}

result<std::string> history_keeper::dump_from(const process_state& state, std::uint64_t age_ns) const {
    const auto kept = current();
    if (kept == nullptr) { return nothing_kept(); }
    return kept->read_from(age_ns, now_unix_ns(state));
}

void history_keeper::copy_into(snapshot& into) const {
    const auto kept = current();
    if (kept == nullptr) { return; }
    into.activity.push_back({"history_snapshots", kept->count()});
    into.activity.push_back({"history_bytes", kept->bytes()});
    const std::lock_guard guard(mutex_);
    into.activity.push_back({"history_failures", failures_});
}

std::size_t history_keeper::self_bytes() const noexcept {
    const std::lock_guard guard(mutex_);
    return kept_ == nullptr ? 0 : kept_->bytes_in_memory();
}

void history_keeper::lock_for_fork() {
    mutex_.lock();
    if (kept_ != nullptr) { kept_->lock_for_fork(); }
}

void history_keeper::unlock_after_fork() {
    if (kept_ != nullptr) { kept_->unlock_after_fork(); }
    mutex_.unlock();
}

void history_keeper::enter_child() noexcept {
    if (kept_ != nullptr && kept_->enter_child()) { must_open_ = true; }
}

}  // namespace v1
}  // namespace memwatch
