// SPDX-License-Identifier: Apache-2.0
#pragma once
// The service that is looked at: one question at a time, on a thread of its own, so that keys are heard while it answers.
//
// In: a URL or a pid, questions. Out: snapshots with names, in the order they were asked for. Threads: the asker's own, and the
// one that calls; nothing else.

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>

#include <memwatch/base/result.hpp>
#include <memwatch/model/snapshot.hpp>

#include "cli/source.hpp"
#include "cli/url.hpp"

namespace memwatch {
inline namespace v1 {
namespace top {

struct answer {
    result<snapshot> value;
    bool is_temporary{true};         // of an error: asking again may help; a refused question stays refused
    std::uint64_t took_ns{};         // until the last byte; naming is our own time
    std::uint64_t retry_after_ns{};  // the server's word; 0 = none
};

// One process or address. Blocks while it asks.
class service {
public:
    // "http://127.0.0.1:9467", "localhost:9467", "unix:/path", "pid:4711". Errors: invalid_argument.
    static result<service> find(const std::string& argument, source_options names);

    [[nodiscard]] const std::string& address() const noexcept { return address_; }  // printable

    // `with_records`: ages and routes too; else the totals only, if the service knows how to answer that.
    answer ask(bool with_records);

private:
    service(source_options names) : names_(std::move(names)) {}
    answer fetch(bool with_records);
    answer ask_process(bool with_records) const;
    void name_frames(snapshot& s);

    source_options names_;
    std::string address_;
    std::uint64_t pid_{};
    http_url url_;
    bool knows_summaries_{true};
    std::unordered_map<std::string, std::vector<source_line>> known_;  // by build id, path and offset: looked up once
};

// `service` on its own thread. `wake` is called there when an answer is ready to be taken.
class asker {
public:
    asker(service of, void (*wake)(void*), void* context);
    // Waits for the question that is under way.
    ~asker();
    asker(const asker&) = delete;
    asker& operator=(const asker&) = delete;

    [[nodiscard]] bool is_busy() const;
    // Not while it is busy.
    void ask(bool with_records);
    [[nodiscard]] std::optional<answer> take();

private:
    void work();

    service of_;
    void (*const wake_)(void*);
    void* const context_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<bool> question_;  // guarded by mutex_, as the rest
    std::optional<answer> answer_;
    bool is_busy_{}, is_over_{};
    std::thread thread_;
};

}  // namespace top
}  // namespace v1
}  // namespace memwatch
