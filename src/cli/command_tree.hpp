// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the parser knows, as plain values: every command with its options, their words and their help. Completion, the manual
// page and the tests that run the examples are functions of this, so none of them can say what the parser does not.
//
//   memwatch diff [OPTIONS] BEFORE AFTER   ->   {"diff", "Compare ..", options: [{["--by"], words: [site, type ..]} ..],
//                                                positionals: [{"BEFORE", file}, {"AFTER", file}]}
//
// In: the root CLI::App with every command added. Out: values. Threads: any.

#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's
class App;
}

namespace memwatch {
inline namespace v1 {

// What an argument is, as far as a shell can help.
enum class argument_kind { none, words, file, folder, anything };

struct tree_option {
    std::vector<std::string> names;  // "-o", "--output"; short ones first
    std::string description;
    std::string type;   // "SIZE"; empty = a flag
    std::string group;  // heading in help
    argument_kind kind{};
    std::vector<std::string> words;  // of kind words
    bool is_repeatable{};
};

struct tree_positional {
    std::string name;
    std::string description;
    argument_kind kind{};
    std::vector<std::string> words;
    bool is_repeatable{};
    bool is_required{};
};

struct tree_command {
    std::string name;  // empty = memwatch itself
    std::string summary;
    std::string footer;  // "Examples:\n  memwatch ..."
    std::vector<tree_option> options;
    std::vector<tree_positional> positionals;
    bool takes_words{};  // another program's words end it
};

struct command_tree {
    tree_command root;
    std::vector<tree_command> commands;  // without hidden ones
};

[[nodiscard]] command_tree read_tree(const CLI::App& root);

// The tree as JSON, for tests and tools.
[[nodiscard]] std::string render_json(const command_tree& tree);

}  // namespace v1
}  // namespace memwatch
