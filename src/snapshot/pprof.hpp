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
// addresses are the raw ones of the process, which together with the mappings make them independent of ASLR.
// Schema: https://github.com/google/pprof/blob/main/proto/profile.proto

#include <string>

#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1::codec {

[[nodiscard]] std::string encode_pprof(const snapshot& s);

}  // namespace memwatch::inline v1::codec
