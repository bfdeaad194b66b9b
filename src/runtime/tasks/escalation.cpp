// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/escalation.hpp"

#include <algorithm>
#include <vector>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint32_t most_looks = 30;
constexpr std::uint32_t least_looks = 12;  // what it was called before takes up to 10 looks to be taken back
constexpr std::uint32_t resting_looks = 30;
constexpr std::uint32_t least_pages = 4;  // a look
constexpr std::uint32_t most_pages = 32;
constexpr std::uint32_t records_a_page = 16;  // of doors whose samples take no page: 64 bytes of the live table each
// Sizes of a site's blocks that are alive by now; later ones may be somewhat smaller and larger.
constexpr std::uint64_t size_margin = 2;

// Sizes of the live blocks of some sites.
struct size_survey {
    struct range {
        std::uint32_t site;
        std::uint64_t least;
        std::uint64_t most;
    };
    std::vector<range> ranges;

    void see(const live_record& block) noexcept {
        for (range& r : ranges) {
            if (r.site != block.site) { continue; }
            r.least = std::min(r.least, block.size_bytes);
            r.most = std::max(r.most, block.size_bytes);
            return;
        }
    }
    template <class... Totals>
    void see(std::uint32_t, const Totals&...) noexcept {}
};

// Where every block is recorded, or another sampler is asked at each, there is nothing to escalate.
bool is_sampled_by_bytes(const capture_state& capture) noexcept {
    // relaxed, all: settings.
    return capture.is_sampling.load(std::memory_order_relaxed) && capture.interval.in_force() != 0 &&
           capture.preset.load(std::memory_order_relaxed) != preset_option::full &&
           capture.sampler.load(std::memory_order_relaxed) == nullptr;
}

bool is_decided(verdict_class kind) noexcept {
    return kind != verdict_class::inconclusive && level_of(kind) == verdict_level::none;
}

}  // namespace

void escalation_keeper::begin(capture_state& capture, const options& chosen) noexcept {
    end_all(capture);
    rests_ = {};
    // A small budget is no place for 4 MiB of pages.
    const std::uint64_t share = chosen.budget_bytes < 8U << 20U ? 8 : 4;
    budget_bytes_ = std::min<std::uint64_t>(chosen.escalation_bytes, chosen.budget_bytes / share);
    capture.escalation.limit(budget_bytes_, chosen.target_overhead_permille);
}

void escalation_keeper::end_all(capture_state& capture) noexcept {
    for (std::size_t slot = 0; slot < terms_.size(); ++slot) { capture.escalation.clear(slot); }
    terms_ = {};
}

std::size_t escalation_keeper::slot_of(std::uint32_t site) const noexcept {
    const auto is_its = [&](const term& t) { return t.is_running && t.site == site; };
    return static_cast<std::size_t>(std::find_if(terms_.begin(), terms_.end(), is_its) - terms_.begin());
}

void escalation_keeper::begin_look(const capture_state& capture) noexcept {
    for (std::size_t slot = 0; slot < terms_.size(); ++slot) {
        term& t = terms_[slot];
        const std::uint64_t recorded = capture.escalation.recorded_by(slot);
        t.was_full = t.was_full || (t.is_running && recorded >= t.recorded + t.pages_a_look);
        t.recorded = recorded;
        t.alive = 0;
    }
}

void escalation_keeper::see(const live_record& block) noexcept {
    if (block.interval_bytes != 0) { return; }
    const std::size_t slot = slot_of(block.site);
    if (slot != none && block.birth_ns >= terms_[slot].since_ns) { ++terms_[slot].alive; }
}

// Blocks that were drawn while a slot was full, or the thread rested, stand for many and are not among those that count.
void escalation_keeper::replace_totals(std::uint32_t site, site_totals& totals) const noexcept {
    const std::size_t slot = slot_of(site);
    if (slot == none) { return; }
    const term& t = terms_[slot];
    const std::uint64_t recorded = std::max(t.recorded, t.alive);  // some came after it was read
    totals.allocated.objects = static_cast<double>(recorded);
    totals.is_partial = t.was_full;
    const double freed = static_cast<double>(recorded - t.alive);
    const double elsewhere = totals.freed.objects > 0 ? totals.freed_by_other_thread.objects / totals.freed.objects : 0;
    totals.freed.objects = freed;
    totals.freed_by_other_thread.objects = elsewhere * freed;
}

