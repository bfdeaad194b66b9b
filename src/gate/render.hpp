// SPDX-License-Identifier: Apache-2.0
#pragma once
// A judgement as bytes: for a person, a pull request, a build server, a code scanner, a script. No I/O, no clock.
//
// In: what was judged, with every name in it hostile. Out: text in which no name can leave its place: neither a terminal's, nor
// Markdown's, XML's, JSON's or a workflow command's. Threads: any.

#include <cstddef>
#include <string>

#include <memwatch/model/delta.hpp>

#include "gate/judgement.hpp"
#include "gate/policy.hpp"

namespace memwatch::inline v1::gate {

// Everything a renderer may look at.
struct gate_report {
    const policy& rules;
    const judgement& judged;
    const delta& sites;
    const delta& tags;
    std::string base;  // as the user named them; shown
    std::string head;
    std::string policy_file;  // "" = none
    std::string source_root;  // absolute; source files are told relative to it
};

// GitHub's own limits: a step summary of 1 MiB, a comment of 64 KiB, ten annotations of a kind a step, 25,000 SARIF results of
// which 5,000 are kept.
inline constexpr std::size_t most_markdown_bytes = 60'000;
inline constexpr std::size_t most_annotations = 10;
inline constexpr std::size_t most_sarif_results = 5'000;

// The first line alone says whether it passed, and what grew where. `top` bounds the sites shown; 0 = all.
[[nodiscard]] std::string render_text(const gate_report& r, std::size_t top, bool colour);
// At most most_markdown_bytes, what was cut is said.
[[nodiscard]] std::string render_markdown(const gate_report& r);
// {"kind": "memwatch.gate", "version": 1, ...}
[[nodiscard]] std::string render_json(const gate_report& r);
// One testcase a rule; a breach is its failure, no power its system-out.
[[nodiscard]] std::string render_junit(const gate_report& r);
// SARIF 2.1.0: one result a breach, largest growth first.
[[nodiscard]] std::string render_sarif(const gate_report& r);
// GitHub workflow commands: "::error file=src/cache.cpp,line=42,title=...::...", at most ten.
[[nodiscard]] std::string render_annotations(const gate_report& r);

}  // namespace memwatch::inline v1::gate
