// SPDX-License-Identifier: Apache-2.0
#include <memwatch/base/log.hpp>
#include "base/log_channel.hpp"

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>

namespace memwatch {
inline namespace v1 {
namespace {

void write_to_stderr(log_level /*level*/, std::string_view line) {
    std::string text(line);
    text += '\n';
    std::fwrite(text.data(), 1, text.size(), stderr);  // one call, so that lines of several threads do not mix
}

constinit log_channel own_channel;
constinit std::atomic<log_channel*> channel_in_use{&own_channel};

constexpr std::uint64_t lines_a_minute = 10;

// "verdict" of "... event=verdict class=..."; empty where there is none.
std::string_view event_of(std::string_view line) noexcept {
    constexpr std::string_view key = " event=";
    const std::size_t at = line.find(key);
    if (at == std::string_view::npos) { return {}; }
    const std::string_view rest = line.substr(at + key.size());
    return rest.substr(0, rest.find(' '));
}

log_channel::kind& kind_of(log_channel& channel, std::string_view event) noexcept {
    const std::uint64_t name = std::hash<std::string_view>()(event) | 1U;
    for (log_channel::kind& each : channel.kinds) {
        std::uint64_t seen = 0;
        // relaxed, both: nothing is published through a count.
        if (each.name.compare_exchange_strong(seen, name, std::memory_order_relaxed, std::memory_order_relaxed)) {
            return each;
        }
        if (seen == name) { return each; }
    }
    return channel.kinds[log_channel::most_kinds - 1];
}

bool is_allowed(log_channel& channel, std::string_view line) noexcept {
    std::atomic<std::uint64_t>& counted = kind_of(channel, event_of(line)).minute_and_lines;
    const std::uint64_t minute = static_cast<std::uint64_t>(time(nullptr)) / 60;
    // relaxed: a rate limit; nothing is published through it.
    std::uint64_t seen = counted.load(std::memory_order_relaxed);
    std::uint64_t next = 0;
    do {
        next = seen >> 8U == minute ? seen + 1 : minute << 8U;
        if ((next & 0xFFU) >= lines_a_minute) { return false; }
    } while (!counted.compare_exchange_weak(seen, next, std::memory_order_relaxed));  // relaxed: as above
    return true;
}

}  // namespace

// acquire: pairs with the release in use_log(): the other copy's channel is made.
log_channel& log_in_use() noexcept { return *channel_in_use.load(std::memory_order_acquire); }

// release: pairs with the acquire in log_in_use().
void use_log(log_channel& channel) noexcept { channel_in_use.store(&channel, std::memory_order_release); }

void set_log_sink(log_sink sink) noexcept {
    // release: pairs with the acquire in write_log(): what the sink uses is set up.
    log_in_use().sink.store(sink, std::memory_order_release);
}

void write_log(log_level level, std::string_view line) noexcept {
    log_channel& channel = log_in_use();
    if (!is_allowed(channel, line)) {
        channel.held_back.fetch_add(1, std::memory_order_relaxed);  // relaxed: a statistic
        return;
    }
    try {
        std::string text(line);
        // relaxed: a statistic.
        if (const std::uint64_t lost = channel.held_back.exchange(0, std::memory_order_relaxed); lost != 0) {
            text += " held_back=" + std::to_string(lost);
        }
        // acquire: pairs with the release in set_log_sink().
        const log_sink sink = channel.sink.load(std::memory_order_acquire);
        (sink != nullptr ? sink : &write_to_stderr)(level, text);
    } catch (...) {
        // A sink that throws, or no memory for a log line: there is nobody to tell.
    }
}

}  // namespace v1
}  // namespace memwatch
