// SPDX-License-Identifier: Apache-2.0
#include "report/footprint.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

#include "report/text_table.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t least_note = 20;  // columns that a note gets in the narrowest terminal

// One table of it, before it is text or Markdown.
struct section {
    struct line {
        std::vector<std::string> cells;
        bool is_sum{};
    };
    std::string title;
    std::vector<std::string> columns;  // the first and the last of `words` are aligned left
    std::vector<line> lines;
    std::vector<std::string> notes;
};

// "41.4 %", of something that is there.
std::string share_words(double bytes, double of_bytes) {
    return of_bytes <= 0 ? std::string("-") : fmt::format("{:.1f} %", 100 * bytes / of_bytes);
}

// "+-3.1 MiB; blocks since 14:02"
std::string row_note(footprint_basis basis, double error_bytes, const std::string& note) {
    std::string words;
    const auto add = [&](const std::string& part) { words += (words.empty() ? "" : "; ") + part; };
    if (error_bytes > 0) { add("+-" + format_bytes(error_bytes)); }
    if (basis != footprint_basis::measured) { add(std::string(word_of(basis))); }
    if (!note.empty()) { add(printable(note)); }
    return words;
}

void add_sums(section& to, std::int64_t unexplained, std::uint64_t sum, const char* sum_title) {
    const auto all = static_cast<double>(sum);
    const auto left = static_cast<double>(unexplained);
    to.lines.push_back({{"unexplained", format_bytes(left), share_words(left, all), ""}, false});
    to.lines.push_back({{sum_title, format_bytes(all), "100 %", ""}, true});
}

section resident_section(const footprint& where) {
    section out{"Where the resident memory is", {"part", "bytes", "of VmRSS", ""}, {}, {}};
    const auto all = static_cast<double>(where.resident_bytes);
    for (const footprint_row& each : where.rows) {
        const auto bytes = static_cast<double>(each.bytes);
        out.lines.push_back({{std::string(title_of(each.part)), format_bytes(bytes), share_words(bytes, all),
                              row_note(each.basis, each.error_bytes, each.note)},
                             false});
    }
    add_sums(out, where.unexplained_bytes, where.resident_bytes, "VmRSS");
    return out;
}

section cgroup_section(const cgroup_footprint& group) {
    section out{"What the cgroup is charged", {"part", "bytes", "of the group", ""}, {}, {}};
    if (group.version == 0) {
        if (!group.detail.empty()) { out.notes.push_back(printable(group.detail)); }
        return out;
    }
    const auto all = static_cast<double>(group.current_bytes);
    for (const cgroup_row& each : group.rows) {
        const auto bytes = static_cast<double>(each.bytes);
        out.lines.push_back({{std::string(title_of(each.part)), format_bytes(bytes), share_words(bytes, all),
                              row_note(each.basis, 0, each.note)},
                             false});
    }
    add_sums(out, group.unexplained_bytes, group.current_bytes,
             group.version == 2 ? "memory.current" : "memory.usage_in_bytes");
    std::string words = fmt::format("{} (cgroup v{})", printable(group.group), group.version);
    if (group.limit_bytes != 0) { words += ", limit " + format_bytes(static_cast<double>(group.limit_bytes)); }
    words += ", cannot be taken back: " + format_bytes(static_cast<double>(group.unreclaimable_bytes));
    out.notes.push_back(std::move(words));
    if (!group.detail.empty()) { out.notes.push_back(printable(group.detail)); }
    return out;
}

std::string known_bytes(std::uint64_t bytes) { return bytes == 0 ? "-" : format_bytes(static_cast<double>(bytes)); }

