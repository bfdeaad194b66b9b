// SPDX-License-Identifier: Apache-2.0
// The heap profiles of gperftools, tcmalloc and jemalloc, as `jeprof` and `pprof` read them (jeprof 5.3, ReadHeapProfile,
// ReadThreadedHeapProfile and AdjustSamples; google/pprof, profile/legacy_profile.go, scaleHeapSample).
//
//   heap profile: 2302: 4172708 [7323: 4721820] @ heapprofile         gperftools: every block
//   heap profile: ...                           @ heap_v2/524288      tcmalloc: sampled with that mean interval in bytes
//     2000:  4096000 [  2000:  4096000] @ 0x561f2519729f 0x561f251972e1 ...       alive [since the start] @ return addresses
//
//   heap_v2/4096                                                      jemalloc
//   @ 0x55e350b2829f 0x55e350b282e1 ...
//     t*: 817: 1700766 [0: 0]                                         all threads; [0: 0] without prof_accum
//     t0: 817: 1700766 [0: 0]                                         one thread: not read
//
// Sampled amounts are raw. With average size S = bytes/objects and interval R they stand for 1/(1 - exp(-S/R)) of themselves
// (version 2), or for R/2/S of themselves where S is below R/2 (version 1, "heap/R").
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include "exchange/foreign_profile.hpp"
#include "exchange/profile_builder.hpp"
#include "exchange/unpacked.hpp"

namespace memwatch::inline v1::exchange {
namespace {

constexpr std::uint64_t default_interval = 128U << 10U;  // jeprof's, where a sampled profile names none

// Allocators whose own frames are the innermost ones: the dump is taken inside them.
constexpr std::string_view allocators[] = {"libjemalloc", "libtcmalloc", "libmimalloc"};

struct counts {
    std::uint64_t live_objects{}, live_bytes{}, allocated_objects{}, allocated_bytes{};
};

// Reads a line from the left; a step that fails makes all later ones fail.
class scanner {
public:
    explicit scanner(std::string_view text) : text_(text) {}

    scanner& spaces() {
        text_.remove_prefix(std::min(text_.find_first_not_of(" \t"), text_.size()));
        return *this;
    }
    scanner& literal(std::string_view wanted) {
        is_good_ = is_good_ && text_.substr(0, wanted.size()) == wanted;
        if (is_good_) { text_.remove_prefix(wanted.size()); }
        return *this;
    }
    scanner& number(std::uint64_t& to, int base = 10) {
        if (base == 16 && text_.substr(0, 2) == "0x") { text_.remove_prefix(2); }
        const auto read = std::from_chars(text_.data(), text_.data() + text_.size(), to, base);
        is_good_ = is_good_ && read.ec == std::errc{};
        if (is_good_) { text_.remove_prefix(static_cast<std::size_t>(read.ptr - text_.data())); }
        return *this;
    }
    std::string_view word() {
        spaces();
        const std::string_view found = text_.substr(0, text_.find_first_of(" \t"));
        text_.remove_prefix(found.size());
        return found;
    }
    [[nodiscard]] bool is_good() const { return is_good_; }
    [[nodiscard]] std::string_view rest() const { return text_; }

private:
    std::string_view text_;
    bool is_good_{true};
};

// "2000: 4096000 [2000: 4096000]"
bool scan_counts(scanner& in, counts& to) {
    return in.spaces().number(to.live_objects).literal(":").spaces().number(to.live_bytes).spaces().literal("[").is_good() &&
           in.spaces().number(to.allocated_objects).literal(":").spaces().number(to.allocated_bytes).literal("]").is_good();
}

struct mapped {
    std::uint64_t start{}, limit{}, offset{};
    std::string path;
};

enum class scaling { none, version_1, version_2 };

class heap_text {
public:
    heap_text(std::string_view bytes, std::uint64_t budget) : stream_(bytes, budget), lines_(stream_), budget_(budget) {}

    result<imported_profile> read() {
        const auto first = lines_.next();
        if (!first) { return fail(error_code::unreadable, "the profile is cut off in its first line"); }
        if (const auto header = read_header(*first); !header) { return tl::unexpected<error>(header.error()); }
        while (const auto line = lines_.next()) {
            if (line->substr(0, 17) == "MAPPED_LIBRARIES:") {
                has_map_ = true;
            } else if (has_map_) {
                take_mapping(*line);
            } else if (!take_row(*line)) {
                ++strange_lines_;
            }
            if (is_over_budget_) { return fail(error_code::limit, "it unpacks to more than a profile of its size has"); }
        }
        return build();
    }

private:
    struct row {
        counts of;
        std::size_t first;  // of addresses_
        std::size_t count;
    };

