// SPDX-License-Identifier: Apache-2.0
#pragma once
// Deltas made by hand, for tests of what the gate says about them.

#include <string>

#include <memwatch/model/delta.hpp>

namespace made {

constexpr double KiB = 1024;
constexpr double MiB = 1024 * KiB;

inline memwatch::delta_row site(const std::string& function, double bytes, double error, const std::string& tag = "untagged") {
    memwatch::delta_row row;
    row.name = function;
    row.key = "00c0ffee00c0ffee";
    row.tag = tag;
    row.type = "Order";
    row.stack = {{1, 0x10, {{"operator new(unsigned long)", "", 0, 0}}},
                 {0, 0x20, {{function + "(int)", "/repo/src/cache.cpp", 42, 40}}},
                 {0, 0x30, {{"main", "/repo/src/main.cpp", 7, 3}}}};
    row.before.live.bytes = 4 * MiB;
    row.after.live.bytes = 4 * MiB + bytes;
    row.bytes = bytes;
    row.objects = bytes / 512;
    row.bytes_standard_error = error;
    row.what = bytes > 0 ? memwatch::change::grew : bytes < 0 ? memwatch::change::shrank : memwatch::change::unchanged;
    row.rung = memwatch::match_rung::frames;
    return row;
}

inline memwatch::delta_row tag(const std::string& name, double bytes) {
    memwatch::delta_row row;
    row.name = row.key = name;
    row.bytes = bytes;
    row.is_exact = true;
    row.what = memwatch::change::grew;
    row.rung = memwatch::match_rung::exact;
    return row;
}

// The sum of `rows` as the total; R = 64 KiB.
inline memwatch::delta of(std::vector<memwatch::delta_row> rows) {
    memwatch::delta d;
    d.before.service = d.after.service = "orders";
    d.after.executable = "/srv/orders/orders";
    d.before.interval_bytes = d.after.interval_bytes = 65536;
    d.modules = {{"/srv/orders/orders", "b1", 0, 0, 0}, {"/lib/libstdc++.so.6", "77", 0, 0, 0}};
    double variance = 0;
    for (const memwatch::delta_row& row : rows) {
        d.total.bytes += row.bytes;
        variance += row.bytes_standard_error * row.bytes_standard_error;
    }
    d.total.bytes_standard_error = __builtin_sqrt(variance);
    d.rows = std::move(rows);
    return d;
}

inline memwatch::delta tags_of(std::vector<memwatch::delta_row> rows) {
    memwatch::delta d = of(std::move(rows));
    d.by = memwatch::dimension::tag;
    return d;
}

}  // namespace made
