// SPDX-License-Identifier: Apache-2.0
#pragma once
// Options that several commands share, each group once: how it is spelled, what it means, what is wrong with it.

#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/base/result.hpp>

#include <memwatch/diff/ranking.hpp>

#include "cli/source.hpp"
#include "cli/terminal.hpp"
#include "model/tag_weights.hpp"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's
class App;
}

namespace memwatch {
inline namespace v1 {

// Of every command that reads dumps; shown below its examples.
inline constexpr const char* exit_code_words =
    "Exit codes: 0 fine, 1 something grew (where a command says so), 2 wrong usage, 3 unreadable input,\n"
    "            4 target not reachable.\n"
    "FILE|URL is a dump (memtrace, json, jsonl), a heap profile of another tool (pprof, heaptrack,\n"
    "jemalloc, gperftools), or a running service: http://127.0.0.1:9467, localhost:9467,\n"
    "unix:/run/orders.sock, or pid:4711 for a process of yours, asked at its private control socket.\n";

// --debug-dir, --no-symbols, --no-cache.
class source_flags {
public:
    void add_to(CLI::App& app);
    [[nodiscard]] source_options read() const { return {!has_no_symbols_, debug_dirs_, !has_no_cache_, false}; }

private:
    std::vector<std::string> debug_dirs_;
    bool has_no_symbols_{};
    bool has_no_cache_{};
};

// --color.
class colour_flag {
public:
    void add_to(CLI::App& app);
    // Errors: invalid_argument.
    [[nodiscard]] result<colour_choice> read() const;

private:
    std::string word_;
};

// --rank, --tag-weights: what comes first in a comparison. MEMWATCH_TAG_WEIGHTS says the same as --tag-weights, which wins.
class ranking_flags {
public:
    void add_to(CLI::App& app);
    // Errors: invalid_argument, naming the option or the variable. Before anything is read, so that a wrong word costs nothing.
    [[nodiscard]] result<ranking> read();
    // Sets the weights in each; tags that --tag-weights names and none of them has are warned about.
    void weigh(const std::vector<snapshot*>& all) const;

private:
    std::string rank_;
    std::string weights_text_;
    std::vector<tag_weight> weights_;
};

enum class output_format { text, markdown, json };

struct output_options {
    output_format format{output_format::text};
    colour_choice colour{colour_choice::automatic};
};

// --format, --json, --color.
class output_flags {
public:
    enum class markdown { no, yes };
    void add_to(CLI::App& app, markdown has);
    // Errors: invalid_argument.
    [[nodiscard]] result<output_options> read() const;

private:
    markdown has_{};
    std::string format_;
    bool is_json_{};
    colour_flag colour_;
};

// "10MB" or "5s" as typed behind `option`, in bytes or nanoseconds. Errors: invalid_argument, naming the option.
[[nodiscard]] result<std::uint64_t> read_size(const char* option, const std::string& text);
[[nodiscard]] result<std::uint64_t> read_duration(const char* option, const std::string& text);

// For CLI11's check(): what is wrong with `text` as a number of rows, or as a process id. Empty: nothing.
[[nodiscard]] std::string check_count(const std::string& text);
[[nodiscard]] std::string check_pid(const std::string& text);

// Says what is wrong with the command line, and where help is.
int refuse_usage(const std::string& why, const std::string& where = {});
int refuse_usage(const error& wrong);

// Says what went wrong with an input or output.
int report_failure(const error& e);

// `text` to stdout, then `status`; or what went wrong.
int finish(const result<std::string>& text, exit_status status);

}  // namespace v1
}  // namespace memwatch
