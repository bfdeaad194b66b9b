// SPDX-License-Identifier: Apache-2.0
// What is made of the parser's tree: words, help, scripts and the manual page never say more or less than the parser.
#include "cli/command_tree.hpp"

#include <CLI/CLI.hpp>
#include <catch2/catch.hpp>
#include <sstream>

#include "cli/choices.hpp"
#include "cli/completion.hpp"
#include "cli/help_format.hpp"
#include "cli/manual.hpp"

namespace {

using namespace memwatch;

struct parser {
    CLI::App root{"finds things", "memwatch"};
    std::string by, file, folder, word;
    std::vector<std::string> inputs;
    bool is_all{};

    parser() {
        CLI::App* const find = root.add_subcommand("find", "Find it, or don't: [all] of \\it");
        find->footer("Examples:\n  memwatch find 'a b' --by tag\n  .hidden\n");
        choices{"site", "tag"}.offer(find->add_option("--by", by, "what a row is"));
        find->add_option("-o,--output", file, "where to")->type_name("FILE");
        find->add_option("--debug-dir", folder, "where names are")->type_name("DIR");
        find->add_option("--focus", word, "some word")->default_str("*");
        find->add_flag("--all", is_all, "it's all");
        find->add_option("INPUT", inputs, "what to read")->required();
        root.add_subcommand("secret", "for the build")->group("");
    }
};

std::size_t widest_line(const std::string& text) {
    std::istringstream lines(text);
    std::size_t widest = 0;
    for (std::string line; std::getline(lines, line);) { widest = std::max(widest, line.size()); }
    return widest;
}

}  // namespace

TEST_CASE("choices: what is offered is what is accepted, and what is not says which there are") {
    const choices formats{"text", "md", "json"};
    CHECK(formats.check("--format", "md"));
    CHECK(formats.check("--format", "pdf").error().message() == "--format pdf: use text, md or json");
    CHECK(choices{"one"}.in_words() == "one");
    CHECK(choices{"one", "two"}.in_words() == "one or two");

    CLI::App app;
    std::string value;
    CHECK(offered_words(*formats.offer(app.add_option("--format", value))) == formats.words());
    CHECK(offered_words(*app.add_option("--input", value)->type_name("FILE|URL")).empty());
    CHECK(offered_words(*app.add_option("--member", value)->check(CLI::IsMember({"one", "two"}))) ==
          choices{"one", "two"}.words());
    CHECK(offered_words(*app.add_option("--any", value)).empty());
}

TEST_CASE("command_tree: each option comes with its kind, and hidden commands do not come") {
    const parser p;
    const command_tree tree = read_tree(p.root);
    REQUIRE(tree.commands.size() == 1);
    const tree_command& find = tree.commands.front();
    CHECK(find.name == "find");
    std::vector<argument_kind> kinds;
    for (const tree_option& each : find.options) { kinds.push_back(each.kind); }
    using kind = argument_kind;
    CHECK(kinds == std::vector<kind>{kind::none, kind::words, kind::file, kind::folder, kind::anything, kind::none});
    CHECK(find.options[2].names == std::vector<std::string>{"-o", "--output"});
    REQUIRE(find.positionals.size() == 1);
    CHECK(find.positionals[0].kind == kind::file);
    CHECK(find.positionals[0].is_repeatable);
    CHECK(find.positionals[0].is_required);
}

TEST_CASE("completion: no description ends the quotes it stands in") {
    const parser p;
    const command_tree tree = read_tree(p.root);
    CHECK(zsh_completion(tree).find("'find:Find it, or don'\\''t: [all] of \\it'") != std::string::npos);
    CHECK(fish_completion(tree).find("'Find it, or don\\'t: [all] of \\\\it'") != std::string::npos);
    CHECK(fish_completion(tree).find("-d 'it\\'s all'") != std::string::npos);
    CHECK(bash_completion(tree).find("'find --by') kind=words values='site tag' ;;") != std::string::npos);
    for (const std::string& script : {bash_completion(tree), zsh_completion(tree), fish_completion(tree)}) {
        CHECK(script.find("secret") == std::string::npos);
    }
}

TEST_CASE("help: nothing is wider than 100 columns, and no word is lost") {
    const std::string text =
        "a word and another, then\n  indented ones that go on and on until they have to be broken somewhere";
    for (const std::size_t width : {20U, 40U, 72U}) {
        const std::string lines = wrapped(text, width);
        CHECK(widest_line(lines) <= width);
        std::istringstream left(lines), right(text);
        for (std::string a, b; right >> b;) {
            REQUIRE(left >> a);
            CHECK(a == b);
        }
    }
    CHECK(wrapped("unbreakable-word", 4) == "unbreakable-word");
    CHECK(wrapped("", 10).empty());

    parser p;
    p.root.formatter(std::make_shared<help_format>());
    CLI::App* const wordy = p.root.add_subcommand("wordy", "w");
    wordy->formatter(std::make_shared<help_format>());
    wordy->add_option("--by", p.by, std::string(30, 'x') + " " + std::string(60, 'y') + " " + std::string(20, 'z'));
    CHECK(widest_line(wordy->help()) <= help_width);
    CHECK(wordy->help().find(std::string(20, 'z')) != std::string::npos);
}

TEST_CASE("manual: roff sees text where text was meant") {
    CHECK(roff_escaped("a-b") == "a\\-b");
    CHECK(roff_escaped("C:\\x") == "C:\\ex");
    CHECK(roff_escaped(".SH\n'br\nx.y") == "\\&.SH\n\\&\\(aqbr\nx.y");
    CHECK(roff_escaped("~/\"q\" ^`") == "\\(ti/\\(dqq\\(dq \\(ha\\(ga");

    const parser p;
    const std::string page = render_manual(read_tree(p.root));
    CHECK(page.find("\n.SS memwatch find\nFind it, or don\\(aqt: [all] of \\eit.\n") != std::string::npos);
    CHECK(page.find("\n.TP\n.B \\-o, \\-\\-output FILE\nwhere to\n") != std::string::npos);
    CHECK(page.find("memwatch find \\(aqa b\\(aq \\-\\-by tag\n\\&.hidden\n.EE\n") != std::string::npos);
    CHECK(page.find("secret") == std::string::npos);
}
