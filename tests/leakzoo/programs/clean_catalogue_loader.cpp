// SPDX-License-Identifier: Apache-2.0
// The first tenth or so of the run loads a catalogue that stays for good; the rest looks things up in it. An update now and
// then replaces single articles.

#include <map>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct article {
    std::string title;
    std::vector<std::string> keywords;
};

class catalogue {
public:
    ZOO_FUNCTION void store_article(std::uint64_t number, std::size_t title_bytes, unsigned keywords) {
        article fresh;
        fresh.title.assign(title_bytes, 't');
        for (unsigned i = 0; i < keywords; ++i) { fresh.keywords.push_back("keyword-of-the-catalogue-" + std::to_string(i)); }
        articles_[number] = std::move(fresh);
    }
    ZOO_FUNCTION std::vector<const article*> search(std::uint64_t from, std::size_t most) const {
        std::vector<const article*> hits;
        for (auto at = articles_.lower_bound(from); at != articles_.end() && hits.size() < most; ++at) {
            hits.push_back(&at->second);
        }
        return hits;
    }

private:
    std::map<std::uint64_t, article> articles_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("catalogue::store_article", "start_up_load");
    zoo.is_clean("catalogue::search", "churn");
    const double load_until = zoo.random().between(0.06, 0.15);  // of the run
    const double update_share = zoo.random().between(0.02, 0.3);
    const std::uint64_t offers = zoo.random().between(10U, 40U);
    static std::vector<catalogue> replicas(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        catalogue& articles = replicas[self.index()];
        std::uint64_t loaded = 0;
        while (self.tick(std::chrono::milliseconds(4))) {
            if (self.progress() < load_until) {
                for (int i = 0; i < 12 / zoo.threads() + 1; ++i) {
                    articles.store_article(++loaded, self.random().between(50U, 500U), self.random().between(1U, 12U));
                }
            } else if (self.random().chance(update_share)) {
                articles.store_article(1 + self.random().below(offers), self.random().between(50U, 500U), 5);
            }
            zoo::use(articles.search(self.random().below(loaded + 1), 100).data());
        }
    });
    return zoo.end();
}
