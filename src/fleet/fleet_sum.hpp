// SPDX-License-Identifier: Apache-2.0
#pragma once
// The sum of a fleet under way: one accumulator a distinct site, tag, pool ... that each dump is added to and forgotten.
//
// Dumps come host by host: what several processes of one host hold is one value of the host's in the spread. Sums are made in
// the order of calls, so whoever wants equal bits calls in an order of its own choosing (merge.cpp: by host, not by file name).
//
// Memory: per distinct site its sums (0.4 KB), its stack, and the spread (up to 64 hosts 0.3 KB, beyond 1.8 KB); nothing per
// dump. Threads: one.

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <memwatch/model/snapshot.hpp>

#include "fleet/host_spread.hpp"
#include "fleet/site_identity.hpp"

namespace memwatch::inline v1 {

class fleet_sum {
public:
    // What is added from here on is this host's, until the next one.
    void begin_host();

    // `keys` are identities_of(dump). The dump must be valid.
    void add(const snapshot& dump, const std::vector<site_identity>& keys);

    // The last host is complete.
    void finish_hosts();

    [[nodiscard]] std::uint64_t hosts() const { return hosts_; }
    [[nodiscard]] std::uint64_t dumps() const { return dumps_; }

    // The sums as an ordinary snapshot without records; sites in the order of their keys. `info` is filled in but for the
    // label. Call once: the tables move out.
    [[nodiscard]] snapshot take();

    // Of the site in that row of take()'s snapshot, and of all live bytes of a host together.
    [[nodiscard]] spread spread_of(std::size_t site) const { return sites_[order_[site]].hosts.measure(hosts_); }
    [[nodiscard]] spread spread_of_total() const { return total_.measure(hosts_); }

private:
    // What one host holds of something, until the host is complete.
    struct host_share {
        double bytes{};
        double variance{};
        bool is_pending{};
    };
    struct site_sum {
        site_identity key;
        site sums;  // stack and tag index the merged tables
        survival fate;
        bool has_fate{};
        bool has_names{};
        host_share now;
        host_spread hosts;
    };

    std::uint32_t site_of(const snapshot& dump, std::size_t index, const site_identity& key);
    std::uint32_t frame_of(const snapshot& dump, std::uint32_t index);
    void name_frames(const snapshot& dump, const site& from, site_sum& to);
    void add_site(const site& from, std::uint32_t to);
    void add_tables(const snapshot& dump, const std::vector<std::uint32_t>& merged_site);
    void add_info(const snapshot& dump);
    void sort_sites(snapshot& out);

    std::uint64_t hosts_{};
    std::uint64_t dumps_{};
    bool dump_has_names_{};  // the one that is being added
    snapshot_info info_;
    std::uint64_t last_unix_ns_{};  // wall clock of the youngest dump
    site_identity session_{};
    std::map<std::string, bool> host_names_;

    std::vector<module> modules_;
    std::map<std::string, std::uint32_t> module_numbers_;
    std::vector<frame> frames_;
    std::map<std::tuple<std::uint32_t, std::uint64_t, std::string>, std::uint32_t> frame_numbers_;  // names: in no module only
    std::vector<stack> stacks_;
    std::vector<tag_totals> tags_;
    std::unordered_map<std::string, std::uint32_t> tag_numbers_;
    std::vector<site_sum> sites_;
    std::unordered_map<site_identity, std::uint32_t, hash_of_identity> site_numbers_;
    std::vector<std::uint32_t> order_;    // of sites_, in the merged snapshot
    std::vector<std::uint32_t> touched_;  // by the present host
    host_share total_now_;
    host_spread total_;
    std::map<std::string, pool_totals> pools_;
    std::map<std::string, std::uint64_t> drops_, degradations_, self_bytes_, activity_;
    std::map<std::pair<std::string, std::string>, sampled_totals> hand_offs_;
};

}  // namespace memwatch::inline v1
