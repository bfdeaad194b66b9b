// SPDX-License-Identifier: Apache-2.0
#include "serve/alert_poster.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include <memwatch/base/log.hpp>

#include "http/client.hpp"
#include "serve/config_page.hpp"
#include "serve/descriptors.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

using milliseconds = std::chrono::milliseconds;

constexpr memwatch::http_limits limits{milliseconds{1'000}, milliseconds{2'000}, 64 * 1024};
// Five minutes at the usual pace: a host whose clock is some minutes late is still told of.
constexpr std::uint64_t lapses_after_posts = 5;
constexpr std::uint64_t looks_a_repeat = 6;
constexpr milliseconds longest_end{5'000};

template <class Clock>
std::uint64_t ms_of() {
    const auto now = Clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(now).count());
}

// Sockets that a forked child closes.
class guarded_sockets final : public socket_keeper {
public:
    int open(int family) override { return guard_.open_client(family); }
    void watched(int descriptor) override {
        if (!std::exchange(is_loop_known_, true)) { guard_.add_event_loop_of(descriptor); }
    }
    void close(int descriptor, const std::function<void()>& close) override { guard_.close(descriptor, close); }
    [[nodiscard]] bool is_in_child() const noexcept { return guard_.is_in_child(); }

private:
    descriptor_guard guard_;
    bool is_loop_known_{};
};

struct peer {
    http_url url;
    notify::alert_book book;
    bool is_away{};
};

void log_peer(log_level level, const char* event, const std::string& detail) {
    const std::string name = level == log_level::info ? "info" : "warning";
    write_log(level, "memwatch level=" + name + " event=" + event + " detail=" + quote_json(detail));
}

}  // namespace

class alert_poster::impl {
public:
    impl(alert_settings settings, source firing, alert_counts& counts)
        : settings_(std::move(settings)), firing_(std::move(firing)), counts_(counts), client_(&sockets_) {
        for (http_url& each : settings_.peers) {
            peers_.push_back(
                {std::move(each), notify::alert_book({settings_.repeat_ms, lapses_after_posts * settings_.repeat_ms})});
        }
    }

    void run() noexcept {
        name_this_thread("memwatch-alerts");
        if (settings_.on_thread != nullptr) { settings_.on_thread(); }
        while (!waited_for_stop()) { look(); }
        tell_all({});
        // relaxed: a figure.
        counts_.firing.store(0, std::memory_order_relaxed);
        const std::lock_guard guard(mutex_);
        is_done_ = true;
        changed_.notify_all();
    }

    void ask_to_stop() noexcept {
        const std::lock_guard guard(mutex_);
        must_stop_ = true;
        changed_.notify_all();
    }

    // False: it did not in time.
    bool wait_until_done() noexcept {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, longest_end, [this] { return is_done_; });
    }

    [[nodiscard]] bool is_in_child() const noexcept { return sockets_.is_in_child(); }

    std::thread thread;  // of whoever started it

private:
    bool waited_for_stop() noexcept {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, milliseconds{std::max<std::uint64_t>(settings_.repeat_ms / looks_a_repeat, 1)},
                                 [this] { return must_stop_; });
    }

    void look() noexcept {
        try {
            const std::vector<notify::alert> firing = firing_();
            // relaxed: a figure.
            counts_.firing.store(firing.size(), std::memory_order_relaxed);
            tell_all(firing);
        } catch (...) {}  // no snapshot, no memory: the next look
    }

    void tell_all(const std::vector<notify::alert>& firing) noexcept {
        for (peer& each : peers_) {
            try {
                tell(each, firing);
            } catch (...) {}  // no memory: the next look
        }
    }

    void tell(peer& to, const std::vector<notify::alert>& firing) {
        const notify::alert_book::moment now{ms_of<std::chrono::system_clock>(), ms_of<std::chrono::steady_clock>()};
        const std::vector<notify::alert> due = to.book.due(firing, now);
        if (due.empty()) { return; }
        const result<std::string> answer = client_.post_json(to.url, notify::encode_alerts(due), limits);
        if (!answer) {
            counts_.failures.fetch_add(1, std::memory_order_relaxed);  // relaxed, as below: figures
            if (!std::exchange(to.is_away, true)) {
                log_peer(log_level::warning, "alerts_not_taken", answer.error().message());
            }
            return;
        }
        counts_.posts.fetch_add(1, std::memory_order_relaxed);  // relaxed: a figure
        to.book.keep(due, now);
        if (std::exchange(to.is_away, false)) {
            log_peer(log_level::info, "alerts_taken_again", to.url.address() + " takes alerts again");
        }
    }

    alert_settings settings_;
    const source firing_;
    alert_counts& counts_;
    guarded_sockets sockets_;
    http_client client_;  // its thread's alone, as peers_
    std::vector<peer> peers_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool must_stop_{};  // guarded by mutex_, as below
    bool is_done_{};
};

alert_poster::alert_poster(alert_settings settings, source firing, alert_counts& counts)
    : impl_(std::make_shared<impl>(std::move(settings), std::move(firing), counts)) {
    const signals_blocked blocked;
    impl_->thread = std::thread([it = impl_.get(), alive = impl_] { it->run(); });
}

alert_poster::~alert_poster() {
    // In a forked child the thread does not exist, and what it held cannot be taken down safely.
    if (impl_->is_in_child()) {
        static_cast<void>(new std::shared_ptr<impl>(std::move(impl_)));
        return;
    }
    stop();
}

void alert_poster::stop() noexcept {
    if (impl_->is_in_child() || !impl_->thread.joinable()) { return; }
    impl_->ask_to_stop();
    // A resolver may hang for longer than a program's end may: then the thread is left alone with what it holds.
    if (impl_->wait_until_done()) {
        impl_->thread.join();
    } else {
        impl_->thread.detach();
    }
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
