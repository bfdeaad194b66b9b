// SPDX-License-Identifier: Apache-2.0
#include "fleet/merge.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <tuple>

#include "fleet/fleet_sum.hpp"
#include "fleet/site_identity.hpp"
#include "snapshot/dump_tables.hpp"

namespace memwatch::inline v1 {
namespace {

constexpr std::string_view merged_mark = "merged_dumps";

// What the first pass keeps of a dump.
struct origin {
    std::string path;
    std::string host;
    std::string session;
    std::uint64_t pid{};
    std::uint64_t taken_ns{};
    std::uint64_t started_unix_ns{};
    std::vector<module> modules;

    // Host by host; within one in an order that no file name decides, unless the dumps are otherwise alike.
    friend bool operator<(const origin& a, const origin& b) {
        return std::tie(a.host, a.session, a.pid, a.started_unix_ns, a.taken_ns, a.path) <
               std::tie(b.host, b.session, b.pid, b.started_unix_ns, b.taken_ns, b.path);
    }
    [[nodiscard]] bool is_process_of(const origin& other) const {
        return !session.empty() && session == other.session && pid == other.pid && host == other.host;
    }
};

std::string first_of(const std::vector<std::string>& damage) {
    return damage.front() + (damage.size() > 1 ? " (and " + std::to_string(damage.size() - 1) + " more)" : "");
}

// The tables of a whole dump; why not, otherwise.
result<snapshot> read_whole(result<dump_tables> read, const std::string& path) {
    if (!read) {
        auto why = read.error();
        if (why.where.starts_with(path)) {
            why.where.erase(0, why.where.starts_with(path + ": ") ? path.size() + 2 : path.size());
        }
        return tl::unexpected<error>(why);
    }
    if (!read->damage.empty()) { return fail(error_code::unreadable, "damaged: " + first_of(read->damage)); }
    return std::move(read->value);
}

// Indices 0.. handed to workers in order, whose results are taken in order.
class merger {
public:
    merger(const std::vector<std::string>& paths, const merge_options& options) : paths_(paths), options_(options) {}

    result<merged_fleet> run() {
        std::vector<std::optional<origin>> found(paths_.size());
        in_parallel(paths_.size(), [&](std::size_t i) {
            auto s = read_whole(read_origin(paths_[i]), paths_[i]);
            in_turn(i, [&] { take_origin(paths_[i], std::move(s), found[i]); });
        });
        choose(found);
        if (dumps_.empty()) {
            if (out_.unreadable.empty()) { return fail(error_code::invalid_argument, "no dumps to merge"); }
            const auto& first = out_.unreadable.front();
            return fail(error_code::unreadable, "not one dump could be read; the first: " + first.why, first.path);
        }
        in_parallel(dumps_.size(), [&](std::size_t i) {
            auto s = read_whole(read_sums(dumps_[i].path), dumps_[i].path);
            const auto sites = s ? identities_of(*s, builds_) : identified_sites{};
            in_turn(i, [&] { take_dump(dumps_[i], s, sites); });
        });
        return finish();
    }

private:
    template <class Work>
    void in_parallel(std::size_t count, Work work) {
        next_ = turn_ = 0;
        const auto loop = [&] {
            try {
                while (const auto index = take_index(count)) { work(*index); }
            } catch (...) {  // std::bad_alloc: nobody may wait for this turn
                const std::lock_guard lock(mutex_);
                if (failure_ == nullptr) { failure_ = std::current_exception(); }
                turned_.notify_all();
            }
        };
        std::vector<std::thread> others;
        try {
            for (unsigned i = 1; i < options_.workers && i < count; ++i) { others.emplace_back(loop); }
        } catch (const std::system_error&) {  // no more threads here (a container's limit): those there are do the work
        }
        loop();
        for (auto& each : others) { each.join(); }
        if (failure_ != nullptr) { std::rethrow_exception(failure_); }
    }

