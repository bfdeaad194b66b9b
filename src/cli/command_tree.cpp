// SPDX-License-Identifier: Apache-2.0
#include "cli/command_tree.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/json_writer.hpp"
#include "cli/choices.hpp"
#include "cli/help_format.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// A positional without a type of its own names an input; an option without one takes some word.
argument_kind kind_of(const CLI::Option& option) {
    if (option.get_type_name().empty()) { return argument_kind::none; }  // a flag
    if (!offered_words(option).empty()) { return argument_kind::words; }
    const std::string type = option.get_type_name();
    if (type.starts_with("FILE") || (type == "TEXT" && option.get_positional())) { return argument_kind::file; }
    return type.starts_with("DIR") ? argument_kind::folder : argument_kind::anything;
}

bool is_repeated(const CLI::Option& option) { return option.get_items_expected_max() >= CLI::detail::expected_max_vector_size; }

tree_option read_option(const CLI::Option& option) {
    tree_option read;
    for (const std::string& name : option.get_snames()) { read.names.push_back("-" + name); }
    for (const std::string& name : option.get_lnames()) { read.names.push_back("--" + name); }
    read.description = option.get_description();
    read.kind = kind_of(option);
    if (read.kind != argument_kind::none) { read.type = type_of(option); }
    read.group = option.get_group();
    read.words = offered_words(option);
    // CLI11 has no name for "again, one each time" but the vector behind it, which allow_extra_args(false) leaves.
    read.is_repeatable = option.get_items_expected_max() > 1 || option.get_expected_max() > 1;
    return read;
}

tree_command read_command(const CLI::App& app) {
    tree_command read;
    read.name = app.get_parent() == nullptr ? std::string() : app.get_name();
    read.summary = app.get_description();
    read.footer = app.get_footer();
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_group().empty()) { continue; }
        if (!option->get_positional()) {
            read.options.push_back(read_option(*option));
        } else {
            read.positionals.push_back({option->get_name(true, false), option->get_description(), kind_of(*option),
                                        offered_words(*option), is_repeated(*option), option->get_required()});
        }
    }
    read.takes_words = app.get_prefix_command();
    return read;
}

const char* word_for(argument_kind kind) {
    constexpr const char* words[] = {"none", "words", "file", "folder", "anything"};
    return words[static_cast<int>(kind)];
}

void write_words(json_writer& json, const char* name, const std::vector<std::string>& words) {
    json.key(name).begin_array();
    for (const std::string& word : words) { json.value(word); }
    json.end_array();
}

void write_command(json_writer& json, const tree_command& command) {
    json.new_line();
    json.begin_object();
    json.key("name").value(command.name);
    json.key("summary").value(command.summary);
    json.key("footer").value(command.footer);
    json.key("takes_words").value(command.takes_words);
    json.key("options").begin_array();
    for (const tree_option& each : command.options) {
        json.begin_object();
        write_words(json, "names", each.names);
        json.key("description").value(each.description);
        json.key("type").value(each.type);
        json.key("group").value(each.group);
        json.key("kind").value(word_for(each.kind));
        write_words(json, "words", each.words);
        json.end_object();
    }
    json.end_array();
    json.key("positionals").begin_array();
    for (const tree_positional& each : command.positionals) {
        json.begin_object();
        json.key("name").value(each.name);
        json.key("description").value(each.description);
        json.key("kind").value(word_for(each.kind));
        write_words(json, "words", each.words);
        json.key("required").value(each.is_required);
        json.key("repeatable").value(each.is_repeatable);
        json.end_object();
    }
    json.end_array();
    json.end_object();
}

}  // namespace

command_tree read_tree(const CLI::App& root) {
    command_tree tree{read_command(root), {}};
    for (const CLI::App* app : root.get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); })) {
        tree.commands.push_back(read_command(*app));
    }
    return tree;
}

std::string render_json(const command_tree& tree) {
    json_writer json;
    json.begin_object();
    json.key("kind").value("memwatch.commands");
    json.key("version").value(std::uint64_t{1});
    json.key("commands").begin_array();
    write_command(json, tree.root);
    for (const tree_command& each : tree.commands) { write_command(json, each); }
    json.end_array();
    json.end_object();
    return json.take();
}

}  // namespace v1
}  // namespace memwatch