    bool charge(std::uint64_t bytes) {
        is_over_budget_ = is_over_budget_ || bytes > budget_;
        budget_ = is_over_budget_ ? 0 : budget_ - bytes;
        return !is_over_budget_;
    }

    result<void> read_header(std::string_view line) {
        if (line.substr(0, 8) == "heap_v2/") { return read_threaded_header(line); }
        counts totals;
        scanner in(line);
        in.literal("heap profile:");
        if (!scan_counts(in, totals)) { return fail(error_code::unreadable, "its first line has no totals", "line 1"); }
        const bool has_kind = in.spaces().literal("@").is_good();
        const std::string_view kind = has_kind ? in.word() : std::string_view{};
        return choose_scaling(kind, totals);
    }

    result<void> read_threaded_header(std::string_view line) {
        is_threaded_ = true;
        scaling_ = scaling::version_2;
        if (!scanner(line.substr(8)).number(interval_).is_good() || interval_ == 0) {
            return fail(error_code::unreadable, "its first line names no sampling interval", "line 1");
        }
        return {};
    }

    // "heapprofile", "heap_v2/524288", "heap/524288"; without a word, totals that equal those alive are an old sampled profile.
    result<void> choose_scaling(std::string_view kind, const counts& totals) {
        const auto slash = kind.find('/');
        const std::string_view name = kind.substr(0, slash);
        if (name.find("growth") != std::string_view::npos || name.find("fragmentation") != std::string_view::npos) {
            return fail(error_code::unsupported, "a profile of " + std::string(name) + ", not of the heap", "line 1");
        }
        if (slash != std::string_view::npos) { scanner(kind.substr(slash + 1)).number(interval_); }
        if (name == "heapprofile") {
            interval_ = 0;
        } else if (name.find("_v2") != std::string_view::npos) {
            scaling_ = scaling::version_2;
        } else if (!name.empty() ||
                   (totals.live_objects == totals.allocated_objects && totals.live_bytes == totals.allocated_bytes)) {
            scaling_ = scaling::version_1;
        }
        if (scaling_ != scaling::none && interval_ == 0) {
            interval_ = scaling_ == scaling::version_1 ? 2 * default_interval : default_interval;
            is_interval_assumed_ = true;
        }
        return {};
    }

    // False for a line that is none of the format's.
    bool take_row(std::string_view line) {
        scanner in(line);
        if (in.spaces().rest().empty()) { return true; }
        if (is_threaded_) { return take_threaded(in); }
        row found{};
        if (!scan_counts(in, found.of) || !in.spaces().literal("@").is_good()) { return false; }
        take_stack(in, found);
        return charge(sizeof found) && (rows_.push_back(found), true);
    }

    bool take_threaded(scanner in) {
        if (in.rest().front() == '@') {
            in.literal("@");
            current_ = row{};
            take_stack(in, current_);
            has_stack_ = true;
            return true;
        }
        if (in.rest().front() != 't') { return false; }
        if (in.rest().substr(0, 3) != "t*:") { return true; }
        row found = current_;
        if (!scan_counts(in.literal("t*:"), found.of)) { return false; }
        if (!has_stack_) { return true; }  // the totals
        has_stack_ = false;
        return charge(sizeof found) && (rows_.push_back(found), true);
    }

    void take_stack(scanner& in, row& to) {
        to.first = addresses_.size();
        for (std::uint64_t address = 0; !in.spaces().rest().empty() && in.number(address, 16).is_good();) {
            if (!charge(sizeof address)) { return; }
            addresses_.push_back(address);
        }
        to.count = addresses_.size() - to.first;
    }

    // "55e350b28000-55e350b29000 r-xp 00001000 fe:00 10985793    /usr/bin/orders"; others (build=..., tables) say nothing to
    // us.
    void take_mapping(std::string_view line) {
        mapped found;
        scanner in(line);
        if (!in.spaces().number(found.start, 16).literal("-").number(found.limit, 16).is_good()) { return; }
        const std::string_view mode = in.word();
        if (mode.size() < 3 || !in.spaces().number(found.offset, 16).is_good()) { return; }
        in.word();
        in.word();
        const std::string_view path = in.spaces().rest();
        if (executable_.empty() && path.substr(0, 1) == "/") { executable_ = path; }
        if (mode[2] != 'x' || path.empty() || found.limit <= found.start) { return; }
        found.path = path;
        if (charge(sizeof found + path.size())) { map_.push_back(std::move(found)); }
    }

    result<imported_profile> build() {
        profile_builder out(budget_, scaling_ == scaling::none ? 0 : interval_);
        describe(out);
        std::stable_sort(map_.begin(), map_.end(), [](const mapped& a, const mapped& b) { return a.start < b.start; });
        for (const row& each : rows_) {
            profile_sample sample;
            sample.stack = out.add_stack(frames_of(each, out), false);
            sample.live = scaled(each.of.live_objects, each.of.live_bytes);
            sample.allocated = scaled(each.of.allocated_objects, each.of.allocated_bytes);
            if (out.is_over_budget()) { break; }
            out.add(sample);
        }
        return out.finish();
    }

