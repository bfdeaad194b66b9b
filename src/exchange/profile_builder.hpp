// SPDX-License-Identifier: Apache-2.0
#pragma once
// Samples of a foreign profile, added one by one, become a snapshot. What every reader would do again is here: tables without
// doubles, sampling errors, a bound on memory.
//
//   add({stack 3, tag "cache", live 1679 objects / 3,440,491 B, allocated the same})   at interval 4096
//     -> avg 2049 B, p = 1 - exp(-2049/4096) = 0.394, so 661 samples were seen; variance of the bytes
//        = bytes * avg * (1 - p)/p = 3,440,491 * 2049 * 1.54 = (104 KB)^2
//
// This is the estimator of model/weight.hpp for equal blocks; where a sample sums blocks of several sizes the variance comes
// out a little too small (Jensen), which the readers' documentation says. `interval_bytes` <= 1: every block was counted,
// variance 0. Checked by tests/unit/exchange/import_test.cpp.
//
// Where a sample names a route, thread or trace, blocks become live records, so that these dimensions can be told apart: one a
// sampled block, of average size, weighted so that they sum to the sample. Ages are in no foreign format: births are 0,
// unknown.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <memwatch/model/snapshot.hpp>

#include "exchange/foreign_profile.hpp"

namespace memwatch::inline v1::exchange {

// Bytes and blocks, scaled to what they stand for.
struct amount {
    double bytes{};
    double objects{};
};

struct profile_sample {
    std::uint32_t stack{};
    amount live;
    amount allocated;  // since the start; less than live = unknown
    std::string_view tag{};
    std::string_view type{};
    std::string_view route{};
    std::string_view thread{};
    trace_id trace{};
};

// Most bytes of tables that a file of `file_bytes` may become: the rule of our own dumps (snapshot/chunks.hpp).
[[nodiscard]] constexpr std::uint64_t import_budget(std::uint64_t file_bytes) { return (256ULL << 20U) + 64 * file_bytes; }

class profile_builder {
public:
    profile_builder(std::uint64_t budget_bytes, std::uint64_t interval_bytes);

    // Takes `bytes` off the budget; false when it is used up, from then on always.
    bool charge(std::uint64_t bytes) noexcept;
    [[nodiscard]] bool is_over_budget() const noexcept { return is_over_budget_; }

    // Indices of new rows; nothing is compared.
    std::uint32_t add_module(module row);
    std::uint32_t add_frame(frame row);

    // Equal stacks are one. Cut at most_frames from the allocating call.
    std::uint32_t add_stack(std::vector<std::uint32_t> frames, bool is_truncated);

    // Samples of equal stack, tag and type are one site. Amounts must be finite and not negative.
    void add(const profile_sample& sample);

    snapshot_info& info() noexcept { return out_.value.info; }
    void lost(std::string what) { out_.damage.push_back(std::move(what)); }
    void note(std::string what) { out_.notes.push_back(std::move(what)); }

    static constexpr std::size_t most_frames = 1024;

    // Errors: limit.
    [[nodiscard]] result<imported_profile> finish();

private:
    struct labelled_amount {
        amount live;
        std::uint32_t site, route, thread;
        trace_id trace;
    };
    using names = std::map<std::string, std::uint32_t, std::less<>>;

    template <class Table, class Make>
    std::uint32_t number(names& known, Table& table, std::string_view name, Make make);
    [[nodiscard]] std::uint32_t site_of(const profile_sample& sample);
    [[nodiscard]] sampled_totals totals_of(const amount& of) const noexcept;
    void count_exactly(const site& of);
    void add_records();
    void add_records(const labelled_amount& of, std::uint64_t count);

    imported_profile out_;
    std::uint64_t left_;
    bool is_over_budget_{};
    const std::uint64_t interval_bytes_;
    std::map<std::vector<std::uint32_t>, std::uint32_t> stacks_;
    std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>, std::uint32_t> sites_;  // stack, tag, type
    names tags_, types_, routes_, threads_;
    std::vector<labelled_amount> labelled_;
    bool has_labels_{};
};

}  // namespace memwatch::inline v1::exchange
