// SPDX-License-Identifier: Apache-2.0
// A directory of users that moves with them: thousands register, thousands leave, and the table is rehashed up and, once it is
// mostly empty, down again. Each rehash allocates the bucket array anew at another size.

#include <string>
#include <unordered_map>
#include <vector>

#include "zoo.hpp"

namespace {

class directory {
public:
    ZOO_FUNCTION void register_user(std::uint64_t id) {
        users_.try_emplace(id, "user " + std::to_string(id) + " of the directory");
    }
    void remove_user(std::uint64_t id) { users_.erase(id); }
    ZOO_FUNCTION void tighten() {
        if (users_.bucket_count() > 8 * users_.size() + 64) { users_.rehash(0); }
    }

private:
    std::unordered_map<std::uint64_t, std::string> users_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("directory::register_user", "rehash");
    zoo.is_clean("directory::tighten", "rehash");
    // The number of users swings between 2 % and 100 % of the most, two and a half to six times in the run.
    const auto most = static_cast<std::uint64_t>(zoo.random().between(5000U, 20'000U) / static_cast<unsigned>(zoo.threads()));
    const double swings = zoo.random().between(2.5, 6.0), phase = zoo.random().unit();
    static std::vector<directory> directories(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        directory& users = directories[self.index()];
        std::uint64_t first = 0, next = 0;
        while (self.tick(std::chrono::milliseconds(4))) {
            const double turn = std::fmod(self.progress() * swings + phase, 1.0), height = 1 - std::abs(2 * turn - 1);
            const auto wanted = static_cast<std::uint64_t>((0.02 + 0.98 * height) * static_cast<double>(most));
            for (int moves = 0; moves < 5; ++moves) { users.register_user(next++); }
            while (next - first < wanted) { users.register_user(next++); }
            while (next - first > wanted) { users.remove_user(first++); }
            users.tighten();
        }
    });
    return zoo.end();
}