    void describe(profile_builder& out) {
        out.info().executable = executable_;
        out.info().version = is_threaded_ ? "jemalloc" : "gperftools";
        if (is_interval_assumed_) {
            out.note("it names no sampling interval: " + std::to_string(interval_) + " bytes are assumed, as jeprof does");
        }
        if (!stream_.damage().empty()) { out.lost(stream_.damage()); }
        if (lines_.is_line_too_long()) { out.lost("a line is too long: what is behind it is not read"); }
        if (lines_.is_last_line_cut()) { out.lost("it is cut off: its last line has no end"); }
        if (!has_map_) { out.lost("it is cut off: MAPPED_LIBRARIES is missing, so that addresses have no modules"); }
        if (strange_lines_ > 0) { out.lost(std::to_string(strange_lines_) + " lines are not of the format"); }
        if (has_stack_) { out.lost("the last stack has no counts"); }
    }

    [[nodiscard]] amount scaled(std::uint64_t objects, std::uint64_t bytes) const {
        amount raw{static_cast<double>(bytes), static_cast<double>(objects)};
        if (scaling_ == scaling::none || interval_ <= 1 || objects == 0 || bytes == 0) { return raw; }
        const double size = raw.bytes / raw.objects;
        const double interval = static_cast<double>(interval_);
        const double factor =
            scaling_ == scaling::version_2 ? -1 / std::expm1(-size / interval) : std::max(1.0, interval / 2 / size);
        return {raw.bytes * factor, raw.objects * factor};
    }

    std::vector<std::uint32_t> frames_of(const row& of, profile_builder& out) {
        std::vector<std::uint32_t> frames;
        bool is_inside_allocator = true;
        for (std::size_t i = of.first; i < of.first + of.count && frames.size() <= profile_builder::most_frames; ++i) {
            const mapped* const in = mapping_of(addresses_[i]);
            is_inside_allocator = is_inside_allocator && in != nullptr && is_allocator(in->path) && i + 1 < of.first + of.count;
            if (!is_inside_allocator) { frames.push_back(frame_at(addresses_[i], in, out)); }
        }
        return frames;
    }

    static bool is_allocator(std::string_view path) {
        const std::string_view name = path.substr(path.rfind('/') + 1);
        return std::any_of(std::begin(allocators), std::end(allocators),
                           [&](std::string_view each) { return name.substr(0, each.size()) == each; });
    }

    // A return address may be one past the last byte of a mapping.
    [[nodiscard]] const mapped* mapping_of(std::uint64_t address) const {
        auto at = std::upper_bound(map_.begin(), map_.end(), address - 1,
                                   [](std::uint64_t value, const mapped& each) { return value < each.start; });
        if (at == map_.begin()) { return nullptr; }
        --at;
        return address <= at->limit ? &*at : nullptr;
    }

    std::uint32_t frame_at(std::uint64_t address, const mapped* in, profile_builder& out) {
        const auto known = frame_of_.find(address);
        if (known != frame_of_.end()) { return known->second; }
        frame added;
        added.offset = address;
        if (in != nullptr) {
            added.module = module_of(*in, out);
            added.offset = address - in->start + in->offset;
        }
        return frame_of_.emplace(address, out.add_frame(std::move(added))).first->second;
    }

    std::uint32_t module_of(const mapped& in, profile_builder& out) {
        const auto known = module_of_.find(in.path);
        if (known != module_of_.end()) { return known->second; }
        return module_of_.emplace(in.path, out.add_module({in.path, {}, in.start, in.limit, in.offset})).first->second;
    }

    unpacked_stream stream_;
    line_reader lines_;
    std::uint64_t budget_;
    bool is_over_budget_{};
    bool is_threaded_{};  // jemalloc's
    scaling scaling_{scaling::none};
    std::uint64_t interval_{};
    bool is_interval_assumed_{};
    bool has_map_{};
    std::size_t strange_lines_{};
    std::vector<row> rows_;
    row current_{};  // of the "@" line whose counts come next
    bool has_stack_{};
    std::vector<std::uint64_t> addresses_;
    std::vector<mapped> map_;
    std::string executable_;
    std::map<std::uint64_t, std::uint32_t> frame_of_;
    std::map<std::string, std::uint32_t> module_of_;
};

}  // namespace

result<imported_profile> read_heap_text(std::string_view bytes) { return heap_text(bytes, import_budget(bytes.size())).read(); }

}  // namespace memwatch::inline v1::exchange
