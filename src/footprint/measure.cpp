// SPDX-License-Identifier: Apache-2.0
#include "footprint/measure.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <utility>

#include <memwatch/base/units.hpp>
#include "footprint/anonymous_pages.hpp"
#include "footprint/cgroup_rows.hpp"
#include "footprint/heap_parts.hpp"
#include "footprint/kernel_text.hpp"
#include "footprint/kernel_watch.hpp"
#include "footprint/memory_map.hpp"
#include "platform/address_space.hpp"
#include "platform/allocators.hpp"
#include "platform/kernel_file.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

using platform::page_bytes;

std::uint64_t less(std::uint64_t a, std::uint64_t b) noexcept { return a > b ? a - b : 0; }

std::uint64_t distance(std::uint64_t a, std::uint64_t b) noexcept { return a > b ? a - b : b - a; }

bool begins_with(const std::string& text, const char* start) noexcept { return text.rfind(start, 0) == 0; }

process_memory read_status(const kernel_roots& roots) {
    process_memory out;
    std::array<char, 8192> text;
    const std::string file = roots.process + "/status";
    parse_status({text.data(), platform::read_kernel_file(file.c_str(), text.data(), text.size())}, out);
    return out;
}

std::string read_smaps(const kernel_roots& roots) {
    std::ifstream stream(roots.process + "/smaps", std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    return std::move(text).str();
}

bool is_own_library(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return path.compare(slash == std::string::npos ? 0 : slash + 1, 11, "libmemwatch") == 0;
}

// Shared memory rather than a file that is mapped shared.
bool is_shared_memory(const mapping& where) {
    const bool is_named = begins_with(where.name, "/dev/shm/") || begins_with(where.name, "/memfd:") ||
                          begins_with(where.name, "/SYSV") || begins_with(where.name, "/dev/zero");
    return is_named || (where.is_shared && where.inode == 0);
}

// The measuring of one process, part by part.
class measurement {
public:
    explicit measurement(const footprint_facts& facts) : facts_(facts) {}

    footprint run() {
        const process_memory before = read_status(facts_.roots);
        const std::uint64_t touched = platform::bytes_touched_by_others();
        const std::vector<mapping> mappings = parse_memory_map(read_smaps(facts_.roots));
        if (mappings.empty()) { return measure_cheaply(facts_, "/proc/self/smaps cannot be read"); }
        images_ = platform::module_images();
        out_.modules.resize(images_.size());
        for (std::size_t i = 0; i < images_.size(); ++i) {
            out_.modules[i].path = images_[i].path;
            out_.modules[i].build_id = images_[i].build_id;
        }
        for (const mapping& each : mappings) { look_at(each); }
        take_images();
        self_ += memory_.take(as_ranges(platform::own_memory()));
        take_stacks(mappings);
        const heap_parts heap = look_at_heap(memory_, {facts_.allocator, addresses(), untouched_bytes()});
        const process_memory after = read_status(facts_.roots);
        out_.resident_bytes = (before.resident + after.resident) / 2;
        out_.changed_bytes =
            std::max(distance(before.resident, after.resident), less(platform::bytes_touched_by_others(), touched));
        fill_rows(heap);
        out_.allocators = heap.figures;
        out_.kernel.page_table_bytes = after.page_tables;
        out_.kernel.threads = after.threads;
        out_.kernel.swapped_bytes = after.swapped;
        out_.kernel.socket_count = platform::socket_count();
        list_regions(mappings);
        out_.cgroup = measure_cgroup(facts_.roots, after);
        return std::move(out_);
    }

    [[nodiscard]] const std::vector<std::uint64_t>& region_begins() const noexcept { return region_begins_; }

private:
    static std::vector<memory_range> as_ranges(const std::vector<platform::address_range>& list) {
        std::vector<memory_range> out;
        for (const platform::address_range& each : list) { out.push_back({each.begin, each.end}); }
        return out;
    }

    [[nodiscard]] std::size_t image_at(std::uint64_t address) const {
        std::size_t i = 0;
        while (i < images_.size() && !images_[i].range.contains(address)) { ++i; }
        return i;
    }

    void add_code(std::size_t image, std::uint64_t bytes) {
        (is_own_library(images_[image].path) ? self_ : code_) += bytes;
        out_.modules[image].code_bytes += bytes;
    }
    void add_static_data(std::size_t image, std::uint64_t bytes) {
        (is_own_library(images_[image].path) ? self_ : static_data_) += bytes;
        out_.modules[image].static_data_bytes += bytes;
    }

    // File pages at once; anonymous ones of mappings without a file wait for whose they are.
    void look_at(const mapping& each) {
        const std::uint64_t of_file = each.resident - each.anonymous;
        if (each.name == "[stack]") {
            stacks_ += each.resident;
        } else if (begins_with(each.name, "[v")) {  // vdso, vvar, vsyscall
            code_ += each.resident;
        } else if (is_shared_memory(each)) {
            shared_ += each.resident;
        } else if (each.inode != 0) {
            const std::size_t image = image_at(each.begin);
            if (image < images_.size()) {
                add_code(image, of_file);
                add_static_data(image, each.anonymous);
            } else {
                file_ += of_file;
                anonymous_ += each.anonymous;
            }
        } else if (each.resident != 0 && !memory_.add(each, reader_)) {
            anonymous_ += each.resident;
            too_large_ += each.resident;
        }
    }

    // .bss beyond what the file fills.
    void take_images() {
        for (std::size_t i = 0; i < images_.size(); ++i) {
            add_static_data(i, memory_.take({{images_[i].range.begin, images_[i].range.end}}));
        }
    }

    void take_stacks(const std::vector<mapping>& mappings) {
        std::vector<memory_range> found;
        for (const mapping& each : mappings) {
            if (each.inode != 0 || !each.is_writable || each.resident == 0 || each.name == "[heap]" || each.is_shared) {
                continue;
            }
            const std::uint64_t end = platform::stack_end_in({each.begin, each.end});
            if (end != 0) { found.push_back({each.begin, end}); }
        }
        stacks_ += memory_.take(std::move(found));
    }

    [[nodiscard]] std::vector<std::uint64_t> addresses() const {
        std::vector<std::uint64_t> list;
        for (const known_block& each : facts_.blocks) { list.push_back(each.address); }
        return list;
    }

    // Of tracked blocks: what of them is not in memory.
    double untouched_bytes() {
        untouched_ = 0;
        for (const known_block& each : facts_.blocks) {
            const std::uint64_t resident = memory_.pages().bytes_in(each.address, each.address + each.size_bytes);
            // A block of a page or two that lies in no mapping was freed since.
            if (resident < each.size_bytes) { untouched_ += each.weight * static_cast<double>(each.size_bytes - resident); }
        }
        return untouched_;
    }

    void add(footprint_part part, std::uint64_t bytes, footprint_basis basis = footprint_basis::measured, std::string note = {},
             double error = 0) {
        if (bytes == 0 && note.empty()) { return; }
        out_.rows.push_back({part, basis, bytes, error, std::move(note)});
    }

    void fill_rows(const heap_parts& heap) {
        const std::uint64_t left = memory_.bytes_left();
        const std::uint64_t own = less(left, heap.not_taken) + anonymous_;
        const bool is_known = !heap.owner.empty();
        const auto known = static_cast<std::uint64_t>(std::max(0.0, facts_.tracked_bytes - untouched_));
        const std::uint64_t told = heap.live + heap.untold + (is_known ? 0 : own);
        const std::uint64_t in_heap = std::min(facts_.self_in_heap, told);
        const std::uint64_t tracked = std::min(known, told - in_heap);
        self_ += in_heap;
        fill_live(heap, tracked, in_heap);
        fill_untold(heap, less(heap.untold, less(tracked + in_heap, heap.live)));
        add(footprint_part::fragmentation, heap.fragmentation);
        add(footprint_part::allocator_tables, heap.tables,
            heap.are_tables_derived ? footprint_basis::derived : footprint_basis::measured);
        add(footprint_part::self, self_);
        add(footprint_part::code, code_);
        add(footprint_part::static_data, static_data_);
        add(footprint_part::stacks, stacks_, footprint_basis::measured, note_on_stacks());
        fill_anonymous(own, is_known ? 0 : less(tracked + in_heap, heap.live + heap.untold), heap);
        add(footprint_part::file, file_);
        add(footprint_part::shared, shared_);
        std::stable_sort(out_.rows.begin(), out_.rows.end(),
                         [](const footprint_row& a, const footprint_row& b) { return a.part < b.part; });
        std::int64_t rest = static_cast<std::int64_t>(out_.resident_bytes);
        for (const footprint_row& each : out_.rows) { rest -= static_cast<std::int64_t>(each.bytes); }
        out_.unexplained_bytes = rest;
    }

    void fill_live(const heap_parts& heap, std::uint64_t tracked, std::uint64_t in_heap) {
        const bool is_cut = facts_.tracked_bytes - untouched_ > static_cast<double>(tracked) + facts_.tracked_error;
        add(footprint_part::tracked_live, tracked,
            facts_.is_tracked_exact ? footprint_basis::measured : footprint_basis::estimated,
            is_cut ? "no more than the allocator has given out" : "", facts_.tracked_error);
        add(footprint_part::untracked_live, less(heap.live, tracked + in_heap), footprint_basis::derived,
            "blocks that live, as the allocator has them, less the tracked ones; its headers and rounding are in it");
    }

    // An allocator that tells live from free by nothing: where every block is tracked, what these leave is free.
    void fill_untold(const heap_parts& heap, std::uint64_t rest) {
        const auto part = facts_.is_heap_tracked ? footprint_part::retained : footprint_part::untracked_live;
        if (heap.untold == 0 || rest == 0) {
            add(footprint_part::retained, heap.retained);
            return;
        }
        const char* const note =
            facts_.is_heap_tracked
                ? "what tracked blocks leave of the allocator's memory: it does not tell free from fragmented"
                : "the allocator does not tell live from free";
        if (facts_.is_heap_tracked) {
            add(part, heap.retained + rest, footprint_basis::derived, note, facts_.tracked_error);
            return;
        }
        add(footprint_part::retained, heap.retained);
        for (footprint_row& each : out_.rows) {
            if (each.part != part) { continue; }
            each.bytes += rest;
            each.note = note;
            return;
        }
    }

    void fill_anonymous(std::uint64_t own, std::uint64_t tracked_in_it, const heap_parts& heap) {
        std::string note;
        if (heap.owner.empty()) { note = "the allocator is unknown: its memory is here, but for tracked blocks"; }
        if (too_large_ != 0) {
            note += (note.empty() ? "" : "; ") + format_bytes(static_cast<double>(too_large_)) +
                    " in mappings too large to look through";
        }
        const bool is_rest = heap.owner.empty() || heap.not_taken != 0;
        add(footprint_part::anonymous, less(own, tracked_in_it), is_rest ? footprint_basis::derived : footprint_basis::measured,
            std::move(note));
    }

    [[nodiscard]] static std::string note_on_stacks() {
        if (platform::can_find_stacks) { return {}; }
        return "the main thread's; others' cannot be told from anonymous memory here";
    }

    void list_regions(const std::vector<mapping>& mappings) {
        struct found_region {
            std::uint64_t begin;
            mapped_region region;
        };
        std::vector<found_region> list;
        for (const memory_range& each : memory_.left()) {
            const std::uint64_t resident = memory_.pages().bytes_in(each.begin, each.end);
            if (resident != 0) { list.push_back({each.begin, {each.end - each.begin, resident, 0, {}}}); }
        }
        for (const mapping& each : mappings) {
            if (is_shared_memory(each)) { list.push_back({each.begin, {each.size(), each.resident, 0, each.name}}); }
        }
        out_.kernel.region_count = list.size();
        std::stable_sort(list.begin(), list.end(), [](const found_region& a, const found_region& b) {
            return a.region.resident_bytes > b.region.resident_bytes;
        });
        list.resize(std::min(list.size(), kernel_watch::most_regions));
        for (found_region& each : list) {
            region_begins_.push_back(each.begin);
            out_.kernel.regions.push_back(std::move(each.region));
        }
    }

    const footprint_facts& facts_;
    footprint out_;
    std::vector<platform::module_image> images_;
    std::vector<std::uint64_t> region_begins_;
    platform::page_reader reader_;
    anonymous_pages memory_;
    std::uint64_t self_{}, code_{}, static_data_{}, stacks_{}, anonymous_{}, file_{}, shared_{};
    std::uint64_t too_large_{};
    double untouched_{};
};

}  // namespace

