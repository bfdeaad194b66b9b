// SPDX-License-Identifier: Apache-2.0
#pragma once
// A snapshot as profile.proto (gzip), for `go tool pprof`, Pyroscope, Parca and speedscope. Write only.
//
// Samples. A site's allocations since start are one sample with the labels tag and type; what is alive is one sample for each
// (site, route, thread), because that is where it can be told apart. Summed over labels both add up to the site. Labels are
// part of the identity of a sample, so a trace id on each block would make as many samples as blocks: only the heaviest trace
// of the 64 largest samples gets a sample of its own, as an example to look up.
//
// Values are scaled to what the samples stand for (never the raw sampled bytes); ids are sequential from 1 (Parca insists);
// addresses are the raw ones of the process, which together with the mappings make them independent of ASLR, less one: inside
// the call as profile.proto has it, for pprof, Parca and Pyroscope look up the line of exactly that address. Of a window
// (diff/window.hpp) allocations are those of the window, and what is in use is the difference between its end and its start:
// blocks born in it one by one as above, older ones that were freed in it as one negative sample a site; as Go's `seconds`
// does. Schema: https://github.com/google/pprof/blob/main/proto/profile.proto

#include <string>

#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1::codec {

// What a viewer shows first; the samples are the same.
enum class pprof_view { in_use, allocations };

[[nodiscard]] std::string encode_pprof(const snapshot& s, pprof_view view);

}  // namespace memwatch::inline v1::codec
