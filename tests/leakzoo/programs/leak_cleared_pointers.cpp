// SPDX-License-Identifier: Apache-2.0
// A result owns its rows through plain pointers. Its destructor deletes them; clear(), for reading the next page into the same
// result, only clears the vector.

#include <vector>

#include "zoo.hpp"

namespace {

struct row {
    char cells[288];
};

class result_set {
public:
    ~result_set() {
        for (const row* each : rows_) { delete each; }
    }
    result_set() = default;
    result_set(const result_set&) = delete;
    result_set& operator=(const result_set&) = delete;

    ZOO_FUNCTION void add_row() {
        rows_.push_back(new row);
        zoo::fill(rows_.back()->cells, sizeof rows_.back()->cells, 'c');
    }
    std::size_t clear() {
        const std::size_t rows = rows_.size();
        rows_.clear();
        return rows;
    }

private:
    std::vector<row*> rows_;
};

ZOO_FUNCTION void query(int rows, int pages, zoo::truth& cleared) {
    result_set result;
    for (int page = 0; page < pages; ++page) {
        if (page > 0) {
            const std::size_t gone = result.clear();
            cleared.lost(gone * sizeof(row), gone);
        }
        for (int i = 0; i < rows; ++i) { result.add_row(); }
    }
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& cleared = zoo.leaks("result_set::add_row", "cleared_pointers");
    const int rows = zoo.random().between(5, 20);
    const double share_paged = zoo.random().between(0.05, 0.3);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(6) * zoo.threads())) {
            query(rows, self.random().chance(share_paged) ? 2 : 1, cleared);
        }
    });
    return zoo.end();
}
