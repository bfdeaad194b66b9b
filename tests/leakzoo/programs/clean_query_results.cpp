// SPDX-License-Identifier: Apache-2.0
// Rows of a query gathered in a vector that doubles as it grows, for queries from a handful of rows to ten thousands. Each
// result lives as long as its query, large ones for a second, across some looks.

#include <array>
#include <list>
#include <vector>

#include "zoo.hpp"

namespace {

using row = std::array<std::uint64_t, 6>;

struct query {
    std::size_t rows_wanted{};
    std::vector<row> rows;
};

class database {
public:
    ZOO_FUNCTION void start_query(std::size_t rows) { running_.push_back({rows, {}}); }
    // Two hundred more rows for each query; those that have all go.
    void step() {
        running_.remove_if([](query& one) {
            fetch_rows(one, 200);
            return one.rows.size() >= one.rows_wanted;
        });
    }

private:
    ZOO_FUNCTION static void fetch_rows(query& one, std::size_t rows) {
        for (; rows > 0; --rows) { one.rows.push_back(row{rows}); }
    }

    std::list<query> running_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("database::fetch_rows", "doubling_vector");
    zoo.is_clean("database::start_query", "churn");
    const double queries = zoo.random().between(0.1, 0.5) / zoo.threads();  // a beat of 4 ms and thread
    const double largest = zoo.random().between(2.0, 5.0) * 1e4;
    static std::vector<database> databases(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4))) {
            if (self.random().chance(queries)) {
                databases[self.index()].start_query(static_cast<std::size_t>(std::pow(largest, self.random().unit())));
            }
            databases[self.index()].step();
        }
    });
    return zoo.end();
}
