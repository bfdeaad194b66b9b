// SPDX-License-Identifier: Apache-2.0
// `memwatch completion` and, hidden, `memwatch manual`: what the build installs beside the program.

#include <CLI/CLI.hpp>

#include "cli/choices.hpp"
#include "cli/command_tree.hpp"
#include "cli/commands/commands.hpp"
#include "cli/completion.hpp"
#include "cli/flags.hpp"
#include "cli/manual.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

const choices shells{"bash", "zsh", "fish"};
const choices manual_forms{"man", "json"};

class completion final : public command {
public:
    explicit completion(CLI::App& app) : app_(app) {
        shells.offer(app.add_option("SHELL", shell_, "whose script goes to standard output")->required());
    }

    int run() override {
        if (const auto known = shells.check("SHELL", shell_); !known) { return refuse_usage(known.error()); }
        const command_tree tree = read_tree(*app_.get_parent());
        return finish(shell_ == "bash"  ? bash_completion(tree)
                      : shell_ == "zsh" ? zsh_completion(tree)
                                        : fish_completion(tree),
                      exit_status::fine);
    }

private:
    CLI::App& app_;
    std::string shell_;
};

class manual final : public command {
public:
    explicit manual(CLI::App& app) : app_(app) {
        manual_forms.offer(app.add_option("--format", form_, "memwatch(1) in roff, or the tree of commands as JSON"));
    }

    int run() override {
        if (const auto known = manual_forms.check("--format", form_); !known) { return refuse_usage(known.error()); }
        const command_tree tree = read_tree(*app_.get_parent());
        return finish(form_ == "json" ? render_json(tree) : render_manual(tree), exit_status::fine);
    }

private:
    CLI::App& app_;
    std::string form_{"man"};
};

}  // namespace

std::unique_ptr<command> make_completion(CLI::App& app) { return std::make_unique<completion>(app); }
std::unique_ptr<command> make_manual(CLI::App& app) { return std::make_unique<manual>(app); }

}  // namespace v1
}  // namespace memwatch
