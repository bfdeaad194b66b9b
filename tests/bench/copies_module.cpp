// SPDX-License-Identifier: Apache-2.0
// One of many modules in a process: copies_bench.cpp loads it under a hundred names.
extern "C" __attribute__((visibility("default"))) int memwatch_bench_module() { return 1; }
