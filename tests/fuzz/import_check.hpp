// SPDX-License-Identifier: Apache-2.0
#pragma once
// What holds for every reader of foreign profiles: any bytes are refused with a reason, or become a valid snapshot that
// compares and that every format can hold.

#include <cstdlib>

#include <memwatch/diff/diff.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "exchange/export_formats.hpp"
#include "exchange/foreign_profile.hpp"

namespace fuzz {

// Aborts: what a fuzzer reports as a finding, also where assertions are off.
inline void require(bool holds) {
    if (!holds) { std::abort(); }
}

inline int check_import(const memwatch::result<memwatch::exchange::imported_profile>& read) {
    using namespace memwatch;
    if (!read) {
        require(!read.error().what.empty());
        return 0;
    }
    const snapshot& s = read->value;
    require(validate(s).has_value());
    const auto same = diff(s, s);
    require(same.has_value() && same->rows.empty());
    for (const auto format : {dump_format::memtrace, dump_format::pprof, dump_format::folded, dump_format::json}) {
        require(encode(s, format).has_value());
    }
    require(exchange::encode_folded_pair(s, s).empty() == encode(s, dump_format::folded)->empty());
    require(!exchange::encode_speedscope(s).empty() && !exchange::encode_dhat(s).empty() && !exchange::encode_csv(s).empty());
    require(!exchange::encode_clickhouse(s, 1).empty());
    // What we write of it, we read.
    require(exchange::read_pprof(*encode(s, dump_format::pprof)).has_value());
    return 0;
}

}  // namespace fuzz
