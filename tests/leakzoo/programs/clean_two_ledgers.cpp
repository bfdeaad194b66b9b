// SPDX-License-Identifier: Apache-2.0
// Bookings go into the ledger of the day, a twentieth of the run; closing it puts a summary into the ledger of the week, which
// is closed every fifth day: saws of two periods, one riding on the other.

#include <forward_list>
#include <map>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

class books {
public:
    ZOO_FUNCTION void book(std::uint64_t account, std::size_t note_bytes) {
        day_[account % 997].push_front(std::string(note_bytes, 'b'));
    }
    ZOO_FUNCTION void close_day() {
        for (const auto& [account, notes] : day_) {
            std::vector<std::size_t> lengths;
            for (const std::string& note : notes) { lengths.push_back(note.size()); }
            week_.emplace(account, std::move(lengths));
        }
        day_.clear();
        if (++days_ % 5 == 0) { week_.clear(); }
    }

private:
    std::map<std::uint64_t, std::forward_list<std::string>> day_;
    std::multimap<std::uint64_t, std::vector<std::size_t>> week_;
    unsigned days_{};
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("books::book", "sawtooth");
    zoo.is_clean("books::close_day", "sawtooth");
    const double bookings = zoo.random().between(6.0, 14.0) / zoo.threads();  // a beat of 4 ms and thread
    const double day_s = zoo.seconds() / zoo.random().between(20.0, 30.0);
    static std::vector<books> offices(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        double close_at_s = self.random().between(0.1, 1.0) * day_s;
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = bookings; self.random().chance(left); --left) {
                offices[self.index()].book(self.random().next(), self.random().between(40U, 900U));
            }
            if (self.elapsed_s() < close_at_s) { continue; }
            offices[self.index()].close_day();
            close_at_s += day_s;
        }
    });
    return zoo.end();
}
