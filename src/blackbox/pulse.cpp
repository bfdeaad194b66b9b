// SPDX-License-Identifier: Apache-2.0
#include "blackbox/pulse.hpp"

#include <algorithm>
#include <limits>

namespace memwatch {
inline namespace v1 {
namespace blackbox {
namespace {

constexpr std::size_t longest_number = 10;  // 64 bits, seven a byte

// The numbers of FORMAT.md. Never reused for something else.
enum class field : std::uint64_t {
    time = 1,
    resident,
    anonymous,
    file,
    shared,
    swapped,
    page_tables,
    address_space,
    threads,
    cgroup_current,
    cgroup_unreclaimable,
    cgroup_limit,
    events_low,
    events_high,
    events_max,
    events_oom,
    events_oom_kill,
    live_bytes,
    self_bytes,
    level,
    forecast_made,
    forecast_limit,
    forecast_headroom,
    forecast_growth,
    forecast_ms,
    forecast_least_ms,
    forecast_most_ms,
    completed_traces,
    live_samples,
    leaks,
    suspects,
    tag,             // the number of a tag ...
    tag_live_bytes,  // ... whose figure this is
    forecast_of_address_space,
};

constexpr auto unbounded_ms = std::numeric_limits<std::uint64_t>::max();

std::uint64_t to_ms(double seconds) noexcept {
    constexpr double most = 1e15;
    return seconds >= 0 && seconds * 1e3 < most ? static_cast<std::uint64_t>(seconds * 1e3) : unbounded_ms;
}

double to_seconds(std::uint64_t ms) noexcept {
    return ms == unbounded_ms ? std::numeric_limits<double>::infinity() : static_cast<double>(ms) * 1e-3;
}

class pair_writer {
public:
    explicit pair_writer(pulse_bytes& into) noexcept : into_(into) {}
    void put(field id, std::uint64_t value) noexcept {
        if (value != 0) { put_always(id, value); }
    }
    void put_always(field id, std::uint64_t value) noexcept {
        if (into_.size() - used_ < 2 * longest_number) { return; }
        number(static_cast<std::uint64_t>(id));
        number(value);
    }
    [[nodiscard]] bool has_room() const noexcept { return into_.size() - used_ >= 4 * longest_number; }
    [[nodiscard]] std::size_t used() const noexcept { return used_; }

private:
    void number(std::uint64_t value) noexcept {
        for (; value >= 0x80; value >>= 7U) { into_[used_++] = static_cast<unsigned char>(value | 0x80U); }
        into_[used_++] = static_cast<unsigned char>(value);
    }

    pulse_bytes& into_;
    std::size_t used_{};
};

std::optional<std::uint64_t> take_number(std::string_view& bytes) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < std::min(bytes.size(), longest_number); ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        value |= std::uint64_t{byte & 0x7FU} << (7 * i);
        if (byte < 0x80) {
            bytes.remove_prefix(i + 1);
            return value;
        }
    }
    return std::nullopt;
}

void put_forecast(pair_writer& out, const oom_forecast& f) noexcept {
    out.put_always(field::forecast_made, f.made_ns);
    out.put(field::forecast_limit, f.limit_bytes);
    out.put(field::forecast_headroom, f.headroom_bytes);
    out.put(field::forecast_growth,
            f.growth_bytes_per_s > 0 && f.growth_bytes_per_s < 1e18 ? static_cast<std::uint64_t>(f.growth_bytes_per_s) : 0);
    out.put(field::forecast_of_address_space, f.is_of_address_space ? 1 : 0);
    out.put_always(field::forecast_ms, to_ms(f.seconds));
    out.put_always(field::forecast_least_ms, to_ms(f.least_seconds));
    out.put_always(field::forecast_most_ms, to_ms(f.most_seconds));
}

bool set_forecast(oom_forecast& f, field id, std::uint64_t value) noexcept {
    switch (id) {
        case field::forecast_made:
            f.made_ns = value;
            return true;
        case field::forecast_limit:
            f.limit_bytes = value;
            return true;
        case field::forecast_headroom:
            f.headroom_bytes = value;
            return true;
        case field::forecast_growth:
            f.growth_bytes_per_s = static_cast<double>(value);
            return true;
        case field::forecast_of_address_space:
            f.is_of_address_space = value != 0;
            return true;
        case field::forecast_ms:
            f.seconds = to_seconds(value);
            return true;
        case field::forecast_least_ms:
            f.least_seconds = to_seconds(value);
            return true;
        case field::forecast_most_ms:
            f.most_seconds = to_seconds(value);
            return true;
        default:
            return false;
    }
}

// Where a plain figure of the pulse is kept; null: it is no plain figure, or not known here.
std::uint64_t* place_of(pulse& p, field id) noexcept {
    process_memory& process = p.reading.process;
    cgroup_memory& group = p.reading.cgroup;
    switch (id) {
        case field::time:
            return &p.reading.time_ns;
        case field::resident:
            return &process.resident;
        case field::anonymous:
            return &process.anonymous;
        case field::file:
            return &process.file;
        case field::shared:
            return &process.shared;
        case field::swapped:
            return &process.swapped;
        case field::page_tables:
            return &process.page_tables;
        case field::address_space:
            return &process.address_space;
        case field::cgroup_current:
            return &group.current;
        case field::cgroup_unreclaimable:
            return &group.unreclaimable;
        case field::cgroup_limit:
            return &group.limit;
        case field::events_low:
            return &group.events.low;
        case field::events_high:
            return &group.events.high;
        case field::events_max:
            return &group.events.max;
        case field::events_oom:
            return &group.events.oom;
        case field::events_oom_kill:
            return &group.events.oom_kill;
        case field::live_bytes:
            return &p.reading.live_bytes;
        case field::self_bytes:
            return &p.reading.self_bytes;
        case field::completed_traces:
            return &p.completed_traces;
        case field::live_samples:
            return &p.live_samples;
        case field::leaks:
            return &p.leaks;
        case field::suspects:
            return &p.suspects;
        default:
            return nullptr;
    }
}

void set(pulse& p, field id, std::uint64_t value) noexcept {
    if (std::uint64_t* const plain = place_of(p, id); plain != nullptr) {
        *plain = value;
        return;
    }
    switch (id) {
        case field::threads:
            p.reading.process.threads = static_cast<std::uint32_t>(value);
            return;
        case field::level:
            if (value < pressure_level_count) { p.level = static_cast<pressure_level>(value); }
            return;
        case field::tag:
            if (p.tag_count < pulse::most_tags) { p.tags[p.tag_count++] = {value, 0}; }
            return;
        case field::tag_live_bytes:
            if (p.tag_count != 0) { p.tags[p.tag_count - 1].live_bytes = value; }
            return;
        default:
            break;
    }
    oom_forecast forecast = p.forecast.value_or(oom_forecast{});
    if (set_forecast(forecast, id, value)) { p.forecast = forecast; }
}

}  // namespace

std::size_t encode(const pulse& from, pulse_bytes& into) noexcept {
    pair_writer out(into);
    pulse values = from;  // place_of() gives places, not values
    for (auto id = static_cast<std::uint64_t>(field::time); id <= static_cast<std::uint64_t>(field::suspects); ++id) {
        const std::uint64_t* const plain = place_of(values, static_cast<field>(id));
        if (plain != nullptr) { out.put(static_cast<field>(id), *plain); }
    }
    out.put(field::threads, from.reading.process.threads);
    out.put(field::level, static_cast<std::uint64_t>(from.level));
    if (from.forecast) { put_forecast(out, *from.forecast); }
    for (std::size_t i = 0; i < std::min(from.tag_count, pulse::most_tags) && out.has_room(); ++i) {
        out.put_always(field::tag, from.tags[i].tag);
        out.put(field::tag_live_bytes, from.tags[i].live_bytes);
    }
    return out.used();
}

std::optional<pulse> decode_pulse(std::string_view bytes) noexcept {
    pulse found;
    while (!bytes.empty()) {
        const auto id = take_number(bytes);
        const auto value = id ? take_number(bytes) : std::nullopt;
        if (!value) { return std::nullopt; }
        set(found, static_cast<field>(*id), *value);
    }
    return found;
}

}  // namespace blackbox
}  // namespace v1
}  // namespace memwatch
