// SPDX-License-Identifier: Apache-2.0
#include "gate/baseline.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <tuple>

#include <fmt/format.h>
#include <rapidjson/document.h>

#include <memwatch/base/units.hpp>
#include <memwatch/model/site_name.hpp>

#include "base/json_writer.hpp"
#include "report/text_table.hpp"
#include "report/words.hpp"

namespace memwatch::inline v1::gate {
namespace {

constexpr std::string_view format_name = "memwatch-baseline";
constexpr std::uint64_t format_version = 1;
constexpr std::size_t most_lines = 4'000'000;
constexpr std::size_t most_frames = 4096;                       // of a stack
constexpr std::uint64_t largest_count = 9'000'000'000'000'000;  // exact in a double, and more than any heap
constexpr double largest_bytes = 9e15;

// ---------------------------------------------------------------------------------------------------------------- writing

// "orders::insert+4": the function and how far behind its start.
std::string line_text(const source_line& line) {
    const bool is_relative = line.function_line != 0 && line.line >= line.function_line;
    return is_relative ? fmt::format("{}+{}", line.function, line.line - line.function_line) : line.function;
}

bool is_named(const frame& f) {
    return !f.lines.empty() &&
           std::all_of(f.lines.begin(), f.lines.end(), [](const source_line& line) { return !line.function.empty(); });
}

// Frames as text. A module's build id is written only where nothing of it has a name: offsets are all there is then, and they
// are of one build. Beside names it would make the diff believe that it knows the module, and compare offsets it does not have.
class frame_writer {
public:
    explicit frame_writer(const snapshot& s) : s_(s), has_names_(s.modules.size()) {
        for (const frame& f : s.frames) {
            if (f.module < s.modules.size() && is_named(f)) { has_names_[f.module] = true; }
        }
    }

    [[nodiscard]] std::string stack_json(const site& of) const {
        json_writer json;
        json.begin_array();
        const bool has_names = is_told_by_names(of);
        for (const std::uint32_t index : s_.stacks[of.stack].frames) {
            json.begin_array();
            for (const std::string& text : texts_of(s_.frames[index], has_names)) { json.value(text); }
            json.end_array();
        }
        json.end_array();
        std::string text = json.take();
        text.pop_back();  // its newline
        return text;
    }

private:
    // Beside a name of the user's own a frame without one says nothing that is worth a line's change with each libc.
    [[nodiscard]] bool is_told_by_names(const site& of) const {
        const auto& frames = s_.stacks[of.stack].frames;
        return std::any_of(frames.begin(), frames.end(), [&](std::uint32_t i) {
            const frame& f = s_.frames[i];
            return is_named(f) && !is_plumbing(f.lines.back().function);
        });
    }

    [[nodiscard]] std::vector<std::string> texts_of(const frame& f, bool has_names) const {
        std::vector<std::string> texts;
        if (!is_named(f) && f.module >= s_.modules.size()) { return {"?"}; }  // an address: another one in each run
        if (!is_named(f)) {
            const std::string module{base_name(s_.modules[f.module].path)};
            return {has_names ? module + "+0x0" : fmt::format("{}+0x{:x}", module_name(f), f.offset)};
        }
        for (const source_line& line : f.lines) { texts.push_back(line_text(line)); }
        return texts;
    }

    [[nodiscard]] std::string module_name(const frame& f) const {
        const module& m = s_.modules[f.module];
        const bool is_of_one_build = !m.build_id.empty() && !has_names_[f.module];
        return std::string(base_name(m.path)) + (is_of_one_build ? "@" + m.build_id : "");
    }

