// SPDX-License-Identifier: Apache-2.0
// heaptrack's data file, version 1 to 3, as heaptrack_interpret writes and heaptrack_print reads it (KDE/heaptrack,
// src/analyze/accumulatedtracedata.cpp). One letter a line, numbers in hex, tables numbered from 1 (allocations from 0), 0 =
// none:
//
//   v 10400 3                     written by 1.4.0 in version 3
//   s f /usr/bin/orders           a string (its length first, since version 3)
//   i 55facdc5429e 1 16 15 8      an address: module, then function, file, line, innermost inlined call first
//   t 9 8                         a stack: its innermost frame i, and the stack that called it
//   a 800 a                       an allocation: its size, its stack
//   + 1                           one of these more        - 1   one less        c 72   milliseconds
//
// Every block is counted, so there is no sampling error. What is alive is what was not freed when the recording ended. Blocks
// have no identity in the file, so their ages are unknown. A named frame carries no module here: the file says where modules
// were, not where in them an address is, and names match across runs where addresses do not.
#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "exchange/foreign_profile.hpp"
#include "exchange/profile_builder.hpp"
#include "exchange/unpacked.hpp"

namespace memwatch::inline v1::exchange {
namespace {

constexpr std::uint64_t newest_version = 3;
constexpr std::uint64_t nanoseconds_a_millisecond = 1'000'000;

// A stream of "+ 10" lines packs a thousandfold, and none of it is kept: what is bounded is time.
constexpr std::uint64_t stream_limit(std::uint64_t file_bytes) { return (256ULL << 20U) + 4096 * file_bytes; }

class fields {
public:
    explicit fields(std::string_view line) : text_(line.substr(std::min<std::size_t>(2, line.size()))) {}

    bool next(std::uint64_t& to) {
        text_.remove_prefix(std::min(text_.find_first_not_of(' '), text_.size()));
        const auto read = std::from_chars(text_.data(), text_.data() + text_.size(), to, 16);
        if (read.ec != std::errc{}) { return false; }
        text_.remove_prefix(static_cast<std::size_t>(read.ptr - text_.data()));
        return true;
    }
    [[nodiscard]] std::string_view rest() const { return text_; }

private:
    std::string_view text_;
};

class heaptrack {
public:
    explicit heaptrack(std::string_view bytes)
        : stream_(bytes, stream_limit(bytes.size())), lines_(stream_), out_(import_budget(bytes.size()), 0) {}

    result<imported_profile> read() {
        std::uint64_t number = 0;
        while (const auto line = lines_.next()) {
            ++number;
            if (line->empty()) { continue; }
            if (!take(*line)) { return tl::unexpected<error>(*refused_); }
            if (number == 1 && version_ == 0) {
                return fail(error_code::unreadable, "its first line names no version", "line 1");
            }
            if (out_.is_over_budget()) { break; }
        }
        if (stream_.is_over_limit()) { return fail(error_code::limit, stream_.damage()); }
        describe();
        add_samples();
        if (nameless_frames_ > 0) {
            out_.note(
                std::to_string(nameless_frames_) +
                " calls have no names, and where in their module they are is not in the file: sites that differ in them only "
                "count as one");
        }
        return out_.finish();
    }

private:
    struct address {
        std::uint64_t ip{}, module{};
        std::vector<std::uint64_t> names;  // function, file, line ...
        std::uint32_t frame{};             // + 1, once it is one
    };
    struct node {
        std::uint64_t address{}, parent{};
    };
    struct allocation {
        std::uint64_t size{}, stack{}, made{}, freed{};
    };

    // False when reading cannot go on: then refused_ says why.
    bool take(std::string_view line) {
        switch (line.front()) {
            case 'v':
                return take_version(fields(line));
            case 'x':
            case 'm':
                return refuse(error_code::unsupported,
                              "raw heaptrack data; interpret it first: heaptrack --interpret FILE (or record without --raw)");
            case 's':
                return take_string(line), true;
            case 'i':
                return note_if_strange(take_address(fields(line)));
            case 't':
                return note_if_strange(take_node(fields(line)));
            case 'a':
                return note_if_strange(take_allocation(fields(line)));
            case '+':
                return note_if_strange(count(fields(line), &allocation::made));
            case '-':
                return note_if_strange(count(fields(line), &allocation::freed));
            case 'c':
                return note_if_strange(fields(line).next(milliseconds_));
            case 'R':
                return note_if_strange(fields(line).next(resident_pages_));
            case 'I':
                return note_if_strange(fields(line).next(page_bytes_));
            case 'X':
                return take_program(fields(line).rest()), true;
            case 'A':
                return is_attached_ = true;
            case '#':
                is_complete_ = is_complete_ || line.substr(0, 6) == "# ips:";
                return true;
            case 'S':  // a suppression; memwatch has its own
                return true;
            default:
                return note_if_strange(false);
        }
    }

