// SPDX-License-Identifier: Apache-2.0
#include "report/regression_test.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>
#include <memwatch/model/site_name.hpp>

#include "report/attribution_words.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t line_width = 110;
constexpr std::size_t shown_frames = 6;

// One line of comment. A backslash at its end would continue it on the next line (so would "??/" where trigraphs are on).
std::string comment(std::string_view text) {
    std::string line = "// " + elide(printable(text), line_width);
    while (!line.empty() && (line.back() == ' ')) { line.pop_back(); }
    const bool continues = line.back() == '\\' || line.ends_with("?\?/");
    return line + (continues ? "." : "") + "\n";
}

// The inside of a string literal. Question marks are escaped against trigraphs, and what isn't ASCII goes as bytes, each a
// literal octal escape, which takes at most three digits and so no character after it.
std::string literal(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : printable(text)) {
        if (c == '"' || c == '\\' || c == '?') {
            quoted += '\\';
            quoted += c;
        } else if (static_cast<unsigned char>(c) < 0x80) {
            quoted += c;
        } else {
            quoted += fmt::format("\\{:03o}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        }
    }
    return quoted + "\"";
}

// A tag of the program's own is counted exactly; everything else takes the whole heap in sight.
bool is_tracked(const finding& f) { return f.known.is_tagged || (f.kind == finding_kind::pool && !f.tag.empty()); }

std::string heading(const attribution& a, const finding& f) {
    std::string text = comment("A regression test for a finding of memwatch: fill in the body of exercise(), then keep it.");
    text += "//\n" + comment("finding  " + finding_title(f).plain());
    if (!f.file.empty()) { text += comment(fmt::format("place    {}:{}", f.file, f.line)); }
    if (!f.type.empty()) { text += comment("type     " + f.type); }
    if (is_tracked(f)) { text += comment("tag      " + f.tag); }
    for (const labelled& line : evidence_words(a, f)) {
        const std::string_view label = line.label;
        if (label == "How fast" || label == "Routes") {
            text += comment(fmt::format("{:<9}{}", label == "Routes" ? "routes" : "grew", line.words.plain()));
        }
    }
    if (const hint* fix = f.likely_fix(); fix != nullptr) { text += comment(std::string("fix      ") + fix->title); }
    for (const frame_words& frame : user_frames(f.stack, a.change.modules, shown_frames)) {
        text += comment("stack    " + frame.function + (frame.place.empty() ? "" : "  " + frame.place));
    }
    return text;
}

}  // namespace

std::string render_regression_test(const attribution& a, const finding& f) {
    const bool tracked = is_tracked(f);
    std::string text = heading(a, f);
    text += "//\n";
    if (!tracked) {
        text +=
            "// The finding has no tag, so this test watches plain new and malloc: link it with libmemwatch-new\n"
            "// (pkg-config memwatch-new), or run it with LD_PRELOAD=libmemwatch-preload.so. Otherwise it fails, and says "
            "so.\n";
    }
    text += "// Build: c++ -std=c++17 FILE $(pkg-config --cflags --libs memwatch" + std::string(tracked ? "" : "-new") +
            " catch2-with-main)\n\n";
    text += "#include <catch2/catch.hpp>\n#include <memwatch/memwatch.hpp>\n#include <memwatch/testing.hpp>\n\nnamespace {\n\n";
    text += "constexpr unsigned warmups = 3;          // calls before counting: caches and pools grow on first use\n";
    text += "constexpr unsigned runs = 100;           // calls that count, so that a path which leaks now and then is met\n";
    text += "constexpr std::uint64_t threshold = 0;   // bytes that are forgiven over all runs\n\n";
    text += "void exercise() {\n    // TODO: call once, as production does, what leads to\n    " +
            comment((f.kind == finding_kind::pool && f.function.empty() ? std::string("pool ") + f.pool
                                                                        : bare_function_name(f.function)) +
                    " ") +
            "    // Include its headers above. Everything it makes should be gone when this function returns.\n}\n\n}  // "
            "namespace\n\n";
    const std::string name = elide(finding_title(f).plain(), 80) + " leaks nothing (" + f.key.substr(0, 16) + ")";
    text += "TEST_CASE(" + literal(name) + ", \"[leak]\") {\n";
    const std::string options = ".warmup(warmups).runs(runs).threshold_bytes(threshold)";
    if (tracked) {
        text += "    const memwatch::tag tag{" + literal(f.tag) + "};\n    REQUIRE_THAT(exercise, memwatch::LeaksNothing()" +
                options + ".of({tag}));\n}\n";
    } else {
        text += "    REQUIRE_THAT(exercise, memwatch::LeaksNothing()" + options + ".of_everything());\n}\n";
    }
    return text;
}

}  // namespace v1
}  // namespace memwatch
