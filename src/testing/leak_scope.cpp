// SPDX-License-Identifier: Apache-2.0
#include <memwatch/testing.hpp>

#include <algorithm>
#include <exception>
#include <map>
#include <unordered_set>

#include <memwatch/base/log.hpp>
#include <memwatch/model/site_name.hpp>
#include <memwatch/session.hpp>
#include "capture/own_work.hpp"
#include "model/drop_reason.hpp"
#include "platform/platform.hpp"
#include "testing/exact_window.hpp"
#include "testing/recording_gaps.hpp"

namespace memwatch {
inline namespace v1 {
namespace testing {
namespace {

constexpr std::size_t shown_sites = 10;
constexpr std::size_t shown_frames = 12;
// Small tracked blocks are recorded on pages of their own, of which a quarter of this may exist before they are thinned.
constexpr std::uint64_t budget_of_own_session = 256ULL << 20U;

session start_session() {
    options wanted;
    wanted.preset = preset_option::off;  // the window records; outside of it nothing is wanted
    wanted.control = control_option::off;
    wanted.budget_bytes = budget_of_own_session;
    return session::start(wanted);
}

// Whatever was dropped but telemetry, which says nothing of what is alive.
std::uint64_t lost_records(const snapshot& s) {
    std::uint64_t lost = 0;
    for (const named_value& each : s.drops) {
        if (each.name != drop_reason_names[static_cast<std::size_t>(drop_reason::telemetry_ring_full)]) { lost += each.value; }
    }
    return lost;
}

std::string counted(std::uint64_t objects, std::uint64_t bytes) {
    return std::to_string(objects) + (objects == 1 ? " object, " : " objects, ") + std::to_string(bytes) +
           (bytes == 1 ? " byte" : " bytes");
}

// The user's part of a stack: memwatch's and the library's frames on top are how it allocated, not where, and what called the
// check is the test framework's.
std::vector<std::string> stack_of(const snapshot& s, const site& where) {
    std::vector<std::string> lines;
    for (const std::uint32_t index : s.stacks[where.stack].frames) {
        const frame& f = s.frames[index];
        const std::string name = f.lines.empty() ? frame_name(f, s.modules) : f.lines.front().function;
        if (lines.empty() && is_plumbing(name)) { continue; }
        if (name.find("memwatch::v1::testing::leak_check<") != std::string::npos) { break; }
        if (lines.size() == shown_frames) { break; }
        lines.push_back(f.lines.empty() ? name : bare_function_name(name));
    }
    return lines;
}

}  // namespace

namespace detail {

struct leak_scope_state {
    leak_scope_state(leak_options wanted, session started) : options(std::move(wanted)), own(std::move(started)) {
        const result<exact_coverage> opened = open_exact_window();
        is_open = opened.has_value();
        is_heap_seen = opened.has_value() && opened->is_heap_seen;
    }
    ~leak_scope_state() {
        if (is_open) { close_exact_window(); }
    }
    leak_scope_state(const leak_scope_state&) = delete;
    leak_scope_state& operator=(const leak_scope_state&) = delete;

    // What is alive already.
    void remember(const snapshot& s) {
        for (const live_record& r : s.live) { known.insert(r.sequence); }
        tags = s.tags;
        lost = lost_records(s);
        is_thinned = s.info.interval_bytes != 0;
    }
    // Last of all: what the calling thread allocates from here on is the scope's.
    void begin() {
        gaps = recording_gaps::now();
        allocated = own_allocations::now();
    }

    [[nodiscard]] bool is_wanted(std::uint32_t tag) const {
        return options.tags.empty() ||
               std::any_of(options.tags.begin(), options.tags.end(), [&](memwatch::tag each) { return each.id() == tag; });
    }

    leak_options options;
    session own;
    bool is_open{};
    bool is_heap_seen{};
    bool is_checked{};
    std::unordered_set<std::uint64_t> known;  // sequences
    std::vector<tag_totals> tags;
    std::uint64_t lost{};
    bool is_thinned{};      // from the beginning
    bool is_left_out{};     // likewise, by an ignore_scope around it
    recording_gaps gaps{};  // before the scope
    own_allocations allocated;
    std::uint32_t thread = platform::thread_id();
    int exceptions = std::uncaught_exceptions();
};

}  // namespace detail

namespace {

// How much `to` is above `from`; what shrank has not grown.
std::uint64_t grown(std::uint64_t from, std::uint64_t to) noexcept { return to > from ? to - from : 0; }

// One look at what is alive, against what was when the scope began.
class judgement {
public:
    judgement(const detail::leak_scope_state& scope, snapshot now) : scope_(scope), now_(std::move(now)) {}

    leak_report report();

private:
    [[nodiscard]] bool counts(const live_record& r) const;
    void take_records();
    void take_counters();
    void take_counter(std::uint32_t id, const block_count& also_known, block_count& surplus);
    void bound_unseen();
    void describe_sites();
    void add_site(leaked_site&& leaked);
    void add_notes();
    [[nodiscard]] bool is_thinned() const;
    [[nodiscard]] bool is_heap_door_blind() const;
    [[nodiscard]] bool is_of_a_heap_door(const site& where) const;
    [[nodiscard]] bool has_passed() const;

    const detail::leak_scope_state& scope_;
    snapshot now_;
    recording_gaps gaps_ = recording_gaps::now();
    block_count recorded_;  // of tracked blocks
    block_count unseen_;    // what may be alive beyond what the report counts, at most
    leak_report report_;
    std::map<std::uint32_t, leaked_tag> by_tag_;
    std::map<std::uint32_t, leaked_site> by_site_;
};

bool judgement::counts(const live_record& r) const {
    const site& where = now_.sites[r.site];
    if (scope_.known.count(r.sequence) != 0 || !scope_.is_wanted(where.tag)) { return false; }
    if (where.tag == 0 && is_of_a_heap_door(where) && scope_.options.what == leak_coverage::tracked) { return false; }
    return scope_.options.threads == leak_threads::all || now_.threads[r.thread].tid == scope_.thread;
}

// What a heap door saw has no type.
bool judgement::is_of_a_heap_door(const site& where) const { return scope_.is_heap_seen && where.type.empty(); }

void judgement::take_records() {
    for (site& each : now_.sites) { each.live = {}; }
    for (const live_record& r : now_.live) {
        if (!counts(r)) { continue; }
        site& where = now_.sites[r.site];
        where.live.add(r.size_bytes, 0);  // what leaked comes first when functions are named
        leaked_site& into = by_site_[r.site];
        if (++into.objects == 1) {
            into.oldest_trace = r.trace;
            into.oldest_route = now_.routes[r.route];
        }
        into.bytes += r.size_bytes;
        if (!is_of_a_heap_door(where)) { recorded_.add(1, r.size_bytes); }
        leaked_tag& of_tag = by_tag_[where.tag];
        ++of_tag.objects;
        of_tag.bytes += r.size_bytes;
    }
}

// Only for all threads: a tag's counters do not tell them apart.
// What the exact counters know beyond the records. Untagged blocks come last: a tag_scope's label is on the record, while the
// counter is the untagged one's; what a tag has more records than counts of is counted there.
void judgement::take_counters() {
    if (scope_.options.threads != leak_threads::all) { return; }
    block_count labelled;
    for (std::uint32_t id = 1; id < now_.tags.size(); ++id) { take_counter(id, {}, labelled); }
    block_count none;
    if (!now_.tags.empty()) { take_counter(0, labelled, none); }
}

void judgement::take_counter(std::uint32_t id, const block_count& also_known, block_count& surplus) {
    if (!scope_.is_wanted(id)) { return; }
    const tag_totals before = id < scope_.tags.size() ? scope_.tags[id] : tag_totals{};
    const block_count counted{grown(before.live_objects(), now_.tags[id].live_objects()),
                              grown(before.live_bytes(), now_.tags[id].live_bytes())};
    const auto found = by_tag_.find(id);
    const leaked_tag recorded = found == by_tag_.end() ? leaked_tag{} : found->second;
    const block_count known{recorded.objects + also_known.objects, recorded.bytes + also_known.bytes};
    surplus.add(grown(counted.objects, known.objects), grown(counted.bytes, known.bytes));
    const block_count unknown{grown(known.objects, counted.objects), grown(known.bytes, counted.bytes)};
    if (unknown.objects == 0 && unknown.bytes == 0) { return; }
    leaked_tag& into = by_tag_[id];
    into.objects += unknown.objects;
    into.bytes += unknown.bytes;
    into.objects_without_stack = unknown.objects;
    into.bytes_without_stack = unknown.bytes;
}

// Whether a block of the scope can lack a record because there was no room, or no way to name its thread.
bool judgement::is_thinned() const {
    return !scope_.is_open || scope_.is_thinned || now_.info.interval_bytes != 0 || gaps_.of_records != scope_.gaps.of_records;
}

bool judgement::is_heap_door_blind() const {
    return scope_.options.what == leak_coverage::everything &&
           (!scope_.is_heap_seen || gaps_.of_heap_doors != scope_.gaps.of_heap_doors);
}

// For one thread: no counter tells what is left of what it allocated. But it is not more than that, nor more than what is left
// of all threads'. Untagged blocks are included, because a tag_scope's label may be the one that is wanted.
void judgement::bound_unseen() {
    if (scope_.options.threads == leak_threads::all || !(is_thinned() || scope_.is_left_out)) { return; }
    const own_allocations allocated = own_allocations::now();
    const bool is_countable = allocated.is_of_thread_of(scope_.allocated);
    block_count most;
    for (std::uint32_t id = 0; id < now_.tags.size(); ++id) {
        if (id != 0 && !scope_.is_wanted(id)) { continue; }
        const block_count alive{now_.tags[id].live_objects(), now_.tags[id].live_bytes()};
        const block_count made = is_countable ? allocated.since(scope_.allocated, id) : alive;
        most.add(std::min(made.objects, alive.objects), std::min(made.bytes, alive.bytes));
    }
    if (most.objects <= recorded_.objects) { return; }
    unseen_ = {most.objects - recorded_.objects, most.bytes - std::min(most.bytes, recorded_.bytes)};
}

void judgement::describe_sites() {
    scope_.own.name_functions(now_, by_site_.size());
    for (auto& [index, leaked] : by_site_) {
        const site& where = now_.sites[index];
        leaked.tag = now_.tags[where.tag].name;
        leaked.type = where.type;
        leaked.stack = stack_of(now_, where);
        add_site(std::move(leaked));
    }
    for (auto& [id, leaked] : by_tag_) {
        leaked.tag = now_.tags[id].name;
        report_.objects += leaked.objects;
        report_.bytes += leaked.bytes;
        report_.tags.push_back(std::move(leaked));
    }
    const auto more = [](const auto& a, const auto& b) { return a.bytes > b.bytes; };
    std::stable_sort(report_.sites.begin(), report_.sites.end(), more);
    std::stable_sort(report_.tags.begin(), report_.tags.end(), more);
}

// Two calls in one function are two sites and one line of text.
void judgement::add_site(leaked_site&& leaked) {
    const auto same = std::find_if(report_.sites.begin(), report_.sites.end(), [&](const leaked_site& each) {
        return each.tag == leaked.tag && each.type == leaked.type && each.stack == leaked.stack;
    });
    if (same == report_.sites.end()) { return report_.sites.push_back(std::move(leaked)); }
    same->objects += leaked.objects;
    same->bytes += leaked.bytes;
}

void judgement::add_notes() {
    if (!scope_.is_open) { report_.notes.emplace_back("no session could be started: only the tags' counters were compared"); }
    if (unseen_.objects != 0) {
        report_.notes.emplace_back(
            "up to " + counted(unseen_.objects, unseen_.bytes) + " that this thread allocated may be alive " +
            "without a record, and counters do not tell threads apart: count all threads, or do less at once");
    } else if (is_thinned() || now_.info.exact_until_ns != 0 || lost_records(now_) != scope_.lost) {
        report_.notes.emplace_back("more blocks were alive than there is room for records: some have no stack here");
    }
    if (scope_.is_left_out || gaps_.ignore_scopes != scope_.gaps.ignore_scopes) {
        report_.notes.emplace_back(scope_.options.threads == leak_threads::all
                                       ? "an ignore_scope was in force: what was allocated in it has no stack here"
                                       : "an ignore_scope was in force: what was allocated in it is not seen in one thread");
    }
    if (scope_.options.what == leak_coverage::everything && !scope_.is_heap_seen) {
        report_.notes.emplace_back("plain new and malloc are not seen: link libmemwatch-new or run under libmemwatch-preload");
    }
}

// A check that could not see what it was asked about must not pass.
bool judgement::has_passed() const {
    if (is_heap_door_blind()) { return false; }
    const std::uint64_t forgiven = scope_.options.threshold_bytes;
    if (forgiven != 0) { return report_.bytes + unseen_.bytes <= forgiven; }
    return report_.objects == 0 && report_.bytes == 0 && unseen_.objects == 0;
}

leak_report judgement::report() {
    take_records();
    take_counters();
    bound_unseen();
    describe_sites();
    add_notes();
    report_.passed = has_passed();
    return std::move(report_);
}

}  // namespace

leak_scope::leak_scope(leak_options options) {
    const bool is_left_out = v1::detail::own_work::is_left_out();
    session started = start_session();
    {
        const v1::detail::own_work ours;
        state_ = std::make_unique<detail::leak_scope_state>(std::move(options), std::move(started));
        if (const result<snapshot> before = state_->own.snapshot()) { state_->remember(*before); }
        state_->is_left_out = is_left_out;
        state_->begin();
    }
    v1::detail::own_work::draw_anew();  // so this thread records from here on
}

leak_scope::~leak_scope() {
    if (!state_->is_checked && std::uncaught_exceptions() == state_->exceptions) {
        try {
            const leak_report report = check();
            if (!report.passed) {
                write_log(log_level::warning, "memwatch level=warning event=leak_scope detail=\"" + report.message() + "\"");
            }
        } catch (...) {
            // No memory to say it with.
        }
    }
    const v1::detail::own_work ours;
    state_.reset();
}

leak_report leak_scope::check() {
    const v1::detail::own_work ours;
    state_->is_checked = true;
    result<snapshot> now = state_->own.snapshot();
    if (!now) {
        leak_report unknown;
        unknown.passed = false;
        unknown.notes.emplace_back("no snapshot could be taken: " + now.error().message());
        return unknown;
    }
    return judgement(*state_, std::move(*now)).report();
}

std::string leak_report::message() const {
    const bool is_unknown = !passed && objects == 0 && bytes == 0;
    std::string words = passed ? "nothing leaked beyond the threshold: " : "leaked: ";
    words = is_unknown ? "could not be checked:\n" : words + counted(objects, bytes) + "\n";
    for (const leaked_tag& each : tags) {
        words += "  tag \"" + each.tag + "\": " + counted(each.objects, each.bytes);
        if (each.objects_without_stack != 0 || each.bytes_without_stack != 0) {
            words += " (" + counted(each.objects_without_stack, each.bytes_without_stack) + " without a stack)";
        }
        words += "\n";
    }
    for (std::size_t i = 0; i < sites.size() && i < shown_sites; ++i) {
        const leaked_site& each = sites[i];
        words += "  " + counted(each.objects, each.bytes) + " of " + (each.type.empty() ? "unknown type" : each.type) +
                 " under tag \"" + each.tag + "\"";
        if (each.oldest_trace.is_valid()) { words += ", trace " + to_string(each.oldest_trace); }
        if (!each.oldest_route.empty()) { words += ", route " + each.oldest_route; }
        words += "\n";
        for (const std::string& line : each.stack) { words += "    " + line + "\n"; }
    }
    if (sites.size() > shown_sites) { words += "  and " + std::to_string(sites.size() - shown_sites) + " more places\n"; }
    for (const std::string& note : notes) { words += "  note: " + note + "\n"; }
    return words;
}

}  // namespace testing
}  // namespace v1
}  // namespace memwatch
