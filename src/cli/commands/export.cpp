// SPDX-License-Identifier: Apache-2.0
// `memwatch export`: a dump in another tool's format.

#include <CLI/CLI.hpp>
#include <functional>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "base/json_writer.hpp"
#include "cli/choices.hpp"
#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "exchange/export_formats.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

struct export_format {
    const char* name;
    const char* suffix;  // of an output file that asks for it; "" = none does
    bool is_binary;
    result<std::string> (*encode)(const snapshot& s);
};

template <dump_format Format>
result<std::string> encode_as(const snapshot& s) {
    return encode(s, Format);
}

template <std::string (*Encode)(const snapshot&)>
result<std::string> encode_by(const snapshot& s) {
    return Encode(s);
}

result<std::string> encode_rows(const snapshot& s) { return exchange::encode_clickhouse(s); }

// The first suffix that fits wins.
constexpr export_format formats[] = {
    {"pprof", ".pb.gz", true, encode_as<dump_format::pprof>},
    {"pprof_allocs", "", true, encode_as<dump_format::pprof_allocs>},
    {"speedscope", ".speedscope.json", false, encode_by<exchange::encode_speedscope>},
    {"folded", ".folded", false, encode_as<dump_format::folded>},
    {"dhat", ".dhat.json", false, encode_by<exchange::encode_dhat>},
    {"csv", ".csv", false, encode_by<exchange::encode_csv>},
    {"clickhouse", ".rows.jsonl", false, encode_rows},
    {"json", ".json", false, encode_as<dump_format::json>},
    {"jsonl", ".jsonl", false, encode_as<dump_format::jsonl>},
    {"memtrace", ".memtrace", true, encode_as<dump_format::memtrace>},
};

choices format_choices() {
    std::vector<std::string> names;
    for (const export_format& each : formats) { names.emplace_back(each.name); }
    return choices(std::move(names));
}

class export_command final : public command {
public:
    explicit export_command(CLI::App& app) {
        app.add_option("INPUT", inputs_,
                       "FILE|URL to export; two for --format folded: BEFORE and AFTER; any number for --format clickhouse");
        format_choices().offer(app.add_option("--format", format_, "what to write; without it: by the name of the output"));
        app.add_option("-o,--output", output_, "file to write (0600, atomically); without it: standard output")
            ->type_name("FILE");
        app.add_option("--top", top_,
                       "for clickhouse: rows for the sites that hold most and those accused, one for the rest; 0 for all")
            ->check(&check_count)
            ->capture_default_str();
        app.add_flag("--schema", wants_schema_, "for clickhouse: the table that takes the rows, as SQL; no INPUT");
        app.add_flag("--json", is_json_, "say what was written as JSON; without -o: --format json");
        source_.add_to(app);
    }

    int run() override {
        const result<const export_format*> format = choose_format();
        if (!format) { return refuse_usage(format.error()); }
        if (std::string_view((*format)->name) == "clickhouse") { return export_rows(**format); }
        if (wants_schema_ || top_ != 0) {
            return refuse_usage("goes with --format clickhouse only", wants_schema_ ? "--schema" : "--top");
        }
        if (inputs_.empty()) { return refuse_usage("an INPUT is required"); }
        const bool is_pair = inputs_.size() == 2 && std::string_view((*format)->name) == "folded";
        if (inputs_.size() > 1 && !is_pair) {
            return refuse_usage("one INPUT, or two with --format folded, or --format clickhouse", inputs_[1]);
        }
        if (output_.empty() && (*format)->is_binary && is_terminal_output()) {
            return report_failure({error_code::invalid_argument, "binary output does not go to a terminal; give -o FILE",
                                   std::string("--format ") + (*format)->name});
        }
        const result<std::string> bytes = is_pair ? encode_pair() : encode_one(**format);
        if (!bytes || output_.empty()) { return finish(bytes, exit_status::fine); }
        if (const auto written = write_file_atomically(output_, *bytes); !written) { return report_failure(written.error()); }
        return finish(written_words(**format, bytes->size()), exit_status::fine);
    }

private:
    // Dump by dump, so that a fleet's need no more memory than one; with -o all, because a file appears whole. One that cannot
    // be read is named and left out.
    int export_rows(const export_format& format) {
        if (wants_schema_ != inputs_.empty()) {
            return refuse_usage(wants_schema_ ? "takes no INPUT" : "an INPUT is required, or --schema",
                                wants_schema_ ? "--schema" : "");
        }
        if (wants_schema_) { return finish(std::string(exchange::clickhouse_schema()), exit_status::fine); }
        std::string all;
        exit_status status = exit_status::fine;
        for (const std::string& input : inputs_) {
            const result<loaded_snapshot> loaded = load_snapshot(input, source_.read());
            if (!loaded || !loaded->damage.empty()) {
                print_error(loaded ? error{error_code::unreadable, "damaged, left out", input} : loaded.error());
                status = loaded ? exit_status::unreadable : status_of(loaded.error());
                continue;
            }
            std::string rows = exchange::encode_clickhouse(loaded->value, top_);
            if (!output_.empty()) {
                all += rows;
            } else if (const auto printed = print(rows); !printed) {
                return report_failure(printed.error());
            }
        }
        if (output_.empty()) { return static_cast<int>(status); }
        if (const auto written = write_file_atomically(output_, all); !written) { return report_failure(written.error()); }
        return finish(written_words(format, all.size()), status);
    }

    [[nodiscard]] result<const export_format*> choose_format() const {
        const std::string wanted = format_.empty() && is_json_ && output_.empty() ? "json" : format_;
        for (const export_format& each : formats) {
            if (wanted == each.name) { return &each; }
            const std::string_view suffix = each.suffix;
            if (wanted.empty() && !suffix.empty() && output_.ends_with(suffix)) { return &each; }
        }
        if (wanted.empty()) {
            return fail(error_code::invalid_argument, "--format is required: " + format_choices().in_words());
        }
        return tl::unexpected<error>(format_choices().check("--format", wanted).error());
    }

    [[nodiscard]] result<std::string> encode_one(const export_format& format) const {
        const result<loaded_snapshot> loaded = load_snapshot(inputs_.front(), source_.read());
        if (!loaded) { return tl::unexpected<error>(loaded.error()); }
        return format.encode(loaded->value);
    }

    [[nodiscard]] result<std::string> encode_pair() const {
        const result<loaded_snapshot> before = load_snapshot(inputs_[0], source_.read());
        if (!before) { return tl::unexpected<error>(before.error()); }
        const result<loaded_snapshot> after = load_snapshot(inputs_[1], source_.read());
        if (!after) { return tl::unexpected<error>(after.error()); }
        return exchange::encode_folded_pair(before->value, after->value);
    }

    [[nodiscard]] std::string written_words(const export_format& format, std::size_t bytes) const {
        if (!is_json_) { return fmt::format("{}  {}\n", output_, format_bytes(static_cast<double>(bytes))); }
        json_writer json;
        json.begin_object();
        json.key("kind").value("memwatch.written");
        json.key("file").value(output_);
        json.key("format").value(format.name);
        json.key("bytes").value(std::uint64_t{bytes});
        json.end_object();
        return json.take();
    }

    std::vector<std::string> inputs_;
    std::string format_, output_;
    std::size_t top_{};
    bool wants_schema_{};
    bool is_json_{};
    source_flags source_;
};

}  // namespace

std::unique_ptr<command> make_export(CLI::App& app) { return std::make_unique<export_command>(app); }

}  // namespace v1
}  // namespace memwatch