section allocator_section(const footprint& where) {
    section out{"Allocators", {"allocator", "given out", "free", "mapped", "resident", "reclaimable", "arenas", ""}, {}, {}};
    for (const allocator_figures& each : where.allocators) {
        std::string name = printable(each.name) + (each.version.empty() ? "" : " " + printable(each.version));
        if (!each.is_in_charge) { name += " (beside)"; }
        out.lines.push_back(
            {{std::move(name), known_bytes(each.given_out_bytes), known_bytes(each.free_bytes), known_bytes(each.mapped_bytes),
              known_bytes(each.resident_bytes), known_bytes(each.reclaimable_bytes),
              each.arenas == 0 ? "-" : fmt::format("{}", each.arenas), printable(each.remedy)},
             false});
        if (!each.detail.empty()) { out.notes.push_back(printable(each.name) + ": " + printable(each.detail)); }
    }
    return out;
}

section module_section(const footprint& where, std::size_t most) {
    section out{"Loaded objects", {"code", "static data", "allocated, live", "under no tag", "object"}, {}, {}};
    const std::size_t shown = most == 0 ? where.modules.size() : std::min(most, where.modules.size());
    for (std::size_t i = 0; i < shown; ++i) {
        const module_footprint& each = where.modules[i];
        out.lines.push_back({{known_bytes(each.code_bytes), known_bytes(each.static_data_bytes), format_bytes(each.live_bytes),
                              format_bytes(each.untagged_live_bytes), printable(each.path)},
                             false});
    }
    if (shown < where.modules.size()) { out.notes.push_back(fmt::format("{} of {}", shown, where.modules.size())); }
    return out;
}

std::string age_words(const footprint& where, const mapped_region& region) {
    return region.first_seen_ns != 0 && where.taken_ns > region.first_seen_ns
               ? format_duration(where.taken_ns - region.first_seen_ns) + " ago"
               : "-";
}

section kernel_section(const footprint& where) {
    const kernel_footprint& kernel = where.kernel;
    section out{"On the kernel's side", {"what", "bytes", "grows by", "with the live heap", ""}, {}, {}};
    for (const kernel_growth& each : kernel.growth) {
        out.lines.push_back(
            {{std::string(title_of(each.part)) + (each.is_of_group ? " (cgroup)" : ""),
              format_bytes(static_cast<double>(each.bytes)), format_bytes_signed(60 * each.bytes_per_second) + "/min",
              fmt::format("{:+.2f}", each.correlation),
              fmt::format("{} steps in {}", each.steps, format_duration(each.watched_ns))},
             false});
    }
    out.notes.push_back(fmt::format(
        "page tables {}, swapped {}, {} threads, {} sockets", format_bytes(static_cast<double>(kernel.page_table_bytes)),
        format_bytes(static_cast<double>(kernel.swapped_bytes)), kernel.threads, kernel.socket_count));
    if (!kernel.detail.empty()) { out.notes.push_back(printable(kernel.detail)); }
    return out;
}

section region_section(const footprint& where) {
    section out{"Mapped by the program itself", {"size", "resident", "first seen", "name"}, {}, {}};
    for (const mapped_region& each : where.kernel.regions) {
        out.lines.push_back(
            {{format_bytes(static_cast<double>(each.size_bytes)), format_bytes(static_cast<double>(each.resident_bytes)),
              age_words(where, each), printable(each.name)},
             false});
    }
    const std::size_t shown = where.kernel.regions.size();
    if (shown < where.kernel.region_count) { out.notes.push_back(fmt::format("{} of {}", shown, where.kernel.region_count)); }
    return out;
}

std::vector<section> sections_of(const footprint& where, const footprint_words& how) {
    std::vector<section> all{resident_section(where),  cgroup_section(where.cgroup),
                             allocator_section(where), module_section(where, how.modules),
                             kernel_section(where),    region_section(where)};
    std::erase_if(all, [](const section& each) { return each.lines.empty() && each.notes.empty(); });
    return all;
}

