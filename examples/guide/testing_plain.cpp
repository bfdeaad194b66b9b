// SPDX-License-Identifier: Apache-2.0
// What docs/testing.md shows without a test framework.
#include <memwatch/memwatch.hpp>
#include <memwatch/testing.hpp>

#include <cstdio>
#include <vector>

namespace {

memwatch::tag cache{"order-cache"};

void serve_one() {
    std::vector<int, memwatch::tracked_allocator<int>> numbers{memwatch::tracked_allocator<int>{cache}};
    numbers.resize(100);
}

}  // namespace

int main() {
    // [plain]
    memwatch::testing::require_no_leaks(serve_one, {.warmup = 3});  // throws memwatch::testing::leak_error

    const auto report = memwatch::testing::leak_check(serve_one, {.runs = 100, .threshold_bytes = 4096});
    if (!report.passed) { std::puts(report.message().c_str()); }

    memwatch::testing::leak_scope scope;
    serve_one();
    const bool is_clean = scope.check().passed;
    // [/plain]
    return report.passed && is_clean ? 0 : 1;
}
