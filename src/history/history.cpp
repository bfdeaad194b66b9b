// SPDX-License-Identifier: Apache-2.0
#include "history/history.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include <memwatch/base/units.hpp>
#include <memwatch/snapshot/codec.hpp>

namespace memwatch {
inline namespace v1 {
namespace history {
namespace {

bool is_older(const past_snapshot& a, const past_snapshot& b) {
    return a.taken_unix_ns != b.taken_unix_ns ? a.taken_unix_ns < b.taken_unix_ns : a.name < b.name;
}

std::uint64_t age_of(const past_snapshot& each, std::uint64_t now_unix_ns) {
    return now_unix_ns > each.taken_unix_ns ? now_unix_ns - each.taken_unix_ns : 0;
}

std::vector<past_size> sizes_of(const std::vector<past_snapshot>& all) {
    std::vector<past_size> sizes;
    sizes.reserve(all.size());
    for (const past_snapshot& each : all) { sizes.push_back({each.taken_unix_ns, each.bytes}); }
    return sizes;
}

}  // namespace

snapshot_history::snapshot_history(std::unique_ptr<shelf> place, history_bounds within, std::string service,
                                   std::vector<past_snapshot> found)
    : place_(std::move(place)), within_(within), service_(std::move(service)), all_(std::move(found)) {
    std::sort(all_.begin(), all_.end(), is_older);
}

result<void> snapshot_history::keep(const past_snapshot& one, std::string_view dump, std::uint64_t now_unix_ns) {
    if (dump.size() > within_.bytes) {
        return fail(error_code::limit, "a snapshot of " + format_bytes(static_cast<double>(dump.size())) +
                                           " is more than the history may take (" +
                                           format_bytes(static_cast<double>(within_.bytes)) + ", MEMWATCH_HISTORY)");
    }
    past_snapshot made = one;
    made.bytes = dump.size();
    make_room(now_unix_ns, &made);
    if (result<void> put = place_->put(made.name, dump); !put) { return put; }
    const std::lock_guard guard(mutex_);
    all_.insert(std::upper_bound(all_.begin(), all_.end(), made, is_older), made);
    return {};
}

void snapshot_history::tidy(std::uint64_t now_unix_ns) { make_room(now_unix_ns, nullptr); }

// What goes is forgotten first and dropped then: a reader that knows the name meanwhile is told that it is no longer kept.
void snapshot_history::make_room(std::uint64_t now_unix_ns, const past_snapshot* coming) {
    std::vector<std::string> gone;
    {
        const std::lock_guard guard(mutex_);
        std::vector<past_snapshot> all = all_;
        if (coming != nullptr) {
            std::erase_if(all, [&](const past_snapshot& each) { return each.name == coming->name; });
            all.insert(std::upper_bound(all.begin(), all.end(), *coming, is_older), *coming);
        }
        const std::vector<std::size_t> must_go = superfluous(sizes_of(all), within_, now_unix_ns);
        for (auto index = must_go.rbegin(); index != must_go.rend(); ++index) {
            gone.push_back(all[*index].name);
            all.erase(all.begin() + static_cast<std::ptrdiff_t>(*index));
        }
        // The one that comes is put in when it has been written.
        if (coming != nullptr) {
            std::erase_if(all, [&](const past_snapshot& each) { return each.name == coming->name; });
        }
        all_ = std::move(all);
    }
    for (const std::string& name : gone) { place_->drop(name); }
}

std::vector<past_snapshot> snapshot_history::known() const {
    const std::lock_guard guard(mutex_);
    return all_;
}

std::vector<past_snapshot> snapshot_history::list() const {
    for (const past_snapshot& each : known()) {
        if (!each.is_checked && each.problem.empty()) { static_cast<void>(read_sound(each.name)); }
    }
    return known();
}

result<void> snapshot_history::check(std::string_view dump) const {
    const result<decoded_snapshot> decoded = decode(dump);
    if (!decoded) { return fail(error_code::unreadable, decoded.error().what); }
    if (!decoded->damage.empty()) { return fail(error_code::unreadable, "damaged: " + decoded->damage.front()); }
    if (decoded->value.info.service != service_) {
        return fail(error_code::unreadable, "is of another service: " + decoded->value.info.service);
    }
    return {};
}

void snapshot_history::note(const std::string& name, const result<void>& sound) const {
    const std::lock_guard guard(mutex_);
    for (past_snapshot& each : all_) {
        if (each.name != name) { continue; }
        each.is_checked = true;
        each.problem = sound ? std::string() : sound.error().what;
    }
}

result<std::string> snapshot_history::read_sound(const std::string& name) const {
    result<std::string> dump = place_->get(name);
    const result<void> sound = dump ? check(*dump) : result<void>(tl::unexpected<error>(dump.error()));
    note(name, sound);
    if (sound) { return dump; }
    return fail(sound.error().code, sound.error().what, name);
}

result<std::string> snapshot_history::read(std::string_view name) const {
    for (const past_snapshot& each : known()) {
        if (each.name == name) { return read_sound(each.name); }
    }
    return fail(error_code::not_found, "the history has no snapshot of that name", std::string(name));
}

result<std::string> snapshot_history::read_from(std::uint64_t age_ns, std::uint64_t now_unix_ns) const {
    const std::vector<past_snapshot> all = known();
    for (auto each = all.rbegin(); each != all.rend(); ++each) {
        if (age_of(*each, now_unix_ns) < age_ns || !each->problem.empty()) { continue; }
        if (result<std::string> dump = read_sound(each->name)) { return dump; }
    }
    const auto sound = std::find_if(all.begin(), all.end(), [&](const past_snapshot& each) {
        return age_of(each, now_unix_ns) < age_ns && each.problem.empty() && (each.is_checked || read_sound(each.name));
    });
    if (sound == all.end()) { return fail(error_code::not_found, "no snapshot has been kept yet"); }
    const std::uint64_t age_s = age_of(*sound, now_unix_ns) / 1'000'000'000;
    return fail(error_code::not_found, "the history begins " + format_duration(age_s * 1'000'000'000) +
                                           " ago; since=" + std::to_string(age_s) + "s is as far as it goes");
}

std::uint64_t snapshot_history::bytes() const {
    const std::lock_guard guard(mutex_);
    return std::accumulate(all_.begin(), all_.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const past_snapshot& each) { return sum + each.bytes; });
}

std::size_t snapshot_history::count() const {
    const std::lock_guard guard(mutex_);
    return all_.size();
}

std::size_t snapshot_history::bytes_in_memory() const noexcept {
    const std::lock_guard guard(mutex_);
    std::size_t names = all_.capacity() * sizeof(past_snapshot);
    for (const past_snapshot& each : all_) { names += each.name.capacity() + each.problem.capacity(); }
    return names + place_->bytes_in_memory();
}

void snapshot_history::lock_for_fork() {
    mutex_.lock();
    place_->lock_for_fork();
}

void snapshot_history::unlock_after_fork() {
    place_->unlock_after_fork();
    mutex_.unlock();
}

}  // namespace history
}  // namespace v1
}  // namespace memwatch