std::string title_words(const footprint& where) {
    return fmt::format("pid {}  VmRSS {}  unexplained {}  measured in {}", where.pid,
                       format_bytes(static_cast<double>(where.resident_bytes)),
                       share_words(static_cast<double>(where.unexplained_bytes), static_cast<double>(where.resident_bytes)),
                       format_duration(where.took_ns));
}

bool is_number(const section& of, std::size_t column) { return column != 0 && column + 1 != of.columns.size(); }

// Where the first column is a number, too.
bool begins_with_number(const section& of) { return of.columns.back() == "object" || of.columns.back() == "name"; }

// What is left for the last column where the others take what they need.
std::size_t room_for_notes(const section& of, std::size_t width) {
    std::size_t taken = 2;
    for (std::size_t i = 0; i + 1 < of.columns.size(); ++i) {
        std::size_t widest = display_width(of.columns[i]);
        for (const section::line& each : of.lines) { widest = std::max(widest, display_width(each.cells[i])); }
        taken += widest + 2;
    }
    return std::max(least_note, width - std::min(width, taken));
}

std::string render(section of, const footprint_words& how) {
    const bool colour = how.colour;
    if (how.width != 0 && of.columns.back().empty()) {
        const std::size_t room = room_for_notes(of, how.width);
        for (section::line& each : of.lines) { each.cells.back() = elide(each.cells.back(), room); }
    }
    std::string out = styled(of.title, text_style::bold, colour) + "\n";
    text_table table(colour, 2);
    for (std::size_t i = 0; i < of.columns.size(); ++i) {
        const bool is_right = is_number(of, i) || (i == 0 && begins_with_number(of));
        table.add_column(of.columns[i], is_right ? text_table::align::right : text_table::align::left);
    }
    for (const section::line& each : of.lines) {
        table.add_row(each.cells, each.is_sum ? text_style::bold : text_style::plain);
    }
    if (!table.empty()) { out += table.render(); }
    for (const std::string& note : of.notes) { out += "  " + note + "\n"; }
    return out;
}

// Words of ours as they are; anything in which Markdown could see a meaning is code.
std::string markdown_words(const std::string& text) {
    const bool is_plain = text.find_first_of("\\`*{}[]<>#|!&~$") == std::string::npos;
    return is_plain ? text : code_span(text);
}

std::string render_markdown_section(const section& of) {
    std::string out = "## " + of.title + "\n\n";
    const auto add_line = [&](const std::vector<std::string>& cells, bool is_sum) {
        out += "|";
        for (const std::string& cell : cells) {
            const std::string text = markdown_words(cell);
            out += is_sum && !text.empty() ? " **" + text + "** |" : " " + text + " |";
        }
        out += "\n";
    };
    if (!of.lines.empty()) {
        add_line(of.columns, false);
        out += "|";
        for (std::size_t i = 0; i < of.columns.size(); ++i) { out += is_number(of, i) ? "---:|" : "---|"; }
        out += "\n";
        for (const section::line& each : of.lines) { add_line(each.cells, each.is_sum); }
        out += "\n";
    }
    for (const std::string& note : of.notes) { out += "- " + markdown_words(note) + "\n"; }
    return of.notes.empty() ? out : out + "\n";
}

}  // namespace

std::string render_text(const footprint& where, const footprint_words& how) {
    std::string out = styled(title_words(where), text_style::bold, how.colour) + "\n";
    for (const std::string& sentence : sentences_of(where)) { out += "- " + printable(sentence) + "\n"; }
    for (const section& each : sections_of(where, how)) { out += "\n" + render(each, how); }
    return out;
}

std::string render_markdown(const footprint& where, const footprint_words& how) {
    std::string out = "# Footprint: " + markdown_words(title_words(where)) + "\n\n";
    for (const std::string& sentence : sentences_of(where)) { out += "- " + markdown_words(sentence) + "\n"; }
    out += "\n";
    for (const section& each : sections_of(where, how)) { out += render_markdown_section(each); }
    return out;
}

}  // namespace v1
}  // namespace memwatch