void escalation_keeper::turn(capture_state& capture, live_state& live, engine& judge, std::uint64_t now_ns) {
    for (rest& r : rests_) { r.looks_left -= r.looks_left != 0 ? 1 : 0; }
    if (budget_bytes_ == 0 || !is_sampled_by_bytes(capture)) {
        for (std::size_t slot = 0; slot < terms_.size(); ++slot) { end(capture, judge, slot, now_ns); }
        return;
    }
    settle_terms(capture, judge, now_ns);
    begin_terms(capture, live, judge, now_ns);
}

void escalation_keeper::end(capture_state& capture, engine& judge, std::size_t slot, std::uint64_t now_ns) noexcept {
    term& t = terms_[slot];
    if (!t.is_running) { return; }
    capture.escalation.clear(slot);
    judge.set_escalated(t.site, false, now_ns);
    rests_[next_rest_++ % rests_.size()] = {t.site, resting_looks};
    t = {};
}

void escalation_keeper::settle_terms(capture_state& capture, engine& judge, std::uint64_t now_ns) noexcept {
    const bool is_full = capture.escalation.waste_bytes() + escalation::page_bytes > budget_bytes_;
    for (std::size_t slot = 0; slot < terms_.size(); ++slot) {
        term& t = terms_[slot];
        if (!t.is_running) { continue; }
        const verdict_class kind = judge.kind_of(t.site);
        const bool is_accused = level_of(kind) != verdict_level::none;  // it stays, while there are pages
        ++t.looks;
        if (is_decided(kind) && t.looks >= least_looks) {
            end(capture, judge, slot, now_ns);
        } else if (is_full) {
            capture.losses.count(degradation::escalation_full);
            end(capture, judge, slot, now_ns);
        } else if (!is_accused && t.looks >= most_looks) {
            capture.losses.count(degradation::escalation_expired);
            end(capture, judge, slot, now_ns);
        } else {
            capture.escalation.allow(slot, t.pages_a_look, t.pages_a_look * records_a_page);
        }
    }
}

bool escalation_keeper::is_resting(std::uint32_t site) const noexcept {
    return std::any_of(rests_.begin(), rests_.end(), [&](const rest& r) { return r.looks_left != 0 && r.site == site; });
}

// Of those without a term the one whose earlier sites hold the fewest pages.
std::size_t escalation_keeper::free_slot(const capture_state& capture) const noexcept {
    std::size_t best = none;
    for (std::size_t slot = 0; slot < terms_.size(); ++slot) {
        if (terms_[slot].is_running) { continue; }
        if (best == none || capture.escalation.pages_of(slot) < capture.escalation.pages_of(best)) { best = slot; }
    }
    return best;
}

// Half of what is left, over a whole term.
std::uint32_t escalation_keeper::pages_for_new_term(const capture_state& capture) const noexcept {
    const std::uint64_t taken = capture.escalation.waste_bytes();
    const std::uint64_t left = budget_bytes_ > taken ? (budget_bytes_ - taken) / escalation::page_bytes : 0;
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(left / 2 / most_looks, least_pages, most_pages));
}

void escalation_keeper::begin_terms(capture_state& capture, live_state& live, engine& judge, std::uint64_t now_ns) {
    size_survey survey;
    for (const std::uint32_t site : judge.wishes(escalation::most_sites)) {
        if (slot_of(site) == none && !is_resting(site)) { survey.ranges.push_back({site, ~std::uint64_t{0}, 0}); }
    }
    if (survey.ranges.empty()) { return; }
    std::vector<exact_site_totals> scratch;
    live.visit(survey, scratch);
    for (const size_survey::range& sizes : survey.ranges) {
        const interned_stack stack = live.stack_of(sizes.site);
        const std::size_t slot = free_slot(capture);
        if (slot == none) { return; }
        if (stack.depth == 0 || sizes.most == 0) { continue; }  // nothing to know it by, or all of it is gone
        const std::uint32_t pages = pages_for_new_term(capture);
        terms_[slot] = {sizes.site, 0, now_ns, 0, 0, pages, true, false};
        judge.set_escalated(sizes.site, true, now_ns);
        judge.count_site(sizes.site, {});  // births are counted from here on
        capture.escalation.put(slot, {stack.frames[0], escalation::stack_key(stack.frames, stack.depth),
                                      sizes.least / size_margin, sizes.most * size_margin});
        capture.escalation.allow(slot, pages, pages * records_a_page);
    }
}

void freeze_escalation(const capture_state& capture, snapshot& into) {
    into.activity.push_back({"escalated_sites", capture.escalation.active_sites()});
    into.activity.push_back({"escalated_samples", capture.escalation.cost.samples()});
    into.activity.push_back({"escalation_bytes", capture.escalation.waste_bytes()});
    into.activity.push_back({"escalation_ns", capture.escalation.cost.spent_ns()});
}

}  // namespace v1
}  // namespace memwatch
