// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which sites of many dumps are the same: stack, type and tag, as 128-bit keys, so that nothing of a dump has to be kept to
// compare the next one with it. A frame is its build and file offset. Where the fleet runs several builds of a module, a frame
// of it is its functions' names, if the dump has them, so that a rolling deployment adds up; without names each build keeps its
// own sites.
//
//   host-1   orders (build aa..) +0x1a40  ->  "orders::handle"  \  one site, if both dumps were symbolized
//   host-2   orders (build bb..) +0x1b10  ->  "orders::handle"  /
//
// Keys only group what a dump claims about itself; they are no defence against a dump that wants to be counted elsewhere.
//
// Threads: identities_of() may run on many, once the builds are known.

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1 {

struct site_identity {
    std::uint64_t high;
    std::uint64_t low;
    friend auto operator<=>(const site_identity&, const site_identity&) = default;
};

struct hash_of_identity {
    std::size_t operator()(const site_identity& of) const noexcept { return of.low; }
};

// Which modules come in more than one build.
class fleet_builds {
public:
    void add(const std::vector<module>& modules);
    [[nodiscard]] bool has_several(const module& m) const;

    // "orders: 2 builds": one a module that has several.
    [[nodiscard]] std::vector<std::string> describe() const;

private:
    std::map<std::string, std::set<std::string>> builds_of_;  // by file name without folder
};

struct identified_sites {
    std::vector<site_identity> keys;        // one a site
    std::uint64_t nameless_frames_apart{};  // of modules with several builds: their sites match no other build
};

[[nodiscard]] identified_sites identities_of(const snapshot& s, const fleet_builds& builds);

// Equal for the same file in the same build, wherever it is loaded.
[[nodiscard]] const std::string& identity_of(const module& m);

}  // namespace memwatch::inline v1