    bool refuse(error_code code, std::string what) {
        refused_ = error{code, std::move(what), {}};
        return false;
    }

    bool note_if_strange(bool is_good) {
        if (!is_good) { ++strange_lines_; }
        return true;
    }

    bool take_version(fields in) {
        std::uint64_t written_by = 0;
        if (!in.next(written_by)) { return refuse(error_code::unreadable, "its first line names no version"); }
        if (!in.next(version_)) { version_ = written_by == 0x010200 ? 1 : 0; }
        if (version_ == 0) { return refuse(error_code::unsupported, "written by a heaptrack before 1.0"); }
        if (version_ > newest_version) {
            return refuse(error_code::unsupported, "heaptrack data of version " + std::to_string(version_) + "; " +
                                                       std::to_string(newest_version) + " is the newest that is known");
        }
        const auto part = [&](int shift) { return std::to_string((written_by >> shift) & 0xFFU); };
        out_.info().version = "heaptrack " + part(16) + "." + part(8) + "." + part(0);
        return true;
    }

    // Sized strings may hold line ends.
    void take_string(std::string_view line) {
        std::string text{line.substr(std::min<std::size_t>(2, line.size()))};
        if (version_ >= 3) {
            fields in(line);
            std::uint64_t size = 0;
            const bool has_size = in.next(size);
            text = in.rest().substr(std::min<std::size_t>(1, in.rest().size()));
            while (has_size && text.size() < size) {
                const auto more = lines_.next();
                if (!more || !out_.charge(more->size() + 1)) { break; }
                text += '\n';
                text += *more;
            }
            text.resize(std::min<std::uint64_t>(text.size(), size));
        }
        if (out_.charge(sizeof text + text.size())) { strings_.push_back(std::move(text)); }
    }

    bool take_address(fields in) {
        address row;
        const bool is_good = in.next(row.ip) && in.next(row.module);
        for (std::uint64_t value = 0; is_good && in.next(value) && out_.charge(2 * sizeof value);) {
            row.names.push_back(value);
        }
        if (out_.charge(sizeof row)) { addresses_.push_back(std::move(row)); }
        return is_good;
    }

    // A stack is called by an earlier one: chains end.
    bool take_node(fields in) {
        node row;
        bool is_good = in.next(row.address) && in.next(row.parent);
        if (row.parent > nodes_.size() || row.address > addresses_.size()) {
            row = {};
            is_good = false;
        }
        if (out_.charge(sizeof row)) { nodes_.push_back(row); }
        return is_good;
    }

    bool take_allocation(fields in) {
        allocation row;
        bool is_good = in.next(row.size) && in.next(row.stack);
        if (row.stack > nodes_.size()) {
            row.stack = 0;
            is_good = false;
        }
        if (out_.charge(sizeof row)) { allocations_.push_back(row); }
        return is_good;
    }

    bool count(fields in, std::uint64_t allocation::*what) {
        std::uint64_t index = 0;
        if (!in.next(index) || index >= allocations_.size()) { return false; }
        ++(allocations_[index].*what);
        return true;
    }

    // Arguments may be secrets: only the program's name is kept.
    void take_program(std::string_view command) { program_ = command.substr(0, command.find(' ')); }

