// SPDX-License-Identifier: Apache-2.0
#include "diff/stable_name.hpp"

#include <algorithm>
#include <array>

#include <memwatch/model/site_name.hpp>

namespace memwatch::inline v1 {
namespace {

constexpr std::array clone_suffixes = {
    std::string_view{".cold"},       std::string_view{".part."},     std::string_view{".constprop."},
    std::string_view{".isra."},      std::string_view{".lto_priv."}, std::string_view{".llvm."},
    std::string_view{".localalias"}, std::string_view{".actor"},     std::string_view{".destroy"},
    std::string_view{".resume"},     std::string_view{".cleanup"},   std::string_view{".simdclone."},
    std::string_view{".__uniq."}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t digits_at(std::string_view text, std::size_t at) {
    std::size_t end = at;
    while (end < text.size() && is_digit(text[end])) { ++end; }
    return end - at;
}

// One past the bracket that closes the one at `open`; the end of the text when none does.
std::size_t behind_bracket(std::string_view text, std::size_t open) {
    int depth = 0;
    for (auto at = open; at < text.size(); ++at) {
        if (text[at] == '{' || text[at] == '(' || text[at] == '<') { ++depth; }
        if (text[at] == '}' || text[at] == ')' || text[at] == '>') { --depth; }
        if (depth == 0) { return at + 1; }
    }
    return text.size();
}

void cut_clone_suffix(std::string& name) {
    for (const auto suffix : clone_suffixes) {
        if (const auto at = name.find(suffix); at != std::string::npos && at != 0) { name.resize(at); }
    }
}

// How the compilers spell something unnamed: gcc's symbols, its debug information, clang's symbols.
bool take_lambda(std::string_view text, std::size_t& at) {
    for (const std::string_view opening : {"{lambda(", "<lambda("}) {
        if (text.substr(at, opening.size()) != opening) { continue; }
        at = behind_bracket(text, at);
        return true;
    }
    if (text.substr(at, 2) != "$_" || digits_at(text, at + 2) == 0) { return false; }
    at += 2 + digits_at(text, at + 2);
    return true;
}

bool take_prefix(std::string_view text, std::size_t& at, std::string_view prefix) {
    if (text.substr(at, prefix.size()) != prefix) { return false; }
    at += prefix.size();
    return true;
}

}  // namespace

std::string stable_name(std::string_view demangled) {
    const std::string bare = bare_function_name(demangled);
    std::string name;
    name.reserve(bare.size());
    for (std::size_t at = 0; at < bare.size();) {
        if (take_lambda(bare, at)) {
            name += "{lambda}";
        } else if (take_prefix(bare, at, "{anonymous}") || take_prefix(bare, at, "<unnamed>")) {
            name += "(anonymous namespace)";
        } else if (take_prefix(bare, at, "[abi:")) {
            while (at < bare.size() && bare[at++] != ']') {}
        } else if (bare[at] == '#') {
            at += 1 + digits_at(bare, at + 1);
        } else if (bare[at] == ' ' && at + 1 < bare.size() && bare[at + 1] == '>') {
            ++at;  // "> >" of the symbols, ">>" of others
        } else {
            name += bare[at++];
        }
    }
    cut_clone_suffix(name);
    return name;
}

std::string unnumbered(std::string_view demangled) {
    std::string text;
    const auto end = std::min(demangled.find(" [clone"), demangled.size());
    for (std::size_t at = 0; at < end;) {
        text += demangled[at];
        const bool counts = demangled[at] == '#' || (demangled[at] == '_' && at > 0 && demangled[at - 1] == '$');
        ++at;
        if (counts) { at += digits_at(demangled, at); }
    }
    return text;
}

}  // namespace memwatch::inline v1
