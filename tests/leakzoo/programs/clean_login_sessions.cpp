// SPDX-License-Identifier: Apache-2.0
// Linked: each login makes a session that outlives the request by design, until the user logs out or a fifth of the run has
// passed. Other requests of the same route only touch it.

#include <memwatch/memwatch.hpp>

#include <map>
#include <mutex>
#include <string>

#include "zoo.hpp"

namespace {

memwatch::tag sessions_tag{"zoo/sessions"};

template <class Type>
using tracked = memwatch::tracked_allocator<Type>;
using text = std::basic_string<char, std::char_traits<char>, tracked<char>>;

class session_store {
public:
    ZOO_FUNCTION void log_in(std::uint64_t user, std::size_t profile_bytes, double ends_s) {
        text profile(profile_bytes, 's', tracked<char>{sessions_tag});
        const std::lock_guard lock(mutex_);
        by_end_.emplace(std::pair{ends_s, user}, std::move(profile));
    }
    void log_out_until(double now_s) {
        const std::lock_guard lock(mutex_);
        by_end_.erase(by_end_.begin(), by_end_.lower_bound(std::pair{now_s, std::uint64_t{0}}));
    }

private:
    using key = std::pair<double, std::uint64_t>;
    std::mutex mutex_;
    std::map<key, text, std::less<key>, tracked<std::pair<const key, text>>> by_end_{
        tracked<std::pair<const key, text>>{sessions_tag}};
};

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("session_store::log_in", "ttl_cache");
    const double logins = zoo.random().between(1.0, 4.0) / zoo.threads();  // a beat of 4 ms and thread
    const double longest_s = zoo.seconds() * zoo.random().between(0.15, 0.25);
    static session_store store;
    std::atomic<std::uint64_t> next_user{0};
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = logins; self.random().chance(left); --left) {
                const std::uint64_t user = ++next_user;
                const memwatch::trace_scope scope{"login-" + std::to_string(user), "/login"};
                const double stay_s = std::min(longest_s, self.random().exponential(longest_s / 2));
                store.log_in(user, self.random().between(200U, 4000U), self.elapsed_s() + stay_s);
            }
            store.log_out_until(self.elapsed_s());
        }
    });
    return zoo.end();
}