    const snapshot& s_;
    std::vector<bool> has_names_;
};

// Numbers without a fraction: a byte more or less is no news. Negative and absurd ones do not come out of a valid snapshot.
std::uint64_t whole(double number) { return static_cast<std::uint64_t>(std::llround(std::clamp(number, 0.0, largest_bytes))); }

std::string header_line(const snapshot& s, std::size_t tags, std::size_t sites) {
    json_writer json;
    json.begin_object();
    json.key("format").value(format_name);
    json.key("version").value(format_version);
    json.key("service").value(s.info.service);
    json.key("executable").value(base_name(s.info.executable));
    json.key("interval_bytes").value(s.info.interval_bytes);
    json.key("sampler").value(s.info.sampler);
    json.key("min_size_bytes").value(s.info.min_size_bytes);
    json.key("tags").value(std::uint64_t{tags});
    json.key("sites").value(std::uint64_t{sites});
    json.end_object();
    return json.take();
}

std::string tag_line(const tag_totals& tag) {
    json_writer json;
    json.begin_object();
    json.key("tag").value(tag.name);
    json.key("bytes").value(std::min(tag.live_bytes(), largest_count));
    json.key("objects").value(std::min(tag.live_objects(), largest_count));
    json.end_object();
    return json.take();
}

// What makes two sites one line: everything in it but the numbers. In the order of the file.
using site_identity = std::tuple<std::string, std::string, std::string, std::string>;  // name, tag, type, stack

std::string site_line(const site_identity& id, const sampled_totals& live) {
    const auto& [name, tag, type, stack] = id;
    json_writer json;
    json.begin_object();
    json.key("site").value(name);
    json.key("tag").value(tag);
    json.key("type").value(type);
    json.key("bytes").value(whole(live.bytes));
    json.key("objects").value(whole(live.objects));
    json.key("error").value(whole(live.bytes_standard_error()));
    json.key("samples").value(live.samples);
    json.end_object();
    std::string line = json.take();
    line.resize(line.size() - 2);  // "}\n"
    return line + ", \"stack\": " + stack + "}\n";
}

std::map<site_identity, sampled_totals> sites_by_name(const snapshot& s) {
    std::map<site_identity, sampled_totals> sites;
    const frame_writer frames(s);
    for (const site& each : s.sites) {
        if (each.live.bytes <= 0) { continue; }
        sites[{site_name(s, each), s.tags[each.tag].name, each.type, frames.stack_json(each)}].add(each.live);
    }
    return sites;
}

std::map<std::string, tag_totals> tags_by_name(const snapshot& s) {
    std::map<std::string, tag_totals> tags;
    for (const tag_totals& each : s.tags) {
        if (each.allocations == 0) { continue; }  // never counted: sites of it are only sampled
        tag_totals& sum = tags[each.name];
        sum.name = each.name;
        sum.allocated_bytes += each.live_bytes();
        sum.allocations += each.live_objects();
    }
    return tags;
}

// ---------------------------------------------------------------------------------------------------------------- reading

struct unreadable_line {
    const char* why;
};

class baseline_reader {
public:
    result<snapshot> read(std::string_view bytes) {
        std::size_t number = 0;
        try {
            while (!bytes.empty()) {
                const std::size_t end = bytes.find('\n');
                if (++number > most_lines) { return fail(error_code::limit, "too many lines", where(number)); }
                take_line(bytes.substr(0, end), number);
                bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
            }
        } catch (const unreadable_line& e) { return fail(error_code::unreadable, e.why, where(number)); }
        if (is_newer_) {
            return fail(error_code::unsupported, "a newer version of the baseline than this build reads", "line 1");
        }
        if (wanted_tags_ != found_tags_ || wanted_sites_ != out_.sites.size()) {
            return fail(error_code::unreadable,
                        fmt::format("the first line promises {} tags and {} sites, there are {} and {}; write it anew with "
                                    "'memwatch gate --update-baseline'",
                                    wanted_tags_, wanted_sites_, found_tags_, out_.sites.size()),
                        "line 1");
        }
        if (auto checked = validate(out_); !checked) { return tl::unexpected<error>(checked.error()); }
        return std::move(out_);
    }

private:
    static std::string where(std::size_t number) { return "line " + std::to_string(number); }

    void take_line(std::string_view line, std::size_t number) {
        rapidjson::Document row;
        row.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(line.data(), line.size());
        if (row.HasParseError() || !row.IsObject()) { throw unreadable_line{"not a JSON object"}; }
        if (number == 1) { return take_header(row); }
        if (is_newer_) { return; }
        if (row.HasMember("site")) { return take_site(row); }
        if (row.HasMember("tag")) { return take_tag(row); }
        throw unreadable_line{"neither a site nor a tag"};
    }

    static std::string text(const rapidjson::Value& row, const char* key) {
        const auto found = row.FindMember(key);
        if (found == row.MemberEnd() || !found->value.IsString()) { throw unreadable_line{"a text is missing"}; }
        return {found->value.GetString(), found->value.GetStringLength()};
    }

    static std::uint64_t number(const rapidjson::Value& row, const char* key) {
        const auto found = row.FindMember(key);
        if (found == row.MemberEnd() || !found->value.IsUint64()) { throw unreadable_line{"a number is missing"}; }
        return found->value.GetUint64();
    }

    static double amount(const rapidjson::Value& row, const char* key) {
        const std::uint64_t value = number(row, key);
        if (static_cast<double>(value) > largest_bytes) { throw unreadable_line{"a number beyond all memory"}; }
        return static_cast<double>(value);
    }

