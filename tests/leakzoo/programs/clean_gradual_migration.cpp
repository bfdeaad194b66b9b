// SPDX-License-Identifier: Apache-2.0
// Undecidable: accounts that were loaded at the start are rewritten one by one by a migration that does not get through within
// the run. What the migration allocates stays, at a constant rate, and for each such block one of the loader's goes.

#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

class accounts {
public:
    ZOO_FUNCTION void load_account(std::size_t record_bytes) { records_.emplace_back(record_bytes, 'o'); }
    ZOO_FUNCTION void migrate_account(std::size_t number, std::size_t record_bytes) {
        records_[number] = std::string(record_bytes, 'n');
    }
    std::size_t count() const { return records_.size(); }

private:
    std::vector<std::string> records_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("accounts::load_account", "start_up_load");
    zoo.is_undecidable("accounts::migrate_account", "slow_replacement");
    const std::size_t count = zoo.random().between(5000U, 20'000U) / static_cast<unsigned>(zoo.threads()) + 1;
    const double migrated_share = zoo.random().between(0.4, 0.9);
    static std::vector<accounts> shards(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        accounts& shard = shards[self.index()];
        while (shard.count() < count) { shard.load_account(self.random().between(100U, 1500U)); }
        std::size_t migrated = 0;
        while (self.tick(std::chrono::milliseconds(4))) {
            const auto wanted = static_cast<std::size_t>(self.progress() * migrated_share * static_cast<double>(count));
            for (; migrated < wanted; ++migrated) { shard.migrate_account(migrated, self.random().between(100U, 1500U)); }
        }
    });
    return zoo.end();
}
