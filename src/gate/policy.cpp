// SPDX-License-Identifier: Apache-2.0
#include "gate/policy.hpp"

#include <exception>
#include <functional>
#include <map>

#include <yaml-cpp/yaml.h>

#include <memwatch/base/units.hpp>

namespace memwatch::inline v1::gate {
namespace {

constexpr std::size_t longest_text = 256 * 1024;
constexpr std::size_t most_budgets = 1000;

// Carries an error through yaml-cpp's callers to the one catch below.
struct refused : std::exception {
    explicit refused(error e) : reason(std::move(e)) {}
    error reason;
};

std::string line_of(const YAML::Mark& mark, const std::string& where) {
    return mark.is_null() ? where : where + ":" + std::to_string(mark.line + 1);
}

class policy_reader {
public:
    policy_reader(const std::string& where, policy start) : where_(where), out_(std::move(start)) {}

    policy read(const YAML::Node& root) {
        if (root.IsNull()) { return std::move(out_); }  // an empty file, or comments only
        if (!root.IsMap()) { refuse(root, "a gate policy is a mapping of settings"); }
        each_entry(root, {
                             {"max_growth", [&](const YAML::Node& n) { out_.site_limit_bytes = size_of(n); }},
                             {"max_total", [&](const YAML::Node& n) { out_.total_limit_bytes = size_of(n); }},
                             {"tags", [&](const YAML::Node& n) { read_tags(n); }},
                             {"sites", [&](const YAML::Node& n) { read_sites(n); }},
                             {"suppressions", [&](const YAML::Node& n) { read_suppressions(n); }},
                             {"suppression_files", [&](const YAML::Node& n) { read_files(n); }},
                             {"accept_moves", [&](const YAML::Node& n) { out_.accepts_moves = flag_of(n); }},
                         });
        return std::move(out_);
    }

private:
    using actions = std::map<std::string, std::function<void(const YAML::Node&)>>;

    [[noreturn]] void refuse(const YAML::Node& at, const std::string& why, error_code code = error_code::unreadable) const {
        throw refused({code, why, line_of(at.Mark(), where_)});
    }

    void each_entry(const YAML::Node& map, const actions& known) const {
        std::map<std::string, bool> seen;
        for (const auto& entry : map) {
            const std::string key = text_of(entry.first);
            const auto found = known.find(key);
            if (found == known.end()) { refuse(entry.first, "unknown setting \"" + key + "\"; known: " + names(known)); }
            if (seen[key]) { refuse(entry.first, "\"" + key + "\" is there twice"); }
            seen[key] = true;
            found->second(entry.second);
        }
    }

    static std::string names(const actions& known) {
        std::string text;
        for (const auto& [name, action] : known) { text += (text.empty() ? "" : ", ") + name; }
        return text;
    }

    std::string text_of(const YAML::Node& n) const {
        if (!n.IsScalar()) { refuse(n, "a plain text is expected here"); }
        return n.Scalar();
    }

    double size_of(const YAML::Node& n) const {
        const result<std::uint64_t> bytes = parse_bytes(text_of(n));
        if (!bytes) { refuse(n, bytes.error().message() + "; a size is 4096, 128KiB, 10MB ..."); }
        return static_cast<double>(*bytes);
    }

    bool flag_of(const YAML::Node& n) const {
        const std::string word = text_of(n);
        if (word != "true" && word != "false") { refuse(n, "use true or false"); }
        return word == "true";
    }

    budget checked(const YAML::Node& at, result<budget> made) const {
        if (!made) { refuse(at, made.error().message()); }
        return std::move(*made);
    }

    void add(const YAML::Node& at, std::vector<budget>& to, budget one) const {
        if (to.size() == most_budgets) {
            refuse(at, "more than " + std::to_string(most_budgets) + " budgets", error_code::limit);
        }
        to.push_back(std::move(one));
    }

