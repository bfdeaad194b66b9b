// SPDX-License-Identifier: Apache-2.0
// The configuration is replaced as a whole every second or so (copy on write) while readers go on with the version they took;
// a report that runs for a while holds on to an old version until it is through.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

using settings = std::map<std::string, std::string>;

class configuration {
public:
    ZOO_FUNCTION void reload(unsigned keys, std::uint64_t version) {
        auto fresh = std::make_shared<settings>();
        for (unsigned key = 0; key < keys; ++key) {
            (*fresh)["service.backend.pool." + std::to_string(key) + ".timeout"] =
                std::string(100, 'v') + std::to_string(version);
        }
        const std::lock_guard lock(mutex_);
        current_ = std::move(fresh);
    }
    std::shared_ptr<const settings> current() const {
        const std::lock_guard lock(mutex_);
        return current_;
    }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const settings> current_ = std::make_shared<settings>();
};

ZOO_FUNCTION std::string read_setting(const settings& from, std::uint64_t key) {
    const auto found = from.find("service.backend.pool." + std::to_string(key) + ".timeout");
    return found != from.end() ? found->second : std::string();
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("configuration::reload", "copy_on_write");
    zoo.is_clean("read_setting", "churn");
    const unsigned keys = zoo.random().between(200U, 2000U);
    const double reload_every_s = zoo.seconds() / zoo.random().between(12.0, 40.0);
    static configuration shared;
    static std::vector<std::shared_ptr<const settings>> in_reports(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        double next_reload_s = 0;
        for (std::uint64_t version = 0; self.tick(std::chrono::milliseconds(4));) {
            if (self.index() == 0 && self.elapsed_s() >= next_reload_s) {
                shared.reload(keys, ++version);
                next_reload_s += reload_every_s;
            }
            read_setting(*shared.current(), self.random().below(keys));
            if (self.random().chance(0.002)) { in_reports[self.index()] = shared.current(); }  // a report ends, the next begins
        }
    });
    return zoo.end();
}
