// SPDX-License-Identifier: Apache-2.0
#pragma once
// The trace that OpenTelemetry says a thread works for, where a tracing library publishes it: a thread-local pointer named
// `otel_thread_ctx_v1` to a record (OpenTelemetry enhancement proposal 4947, "Thread Context").
//
//   thread pointer --offset--> otel_thread_ctx_v1 --> | trace id 16 B | span id 8 B | valid | flags | attributes ... |
//
// Reading it takes no call when the variable lies at the same offset in each thread: static TLS. That is where the linker or a
// program's start puts it; a library that was dlopened with dynamic TLS keeps it elsewhere in each thread, and finding it there
// takes a call that may allocate. Such a publisher is reported as unsupported.
// find_otel_context() looks with dlsym, so never in a hook; a publisher it accepts is kept loaded for good, because its record
// is read without asking whether it is still there.

#include <cstddef>
#include <cstdint>

namespace memwatch {
inline namespace v1 {
namespace platform {

enum class otel_publisher : std::uint8_t { none, found, unsupported };

struct otel_context_place {
    otel_publisher publisher{otel_publisher::none};
    std::ptrdiff_t offset{};  // of the variable from the thread pointer; 0 = none
};

// Takes the dynamic linker's lock. Errors: none; what cannot be looked at is not there.
[[nodiscard]] otel_context_place find_otel_context();
// Grows with each module that is loaded or unloaded: when it is worth looking again. 0: nobody may look now (module_walk.hpp).
[[nodiscard]] std::uint64_t module_changes() noexcept;

struct otel_ids {
    std::uint8_t trace_id[16];  // in the order of its 32 hex digits; all zero = no trace
    std::uint8_t span_id[8];
};

// What the calling thread publishes at `offset`. False: nothing, or its writer is in the middle of a change (this runs in a
// signal handler then, or a handler of the program changed it underway). [hook]
[[nodiscard]] bool read_otel_context(std::ptrdiff_t offset, otel_ids& into) noexcept;

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