    void read_tags(const YAML::Node& tags) {
        if (!tags.IsMap()) { refuse(tags, "tags is a mapping of tag to size"); }
        for (const auto& entry : tags) {
            const std::string pattern = text_of(entry.first);
            std::string size;
            std::string reason;
            if (entry.second.IsMap()) {
                each_entry(entry.second, {{"max_growth", [&](const YAML::Node& n) { size = text_of(n); }},
                                          {"reason", [&](const YAML::Node& n) { reason = text_of(n); }}});
            } else {
                size = text_of(entry.second);
            }
            add(entry.first, out_.tags, checked(entry.first, make_tag_budget(pattern, size, std::move(reason))));
        }
    }

    void read_sites(const YAML::Node& sites) {
        if (!sites.IsSequence()) { refuse(sites, "sites is a list of {match, max_growth, reason}"); }
        for (const auto& entry : sites) {
            if (!entry.IsMap()) { refuse(entry, "sites is a list of {match, max_growth, reason}"); }
            std::string pattern;
            std::string size;
            std::string reason;
            each_entry(entry, {{"match", [&](const YAML::Node& n) { pattern = text_of(n); }},
                               {"max_growth", [&](const YAML::Node& n) { size = text_of(n); }},
                               {"reason", [&](const YAML::Node& n) { reason = text_of(n); }}});
            add(entry, out_.sites, checked(entry, make_budget(pattern, size, std::move(reason))));
        }
    }

    void read_suppressions(const YAML::Node& list) {
        if (!list.IsSequence()) { refuse(list, "suppressions is a list of leak:PATTERN"); }
        for (const auto& entry : list) {
            auto one = parse_suppression(text_of(entry), line_of(entry.Mark(), where_));
            if (!one) { throw refused(one.error()); }
            if (out_.suppressions.size() == most_suppressions) { refuse(entry, "too many suppressions", error_code::limit); }
            out_.suppressions.push_back(std::move(*one));
        }
    }

    void read_files(const YAML::Node& list) {
        if (!list.IsSequence()) { refuse(list, "suppression_files is a list of files"); }
        for (const auto& entry : list) {
            if (out_.suppression_files.size() == most_budgets) { refuse(entry, "too many files", error_code::limit); }
            out_.suppression_files.push_back(text_of(entry));
        }
    }

    const std::string& where_;
    policy out_;
};

}  // namespace

result<budget> make_budget(const std::string& pattern, std::string_view size, std::string reason) {
    if (pattern.empty()) { return fail(error_code::invalid_argument, "a budget needs a pattern"); }
    if (size.empty()) { return fail(error_code::invalid_argument, "a budget needs a size", pattern); }
    result<focus> match = focus::parse(pattern);
    if (!match) { return tl::unexpected<error>(match.error()); }
    const result<std::uint64_t> bytes = parse_bytes(size);
    if (!bytes) { return tl::unexpected<error>(bytes.error()); }
    return budget{pattern, std::move(*match), static_cast<double>(*bytes), std::move(reason)};
}

result<budget> make_tag_budget(const std::string& pattern, std::string_view size, std::string reason) {
    // Without a wildcard a focus matches any part of a text, but "cache" is not the tag "order-cache": an empty `match` makes
    // the judge compare the name itself.
    auto made = make_budget(pattern, size, std::move(reason));
    if (made && pattern.find_first_of("*?") == std::string::npos && pattern.compare(0, 3, "re:") != 0) {
        made->match = focus();
    }
    return made;
}

result<policy> read_policy(std::string_view text, const std::string& where, policy start) {
    if (text.size() > longest_text) { return fail(error_code::limit, "a gate policy has at most 256 KiB", where); }
    if (text.find('\0') != std::string_view::npos) { return fail(error_code::unreadable, "a NUL byte in a YAML file", where); }
    try {
        return policy_reader(where, std::move(start)).read(YAML::Load(std::string(text)));
    } catch (const refused& r) { return tl::unexpected<error>(r.reason); } catch (const YAML::Exception& e) {
        return fail(error_code::unreadable, "not YAML: " + e.msg, line_of(e.mark, where));
    }
}

}  // namespace memwatch::inline v1::gate
