// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.hpp"

#include <string_view>

#include <fmt/format.h>

namespace memwatch {
inline namespace v1 {
namespace {

std::string joined(const std::vector<std::string>& words, const char* between = " ") {
    return fmt::format("{}", fmt::join(words, between));
}

// 'text' for a shell that closes quotes, escapes and opens them again (bash, zsh).
std::string quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'') {
            out += "'\\''";
        } else {
            out += c == '\n' ? ' ' : c;
        }
    }
    return out + "'";
}

// fish knows \' and \\ within quotes.
std::string fish_quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') { out += '\\'; }
        out += c == '\n' ? ' ' : c;
    }
    return out + "'";
}

// --- bash

std::string bash_names(const tree_command& command) {
    std::vector<std::string> names;
    for (const tree_option& option : command.options) { names.insert(names.end(), option.names.begin(), option.names.end()); }
    return joined(names);
}

// kind=... values=... of what may stand there.
std::string bash_kind(argument_kind kind, const std::vector<std::string>& words) {
    switch (kind) {
        case argument_kind::words:
            return fmt::format("kind=words values='{}'", joined(words));
        case argument_kind::file:
            return "kind=file";
        case argument_kind::folder:
            return "kind=folder";
        default:
            return "kind=anything";
    }
}

std::string bash_values(const command_tree& tree) {
    std::string cases;
    for (const tree_command& command : tree.commands) {
        for (const tree_option& option : command.options) {
            if (option.kind == argument_kind::none) { continue; }
            std::vector<std::string> patterns;
            for (const std::string& name : option.names) { patterns.push_back(fmt::format("'{} {}'", command.name, name)); }
            cases += fmt::format("        {}) {} ;;\n", joined(patterns, " | "), bash_kind(option.kind, option.words));
        }
    }
    return cases;
}

std::string bash_positions(const command_tree& tree) {
    std::string cases;
    for (const tree_command& command : tree.commands) {
        for (std::size_t i = 0; i < command.positionals.size(); ++i) {
            const tree_positional& at = command.positionals[i];
            const std::string place =
                at.is_repeatable ? fmt::format("'{} '*", command.name) : fmt::format("'{} {}'", command.name, i);
            cases += fmt::format("        {}) {} ;;\n", place, bash_kind(at.kind, at.words));
        }
        if (command.takes_words) { cases += fmt::format("        '{} '*) kind=program ;;\n", command.name); }
    }
    return cases;
}

std::string bash_option_lists(const command_tree& tree) {
    std::string cases;
    for (const tree_command& command : tree.commands) {
        cases += fmt::format("        {}) options='{}' ;;\n", command.name, bash_names(command));
    }
    return cases;
}

constexpr const char* bash_head =
    "# Completion of memwatch for bash; made by 'memwatch completion bash'.\n"
    "# Load it with: source <(memwatch completion bash)\n\n"
    "# What the value of an option may be: kind and values. Fails when it takes none.\n"
    "_memwatch_value() {\n"
    "    kind= values=\n"
    "    case \"$1 $2\" in\n";
constexpr const char* bash_middle =
    "        *) return 1 ;;\n"
    "    esac\n"
    "}\n\n"
    "# What the argument at a position (0 is the first) may be.\n"
    "_memwatch_position() {\n"
    "    kind= values=\n"
    "    case \"$1 $2\" in\n";
constexpr const char* bash_options_head =
    "    esac\n"
    "}\n\n"
    "_memwatch_offer() {\n"
    "    case $kind in\n"
    "        words) COMPREPLY=($(compgen -W \"$values\" -- \"$current\")) ;;\n"
    "        file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$current\") ;;\n"
    "        folder) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$current\") ;;\n"
    "        program) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -c -f -- \"$current\" | sort -u) ;;\n"
    "    esac\n"
    "}\n\n"
    "_memwatch() {\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}\n"
    "    local kind= values= options= position=0 i\n"
    "    COMPREPLY=()\n"
    "    if ((COMP_CWORD == 1)); then\n";
constexpr const char* bash_tail =
    "    # bash gives --by=site as three words.\n"
    "    if [[ $current == = ]]; then\n"
    "        current=\n"
    "    elif [[ $before == = ]]; then\n"
    "        before=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    for ((i = 2; i < COMP_CWORD; ++i)); do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "            --) _memwatch_position \"$command\" \"$position\"; _memwatch_offer; return ;;\n"
    "            -*) if [[ ${COMP_WORDS[i + 1]} == = ]]; then ((i += 2))\n"
    "                elif _memwatch_value \"$command\" \"${COMP_WORDS[i]}\"; then ((++i)); fi ;;\n"
    "            *) ((++position)) ;;\n"
    "        esac\n"
    "    done\n"
    "    if [[ $before == -* ]] && _memwatch_value \"$command\" \"$before\"; then\n"
    "        _memwatch_offer\n"
    "    elif [[ $current == -* ]]; then\n"
    "        COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
    "    else\n"
    "        _memwatch_position \"$command\" \"$position\"\n"
    "        _memwatch_offer\n"
    "    fi\n"
    "}\n\n"
    "complete -F _memwatch memwatch\n";

// --- zsh

// Within [..] of an _arguments specification.
std::string zsh_escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '[' || c == ']' || c == '\\' || c == ':') { out += '\\'; }
        out += c;
    }
    return out;
}

std::string zsh_action(argument_kind kind, const std::vector<std::string>& words) {
    switch (kind) {
        case argument_kind::words:
            return "(" + joined(words) + ")";
        case argument_kind::file:
            return "_files";
        case argument_kind::folder:
            return "_directories";
        default:
            return " ";
    }
}

