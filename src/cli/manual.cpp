// SPDX-License-Identifier: Apache-2.0
#include "cli/manual.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <memwatch/version.hpp>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr const char* page_date = "2026-11-22";  // of the last change to the words below; the rest follows the parser

constexpr const char* description =
    "Memwatch finds leaks in long-running C++ services: what is alive, who allocated it, for which request, and what grew\n"
    "between two moments.\n"
    "The service carries libmemwatch, or runs under\n"
    ".BR \"memwatch run\" .\n"
    "This command takes snapshots of it, shows them, compares them and steers what is recorded.\n"
    ".PP\n"
    "Figures that come from samples carry one standard error, as in\n"
    ".IR \"52.0 MiB +- 3.1 MiB\" ;\n"
    "exact ones carry none.\n"
    "A row below two standard errors is marked\n"
    ".B ?\n"
    "and is never called a finding.\n";

constexpr const char* sources =
    ".SH SOURCES\n"
    "What is named\n"
    ".I FILE|URL\n"
    "is a dump (memtrace, json, jsonl), a heap profile of another tool (pprof, heaptrack, jemalloc, gperftools), or a\n"
    "running service:\n"
    ".TP\n.B http://127.0.0.1:9467\nits server; also\n.IR host:port .\nOnly http, no redirects, no user names.\n"
    ".TP\n.B unix:/run/orders.sock\nits server on a unix socket\n"
    ".TP\n.B pid:4711\na process of yours, asked at its private control socket\n";

constexpr const char* closing =
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nfine\n"
    ".TP\n.B 1\nsomething grew or a gate was breached, where a command says so\n"
    ".TP\n.B 2\nwrong usage\n"
    ".TP\n.B 3\nunreadable input\n"
    ".TP\n.B 4\ntarget not reachable\n"
    ".PP\n"
    ".B memwatch run\n"
    "ends with its program's status; 125, 126 and 127 are its own failures, as of\n"
    ".BR env (1).\n"
    ".SH ENVIRONMENT\n"
    ".TP\n.B MEMWATCH_*\nof the service: every option, as\n.B memwatch options\nlists them\n"
    ".TP\n.B NO_COLOR\nset and not empty: no colour unless\n.B \\-\\-color always\nasks for it\n"
    ".TP\n.B TERM\nwhat the terminal can do;\n.B dumb\nmeans plain text\n"
    ".TP\n.B XDG_RUNTIME_DIR\nwhere the control sockets of your processes are\n"
    ".SH FILES\n"
    ".TP\n.I *.memtrace\na snapshot: mode 0600, read back by every command that takes a\n.I FILE\n"
    ".TP\n.I $XDG_RUNTIME_DIR/memwatch/PID\\-STARTTIME.sock\nthe control socket of a process; without that variable\n"
    ".I /tmp/memwatch\\-UID/\n"
    ".TP\n.I /usr/lib/debug/.build\\-id/\nseparate debug files, found by build id\n"
    ".SH SEE ALSO\n"
    ".BR gdb (1),\n"
    ".BR valgrind (1),\n"
    ".BR malloc_info (3)\n";

bool is_indented(std::string_view line) { return !line.empty() && line.front() == ' '; }

// "Examples:" above indented lines becomes a heading and a block as it stands; other text, paragraphs.
std::string render_footer(std::string_view footer) {
    std::string out;
    bool is_block = false, is_paragraph = false;
    for (std::size_t at = 0; at < footer.size();) {
        const std::size_t end = std::min(footer.find('\n', at), footer.size());
        const std::string_view line = footer.substr(at, end - at);
        at = end + 1;
        if (is_block && !is_indented(line)) {
            out += ".EE\n.RE\n";
            is_block = false;
        }
        if (line.empty()) {
            is_paragraph = false;
        } else if (is_indented(line)) {
            if (!is_block) { out += ".PP\n.RS\n.EX\n"; }
            is_block = true;
            out += roff_escaped(line.substr(std::min(line.find_first_not_of(' '), line.size()))) + "\n";
        } else {
            if (!is_paragraph) { out += ".PP\n"; }
            is_paragraph = true;
            out += roff_escaped(line) + "\n";
        }
    }
    return is_block ? out + ".EE\n.RE\n" : out;
}

// What every command's help ends with stands in sections of its own here.
std::string_view without_exit_codes(std::string_view footer) { return footer.substr(0, footer.find("Exit codes: 0 fine")); }

std::string render_option(const tree_option& option) {
    std::string names;
    for (const std::string& name : option.names) { names += (names.empty() ? "" : ", ") + name; }
    std::string out = ".TP\n.B " + roff_escaped(names);
    if (!option.type.empty()) { out += " " + roff_escaped(option.type); }
    return out + "\n" + roff_escaped(option.description) + "\n";
}

std::string synopsis(const tree_command& command) {
    std::string line = fmt::format(".B memwatch {}\n[\\fIoptions\\fR]", roff_escaped(command.name));
    for (const tree_positional& at : command.positionals) {
        const std::string name = "\\fI" + roff_escaped(at.name) + "\\fR" + (at.is_repeatable ? " ..." : "");
        line += at.is_required ? " " + name : " [" + name + "]";
    }
    if (command.takes_words) { line += " [\\-\\-] \\fIPROGRAM\\fR [\\fIARGUMENTS\\fR ...]"; }
    return line + "\n";
}

std::string render_command(const tree_command& command) {
    std::string out = ".SS memwatch " + roff_escaped(command.name) + "\n" + roff_escaped(command.summary) + ".\n.PP\n";
    out += synopsis(command);
    for (const tree_positional& at : command.positionals) {
        out += ".TP\n.I " + roff_escaped(at.name) + "\n" + roff_escaped(at.description) + "\n";
    }
    for (const tree_option& option : command.options) {
        if (option.names.back() != "--help") { out += render_option(option); }
    }
    return out + render_footer(without_exit_codes(command.footer));
}

}  // namespace

std::string roff_escaped(std::string_view text) {
    std::string out;
    bool is_line_start = true;
    for (const char c : text) {
        if (is_line_start && (c == '.' || c == '\'')) { out += "\\&"; }
        is_line_start = c == '\n';
        switch (c) {
            case '\\':
                out += "\\e";
                break;
            case '-':
                out += "\\-";  // a minus that can be copied
                break;
            case '\'':
                out += "\\(aq";
                break;
            case '`':
                out += "\\(ga";
                break;
            case '^':
                out += "\\(ha";
                break;
            case '~':
                out += "\\(ti";
                break;
            case '"':
                out += "\\(dq";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string render_manual(const command_tree& tree) {
    std::string out = fmt::format(".TH MEMWATCH 1 {} \"memwatch {}\" \"User Commands\"\n", page_date, version);
    out += ".SH NAME\nmemwatch \\- leaks of running C++ services: found, explained, compared\n";
    out += ".SH SYNOPSIS\n.B memwatch\n\\fICOMMAND\\fR [\\fIoptions\\fR] [\\fIarguments\\fR]\n";
    for (const tree_command& each : tree.commands) { out += ".br\n" + synopsis(each); }
    out += std::string(".SH DESCRIPTION\n") + description + sources + ".SH COMMANDS\n";
    for (const tree_command& each : tree.commands) { out += render_command(each); }
    out += ".SH EXAMPLES\n";
    std::string_view examples = without_exit_codes(tree.root.footer);
    constexpr std::string_view heading = "Examples:\n";  // the section has it
    if (examples.starts_with(heading)) { examples.remove_prefix(heading.size()); }
    return out + "From a first look to a gate:\n" + render_footer(examples) + closing;
}

}  // namespace v1
}  // namespace memwatch
