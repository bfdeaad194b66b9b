// SPDX-License-Identifier: Apache-2.0
// An editor keeps the rows of each version for undo, and there is no limit to undo. Rows are vectors in vectors.

#include <vector>

#include "zoo.hpp"

namespace {

using row = std::vector<std::uint32_t>;

std::vector<std::vector<row>> history;

ZOO_FUNCTION std::vector<row> copy_rows(const std::vector<row>& rows) {
    std::vector<row> copied;
    copied.reserve(rows.size());
    for (const row& each : rows) { copied.emplace_back(each.begin(), each.end()); }
    return copied;
}

ZOO_FUNCTION void remember(std::vector<row> version) { history.push_back(std::move(version)); }

ZOO_FUNCTION void edit(std::vector<row>& rows, zoo::rng& random) {
    row& edited = rows[random.below(rows.size())];
    edited.resize(random.between(4U, 40U), 9);
    edited.shrink_to_fit();
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& versions = zoo.leaks("copy_rows", "graveyard");
    zoo::truth& list = zoo.leaks("remember", "single_block");  // of the versions themselves
    zoo.is_clean("edit", "replaced_slots");
    std::vector<row> rows(zoo.random().between(10U, 30U), row(20, 1));
    while (zoo.tick(std::chrono::milliseconds(5))) {
        edit(rows, zoo.random());
        // Two of three versions are only compared.
        std::vector<row> version = copy_rows(rows);
        if (!zoo.random().chance(0.3)) { continue; }
        for (const row& each : version) { versions.lost(each.size() * sizeof(std::uint32_t)); }
        list.lost(sizeof version, 0);
        remember(std::move(version));
    }
    return zoo.end();
}
