// SPDX-License-Identifier: Apache-2.0
#include "cli/blackbox/story.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include <memwatch/snapshot/codec.hpp>

#include "blackbox/event.hpp"
#include "platform/state_folder.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view suffix = ".blackbox";

std::pair<std::string, std::string> folder_and_name(const std::string& path) {
    const fs::path absolute = fs::absolute(path);
    return {absolute.parent_path().string(), absolute.filename().string()};
}

// Who writes to a box holds its lock.
life_end ask_whether_written(const std::string& path) {
    const auto [folder, name] = folder_and_name(path);
    const result<state_folder> opened = state_folder::open_existing(folder);
    if (!opened) { return life_end::unknown; }
    const result<state_file> file = opened->open_file(name);
    if (!file) { return life_end::unknown; }
    return file->try_lock() ? life_end::without_a_word : life_end::running;
}

void add_record(story& into, const blackbox::record& from, std::vector<const blackbox::record*>& situations) {
    switch (from.kind) {
        case blackbox::record_kind::pulse:
            if (const auto figures = blackbox::decode_pulse(from.payload)) { into.curve.push_back({from.unix_ns, *figures}); }
            return;
        case blackbox::record_kind::event:
            if (const auto happened = blackbox::decode_event(from.payload)) {
                into.events.push_back({from.unix_ns, std::string(happened->name), std::string(happened->text)});
            }
            return;
        case blackbox::record_kind::situation:
            situations.push_back(&from);
            return;
    }
}

// A minute's pulse is in two lanes, a few microseconds apart.
void drop_doubles(std::vector<told_pulse>& curve) {
    const auto is_same = [](const told_pulse& a, const told_pulse& b) { return b.unix_ns - a.unix_ns < 1'000'000; };
    curve.erase(std::unique(curve.begin(), curve.end(), is_same), curve.end());
}

// A dump that cannot be read - it was made by a newer memwatch, or by nobody - is passed over for the one before.
void tell_situation(story& into, const std::vector<const blackbox::record*>& situations, std::uint64_t before_ns) {
    for (auto at = situations.rbegin(); at != situations.rend(); ++at) {
        const blackbox::record& record = **at;
        if (into.last_unix_ns - std::min(into.last_unix_ns, record.unix_ns) < before_ns) { continue; }
        result<decoded_snapshot> dump = decode(record.payload);
        if (!dump || !dump->damage.empty()) { continue; }
        into.situation_unix_ns = record.unix_ns;
        into.situation_bytes = record.payload;
        into.requests = std::move(dump->value.live);
        std::sort(into.requests.begin(), into.requests.end(),
                  [](const live_record& a, const live_record& b) { return a.birth_ns > b.birth_ns; });
        dump->value.live.clear();  // a few of many: no sums are made of them
        into.situation = std::move(dump->value);
        return;
    }
}

bool is_box(const fs::path& path) {
    const std::string name = path.filename().string();
    return name.size() > suffix.size() && std::string_view(name).substr(name.size() - suffix.size()) == suffix;
}

std::string program_of(const listed_box& box) { return box.of.whose ? box.of.whose->executable : std::string(); }

result<std::vector<std::string>> names_in(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code failed;
    for (auto at = fs::directory_iterator(folder, failed); !failed && at != fs::directory_iterator(); at.increment(failed)) {
        std::error_code gone;
        if (is_box(at->path()) && at->is_regular_file(gone)) { names.push_back(at->path().filename().string()); }
    }
    if (failed) {
        const bool is_missing = failed == std::errc::no_such_file_or_directory;
        return fail(is_missing ? error_code::not_found : error_code::io, failed.message(), folder);
    }
    std::sort(names.rbegin(), names.rend());  // they begin with the time
    return names;
}

}  // namespace

snapshot situation_with_requests(const story& told) {
    snapshot whole = *told.situation;
    whole.live = told.requests;
    return whole;
}

result<story> read_story(const std::string& path, std::uint64_t before_ns) {
    result<blackbox::box> box = blackbox::read_box(path);
    if (!box) { return tl::unexpected<error>(std::move(box.error())); }
    story told;
    told.path = path;
    told.whose = std::move(box->whose);
    told.record_count = box->records.size();
    told.damaged_sectors = box->damaged_sectors;
    told.incomplete_records = box->incomplete_records;
    told.is_cut_short = box->expected_bytes > box->file_bytes;
    std::vector<const blackbox::record*> situations;
    for (const blackbox::record& each : box->records) { add_record(told, each, situations); }
    if (!box->records.empty()) {
        told.first_unix_ns = box->records.front().unix_ns;
        told.last_unix_ns = box->records.back().unix_ns;
    }
    drop_doubles(told.curve);
    told.situations = situations.size();
    tell_situation(told, situations, before_ns);
    told.end = ask_whether_written(path);
    if (!told.events.empty() && told.events.back().name == blackbox::event_names::end) {
        told.end = life_end::in_order;
        told.end_text = told.events.back().text;
    }
    return told;
}

result<std::vector<listed_box>> list_boxes(const std::string& folder) {
    const result<std::vector<std::string>> names = names_in(folder);
    if (!names) { return tl::unexpected<error>(names.error()); }
    std::vector<listed_box> all;
    for (const std::string& name : *names) {
        result<story> told = read_story(folder + "/" + name, 0);
        listed_box row;
        row.name = name;
        if (told) {
            row.of = std::move(*told);
        } else {
            row.problem = told.error().what;
        }
        all.push_back(std::move(row));
    }
    return all;
}

result<std::string> find_box(const std::string& path) {
    std::error_code failed;
    if (!fs::is_directory(path, failed)) { return path; }
    const result<std::vector<listed_box>> all = list_boxes(path);
    if (!all) { return tl::unexpected<error>(all.error()); }
    if (all->empty()) { return fail(error_code::not_found, "no black box in this folder", path); }
    std::map<std::string, std::size_t> records;
    for (const listed_box& each : *all) { records[program_of(each)] += each.of.record_count; }
    const auto is_better = [&](const listed_box& a, const listed_box& b) {
        const auto rank = [&](const listed_box& box) {
            const bool has_ended = box.problem.empty() && box.of.end != life_end::running;
            return std::pair(has_ended, records[program_of(box)]);
        };
        return rank(a) < rank(b);
    };
    return path + "/" + std::max_element(all->begin(), all->end(), is_better)->name;  // of equal ones the first: the newest
}

const char* word_of(life_end end) noexcept {
    switch (end) {
        case life_end::unknown:
            return "unknown";
        case life_end::running:
            return "running";
        case life_end::in_order:
            return "in_order";
        case life_end::without_a_word:
            return "without_a_word";
    }
    return "unknown";
}

}  // namespace v1
}  // namespace memwatch
