// SPDX-License-Identifier: Apache-2.0
// Compiled regular expressions are kept by their text. The text contains what the user searched for.

#include <map>
#include <regex>
#include <string>

#include "zoo.hpp"

namespace {

std::map<std::string, std::regex> compiled;

ZOO_FUNCTION const std::regex& pattern_for(const std::string& text) {
    const auto found = compiled.find(text);
    if (found != compiled.end()) { return found->second; }
    return compiled.emplace(text, std::regex(text, std::regex::basic)).first->second;
}

ZOO_FUNCTION bool search(const char* word, unsigned long long user) {
    char text[64];
    std::snprintf(text, sizeof text, "%s%llx", word, user);
    return std::regex_match("abc", pattern_for(text));
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& unique = zoo.leaks("pattern_for", "unique_ids");
    zoo.is_clean("search", "churn");
    const std::uint64_t users = zoo.random().between(20U, 60U);
    while (zoo.tick(std::chrono::milliseconds(8))) {
        const bool is_new = zoo.random().chance(0.6);
        search(is_new ? "q" : "user", is_new ? zoo.random().next() : zoo.random().zipf(users));
        if (is_new) { unique.lost(1700); }
    }
    return zoo.end();
}
