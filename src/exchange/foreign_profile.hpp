// SPDX-License-Identifier: Apache-2.0
#pragma once
// What other heap profilers wrote, as a snapshot: everything memwatch does with a dump then works on a file a team already has.
//
//   pprof       profile.proto, gzip or plain: Go, gperftools and jemalloc through `pprof -proto`, memwatch's own
//   heap text   "heap profile: ..." (gperftools, tcmalloc, old Go) and "heap_v2/524288" (jemalloc), with MAPPED_LIBRARIES
//   heaptrack   heaptrack.APP.PID.zst or .gz as `heaptrack` leaves it (interpreted; not --raw)
//
// In: bytes of anyone. Out: a snapshot that passes validate(), what was lost of it, and what a reader of numbers should know.
// Amounts are scaled to what samples stand for; variances follow from the sampling interval where the format names one, and are
// 0 where it counts every block. Threads: any. Memory: in proportion to the file (unpack_budget).

#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1::exchange {

enum class foreign_format { none, pprof, heap_text, heaptrack };

// By the first bytes, also of what is packed. Never throws but std::bad_alloc.
[[nodiscard]] foreign_format recognize(std::string_view bytes);

[[nodiscard]] const char* to_string(foreign_format format) noexcept;

struct imported_profile {
    snapshot value;
    std::vector<std::string> damage;  // what could not be read; empty = whole
    std::vector<std::string> notes;   // what the format does not say and was assumed
};

// Errors: unreadable, unsupported (not a heap profile; a version of the format that is not known), limit.
[[nodiscard]] result<imported_profile> read_foreign_profile(std::string_view bytes);

// One a format, on what recognize() found.
[[nodiscard]] result<imported_profile> read_pprof(std::string_view bytes);
[[nodiscard]] result<imported_profile> read_heap_text(std::string_view bytes);
[[nodiscard]] result<imported_profile> read_heaptrack(std::string_view bytes);

}  // namespace memwatch::inline v1::exchange
