// SPDX-License-Identifier: Apache-2.0
#pragma once
// Live records as columns: 64 bytes a record in memory, about 12 in a dump. Parts of 65,536 records stand alone, so that a
// damaged part costs its records only; they share the dictionary of trace ids, which random ids make the only incompressible
// piece (16 bytes an id).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1::codec {

inline constexpr std::size_t records_a_part = 65'536;

// Trace ids by index, in parts as large as those of the records. A part that was lost yields the absent trace.
class trace_dictionary {
public:
    void set_part(std::uint16_t part, std::vector<trace_id> ids) {
        if (part >= parts_.size()) { parts_.resize(part + 1U); }
        parts_[part] = std::move(ids);
    }
    // Null when it is not there.
    [[nodiscard]] const trace_id* find(std::uint64_t index) const {
        const auto part = index / records_a_part;
        if (part >= parts_.size() || index % records_a_part >= parts_[part].size()) { return nullptr; }
        return &parts_[part][index % records_a_part];
    }

private:
    std::vector<std::vector<trace_id>> parts_;
};

[[nodiscard]] std::string encode_traces(std::span<const trace_id> part);
// False when the payload is not what it should be.
[[nodiscard]] bool decode_traces(std::string_view payload, std::vector<trace_id>& out);

// `traces` holds, of each record, its trace's index in the dictionary + 1, or 0 for none; `next_new` is the lowest index that
// no earlier record used, and is moved on.
[[nodiscard]] std::string encode_records(std::span<const live_record> part, std::span<const std::uint32_t> traces,
                                         std::uint64_t& next_new);
// Appends to `out`; false leaves it untouched. Counts records whose trace is not in the dictionary.
[[nodiscard]] bool decode_records(std::string_view payload, const trace_dictionary& dictionary, std::vector<live_record>& out,
                                  std::size_t& lost_traces);

}  // namespace memwatch::inline v1::codec
