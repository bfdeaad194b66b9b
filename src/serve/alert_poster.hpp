// SPDX-License-Identifier: Apache-2.0
#pragma once
// The thread that tells Alertmanagers what fires. It looks now and then, posts what each of them does not know yet, posts it
// again before it would lapse there, and ends all of it when it stops. Nobody waits for it: not the worker, not the server, and
// stop() for five seconds at most.
//
//   look (a source of alerts, handed in) -> alert_book a peer -> http_client -> POST /api/v2/alerts
//
// A peer that does not answer keeps no other from being told; it is tried again at the next look, complained of once, and said
// to be back once. In a forked child there is no thread, its descriptors are closed, and nothing is ended: the parent still
// leaks.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "http/url.hpp"
#include "notify/leak_alert.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

// Of all posters of a process. Counters outlive them.
struct alert_counts {
    std::atomic<std::uint64_t> posts{0};     // taken by a peer
    std::atomic<std::uint64_t> failures{0};  // not taken
    std::atomic<std::uint64_t> firing{0};    // at the last look
};

struct alert_settings {
    std::vector<http_url> peers;
    std::uint64_t repeat_ms{60'000};  // an alert lapses after three times that without us
    void (*on_thread)() = nullptr;    // called first on the thread
};

class alert_poster {
public:
    // What fires at the moment. Called on the poster's thread only; may throw, then that look is left out.
    using source = std::function<std::vector<notify::alert>()>;

    // `counts` must live as long as the process. Throws what std::thread does.
    alert_poster(alert_settings settings, source firing, alert_counts& counts);
    ~alert_poster();
    alert_poster(const alert_poster&) = delete;
    alert_poster& operator=(const alert_poster&) = delete;

    // Ends what fires, at every peer that answers in time. Idempotent.
    void stop() noexcept;

private:
    class impl;
    std::shared_ptr<impl> impl_;  // the thread's, too
};

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
