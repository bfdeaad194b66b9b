// SPDX-License-Identifier: Apache-2.0
#pragma once
// One command of `memwatch`: the options it reads and what it does. A command is one file in commands/ and one row of the table
// in command_table.cpp; help, completion and the manual page are made from what its constructor adds to the parser.
//
//   class show final : public command {
//   public:
//       explicit show(CLI::App& app) { app.add_option("INPUT", input_, "FILE|URL to show"); source_.add_to(app); }
//       int run() override { ... }
//
// Threads: one.

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's
class App;
}

namespace memwatch {
inline namespace v1 {

class command {
public:
    virtual ~command() = default;
    command(const command&) = delete;
    command& operator=(const command&) = delete;

    // Called once, when the options are read: what the shell gets to see. Says itself what is wrong (terminal.hpp).
    virtual int run() = 0;

    // The words behind "--", where the command's row says that they are somebody else's.
    virtual void take_words(std::vector<std::string> /*words*/) {}

protected:
    command() = default;
};

struct command_entry {
    const char* name;
    const char* summary;  // one line of 'memwatch --help'
    const char* footer;   // examples, and what --help says below the options; exit codes are added
    std::unique_ptr<command> (*make)(CLI::App& app);
    bool takes_words{};  // behind "--" stands another program with its own options
    bool is_hidden{};    // for the build, not for people: no help, completion or manual names it
};

// Every command there is, in the order of help.
[[nodiscard]] std::span<const command_entry> command_table();

}  // namespace v1
}  // namespace memwatch