    void describe() {
        snapshot_info& info = out_.info();
        info.executable = program_;
        const std::string name = program_.substr(program_.rfind('/') + 1);
        for (const std::string& each : strings_) {  // modules come first
            if (!name.empty() && !each.empty() && each.front() == '/' && each.substr(each.rfind('/') + 1) == name) {
                info.executable = each;
                break;
            }
        }
        if (info.executable.substr(0, 1) == "/") {
            out_.add_module({info.executable, {}, 0, 0, 0});
        }  // the program comes first
        constexpr std::uint64_t longest = ~0ULL / nanoseconds_a_millisecond;
        info.taken_ns = std::min(milliseconds_, longest) * nanoseconds_a_millisecond;
        if (page_bytes_ != 0 && resident_pages_ < ~0ULL / page_bytes_) { info.resident_bytes = resident_pages_ * page_bytes_; }
        if (is_attached_) { out_.note("it was attached to a running program: blocks from before are not counted"); }
        if (!stream_.damage().empty()) { out_.lost(stream_.damage()); }
        if (lines_.is_line_too_long()) { out_.lost("a line is too long: what is behind it is not read"); }
        if (!is_complete_) { out_.lost("it is cut off: what happened later is missing"); }
        if (strange_lines_ > 0) { out_.lost(std::to_string(strange_lines_) + " lines are not of the format"); }
    }

    void add_samples() {
        std::unordered_map<std::uint64_t, std::uint32_t> stacks;  // keys are indices below nodes_.size(): no bad case to choose
        std::uint64_t freed_before = 0;
        for (const allocation& each : allocations_) {
            if (out_.is_over_budget()) { return; }
            if (each.freed > each.made) { ++freed_before; }
            const auto known = stacks.find(each.stack);
            profile_sample sample;
            sample.stack =
                known != stacks.end() ? known->second : stacks.emplace(each.stack, stack_of(each.stack)).first->second;
            const auto size = static_cast<double>(each.size);
            const auto made = static_cast<double>(each.made);
            const auto alive = static_cast<double>(each.made - std::min(each.made, each.freed));
            sample.live = {size * alive, alive};
            sample.allocated = {size * made, made};
            out_.add(sample);
        }
        if (freed_before > 0) { out_.lost(std::to_string(freed_before) + " allocations were freed more often than made"); }
    }

    std::uint32_t stack_of(std::uint64_t index) {
        std::vector<std::uint32_t> frames;
        while (index != 0 && frames.size() < profile_builder::most_frames) {
            const node& at = nodes_[index - 1];
            if (at.address != 0) { frames.push_back(frame_of(addresses_[at.address - 1])); }
            index = at.parent;
        }
        out_.charge(frames.size() * sizeof(std::uint32_t));  // also when another stack has the same frames: walking costs
        return out_.add_stack(std::move(frames), index != 0);
    }

    [[nodiscard]] std::string text(std::uint64_t index) const {
        return index == 0 || index > strings_.size() ? std::string{} : strings_[index - 1];
    }

    std::uint32_t frame_of(address& row) {
        if (row.frame != 0) { return row.frame - 1; }
        frame out;
        for (std::size_t i = 0; i < row.names.size(); i += 3) {
            const auto at = [&](std::size_t k) { return i + k < row.names.size() ? row.names[i + k] : 0; };
            source_line line{text(at(0)), text(at(1)),
                             static_cast<std::uint32_t>(std::min<std::uint64_t>(at(2), 0xFFFF'FFFFU))};
            if (!out_.charge(line.function.size() + line.file.size())) { break; }
            if (!line.function.empty()) { out.lines.push_back(std::move(line)); }
        }
        out.offset = row.ip;
        if (out.lines.empty() && row.module != 0) {
            out.module = module_of(row.module);
            out.offset = 0;  // unknown
            ++nameless_frames_;
        }
        row.frame = out_.add_frame(std::move(out)) + 1;
        return row.frame - 1;
    }

    std::uint32_t module_of(std::uint64_t string_index) {
        const auto known = modules_.find(string_index);
        if (known != modules_.end()) { return known->second; }
        return modules_.emplace(string_index, out_.add_module({text(string_index), {}, 0, 0, 0})).first->second;
    }

    unpacked_stream stream_;
    line_reader lines_;
    profile_builder out_;
    std::optional<error> refused_;
    std::uint64_t version_{};
    std::vector<std::string> strings_;
    std::vector<address> addresses_;
    std::vector<node> nodes_;
    std::vector<allocation> allocations_;
    std::unordered_map<std::uint64_t, std::uint32_t> modules_;
    std::string program_;
    std::uint64_t milliseconds_{}, resident_pages_{}, page_bytes_{};
    std::size_t strange_lines_{}, nameless_frames_{};
    bool is_complete_{};
    bool is_attached_{};
};

}  // namespace

result<imported_profile> read_heaptrack(std::string_view bytes) { return heaptrack(bytes).read(); }

}  // namespace memwatch::inline v1::exchange
