// SPDX-License-Identifier: Apache-2.0
#include "history/folder_shelf.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "history/past_name.hpp"

namespace memwatch {
inline namespace v1 {
namespace history {
namespace {

constexpr std::size_t most_lines = 256;  // processes of one service that share a folder
constexpr std::string_view suffix = ".memtrace";

// Made when there is none; somebody else may make it at the same moment.
result<state_file> open_or_create(const state_folder& folder, const std::string& name) {
    result<state_file> file = folder.open_file(name);
    if (file || file.error().code != error_code::not_found) { return file; }
    file = folder.create(name);
    return file ? std::move(file) : folder.open_file(name);
}

struct line_of_files {
    std::size_t number{};
    state_file lock;
};

result<line_of_files> take_line(const state_folder& folder, const std::string& service_prefix) {
    for (std::size_t number = 0; number < most_lines; ++number) {
        result<state_file> lock = open_or_create(folder, service_prefix + std::to_string(number) + ".lock");
        if (!lock) { return tl::unexpected<error>(lock.error()); }
        if (lock->try_lock()) { return line_of_files{number, std::move(*lock)}; }
    }
    return fail(error_code::io, "too many processes of this service keep their history here", folder.path());
}

bool begins_with(std::string_view text, std::string_view with) { return text.substr(0, with.size()) == with; }

std::string_view without(std::string_view text, std::string_view prefix, std::string_view end) {
    if (!begins_with(text, prefix) || text.size() < prefix.size() + end.size()) { return {}; }
    if (text.substr(text.size() - end.size()) != end) { return {}; }
    return text.substr(prefix.size(), text.size() - prefix.size() - end.size());
}

// Of any line of the service's: "0-20261122T153000Z-3fa9c1d2".
std::optional<past_name> past_of_any_line(std::string_view file, const std::string& service_prefix) {
    const std::string_view numbered = without(file, service_prefix, suffix);
    const std::size_t dash = numbered.find('-');
    if (dash == std::string_view::npos) { return std::nullopt; }
    return parse_past_name(numbered.substr(dash + 1));
}

}  // namespace

std::string file_word(std::string_view service) {
    constexpr std::size_t longest = 48;
    std::string word(service.substr(0, longest));
    for (char& c : word) {
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!is_plain) { c = '_'; }
    }
    return word;
}

result<folder_shelf::opened> folder_shelf::open(const std::string& path, const std::string& service,
                                                const history_bounds& within, std::uint64_t now_unix_ns) {
    result<state_folder> folder = state_folder::open(path);
    if (!folder) { return tl::unexpected<error>(folder.error()); }
    const std::string service_prefix = "history-" + file_word(service) + "-";
    result<line_of_files> line = take_line(*folder, service_prefix);
    if (!line) { return tl::unexpected<error>(line.error()); }
    const auto files = folder->list();
    if (!files) { return tl::unexpected<error>(files.error()); }
    const std::string prefix = service_prefix + std::to_string(line->number) + "-";
    std::vector<past_snapshot> found;
    for (const state_folder::entry& each : *files) {
        const std::optional<past_name> of_any = past_of_any_line(each.name, service_prefix);
        const bool is_too_old =
            of_any && now_unix_ns > of_any->taken_unix_ns && now_unix_ns - of_any->taken_unix_ns > within.age_ns;
        if (is_too_old || begins_with(each.name, "." + prefix)) {
            static_cast<void>(folder->remove(each.name));
            continue;
        }
        const std::string_view name = without(each.name, prefix, suffix);
        const std::optional<past_name> past = parse_past_name(name);
        if (past) {
            found.push_back({std::string(name), past->taken_unix_ns, each.size_bytes});
        } else if (begins_with(each.name, prefix)) {
            found.push_back({each.name, each.modified_ns, 0, "is none of ours: its name says no time"});  // nor counted
        }
    }
    opened out;
    out.place.reset(new folder_shelf(std::move(*folder), std::move(line->lock), prefix, within.bytes));
    out.found = std::move(found);
    return out;
}

result<void> folder_shelf::put(const std::string& name, std::string_view dump) { return folder_.replace(file_of(name), dump); }

result<std::string> folder_shelf::get(const std::string& name) const { return folder_.read(file_of(name), max_bytes_); }

void folder_shelf::drop(const std::string& name) noexcept {
    try {
        static_cast<void>(folder_.remove(file_of(name)));
    } catch (...) {}  // no memory: the next process removes it
}

bool folder_shelf::enter_child() noexcept {
    folder_ = {};
    lock_ = {};
    return true;
}

}  // namespace history
}  // namespace v1
}  // namespace memwatch
