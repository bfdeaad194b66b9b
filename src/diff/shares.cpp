// SPDX-License-Identifier: Apache-2.0
#include "diff/shares.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

namespace memwatch::inline v1 {
namespace {

constexpr std::size_t shares_a_dimension = 3;

struct contribution {
    trace_id key;  // of a trace; for others the index of its name in `low`
    double bytes;
};

// Sums contributions of equal key, largest change in the direction of the row first.
void sum_by_key(std::vector<contribution>& all) {
    std::sort(all.begin(), all.end(), [](const contribution& a, const contribution& b) { return a.key < b.key; });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (kept > 0 && all[kept - 1].key == all[i].key) {
            all[kept - 1].bytes += all[i].bytes;
        } else {
            all[kept++] = all[i];
        }
    }
    all.resize(kept);
}

class share_finder {
public:
    share_finder(snapshot_pair sides, std::span<const changed_record> records) : sides_(sides), records_(records) {
        for (const auto& changed : records_) { change_ += bytes_of(changed); }
    }

    std::vector<delta_share> find() {
        take(dimension::tag, [&](const changed_record& c) {
            const auto& s = *sides_[c.side];
            return name_key(s.tags[s.sites[record_of(c).site].tag].name);
        });
        take(dimension::route,
             [&](const changed_record& c) { return name_key(route_name(sides_[c.side]->routes[record_of(c).route])); });
        take(dimension::trace, [&](const changed_record& c) { return record_of(c).trace; });
        take(dimension::thread,
             [&](const changed_record& c) { return name_key(thread_name(sides_[c.side]->threads[record_of(c).thread])); });
        return std::move(out_);
    }

private:
    const live_record& record_of(const changed_record& c) const { return sides_[c.side]->live[c.record]; }

    double bytes_of(const changed_record& c) const {
        sampled_totals one;
        one.add(record_of(c).size_bytes, record_of(c).interval_bytes);
        return c.side == after_side ? one.bytes : -one.bytes;
    }

    // Names of one dimension numbered. A site's blocks rarely know more than a few, but a hostile dump has a thread a block.
    trace_id name_key(const std::string& name) {
        const auto [found, is_new] = numbers_.try_emplace(name, names_.size());
        if (is_new) { names_.push_back(name); }
        return {0, found->second};
    }

    template <class KeyOf>
    void take(dimension by, KeyOf key_of) {
        names_.clear();
        numbers_.clear();
        std::vector<contribution> all;
        all.reserve(records_.size());
        for (const auto& changed : records_) { all.push_back({key_of(changed), bytes_of(changed)}); }
        sum_by_key(all);
        const double sign = change_ < 0 ? -1 : 1;
        const auto shown = std::min(all.size(), shares_a_dimension);
        std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(shown), all.end(),
                          [sign](const contribution& a, const contribution& b) {
                              return a.bytes != b.bytes ? sign * a.bytes > sign * b.bytes : a.key < b.key;
                          });
        for (std::size_t i = 0; i < shown && sign * all[i].bytes > 0; ++i) {
            const bool is_trace = by == dimension::trace;
            out_.push_back({by, is_trace ? trace_name(all[i].key) : names_[all[i].key.low], all[i].bytes,
                            is_trace ? all[i].key : trace_id{}});
        }
    }

    snapshot_pair sides_;
    std::span<const changed_record> records_;
    double change_{};
    std::vector<std::string> names_;
    std::map<std::string, std::uint64_t> numbers_;
    std::vector<delta_share> out_;
};

}  // namespace

std::vector<std::vector<delta_share>> shares_of_rows(snapshot_pair sides, std::vector<changed_record>& changed,
                                                     const std::vector<bool>& wanted) {
    std::erase_if(changed, [&](const changed_record& c) { return !wanted[c.row]; });
    std::stable_sort(changed.begin(), changed.end(), [](const auto& a, const auto& b) { return a.row < b.row; });
    std::vector<std::vector<delta_share>> shares(wanted.size());
    for (auto first = changed.begin(); first != changed.end();) {
        const auto last = std::find_if(first, changed.end(), [&](const changed_record& c) { return c.row != first->row; });
        shares[first->row] = share_finder{sides, {first, last}}.find();
        first = last;
    }
    return shares;
}

}  // namespace memwatch::inline v1
