// SPDX-License-Identifier: Apache-2.0
#pragma once
// What publisher.cpp exports.

#include <cstdint>

extern "C" {

struct otel_record {
    unsigned char trace_id[16];
    unsigned char span_id[8];
    unsigned char valid;
    unsigned char trace_flags;
    std::uint16_t attributes_bytes;
};

void publish(otel_record* record);
void write_record(otel_record* record, unsigned char digit);
}
