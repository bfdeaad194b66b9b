// SPDX-License-Identifier: Apache-2.0
// Views subscribe to topics with closures and unsubscribe when they close; some views stay open for a sixth of the run. As many
// come as go, on average: the number wanders.

#include <any>
#include <functional>
#include <map>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "zoo.hpp"

namespace {

class topic_hub {
public:
    ZOO_FUNCTION std::uint64_t subscribe(const std::string& topic, std::size_t state_bytes) {
        std::any state = std::string(state_bytes, 'v');
        subscribers_[topic].emplace(++last_, [state = std::move(state)] { zoo::use(std::any_cast<std::string>(&state)); });
        return last_;
    }
    void unsubscribe(const std::string& topic, std::uint64_t subscription) { subscribers_[topic].erase(subscription); }
    void publish(const std::string& topic) {
        for (const auto& [number, notify] : subscribers_[topic]) { notify(); }
    }

private:
    std::unordered_map<std::string, std::map<std::uint64_t, std::function<void()>>> subscribers_;
    std::uint64_t last_{};
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("topic_hub::subscribe", "listeners");
    const double views = zoo.random().between(1.5, 5.0) / zoo.threads();  // a beat of 4 ms and thread
    const double mean_s = zoo.seconds() / zoo.random().between(25.0, 60.0), longest_s = zoo.seconds() / 6;
    static std::vector<topic_hub> hubs(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        topic_hub& hub = hubs[self.index()];
        std::multimap<double, std::pair<std::string, std::uint64_t>> closes;
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = views; self.random().chance(left); --left) {
                const std::string topic = "topic-" + std::to_string(self.random().below(40));
                const double open_s = self.random().chance(0.03) ? longest_s : self.random().exponential(mean_s);
                closes.emplace(self.elapsed_s() + std::min(open_s, longest_s),
                               std::pair{topic, hub.subscribe(topic, self.random().between(50U, 1500U))});
            }
            for (; !closes.empty() && closes.begin()->first <= self.elapsed_s(); closes.erase(closes.begin())) {
                hub.unsubscribe(closes.begin()->second.first, closes.begin()->second.second);
            }
            if (self.random().chance(0.05)) { hub.publish("topic-" + std::to_string(self.random().below(40))); }
        }
    });
    return zoo.end();
}
