// SPDX-License-Identifier: Apache-2.0
#pragma once
// One `root;..;leaf bytes` line a site with anything alive, for flamegraph.pl, inferno, speedscope, Perfetto. Write only.
// Inlined calls are frames of their own; `;` and line ends in names become `:` and a space, as the format has no escape.

#include <string>

#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1::codec {

[[nodiscard]] std::string encode_folded(const snapshot& s);

}  // namespace memwatch::inline v1::codec
