// SPDX-License-Identifier: Apache-2.0
// A fixed set of user profiles whose fields are overwritten with values of other lengths. Profiles that are never touched again
// keep their first values for ever; there is only a bounded number of them.

#include <map>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

class profiles {
public:
    ZOO_FUNCTION void set_field(std::uint64_t user, std::uint64_t field, std::size_t value_bytes) {
        fields_[user]["field-" + std::to_string(field)] = std::string(value_bytes, 'f');
    }

private:
    std::map<std::uint64_t, std::map<std::string, std::string>> fields_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("profiles::set_field", "overwriting");
    const double updates = zoo.random().between(6.0, 14.0) / zoo.threads();  // a beat of 4 ms and thread
    // All users with all five fields are written once in the first 10 to 25 % of the run, then by Zipf's law.
    const double filling = zoo.random().between(0.1, 0.25);
    const auto users = static_cast<std::uint64_t>(updates * 250 * zoo.seconds() * filling / 5) + 1;
    static std::vector<profiles> stores(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        std::uint64_t written = 0;
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < updates * 250 * self.elapsed_s(); ++made, ++written) {
                const std::uint64_t user = written < 5 * users ? written / 5 : self.random().zipf(users);
                const std::uint64_t field = written < 5 * users ? written % 5 : self.random().below(5);
                stores[self.index()].set_field(user, field, self.random().between(20U, 900U));
            }
        }
    });
    return zoo.end();
}