    std::optional<std::size_t> take_index(std::size_t count) {
        const std::lock_guard lock(mutex_);
        return failure_ == nullptr && next_ < count ? std::optional{next_++} : std::nullopt;
    }

    template <class Action>
    void in_turn(std::size_t index, Action action) {
        std::unique_lock lock(mutex_);
        turned_.wait(lock, [&] { return turn_ == index || failure_ != nullptr; });
        if (failure_ != nullptr) { return; }
        action();
        ++turn_;
        lock.unlock();
        turned_.notify_all();
    }

    void take_origin(const std::string& path, result<snapshot> s, std::optional<origin>& to) {
        if (!s) { return leave_out(path, s.error()); }
        auto& info = s->info;
        to = origin{path,
                    info.host.empty() ? path : info.host,
                    std::move(info.session),
                    info.pid,
                    info.taken_ns,
                    info.started_unix_ns,
                    std::move(s->modules)};
    }

    void leave_out(const std::string& path, const error& why) { out_.unreadable.push_back({path, why.message()}); }

    // Sorts, and of each process leaves the last dump: the sum of two moments of one process is no moment of the fleet.
    void choose(std::vector<std::optional<origin>>& found) {
        for (auto& each : found) {
            if (each) { dumps_.push_back(std::move(*each)); }
        }
        std::sort(dumps_.begin(), dumps_.end());
        std::vector<origin> latest;
        for (auto& each : dumps_) {
            if (!latest.empty() && each.is_process_of(latest.back())) {
                const bool is_twin = latest.back().taken_ns == each.taken_ns;
                out_.older.push_back(
                    {latest.back().path, (is_twin ? "the same dump as " : "an older dump of the process of ") + each.path});
                latest.pop_back();
            }
            builds_.add(each.modules);
            each.modules = {};
            latest.push_back(std::move(each));
        }
        dumps_ = std::move(latest);
    }

    void take_dump(const origin& from, const result<snapshot>& s, const identified_sites& sites) {
        if (!s) { return leave_out(from.path, s.error()); }
        if (out_.hosts.empty() || out_.hosts.back() != from.host) {
            sum_.begin_host();
            out_.hosts.push_back(from.host);
        }
        sum_.add(*s, sites.keys);
        nameless_apart_ += sites.nameless_frames_apart;
        const auto is_mark = [](const named_value& each) { return each.name == merged_mark; };
        if (std::any_of(s->activity.begin(), s->activity.end(), is_mark)) {
            out_.notes.push_back(from.path + " is itself a merged dump: it counts as one host, " + from.host);
        }
        if (options_.progress) { options_.progress(sum_.dumps(), dumps_.size()); }
    }

    result<merged_fleet> finish() {
        if (sum_.dumps() == 0) {
            return fail(error_code::unreadable, "the dumps changed while they were read", dumps_.front().path);
        }
        out_.dumps = sum_.dumps();
        out_.value = sum_.take();
        out_.value.info.label = options_.label;
        for (std::size_t i = 0; i < out_.value.sites.size(); ++i) { out_.spreads.push_back(sum_.spread_of(i)); }
        out_.total = sum_.spread_of_total();
        if (nameless_apart_ > 0) {
            for (const auto& each : builds_.describe()) {
                out_.notes.push_back(
                    each + "; sites without names in it are kept apart by build ('memwatch symbolize' the dumps first)");
            }
        }
        return std::move(out_);
    }

    const std::vector<std::string>& paths_;
    const merge_options& options_;
    fleet_builds builds_;
    std::vector<origin> dumps_;
    std::mutex mutex_;
    std::condition_variable turned_;
    std::size_t next_{};  // guarded by mutex_, and so is all below
    std::size_t turn_{};
    std::exception_ptr failure_;
    fleet_sum sum_;
    std::uint64_t nameless_apart_{};
    merged_fleet out_;
};

}  // namespace

result<merged_fleet> merge_dumps(const std::vector<std::string>& paths, const merge_options& options) {
    return merger{paths, options}.run();
}

}  // namespace memwatch::inline v1
