// SPDX-License-Identifier: Apache-2.0
#include <memwatch/model/footprint.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <utility>

#include <memwatch/base/units.hpp>

namespace memwatch {
inline namespace v1 {
namespace {

struct part_words {
    std::string_view word;
    std::string_view title;
};

// In the order of the enums.
constexpr part_words footprint_parts[] = {{"tracked_live", "live, tracked"},
                                          {"untracked_live", "live, not tracked"},
                                          {"retained", "kept by the allocator"},
                                          {"fragmentation", "fragmentation"},
                                          {"allocator_tables", "allocator's own tables"},
                                          {"self", "memwatch itself"},
                                          {"code", "code and read-only data"},
                                          {"static_data", "static data"},
                                          {"stacks", "thread stacks"},
                                          {"anonymous", "mapped by the program"},
                                          {"file", "mapped files"},
                                          {"shared", "shared memory"}};
constexpr part_words cgroup_parts[] = {{"this_process", "this process"},
                                       {"other_processes", "other processes"},
                                       {"shared", "shared memory"},
                                       {"page_cache", "page cache"},
                                       {"page_tables", "page tables"},
                                       {"kernel_stacks", "kernel stacks"},
                                       {"slab", "slab"},
                                       {"sockets", "sockets"},
                                       {"other_kernel", "other of the kernel"}};
constexpr part_words kernel_parts[] = {
    {"page_tables", "page tables"}, {"sockets", "socket buffers"}, {"slab", "slab"}, {"mapped", "mapped regions"}};
constexpr part_words bases[] = {{"measured", ""}, {"estimated", ""}, {"derived", ""}};
static_assert(std::size(footprint_parts) == footprint_part_count);
static_assert(std::size(cgroup_parts) == cgroup_part_count);
static_assert(std::size(kernel_parts) == kernel_part_count);
static_assert(std::size(bases) == footprint_basis_count);

constexpr part_words unknown{"unknown", "unknown"};

template <typename Enum, std::size_t N>
constexpr const part_words& words(Enum value, const part_words (&table)[N]) noexcept {
    const auto i = static_cast<std::size_t>(value);
    return i < N ? table[i] : unknown;
}

template <typename Enum, std::size_t N>
constexpr std::optional<Enum> value(std::string_view word, const part_words (&table)[N]) noexcept {
    for (std::size_t i = 0; i < N; ++i) {
        if (table[i].word == word) { return static_cast<Enum>(i); }
    }
    return std::nullopt;
}

// What is worth a sentence: both of some size and a part of the whole.
constexpr double least_share = 0.1;
constexpr double least_bytes = 8 * 1024.0 * 1024.0;
// What unexplained may be (docs/footprint.md).
constexpr double promised_share = 0.02;
constexpr double told_correlation = 0.7;

bool matters(double bytes, double of_bytes) noexcept { return bytes >= least_bytes && bytes >= least_share * of_bytes; }

std::string percent(double bytes, double of_bytes) {
    char text[32];
    const double share = of_bytes <= 0 ? 0 : 100 * bytes / of_bytes;
    std::snprintf(text, sizeof text, std::fabs(share) < 10 ? "%.1f %%" : "%.0f %%", share);
    for (char& c : text) { c = c == ',' ? '.' : c; }  // whatever the host's locale
    return text;
}

struct weighed_sentence {
    double bytes{};
    std::string text;
};

void say_retention(const footprint& where, std::vector<weighed_sentence>& said) {
    const auto all = static_cast<double>(where.resident_bytes);
    for (const allocator_figures& each : where.allocators) {
        const auto bytes = static_cast<double>(each.reclaimable_bytes);
        if (!matters(bytes, all)) { continue; }
        std::string text = "allocator retention, not a leak: " + format_bytes(bytes);
        text += each.remedy.empty() ? " kept by " + each.name : " reclaimable with " + each.remedy;
        said.push_back({bytes, std::move(text)});
    }
    if (!said.empty()) { return; }
    for (const footprint_row& each : where.rows) {
        const auto kept = static_cast<double>(each.bytes);
        // What an estimate leaves says nothing within the estimate's error.
        if (each.part != footprint_part::retained || !matters(kept, all) || kept < 2 * each.error_bytes) { continue; }
        said.push_back({kept, "allocator retention, not a leak: " + format_bytes(kept) +
                                  (each.basis == footprint_basis::derived ? " beyond live blocks, free or fragmented"
                                                                          : " freed and not given back")});
    }
}

void say_live(const footprint& where, std::vector<weighed_sentence>& said) {
    const auto all = static_cast<double>(where.resident_bytes);
    const auto tracked = static_cast<double>(where.bytes_of(footprint_part::tracked_live));
    const auto untracked = static_cast<double>(where.bytes_of(footprint_part::untracked_live));
    const double live = tracked + untracked;
    if (!matters(live, all)) { return; }
    std::string text = "live blocks: " + format_bytes(live) + " (" + percent(live, all) + " of VmRSS)";
    if (matters(untracked, all)) { text += ", " + format_bytes(untracked) + " of it not tracked"; }
    said.push_back({live, std::move(text)});
}

void say_other_parts(const footprint& where, std::vector<weighed_sentence>& said) {
    constexpr std::pair<footprint_part, const char*> told[] = {
        {footprint_part::fragmentation, "fragmentation: %s freed between blocks that live, which no call gives back"},
        {footprint_part::self, "memwatch itself: %s"},
        {footprint_part::code, "code and read-only data: %s, shared with other processes or dropped when memory is short"},
        {footprint_part::stacks, "thread stacks: %s"},
        {footprint_part::anonymous, "mapped by the program itself, not through its allocator: %s"},
        {footprint_part::file, "mapped files: %s, dropped when memory is short"},
        {footprint_part::shared, "shared memory: %s"},
    };
    for (const auto& [part, pattern] : told) {
        const auto bytes = static_cast<double>(where.bytes_of(part));
        if (!matters(bytes, static_cast<double>(where.resident_bytes))) { continue; }
        std::string text = pattern;
        text.replace(text.find("%s"), 2, format_bytes(bytes));
        said.push_back({bytes, std::move(text)});
    }
}

void say_cgroup(const footprint& where, std::vector<std::string>& out) {
    const auto current = static_cast<double>(where.cgroup.current_bytes);
    for (const cgroup_row& each : where.cgroup.rows) {
        const auto bytes = static_cast<double>(each.bytes);
        if (each.part != cgroup_part::page_cache || !matters(bytes, current)) { continue; }
        out.push_back("of the cgroup's " + format_bytes(current) + ", " + format_bytes(bytes) +
                      " is page cache, which the kernel takes back by itself");
    }
}

void say_kernel(const footprint& where, std::vector<std::string>& out) {
    for (const kernel_growth& each : where.kernel.growth) {
        const double grown = each.bytes_per_second * static_cast<double>(each.watched_ns) / 1e9;
        if (grown < least_bytes) { continue; }
        std::string text = std::string(title_of(each.part)) + (each.is_of_group ? " of the cgroup" : "") + " grow by " +
                           format_bytes(each.bytes_per_second * 60) + " a minute";
        if (each.correlation >= told_correlation) { text += ", in step with the live heap"; }
        out.push_back(std::move(text));
    }
}

void say_doubts(const footprint& where, std::vector<std::string>& out) {
    if (!where.not_detailed.empty()) { out.push_back("not looked through: " + where.not_detailed); }
    if (where.allocators.empty()) { out.emplace_back("unknown allocator: what it keeps and what is live are not told apart"); }
    if (where.is_blurred()) {
        const auto changed = static_cast<double>(where.changed_bytes);
        out.push_back("the heap changed while it was looked at: " + format_bytes(changed) + " (" +
                      percent(changed, static_cast<double>(where.resident_bytes)) +
                      " of VmRSS) came or went, so the rows are of different moments");
    }
    if (where.not_detailed.empty() && std::fabs(where.unexplained_share()) > promised_share) {
        const auto bytes = static_cast<double>(where.unexplained_bytes);
        out.push_back("unexplained: " + format_bytes_signed(bytes) + " (" +
                      percent(bytes, static_cast<double>(where.resident_bytes)) + " of VmRSS)");
    }
}

}  // namespace

std::uint64_t footprint::bytes_of(footprint_part part) const noexcept {
    for (const footprint_row& each : rows) {
        if (each.part == part) { return each.bytes; }
    }
    return 0;
}

std::vector<std::string> sentences_of(const footprint& where) {
    std::vector<weighed_sentence> said;
    say_retention(where, said);
    say_live(where, said);
    say_other_parts(where, said);
    // Retention comes first whenever it is said: it is the answer to the question that people ask.
    std::stable_sort(said.begin() + (said.empty() || said.front().text.rfind("allocator retention", 0) != 0 ? 0 : 1),
                     said.end(), [](const weighed_sentence& a, const weighed_sentence& b) { return a.bytes > b.bytes; });
    std::vector<std::string> out;
    for (weighed_sentence& each : said) { out.push_back(std::move(each.text)); }
    say_cgroup(where, out);
    say_kernel(where, out);
    say_doubts(where, out);
    return out;
}

std::string_view word_of(footprint_part part) noexcept { return words(part, footprint_parts).word; }
std::string_view word_of(footprint_basis basis) noexcept { return words(basis, bases).word; }
std::string_view word_of(cgroup_part part) noexcept { return words(part, cgroup_parts).word; }
std::string_view word_of(kernel_part part) noexcept { return words(part, kernel_parts).word; }

std::optional<footprint_part> footprint_part_of(std::string_view word) noexcept {
    return value<footprint_part>(word, footprint_parts);
}
std::optional<footprint_basis> footprint_basis_of(std::string_view word) noexcept {
    return value<footprint_basis>(word, bases);
}
std::optional<cgroup_part> cgroup_part_of(std::string_view word) noexcept { return value<cgroup_part>(word, cgroup_parts); }
std::optional<kernel_part> kernel_part_of(std::string_view word) noexcept { return value<kernel_part>(word, kernel_parts); }

std::string_view title_of(footprint_part part) noexcept { return words(part, footprint_parts).title; }
std::string_view title_of(cgroup_part part) noexcept { return words(part, cgroup_parts).title; }
std::string_view title_of(kernel_part part) noexcept { return words(part, kernel_parts).title; }

}  // namespace v1
}  // namespace memwatch