std::string zsh_options(const tree_command& command) {
    std::string specs;
    for (const tree_option& option : command.options) {
        for (const std::string& name : option.names) {
            const bool has_value = option.kind != argument_kind::none;
            std::string spec = option.is_repeatable ? "*" : fmt::format("({})", joined(option.names));
            spec += name + (has_value && name.starts_with("--") ? "=" : has_value ? "+" : "");
            spec += "[" + zsh_escaped(option.description) + "]";
            if (has_value) { spec += ":" + zsh_escaped(option.type) + ":" + zsh_action(option.kind, option.words); }
            specs += " \\\n                " + quoted(spec);
        }
    }
    return specs;
}

std::string zsh_positionals(const tree_command& command) {
    std::string specs;
    for (std::size_t i = 0; i < command.positionals.size(); ++i) {
        const tree_positional& at = command.positionals[i];
        const std::string place = at.is_repeatable ? "*" : fmt::format("{}", i + 1);
        specs += " \\\n                " +
                 quoted(fmt::format("{}:{}:{}", place, zsh_escaped(at.name), zsh_action(at.kind, at.words)));
    }
    if (command.takes_words) { specs += " \\\n                '*::program:_normal'"; }
    return specs;
}

// --- fish

std::string fish_names(const tree_option& option) {
    std::string names;
    for (const std::string& name : option.names) {
        names += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    }
    return names;
}

std::string fish_value(argument_kind kind, const std::vector<std::string>& words) {
    switch (kind) {
        case argument_kind::none:
            return "";
        case argument_kind::words:
            return " -x -a '" + joined(words) + "'";
        case argument_kind::file:
            return " -r -F";
        case argument_kind::folder:
            return " -x -a '(__fish_complete_directories (commandline -ct))'";
        case argument_kind::anything:
            break;
    }
    return " -x";
}

std::string fish_command(const tree_command& command) {
    const std::string when = fmt::format("complete -c memwatch -n '__memwatch_is {}'", command.name);
    std::string lines;
    for (const tree_option& option : command.options) {
        lines +=
            when + fish_names(option) + fish_value(option.kind, option.words) + " -d " + fish_quoted(option.description) + "\n";
    }
    for (const tree_positional& at : command.positionals) {
        if (at.kind == argument_kind::words) {
            lines += fmt::format("complete -c memwatch -n '__memwatch_is {}; and not __fish_seen_subcommand_from {}' -a '{}'\n",
                                 command.name, joined(at.words), joined(at.words));
        } else if (at.kind == argument_kind::file) {
            lines += when + " -F\n";
        }
    }
    if (command.takes_words) { lines += when + " -F -a '(__fish_complete_command)'\n"; }
    return lines;
}

}  // namespace

std::string bash_completion(const command_tree& tree) {
    std::vector<std::string> names;
    for (const tree_command& each : tree.commands) { names.push_back(each.name); }
    std::string out = bash_head + bash_values(tree) + bash_middle + bash_positions(tree) + bash_options_head;
    out += fmt::format("        COMPREPLY=($(compgen -W '{} {}' -- \"$current\"))\n        return\n    fi\n", joined(names),
                       bash_names(tree.root));
    return out + "    case $command in\n" + bash_option_lists(tree) + "    esac\n" + bash_tail;
}

std::string zsh_completion(const command_tree& tree) {
    std::string out =
        "#compdef memwatch\n"
        "# Completion of memwatch for zsh; made by 'memwatch completion zsh'.\n"
        "# A file _memwatch in a folder of $fpath, or: source <(memwatch completion zsh)\n\n"
        "_memwatch_commands() {\n    local -a commands\n    commands=(\n";
    for (const tree_command& each : tree.commands) { out += "        " + quoted(each.name + ":" + each.summary) + "\n"; }
    out +=
        "    )\n    _describe -t commands command commands\n}\n\n"
        "_memwatch() {\n"
        "    local curcontext=$curcontext state line\n"
        "    typeset -A opt_args\n"
        "    _arguments -C";
    out += zsh_options(tree.root) +
           " \\\n                '1: :_memwatch_commands' \\\n                '*:: :->arguments' && return\n"
           "    [[ $state == arguments ]] || return\n"
           "    case $words[1] in\n";
    for (const tree_command& each : tree.commands) {
        out += fmt::format("        {})\n            _arguments{}{} ;;\n", each.name, zsh_options(each), zsh_positionals(each));
    }
    return out +
           "    esac\n}\n\n"
           "if [[ $funcstack[1] == _memwatch ]]; then\n    _memwatch \"$@\"\nelse\n    compdef _memwatch memwatch\nfi\n";
}

std::string fish_completion(const command_tree& tree) {
    std::string out =
        "# Completion of memwatch for fish; made by 'memwatch completion fish'.\n"
        "# A file memwatch.fish in a folder of $fish_complete_path, or: memwatch completion fish | source\n\n"
        "function __memwatch_is\n"
        "    set -l words (commandline -opc)\n"
        "    test (count $words) -gt 1; and test $words[2] = $argv[1]\n"
        "end\n\n"
        "function __memwatch_is_first\n"
        "    test (count (commandline -opc)) -eq 1\n"
        "end\n\n"
        "complete -c memwatch -f\n";
    for (const tree_option& option : tree.root.options) {
        out += "complete -c memwatch -n __memwatch_is_first" + fish_names(option) + " -d " + fish_quoted(option.description) +
               "\n";
    }
    for (const tree_command& each : tree.commands) {
        out += fmt::format("complete -c memwatch -n __memwatch_is_first -a {} -d {}\n", each.name, fish_quoted(each.summary));
    }
    for (const tree_command& each : tree.commands) { out += fish_command(each); }
    return out;
}

}  // namespace v1
}  // namespace memwatch
