// SPDX-License-Identifier: Apache-2.0
// Lookup tables are made when they are first needed and kept for ever; there are a few dozen of them. Which one is needed
// follows Zipf's law, so half of them are there in no time and the last one comes late. Blocks are few and large.

#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "zoo.hpp"

namespace {

class curve_tables {
public:
    ZOO_FUNCTION const double* table_of(std::size_t curve, std::size_t points) {
        const std::lock_guard lock(mutex_);
        if (tables_[curve] == nullptr) {
            tables_[curve] = std::make_unique<double[]>(points);
            for (std::size_t i = 0; i < points; ++i) { tables_[curve][i] = std::sqrt(static_cast<double>(i * curve)); }
        }
        return tables_[curve].get();
    }
    static constexpr std::size_t most = 64;

private:
    std::mutex mutex_;
    std::array<std::unique_ptr<double[]>, most> tables_;
};

ZOO_FUNCTION double evaluate(const double* table, std::size_t points) {
    std::vector<double> scaled(table, table + points / 4);
    for (double& value : scaled) { value *= 2; }
    zoo::use(scaled.data());
    return scaled.back();
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("curve_tables::table_of", "lazy_tables");
    zoo.is_clean("evaluate", "churn");
    const std::size_t points = zoo.random().between(1000U, 8000U);
    // The rarest of 64 is one in 270 draws: about four to eight times in the first half of the run.
    const double requests = 270 * zoo.random().between(4.0, 8.0) / (125 * zoo.seconds()) / zoo.threads();
    static curve_tables tables;
    zoo.on_threads([&](zoo::worker& self) {
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < requests * 250 * self.elapsed_s(); ++made) {
                evaluate(tables.table_of(self.random().zipf(curve_tables::most), points), points);
            }
        }
    });
    return zoo.end();
}
