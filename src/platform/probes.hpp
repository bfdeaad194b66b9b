// SPDX-License-Identifier: Apache-2.0
#pragma once
// Static tracepoints (USDT) for bpftrace, perf, SystemTap and OpenTelemetry's profiler: a nop and a note in the ELF file, which
// a tracer turns into a breakpoint. Without <sys/sdt.h> at build time (systemtap-sdt-dev) there are none.
//
//   otel_memory:alloc(ptr, size, weighted_bytes)     a sampled block was handed out; it stands for weighted_bytes
//   otel_memory:free(ptr)                            and is about to be given back
//
//   bpftrace -e 'usdt:/usr/lib/libmemwatch.so.0:otel_memory:alloc { @[ustack] = sum(arg2); }'

#include <cstdint>

#if defined(MEMWATCH_USDT)
#include <sys/sdt.h>
#endif

namespace memwatch {
inline namespace v1 {
namespace platform {

// [hook], both. Inlined, so that each call is a probe's one place.
[[gnu::always_inline]] inline void probe_alloc([[maybe_unused]] const void* block, [[maybe_unused]] std::uint64_t size_bytes,
                                               [[maybe_unused]] std::uint64_t weighted_bytes) noexcept {
#if defined(MEMWATCH_USDT)
    STAP_PROBE3(otel_memory, alloc, block, size_bytes, weighted_bytes);
#endif
}

[[gnu::always_inline]] inline void probe_free([[maybe_unused]] const void* block) noexcept {
#if defined(MEMWATCH_USDT)
    STAP_PROBE1(otel_memory, free, block);
#endif
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
