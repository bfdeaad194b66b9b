// SPDX-License-Identifier: Apache-2.0
// A tracing library as small as it gets: publishes OpenTelemetry's thread context (enhancement proposal 4947). Built twice:
// with the TLS model of a library that a program is linked with, and of one that is loaded later.
#include "e2e/tracing/publisher.hpp"

#include <atomic>
#include <cstring>

extern "C" {

__attribute__((visibility("default"))) PUBLISHER_TLS_MODEL __thread otel_record* otel_thread_ctx_v1 = nullptr;

__attribute__((visibility("default"))) void publish(otel_record* record) {
    otel_thread_ctx_v1 = record;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // total order with this thread's signal handlers
}

// Fills the record as the proposal says: not valid while it changes.
__attribute__((visibility("default"))) void write_record(otel_record* record, unsigned char digit) {
    auto* const valid = static_cast<volatile unsigned char*>(&record->valid);
    *valid = 0;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // total order: as above
    std::memset(record->trace_id, digit, sizeof record->trace_id);
    std::memset(record->span_id, digit, sizeof record->span_id);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // total order: as above
    *valid = 1;
}
}
