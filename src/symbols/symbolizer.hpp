// SPDX-License-Identifier: Apache-2.0
#pragma once
// Names for a finished snapshot, from the programs and debug files on this machine: DWARF lines with the calls the compiler
// inlined, else symbol tables. Nothing is resolved in the service: it writes build ids and file offsets.
//
// In: a snapshot (from anywhere, so its module paths are hostile), folders with debug files. Out: `frames[].lines` filled in.
// Threads: one call a snapshot. Memory: one module's DWARF at a time, dropped when the next begins.
// A file is opened only if it is a regular file and used only if its build id is the module's.

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

class symbol_cache;

struct symbolize_options {
    // Searched first to last: `<dir>/.build-id/ab/cdef.debug`, `<dir>/<name>.debug`, `<dir>/<name>`.
    std::vector<std::string> debug_dirs;
    bool use_system_dirs{true};   // then /usr/lib/debug
    const symbol_cache* cache{};  // asked before any file, told what was found; null = none
    std::function<void(std::size_t done, std::size_t of)> progress{};  // frames
};

struct symbolize_summary {
    std::size_t resolved{};             // frames that have at least a function now
    std::size_t unresolved{};           // frames of known modules that have none
    std::vector<std::string> warnings;  // "libfoo.so (build id 1a2b..): build id differs": one a module that frames needed
};

// Frames that cannot be resolved keep the lines they came with. Never fails; what is missing is a warning.
symbolize_summary symbolize(snapshot& s, const symbolize_options& options = {});

}  // namespace v1
}  // namespace memwatch
