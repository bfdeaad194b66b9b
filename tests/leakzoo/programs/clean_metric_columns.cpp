// SPDX-License-Identifier: Apache-2.0
// Columns of a time series: each vector doubles until it holds the retention; then its older half goes and the rest moves to a
// vector that fits. Columns have retentions of their own, so the teeth of the saws do not line up.

#include <cstdint>
#include <vector>

#include "zoo.hpp"

namespace {

class column {
public:
    explicit column(std::size_t retention) : retention_(retention) {}

    ZOO_FUNCTION void record_value(double value) {
        values_.push_back(value);
        if (values_.size() >= retention_) { drop_older_half(); }
    }

private:
    ZOO_FUNCTION void drop_older_half() {
        values_.erase(values_.begin(), values_.begin() + static_cast<std::ptrdiff_t>(values_.size() / 2));
        values_.shrink_to_fit();
    }

    std::size_t retention_;
    std::vector<double> values_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("column::record_value", "doubling_vector");
    zoo.is_clean("column::drop_older_half", "sawtooth");
    const std::size_t columns = zoo.random().between(100U, 400U) / static_cast<unsigned>(zoo.threads()) + 1;
    const double values = 250 * zoo.seconds();  // of a column in the run, one a beat of 4 ms
    static std::vector<std::vector<column>> tables(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        std::vector<column>& table = tables[self.index()];
        for (std::size_t i = 0; i < columns; ++i) {
            table.emplace_back(static_cast<std::size_t>(values * self.random().between(0.08, 0.3)));
        }
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < 250 * self.elapsed_s(); ++made) {
                for (column& one : table) { one.record_value(self.random().unit()); }
            }
        }
    });
    return zoo.end();
}