// A process that changes while it is measured blurs: of a few measurements the one in which the least came or went.
footprint measure_in_detail(const footprint_facts& facts, std::vector<std::uint64_t>* region_begins) {
    constexpr int most_tries = 3;
    // By the control socket it is memwatch's own thread that measures, and the black box waits: no other try after that long.
    constexpr std::uint64_t long_ns = 300'000'000;
    const std::uint64_t began_ns = platform::monotonic_ns();
    footprint best;
    for (int i = 0; i < most_tries; ++i) {
        measurement one(facts);
        footprint next = one.run();
        if (i == 0 || next.changed_bytes < best.changed_bytes) {
            best = std::move(next);
            if (region_begins != nullptr) { *region_begins = one.region_begins(); }
        }
        if (best.changed_bytes <= best.resident_bytes / 200 || platform::monotonic_ns() - began_ns > long_ns) { break; }
    }
    return best;
}

footprint measure_cheaply(const footprint_facts& facts, std::string why) {
    footprint out;
    out.not_detailed = std::move(why);
    if (std::string owner = platform::owner_of_malloc(facts.allocator).name; !owner.empty()) {
        out.allocators.emplace_back();
        out.allocators.back().name = std::move(owner);
        out.allocators.back().is_in_charge = true;
        out.allocators.back().detail = "not asked";
    }
    const process_memory status = read_status(facts.roots);
    out.resident_bytes = status.resident;
    const auto tracked = static_cast<std::uint64_t>(std::max(0.0, facts.tracked_bytes));
    out.rows.push_back({footprint_part::tracked_live,
                        facts.is_tracked_exact ? footprint_basis::measured : footprint_basis::estimated,
                        std::min(tracked, status.anonymous), facts.tracked_error, "in memory or not"});
    out.rows.push_back({footprint_part::self, footprint_basis::estimated, facts.self_bytes, 0,
                        "what it holds, in memory or not; its code is in files"});
    out.rows.push_back({footprint_part::file, footprint_basis::measured, status.file, 0, "code is in it"});
    out.rows.push_back({footprint_part::shared, footprint_basis::measured, status.shared, 0, ""});
    std::int64_t rest = static_cast<std::int64_t>(out.resident_bytes);
    for (const footprint_row& each : out.rows) { rest -= static_cast<std::int64_t>(each.bytes); }
    out.unexplained_bytes = rest;
    out.kernel.page_table_bytes = status.page_tables;
    out.kernel.threads = status.threads;
    out.kernel.swapped_bytes = status.swapped;
    out.cgroup = measure_cgroup(facts.roots, status);
    return out;
}

}  // namespace v1
}  // namespace memwatch
