// SPDX-License-Identifier: Apache-2.0
// Tenants are taken on one by one in the first half of the run, each with an index of its own that is loaded within moments and
// stays: a staircase with four to seven steps that then ends. Their queries are short-lived.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct tenant {
    std::map<std::uint64_t, std::string> index;
};

class tenants {
public:
    ZOO_FUNCTION void take_on(unsigned entries, std::size_t entry_bytes) {
        auto fresh = std::make_unique<tenant>();
        for (unsigned i = 0; i < entries; ++i) { fresh->index.emplace(i, std::string(entry_bytes + i % 50, 'i')); }
        all_.push_back(std::move(fresh));
    }
    ZOO_FUNCTION std::string query(std::uint64_t number) const {
        if (all_.empty()) { return {}; }
        const auto& index = all_[number % all_.size()]->index;
        return index.at(number % index.size()) + index.at(number * 7 % index.size());
    }
    std::size_t count() const { return all_.size(); }

private:
    std::vector<std::unique_ptr<tenant>> all_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("tenants::take_on", "staircase");
    zoo.is_clean("tenants::query", "churn");
    const unsigned entries = zoo.random().between(500U, 3000U) / static_cast<unsigned>(zoo.threads()) + 1;
    const double steps = std::floor(zoo.random().between(4.0, 8.0)), entry_bytes = zoo.random().between(50.0, 500.0);
    static std::vector<tenants> hosts(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        tenants& host = hosts[self.index()];
        while (self.tick(std::chrono::milliseconds(4))) {
            const double wanted = std::min(1.0, self.progress() / 0.5) * steps;
            if (static_cast<double>(host.count() + 1) <= wanted) {
                host.take_on(entries, static_cast<std::size_t>(entry_bytes));
            }
            zoo::use(host.query(self.random().next()).data());
        }
    });
    return zoo.end();
}
