// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which site of BEFORE is which site of AFTER, rung by rung:
//   exact               type, tag and every frame: its module is in both snapshots (same build id; same path where one has no
//                       build id) and the file offset is equal. Immune to ASLR, needs no symbols
//   frames, function    for modules that are in one snapshot only, because the program was built again: ladder.hpp
// Frames of a rebuilt module without symbols match nothing; `warnings` says so.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/model/delta.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1 {

inline constexpr std::size_t before_side = 0;
inline constexpr std::size_t after_side = 1;
using snapshot_pair = std::array<const snapshot*, 2>;

struct site_match {
    struct representative {
        std::size_t side;    // AFTER where both have the site
        std::uint32_t site;  // index there
    };
    std::vector<representative> rows;                     // one a distinct site
    std::vector<std::uint64_t> keys;                      // of each row: a hash of modules, offsets, type and tag
    std::vector<match_rung> rungs;                        // of each row
    std::array<std::vector<std::uint32_t>, 2> row_of;     // [side][site] -> row
    std::array<std::vector<std::uint32_t>, 2> counts;     // [side][row]: how many sites of that side
    std::vector<module> modules;                          // of AFTER, then those only BEFORE had
    std::array<std::vector<std::uint32_t>, 2> module_of;  // [side][module] -> modules
    std::vector<std::string> warnings;

    struct move {
        std::uint32_t gone;      // row that only BEFORE has
        std::uint32_t appeared;  // row that only AFTER has
        std::string why;
    };
    std::vector<move> moves;  // likeliest first, each row at most once
};

[[nodiscard]] site_match match_sites(snapshot_pair sides);

[[nodiscard]] bool is_same_session(const snapshot& before, const snapshot& after);

}  // namespace memwatch::inline v1
