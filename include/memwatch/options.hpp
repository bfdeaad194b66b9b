// SPDX-License-Identifier: Apache-2.0
#pragma once
// The options of a session. The list lives in options.def, once; this header turns it into a plain aggregate, so that C++20
// callers write session::start({.service = "orders"}) and C++17 callers set members. docs/options.md says what each does.

#include <cstddef>
#include <cstdint>
#include <string>

#include <memwatch/base/clock.hpp>

namespace memwatch {
inline namespace v1 {

// Units: the table says which of these an option has.
// On or off: 1, 0.
using flag_option = bool;
using bytes_option = std::uint64_t;
using duration_option = std::uint64_t;  // nanoseconds
// Tags with their weights, "order-cache=0.9,session=0.2".
using weights_option = std::string;
// A plain number.
using count_option = std::uint32_t;

// What runs. investigate: as on, with R = 64 KiB at most, and for a while only.
enum class preset_option { off, on, investigate, full };
// Which blocks become samples; docs/options.md says what each costs. own: a function of the program's (session::set_sampler).
enum class sampler_option { poisson, one_in_n, own };
// How stacks are walked.
enum class unwinder_option { automatic, frame_pointer, dwarf };
// automatic: on as soon as the process has a second thread of its own. A thread of memwatch would make glibc's malloc take
// locks (measured: 7 ns an operation beyond the thread's cache), which a program with one thread does without.
enum class control_option { off, automatic, on };
// Whether leaks are judged. automatic: wherever memwatch has a thread of its own; on: it gets one for this, too.
enum class verdicts_option { off, automatic, on };

// P(a block of `bytes` under `tag` (memwatch::tag::id(); 0 = untagged) becomes a sample), for session::set_sampler(). Called at
// every allocation of every thread, inside of malloc where that is interposed: it must not allocate, lock, throw or take long.
using sampler_function = double (*)(std::size_t bytes, std::uint16_t tag, void* context) noexcept;

// What to sample and where its limits are; each member is a row of options.def.
struct options {
#define MEMWATCH_OPTION(type, member, default_value, environment, changes, least, most, unit, help) type member = default_value;
#include <memwatch/options.def>
    // Replaces CLOCK_MONOTONIC, for tests. Must outlive the process. Null: the real clock.
    clock_function clock = nullptr;
};

}  // namespace v1
}  // namespace memwatch
