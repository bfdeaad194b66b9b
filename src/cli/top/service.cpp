// SPDX-License-Identifier: Apache-2.0
#include "cli/top/service.hpp"

#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <memwatch/snapshot/codec.hpp>

#include "control/client.hpp"
#include "http/client.hpp"
#include "report/words.hpp"
#include "symbols/symbolizer.hpp"

namespace memwatch {
inline namespace v1 {
namespace top {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::size_t most_known_frames = 200'000;

std::uint64_t now_ns() {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

result<snapshot> read_snapshot(const std::string& bytes) {
    result<decoded_snapshot> decoded = decode(bytes);
    if (!decoded) { return tl::unexpected<error>(decoded.error()); }
    return std::move(decoded->value);
}

std::string frame_key(const snapshot& s, const frame& of) {
    const module& in = s.modules[of.module];
    return in.build_id + "/" + in.path + "/" + std::to_string(of.offset);
}

}  // namespace

result<service> service::find(const std::string& argument, source_options names) {
    service found(std::move(names));
    found.pid_ = process_of(argument);
    if (found.pid_ != 0) {
        found.address_ = fmt::format("pid {}", found.pid_);
        return found;
    }
    if (!is_url(argument)) {
        return fail(error_code::invalid_argument, "is no running service: a URL, host:port, unix:/path or pid:N", argument);
    }
    result<http_url> url = parse_url(argument);
    if (!url) { return tl::unexpected<error>(url.error()); }
    found.url_ = snapshot_url(std::move(*url), {});
    found.address_ = printable(found.url_.address());
    return found;
}

answer service::ask(bool with_records) {
    const std::uint64_t begin_ns = now_ns();
    answer got = pid_ != 0 ? ask_process(with_records) : fetch(with_records);
    got.took_ns = now_ns() - begin_ns;
    if (got.value && names_.symbolize) { name_frames(*got.value); }
    return got;
}

answer service::ask_process(bool with_records) const {
    control::client_limits limits;
    limits.answer_ns = 30 * second_ns;
    const result<std::string> bytes = control::ask(pid_, {with_records ? "snapshot" : "summary", {}}, limits);
    if (!bytes) { return {tl::unexpected<error>(bytes.error())}; }
    return {read_snapshot(*bytes)};
}

answer service::fetch(bool with_records) {
    http_url url = url_;
    const bool is_summary = !with_records && knows_summaries_;
    if (is_summary) { url.target += "&records=0"; }
    result<http_answer> got = http_ask(url);
    if (!got) { return {tl::unexpected<error>(got.error())}; }
    if (is_summary && got->status == 400) {  // a service from before that parameter
        knows_summaries_ = false;
        return fetch(true);
    }
    if (got->status == 200) { return {read_snapshot(got->body)}; }
    const bool is_temporary = got->status == 429 || got->status >= 500;
    return {tl::unexpected<error>(refusal_of(url, *got)), is_temporary, 0, got->retry_after_s * second_ns};
}

// Each frame is looked up once: between two looks of a running service there are few new ones, or none.
void service::name_frames(snapshot& s) {
    snapshot unknown;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < s.frames.size(); ++i) {
        frame& each = s.frames[i];
        if (each.module >= s.modules.size()) { continue; }
        const auto found = known_.find(frame_key(s, each));
        if (found == known_.end()) {
            unknown.frames.push_back(each);
            places.push_back(i);
        } else if (!found->second.empty()) {
            each.lines = found->second;
        }
    }
    if (places.empty()) { return; }
    if (known_.size() > most_known_frames) { known_.clear(); }
    unknown.modules = s.modules;
    symbolize(unknown, {names_.debug_dirs, true});
    for (std::size_t i = 0; i < places.size(); ++i) {
        frame& each = s.frames[places[i]];
        each.lines = unknown.frames[i].lines;
        known_.emplace(frame_key(s, each), each.lines);
    }
}

asker::asker(service of, void (*wake)(void*), void* context) : of_(std::move(of)), wake_(wake), context_(context) {
    thread_ = std::thread([this] { work(); });
}

asker::~asker() {
    {
        const std::lock_guard lock(mutex_);
        is_over_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

bool asker::is_busy() const {
    const std::lock_guard lock(mutex_);
    return is_busy_;
}

void asker::ask(bool with_records) {
    {
        const std::lock_guard lock(mutex_);
        question_ = with_records;
        is_busy_ = true;
    }
    changed_.notify_one();
}

std::optional<answer> asker::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(answer_, std::nullopt);
}

void asker::work() {
    for (std::unique_lock lock(mutex_);;) {
        changed_.wait(lock, [this] { return is_over_ || question_; });
        if (is_over_) { return; }
        const bool with_records = *std::exchange(question_, std::nullopt);
        lock.unlock();
        answer got = of_.ask(with_records);
        lock.lock();
        answer_ = std::move(got);
        is_busy_ = false;
        wake_(context_);
    }
}

}  // namespace top
}  // namespace v1
}  // namespace memwatch
