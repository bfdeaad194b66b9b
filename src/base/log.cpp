// SPDX-License-Identifier: Apache-2.0
#include <memwatch/base/log.hpp>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>

namespace memwatch {
inline namespace v1 {
namespace {

void write_to_stderr(log_level /*level*/, std::string_view line) {
    std::string text(line);
    text += '\n';
    std::fwrite(text.data(), 1, text.size(), stderr);  // one call, so that lines of several threads do not mix
}

std::atomic<log_sink> current_sink{&write_to_stderr};

// Lines in the current minute, and the minute: one word, so that a rollover resets both at once.
std::atomic<std::uint64_t> minute_and_lines{0};
std::atomic<std::uint64_t> held_back{0};
constexpr std::uint64_t lines_a_minute = 10;

bool is_allowed() noexcept {
    const std::uint64_t minute = static_cast<std::uint64_t>(time(nullptr)) / 60;
    // relaxed: a rate limit; nothing is published through it.
    std::uint64_t seen = minute_and_lines.load(std::memory_order_relaxed);
    std::uint64_t next = 0;
    do {
        next = seen >> 8U == minute ? seen + 1 : minute << 8U;
        if ((next & 0xFFU) >= lines_a_minute) { return false; }
    } while (!minute_and_lines.compare_exchange_weak(seen, next, std::memory_order_relaxed));  // relaxed: as above
    return true;
}

}  // namespace

void set_log_sink(log_sink sink) noexcept {
    // release: pairs with the acquire in write_log(): what the sink uses is set up.
    current_sink.store(sink != nullptr ? sink : &write_to_stderr, std::memory_order_release);
}

void write_log(log_level level, std::string_view line) noexcept {
    if (!is_allowed()) {
        held_back.fetch_add(1, std::memory_order_relaxed);  // relaxed: a statistic
        return;
    }
    try {
        std::string text(line);
        // relaxed: a statistic.
        if (const std::uint64_t lost = held_back.exchange(0, std::memory_order_relaxed); lost != 0) {
            text += " held_back=" + std::to_string(lost);
        }
        // acquire: pairs with the release in set_log_sink().
        current_sink.load(std::memory_order_acquire)(level, text);
    } catch (...) {
        // A sink that throws, or no memory for a log line: there is nobody to tell.
    }
}

}  // namespace v1
}  // namespace memwatch
