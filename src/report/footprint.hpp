// SPDX-License-Identifier: Apache-2.0
#pragma once
// A footprint for people: what it amounts to in sentences, then the rows that add up to VmRSS, those that add up to the
// cgroup's figure, the allocators, the loaded objects and what grows on the kernel's side. (Its JSON is a format:
// snapshot/footprint_json.)
//
// In: a footprint of anywhere; names are made safe. Out: bytes. Threads: any (pure functions).

#include <cstddef>
#include <string>

#include <memwatch/model/footprint.hpp>

namespace memwatch {
inline namespace v1 {

struct footprint_words {
    std::size_t modules{10};  // rows of loaded objects; 0 = all
    bool colour{};            // of text
    std::size_t width{};      // columns of the terminal, to which notes of text are cut; 0 = none: they stay whole
};

[[nodiscard]] std::string render_text(const footprint& where, const footprint_words& how = {});
[[nodiscard]] std::string render_markdown(const footprint& where, const footprint_words& how = {});

}  // namespace v1
}  // namespace memwatch