    void take_header(const rapidjson::Value& row) {
        if (text(row, "format") != format_name) { throw unreadable_line{"not a memwatch baseline"}; }
        is_newer_ = number(row, "version") > format_version;
        if (is_newer_) { return; }
        out_.info.service = text(row, "service");
        out_.info.executable = text(row, "executable");
        out_.info.interval_bytes = number(row, "interval_bytes");
        out_.info.sampler = text(row, "sampler");
        out_.info.min_size_bytes = number(row, "min_size_bytes");
        out_.info.label = "baseline";
        wanted_tags_ = number(row, "tags");
        wanted_sites_ = number(row, "sites");
        out_.routes = {""};
        out_.threads = {{"other", 0, false}};
        tag_index("untagged");
    }

    std::uint32_t tag_index(const std::string& name) {
        const auto [found, is_new] = tags_.try_emplace(name, static_cast<std::uint32_t>(out_.tags.size()));
        if (is_new) { out_.tags.push_back({name, 0, 0, 0, 0}); }
        return found->second;
    }

    void take_tag(const rapidjson::Value& row) {
        tag_totals& tag = out_.tags[tag_index(text(row, "tag"))];
        if (tag.allocations != 0 || tag.allocated_bytes != 0) { throw unreadable_line{"this tag is there twice"}; }
        tag.allocated_bytes = whole(amount(row, "bytes"));
        tag.allocations = whole(amount(row, "objects"));
        ++found_tags_;
    }

    void take_site(const rapidjson::Value& row) {
        site one;
        one.tag = tag_index(text(row, "tag"));
        one.type = text(row, "type");
        one.live.bytes = amount(row, "bytes");
        one.live.objects = amount(row, "objects");
        const double standard_error = amount(row, "error");
        one.live.bytes_variance = standard_error * standard_error;
        one.live.samples = number(row, "samples");
        const auto frames = row.FindMember("stack");
        if (frames == row.MemberEnd() || !frames->value.IsArray() || frames->value.Size() > most_frames) {
            throw unreadable_line{"no stack, or one beyond all depth"};
        }
        stack calls;
        for (const auto& each : frames->value.GetArray()) { calls.frames.push_back(frame_index(each)); }
        one.stack = static_cast<std::uint32_t>(out_.stacks.size());
        out_.stacks.push_back(std::move(calls));
        out_.sites.push_back(std::move(one));
    }

    std::uint32_t frame_index(const rapidjson::Value& functions) {
        if (!functions.IsArray() || functions.Empty() || functions.Size() > most_frames) {
            throw unreadable_line{"a frame is a list of functions"};
        }
        std::string key;
        frame made;
        for (const auto& each : functions.GetArray()) {
            if (!each.IsString()) { throw unreadable_line{"a function is a text"}; }
            const std::string function(each.GetString(), each.GetStringLength());
            key += function + '\n';
            made.lines.push_back(line_of(function));
        }
        if (made.lines.size() == 1) { take_nameless(functions[0].GetString(), made); }
        const auto [found, is_new] = frames_.try_emplace(key, static_cast<std::uint32_t>(out_.frames.size()));
        if (is_new) { out_.frames.push_back(std::move(made)); }
        return found->second;
    }

    // "orders::insert+4": only the distance is known, so each function begins at a line of its own that nobody shares.
    source_line line_of(const std::string& text) {
        const std::size_t plus = text.rfind('+');
        std::uint32_t distance = 0;
        if (plus != std::string::npos && plus != 0) {
            const auto parsed = std::from_chars(text.data() + plus + 1, text.data() + text.size(), distance);
            const bool is_distance =
                parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && distance < 1U << 30U;
            if (is_distance) {
                const auto next = static_cast<std::uint32_t>(functions_.size() + 1);
                const std::uint32_t start = functions_.try_emplace(text.substr(0, plus), next).first->second;
                return {text.substr(0, plus), "", start + distance, start};
            }
        }
        return {text, "", 0, 0};
    }

    // "orders@1a2b+0x1a40" names code, no function.
    void take_nameless(std::string_view text, frame& made) {
        if (text == "?") { made.lines.clear(); }
        const std::size_t plus = text.rfind("+0x");
        if (plus == std::string_view::npos) { return; }
        std::uint64_t offset = 0;
        const auto parsed = std::from_chars(text.data() + plus + 3, text.data() + text.size(), offset, 16);
        if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) { return; }
        made.lines.clear();
        made.offset = offset;
        made.module = module_index(text.substr(0, plus));
    }

    std::uint32_t module_index(std::string_view text) {
        const auto [found, is_new] = modules_.try_emplace(std::string(text), static_cast<std::uint32_t>(out_.modules.size()));
        if (is_new) {
            const std::size_t at = text.rfind('@');
            module m;
            m.path = text.substr(0, at);
            if (at != std::string_view::npos) { m.build_id = text.substr(at + 1); }
            out_.modules.push_back(std::move(m));
        }
        return found->second;
    }

