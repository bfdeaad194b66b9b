// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include "gate/gate_words.hpp"
#include "gate/place.hpp"
#include "gate/render.hpp"
#include "report/words.hpp"

namespace memwatch::inline v1::gate {
namespace {

// A workflow command ends at the end of its line, its properties at "," and "::". After printable() there is no line end left.
std::string command_text(std::string_view text) {
    std::string escaped;
    for (const char c : printable(text)) {
        if (c == '%') {
            escaped += "%25";
        } else {
            escaped += c;
        }
    }
    return escaped;
}

std::string property_text(std::string_view text) {
    std::string escaped;
    for (const char c : command_text(text)) {
        if (c == ':') {
            escaped += "%3A";
        } else if (c == ',') {
            escaped += "%2C";
        } else {
            escaped += c;
        }
    }
    return escaped;
}

std::string annotation(const gate_report& r, const finding& f) {
    std::string properties;
    const delta_row* row = row_of(r, f);
    if (const auto place = row == nullptr ? std::nullopt : place_of(row->stack, r.source_root)) {
        properties =
            "file=" + property_text(place->file) + (place->line == 0 ? "" : fmt::format(",line={}", place->line)) + ",";
    }
    return fmt::format("::error {}title={}::{}\n", properties, property_text("memwatch gate: " + f.rule->name),
                       command_text(finding_words(r, f)));
}

}  // namespace

std::string render_annotations(const gate_report& r) {
    std::string text;
    const auto found = findings_of(r.judged, outcome::breached);
    for (std::size_t i = 0; i < std::min(found.size(), most_annotations); ++i) { text += annotation(r, found[i]); }
    if (found.size() > most_annotations) {
        text += fmt::format("::notice title=memwatch gate::{} more findings are in the job summary\n",
                            found.size() - most_annotations);
    }
    return text;
}

}  // namespace memwatch::inline v1::gate
