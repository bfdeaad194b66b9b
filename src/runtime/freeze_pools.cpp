// SPDX-License-Identifier: Apache-2.0
#include "runtime/freeze_pools.hpp"

#include <algorithm>

namespace memwatch {
inline namespace v1 {
namespace {

frame frame_at(const std::vector<module>& modules, std::uint64_t address) {
    for (std::uint32_t i = 0; i < modules.size(); ++i) {
        const module& m = modules[i];
        if (address < m.start || address > m.limit) { continue; }
        return {i, address - m.start + m.file_offset, {}};
    }
    return {no_module, address, {}};
}

// The frame's index + 1, as pool_totals has it.
std::uint32_t add_frame(snapshot& into, const void* caller) {
    const frame wanted = frame_at(into.modules, reinterpret_cast<std::uint64_t>(caller));
    const auto known = std::find_if(into.frames.begin(), into.frames.end(),
                                    [&](const frame& f) { return f.module == wanted.module && f.offset == wanted.offset; });
    const auto index = known - into.frames.begin();
    if (known == into.frames.end()) { into.frames.push_back(wanted); }
    return static_cast<std::uint32_t>(index) + 1;
}

}  // namespace

void freeze_pools(const pool_list& pools, snapshot& into) {
    std::uint64_t self_bytes = 0;
    for (pool_reading& reading : pools.read()) {
        if (reading.oldest_caller != nullptr) { reading.totals.oldest_frame = add_frame(into, reading.oldest_caller); }
        if (reading.totals.oldest_route >= into.routes.size()) { reading.totals.oldest_route = 0; }
        self_bytes += reading.self_bytes;
        into.pools.push_back(std::move(reading.totals));
    }
    into.self_bytes.push_back({"pool_slots", self_bytes});
}

}  // namespace v1
}  // namespace memwatch
