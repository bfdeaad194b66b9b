// SPDX-License-Identifier: Apache-2.0
#include "serve/alert_poster.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "notify/alertmanager_url.hpp"
#include "unit/serve/plain_client.hpp"

using namespace memwatch_test;
using memwatch::notify::alert;

namespace {

// What an Alertmanager was sent, in order.
class mailbox {
public:
    void put(const std::string& body) {
        const std::lock_guard guard(mutex_);
        bodies_.push_back(body);
        changed_.notify_all();
    }
    // The next one with that in it; "" when none comes within 20 s.
    std::string wait_for(const std::string& part) {
        std::unique_lock lock(mutex_);
        std::string found;
        changed_.wait_for(lock, std::chrono::seconds{20}, [&] {
            while (read_ < bodies_.size() && found.empty()) {
                const std::string& each = bodies_[read_++];
                if (contains(each, part)) { found = each; }
            }
            return !found.empty();
        });
        return found;
    }

private:
    static bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> bodies_;
    std::size_t read_{0};
};

struct alertmanager {
    mailbox received;
    std::unique_ptr<serve::http_server> server = start("127.0.0.1:0", {}, [this](const memwatch::http_request& r) {
        received.put(r.target + " " + r.body);
        return memwatch::http_response{200, {}, "{}"};
    });
    memwatch::http_url url() const { return *memwatch::notify::alertmanager_url("http://" + server->address().to_string()); }
};

alert firing(const std::string& site) {
    alert one;
    one.labels = {{"alertname", memwatch::notify::leak_alert_name}, {"site", site}};
    return one;
}

// What fires, from any thread.
class fires {
public:
    void set(std::vector<alert> now) {
        const std::lock_guard guard(mutex_);
        now_ = std::move(now);
    }
    std::vector<alert> get() {
        const std::lock_guard guard(mutex_);
        return now_;
    }

private:
    std::mutex mutex_;
    std::vector<alert> now_;
};

std::set<int> open_descriptors() {
    std::set<int> out;
    for (int i = 0; i < 256; ++i) {
        if (::fcntl(i, F_GETFD) >= 0) { out.insert(i); }
    }
    return out;
}

// An address of loopback at which nobody listens.
memwatch::http_url nobody() {
    const auto gone = start("127.0.0.1:0");
    const auto url = *memwatch::notify::alertmanager_url("http://" + gone->address().to_string());
    gone->stop();
    return url;
}

}  // namespace

TEST_CASE("alert_poster: every peer is told, told again, and told the end; one that is away keeps nobody waiting") {
    static serve::alert_counts counts;
    alertmanager a;
    alertmanager b;
    fires now;
    now.set({firing("one")});
    serve::alert_poster poster(
        {{nobody(), a.url(), b.url()}, 60}, [&] { return now.get(); }, counts);
    for (alertmanager* const each : {&a, &b}) {
        const std::string first = each->received.wait_for("\"one\"");
        CHECK(first.rfind("/api/v2/alerts [", 0) == 0);
        CHECK(first.find("endsAt") != std::string::npos);
        CHECK_FALSE(each->received.wait_for("\"one\"").empty());  // again, before it lapses
    }
    now.set({firing("two")});
    for (alertmanager* const each : {&a, &b}) { CHECK_FALSE(each->received.wait_for("\"two\"").empty()); }
    poster.stop();
    for (alertmanager* const each : {&a, &b}) { CHECK_FALSE(each->received.wait_for("\"two\"").empty()); }
    poster.stop();
    CHECK(counts.posts.load() >= 6);
    CHECK(counts.failures.load() >= 1);
    CHECK(counts.firing.load() == 0);
}

TEST_CASE("alert_poster: nothing fires, nobody is asked; a source that throws is a look left out") {
    static serve::alert_counts counts;
    alertmanager a;
    std::atomic<int> looks{0};
    {
        const serve::alert_poster poster(
            {{a.url()}, 6},
            [&]() -> std::vector<alert> {
                if (++looks < 3) { throw std::bad_alloc(); }
                if (looks < 6) { return {}; }
                return {firing("late")};
            },
            counts);
        const std::string first = a.received.wait_for("");
        CHECK(first.find("late") != std::string::npos);
    }
    CHECK(counts.failures.load() == 0);
}

TEST_CASE("alert_poster: a child that is forked while it posts has none of its descriptors, and goes away quietly") {
    static serve::alert_counts counts;
    const std::set<int> before = open_descriptors();
    std::mutex mutex;
    std::condition_variable changed;
    bool is_asked = false;
    bool may_answer = false;
    const auto server = start("127.0.0.1:0", {}, [&](const memwatch::http_request&) {
        std::unique_lock lock(mutex);
        is_asked = true;
        changed.notify_all();
        changed.wait_for(lock, std::chrono::seconds{1}, [&] { return may_answer; });
        return memwatch::http_response{200, {}, "{}"};
    });
    const auto url = *memwatch::notify::alertmanager_url("http://" + server->address().to_string());
    auto poster = std::make_unique<serve::alert_poster>(
        serve::alert_settings{{url}, 60}, [] { return std::vector<alert>{firing("x")}; }, counts);
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, std::chrono::seconds{20}, [&] { return is_asked; }));
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const bool is_clean = open_descriptors() == before;
        poster->stop();
        poster.reset();
        ::_exit(is_clean ? 0 : 2);
    }
    may_answer = true;
    changed.notify_all();
    lock.unlock();
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 0);
    poster.reset();
    CHECK(counts.posts.load() >= 1);  // the parent's post did not notice
}
