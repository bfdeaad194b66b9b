// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a black box tells, in the order of time: its records taken apart, what was alive at the last look, and how it ended.
//
// In: a file's records. Out: a value that text and JSON are made of. Threads: one.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <memwatch/base/result.hpp>
#include <memwatch/model/snapshot.hpp>

#include "blackbox/box.hpp"
#include "blackbox/pulse.hpp"
#include "footprint/timeline.hpp"

namespace memwatch {
inline namespace v1 {

// How the life of the process ended, as far as its file knows.
enum class life_end {
    unknown,  // its file cannot be asked whether somebody writes to it: another user's, or a copy
    running,  // it is being written
    in_order,
    without_a_word,  // killed, crashed, left by _exit(), or the machine went down
};

struct told_pulse {
    std::uint64_t unix_ns{};
    blackbox::pulse figures;
};

struct told_event {
    std::uint64_t unix_ns{};
    std::string name;
    std::string text;
};

struct story {
    std::string path;
    std::optional<blackbox::identity> whose;
    life_end end{};
    std::string end_text;           // of `in_order`: what the process said
    std::uint64_t first_unix_ns{};  // of all records; 0 = there is none
    std::uint64_t last_unix_ns{};
    std::size_t record_count{};
    std::uint64_t damaged_sectors{};
    std::uint64_t incomplete_records{};
    bool is_cut_short{};  // the file is smaller than it was made

    std::vector<told_pulse> curve;      // oldest first, each moment once
    std::vector<told_event> events;     // oldest first
    std::size_t situations{};           // that can be read
    std::uint64_t situation_unix_ns{};  // of the one below; 0 = there is none
    std::optional<snapshot> situation;
    std::vector<live_record> requests;  // of the situation: the youngest block of each of its last traces, youngest first
    std::string situation_bytes;        // as it is in the file: a dump
};

// What was alive, with the few records there are: routes and trace ids that are named are right, shares of them say nothing.
[[nodiscard]] snapshot situation_with_requests(const story& told);

// `before_ns`: the situation is the last one that is at least so much older than the last record.
// Errors: as blackbox::read_box().
[[nodiscard]] result<story> read_story(const std::string& path, std::uint64_t before_ns);

// A box in a folder, as a line of a list.
struct listed_box {
    std::string name;
    story of;             // empty when it cannot be read
    std::string problem;  // why; empty = it can
};

// Newest first. Errors: not_found, io.
[[nodiscard]] result<std::vector<listed_box>> list_boxes(const std::string& folder);

// `path`, or of a folder the newest box of a process that has ended; of any, if none has. Of several programs it is the one
// that wrote most: a health check that inherits a service's environment leaves a box as well. Errors: not_found, io.
[[nodiscard]] result<std::string> find_box(const std::string& path);

[[nodiscard]] const char* word_of(life_end end) noexcept;

}  // namespace v1
}  // namespace memwatch
