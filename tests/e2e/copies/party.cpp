// SPDX-License-Identifier: Apache-2.0
#include "party.hpp"

#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include <memwatch/base/log.hpp>
#include <memwatch/memwatch.hpp>

namespace {

using buffer = std::vector<char, memwatch::tracked_allocator<char>>;

memwatch::session open_session;
std::string status_text;
std::string id_text;
int lines_taken = 0;

const char* start() {
    memwatch::options wanted;
    wanted.preset = memwatch::preset_option::full;
    wanted.control = memwatch::control_option::off;
    open_session = memwatch::session::start(wanted);
    memwatch::set_log_sink([](memwatch::log_level, std::string_view) { ++lines_taken; });
    status_text = open_session.status().detail;
    return status_text.c_str();
}

void* hold(const char* name, std::size_t bytes) {
    return new buffer(bytes, 'x', memwatch::tracked_allocator<char>{memwatch::tag{name}});
}

int records(std::size_t bytes, std::uint64_t trace) {
    const auto frozen = memwatch::session{}.snapshot();
    if (!frozen) { return -1; }
    int count = 0;
    for (const memwatch::live_record& r : frozen->live) {
        count += r.size_bytes == bytes && (trace == 0 || r.trace.low == trace) ? 1 : 0;
    }
    return count;
}

int times_listed() {
    const auto frozen = memwatch::session{}.snapshot();
    if (!frozen) { return -1; }
    int count = 0;
    for (const memwatch::thread_info& thread : frozen->threads) {
        count += thread.is_alive && thread.tid == static_cast<std::uint64_t>(gettid()) ? 1 : 0;
    }
    return count;
}

const char* session_id() {
    const auto frozen = memwatch::session{}.summary();
    id_text = frozen ? frozen->info.session : "none";
    return id_text.c_str();
}

constexpr party this_party = {
    &start,
    [] { open_session.stop(); },
    &hold,
    [](void* held) { delete static_cast<buffer*>(held); },
    [](const char* name) -> std::uint64_t { return memwatch::tag{name}.totals().live_bytes(); },
    [](const char* name) -> std::uint64_t { return memwatch::tag{name}.totals().allocations; },
    &records,
    &times_listed,
    &session_id,
    []() -> std::uint64_t { return memwatch::trace_context::current().trace.low; },
    [](std::uint64_t trace, void (*call)(void*), void* argument) {
        const memwatch::trace_scope scope(memwatch::trace_id{1, trace}, "/route");
        call(argument);
    },
    [](const char* line) { memwatch::write_log(memwatch::log_level::info, line); },
    [] { return lines_taken; },
};

}  // namespace

const party* memwatch_test_party() { return &this_party; }
