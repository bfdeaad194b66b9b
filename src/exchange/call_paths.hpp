// SPDX-License-Identifier: Apache-2.0
#pragma once
// Stacks as viewers show them: named calls, inlined ones unfolded, equal ones numbered once.
//
//   frame {insert inlined into handle}, frame {main}        path, innermost first: [0] insert  [1] handle  [2] main

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1::exchange {

// One call as a person reads it.
struct call {
    std::string function;  // bare name, or "module+0x1a40"
    std::string file;      // empty = unknown
    std::uint32_t line{};  // 0 = unknown
};

class call_paths {
public:
    explicit call_paths(const snapshot& of) : of_(of), calls_of_(of.frames.size()) {}

    // Indices into calls(), innermost first.
    [[nodiscard]] std::vector<std::uint32_t> path_of(std::uint32_t stack);

    [[nodiscard]] const std::vector<call>& calls() const noexcept { return calls_; }

    // The innermost call of that function, as one that a site is named by; null: none is.
    [[nodiscard]] const call* named(const std::vector<std::uint32_t>& path, const std::string& function) const;
    // "main; handle; insert", outermost first.
    [[nodiscard]] std::string text_of(const std::vector<std::uint32_t>& path) const;

private:
    std::uint32_t number(call row);
    const std::vector<std::uint32_t>& calls_of(std::uint32_t frame);

    const snapshot& of_;
    std::vector<call> calls_;
    std::map<std::tuple<std::string, std::string, std::uint32_t>, std::uint32_t> known_;
    std::vector<std::vector<std::uint32_t>> calls_of_;  // by frame; empty = not asked for yet
};

// A non-negative amount in whole units; below 2^53, so that every JSON reader has it exactly.
[[nodiscard]] std::uint64_t whole_amount(double value) noexcept;

}  // namespace memwatch::inline v1::exchange
