// SPDX-License-Identifier: Apache-2.0
// A feature is switched on when a quarter to a half of the run is over: it loads its tables over a tenth of the run, keeps them
// for good and asks for nothing more. Before and after, the service does its small business.

#include <map>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

class recommendations {
public:
    ZOO_FUNCTION void load_row(std::uint64_t article, std::size_t neighbours) {
        std::vector<std::uint32_t>& row = rows_[article];
        row.reserve(neighbours);
        for (std::size_t i = 0; i < neighbours; ++i) { row.push_back(static_cast<std::uint32_t>(article + i)); }
    }
    ZOO_FUNCTION std::vector<std::string> recommend(std::uint64_t article) const {
        std::vector<std::string> names;
        const auto found = rows_.find(article);
        for (std::size_t i = 0; found != rows_.end() && i < std::min<std::size_t>(5, found->second.size()); ++i) {
            names.push_back("article number " + std::to_string(found->second[i]));
        }
        return names;
    }

private:
    std::map<std::uint64_t, std::vector<std::uint32_t>> rows_;
};

ZOO_FUNCTION std::string answer(std::uint64_t article) {
    return "article " + std::to_string(article) + " is in stock, one piece";
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("recommendations::load_row", "late_initialisation");
    zoo.is_clean("recommendations::recommend", "churn");
    zoo.is_clean("answer", "churn");
    const double on_at = zoo.random().between(0.25, 0.5);
    const double rows = zoo.random().between(4.0, 16.0) / zoo.threads();  // a beat of 4 ms and thread
    static std::vector<recommendations> shards(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        std::uint64_t loaded = 0;
        while (self.tick(std::chrono::milliseconds(4))) {
            zoo::use(answer(self.random().next()).data());
            if (self.progress() < on_at) { continue; }
            for (double left = self.progress() < on_at + 0.1 ? rows : 0; self.random().chance(left); --left) {
                shards[self.index()].load_row(++loaded, self.random().between(5U, 300U));
            }
            zoo::use(shards[self.index()].recommend(1 + self.random().below(loaded + 1)).data());
        }
    });
    return zoo.end();
}