    snapshot out_;
    std::map<std::string, std::uint32_t> tags_;
    std::map<std::string, std::uint32_t> frames_;
    std::map<std::string, std::uint32_t> modules_;
    std::map<std::string, std::uint32_t> functions_;  // their first lines
    std::uint64_t wanted_tags_{};
    std::uint64_t wanted_sites_{};
    std::uint64_t found_tags_{};
    bool is_newer_{};
};

// ------------------------------------------------------------------------------------------------------------------ update

struct update_row {
    std::string what;
    std::string name;
    double before{};
    double after{};
};

void add_rows(std::vector<update_row>& rows, const char* kind, const auto& before, const auto& after, auto bytes_of,
              auto name_of_key) {
    const auto add = [&](const auto& key, double old_bytes, double new_bytes, const char* what) {
        if (whole(old_bytes) != whole(new_bytes)) { rows.push_back({what, kind + name_of_key(key), old_bytes, new_bytes}); }
    };
    for (const auto& [key, value] : after) {
        const auto old = before.find(key);
        const bool is_known = old != before.end();
        add(key, is_known ? bytes_of(old->second) : 0, bytes_of(value), is_known ? "changed" : "new");
    }
    for (const auto& [key, value] : before) {
        if (after.find(key) == after.end()) { add(key, bytes_of(value), 0, "gone"); }
    }
}

}  // namespace

bool looks_like_baseline(std::string_view bytes) {
    const std::string_view first = bytes.substr(0, std::min<std::size_t>(bytes.find('\n'), 256));
    return !first.empty() && first.front() == '{' && first.find("\"memwatch-baseline\"") != std::string_view::npos;
}

std::string write_baseline(const snapshot& s) {
    const auto tags = tags_by_name(s);
    const auto sites = sites_by_name(s);
    std::string text = header_line(s, tags.size(), sites.size());
    for (const auto& [name, tag] : tags) { text += tag_line(tag); }
    for (const auto& [id, live] : sites) { text += site_line(id, live); }
    return text;
}

result<snapshot> read_baseline(std::string_view bytes) {
    if (!looks_like_baseline(bytes)) { return fail(error_code::unreadable, "not a memwatch baseline", "line 1"); }
    return baseline_reader().read(bytes);
}

std::string render_update(const snapshot& before, const snapshot& after, std::size_t top) {
    std::vector<update_row> rows;
    add_rows(
        rows, "tag ", tags_by_name(before), tags_by_name(after),
        [](const tag_totals& t) { return static_cast<double>(t.allocated_bytes); },
        [](const std::string& name) { return name; });
    add_rows(
        rows, "", sites_by_name(before), sites_by_name(after), [](const sampled_totals& t) { return t.bytes; },
        [](const site_identity& id) { return std::get<0>(id); });
    std::stable_sort(rows.begin(), rows.end(), [](const update_row& a, const update_row& b) {
        return std::fabs(a.after - a.before) > std::fabs(b.after - b.before);
    });
    const double change = live_totals(after).bytes - live_totals(before).bytes;
    std::string text =
        fmt::format("{}: {} sites, {} ({} than before, {} lines changed)\n", change > 0 ? "WIDENED" : "not widened",
                    after.sites.size(), format_bytes(live_totals(after).bytes), format_bytes_signed(change), rows.size());
    text_table table(false, 2);
    for (const char* title : {"change", "before", "after", ""}) { table.add_column(title, text_table::align::right); }
    table.add_column("what", text_table::align::left);
    const std::size_t shown = top == 0 ? rows.size() : std::min(top, rows.size());
    for (std::size_t i = 0; i < shown; ++i) {
        const update_row& row = rows[i];
        table.add_row({format_bytes_signed(row.after - row.before), format_bytes(row.before), format_bytes(row.after), row.what,
                       elide(printable(row.name), 100)});
    }
    if (!table.empty()) { text += table.render(); }
    if (shown < rows.size()) { text += fmt::format("  and {} more\n", rows.size() - shown); }
    return text;
}

std::size_t nameless_sites(const snapshot& s) {
    return static_cast<std::size_t>(std::count_if(s.sites.begin(), s.sites.end(), [&](const site& each) {
        const auto& frames = s.stacks[each.stack].frames;
        return each.live.bytes > 0 && std::none_of(frames.begin(), frames.end(), [&](std::uint32_t i) {
                   return is_named(s.frames[i]) && !is_plumbing(s.frames[i].lines.back().function);
               });
    }));
}

}  // namespace memwatch::inline v1::gate
