// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which function of BEFORE's build is which of AFTER's, when the builds differ.
//
// A stable name is not enough: overloads, lambdas and static functions share one. A *variant* is a name with the file and line
// it is declared at. Variants of one name meet step by step, each step only where both sides have equally many:
//   1. same file and declaration (lambdas of one signature: in the order of their lines)   4. all that is left, if it is one
//   each
//   2. same declaration in another file, one each: moved
//   3. same file, one each: a parameter came or went
// What no step joins is two functions.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1 {

class functions {
public:
    // The variant a line belongs to; equal numbers on one side mean the same function.
    std::uint32_t add(std::size_t side, const source_line& line);
    // One that is the same in both builds (code of a module that is not named but the same), or in one only.
    std::uint32_t add_opaque(const std::string& identity);

    // Variants of both sides that are one function get one number. Call once, after the last add().
    void unite();

    // The function of a variant.
    [[nodiscard]] std::uint32_t operator[](std::uint32_t number) const { return united_[number]; }
    [[nodiscard]] const std::string& name_of(std::uint32_t number) const { return names_[variants_[number].name]; }
    [[nodiscard]] const std::string& file_of(std::uint32_t number) const { return variants_[number].file; }

private:
    struct variant {
        std::uint32_t name;
        std::size_t side;
        std::string file;         // base name
        std::uint32_t start;      // 0 = unknown
        std::string declaration;  // unnumbered; the longest seen, debug information sometimes leaves out the parameters
        bool is_joined;           // with one of the other side
    };
    using list = std::vector<std::uint32_t>;

    std::uint32_t number_of_name(const std::string& name);
    template <class KeyOf>
    void join(std::array<list, 2>& left, std::size_t most, KeyOf key_of);

    std::unordered_map<std::string, std::uint32_t> numbers_;  // of names
    std::vector<std::string> names_;
    std::unordered_map<std::string, std::uint32_t> variant_of_line_;  // cache, by everything that decides
    std::unordered_map<std::string, std::uint32_t> variant_of_key_;
    std::vector<variant> variants_;
    std::vector<std::uint32_t> united_;
};

}  // namespace memwatch::inline v1
