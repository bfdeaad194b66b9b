// SPDX-License-Identifier: Apache-2.0
#pragma once
// Snapshots of one session, oldest first, fed to an engine: what `memwatch verdicts DUMPS...` does, and tests. Sites are
// matched by site_key, so that rows may move. Each is one look.
//
// Threads: one at a time. Errors: invalid_argument for a snapshot of another session, or older than the last; unreadable for
// one without records (a summary), of which nothing can be told.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <memwatch/base/result.hpp>
#include <memwatch/model/snapshot.hpp>
#include "verdict/engine.hpp"

namespace memwatch {
inline namespace v1 {

class series {
public:
    // `distance_ns`: usual time between two snapshots; ages count in it when it is longer than the session's epoch.
    explicit series(const judgement_settings& settings = {}, std::uint64_t distance_ns = 0)
        : settings_(settings), distance_ns_(distance_ns) {}

    [[nodiscard]] result<void> add(const snapshot& next);
    // Before the first add(): what a healthy run held, by site_key.
    void expect(std::unordered_map<std::string, expectation> known) { expected_ = std::move(known); }

    // With rows of the last snapshot as indices; sites that it no longer has are left out.
    [[nodiscard]] std::vector<verdict> verdicts() const;
    [[nodiscard]] std::uint64_t looks() const noexcept { return engines_.empty() ? 0 : engines_.front().looks(); }

private:
    [[nodiscard]] std::uint32_t number_of(const snapshot& in, std::uint32_t row);
    void count_sites(const snapshot& next, const std::vector<std::uint32_t>& numbers);
    void count_pools(const snapshot& next);

    judgement_settings settings_;
    std::uint64_t distance_ns_;
    std::vector<engine> engines_;  // none before the first snapshot, then one
    std::string session_;
    std::unordered_map<std::string, std::uint32_t> numbers_;  // site_key -> number in the engine
    std::vector<std::uint32_t> rows_;                         // number -> row in the last snapshot, or `gone`
    std::unordered_map<std::string, std::uint32_t> pools_;    // name and which of it -> number
    std::vector<std::uint32_t> pool_rows_;
    std::unordered_map<std::string, expectation> expected_;
};

}  // namespace v1
}  // namespace memwatch
