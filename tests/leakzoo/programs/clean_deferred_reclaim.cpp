// SPDX-License-Identifier: Apache-2.0
// Nodes of a shared table are replaced while readers may still look at them: old ones are retired and freed when every reader
// has moved on, and one of the readers is slow, so retired nodes pile up for a twelfth of the run at a time.

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct setting {
    std::uint64_t version{};
    std::string value;
};

class versioned_table {
public:
    ZOO_FUNCTION void replace_setting(std::size_t slot, std::size_t value_bytes) {
        auto fresh = std::make_unique<setting>();
        fresh->value.assign(value_bytes, 'v');
        const std::lock_guard lock(mutex_);
        fresh->version = ++version_;
        std::swap(current_[slot % current_.size()], fresh);
        if (fresh != nullptr) { retired_.push_back(std::move(fresh)); }
    }
    void reader_moved_on() {
        std::vector<std::unique_ptr<setting>> garbage;
        const std::lock_guard lock(mutex_);
        garbage.swap(retired_);
    }

private:
    std::mutex mutex_;
    std::array<std::unique_ptr<setting>, 500> current_;
    std::vector<std::unique_ptr<setting>> retired_;
    std::uint64_t version_{};
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("versioned_table::replace_setting", "deferred_reclamation");
    const double changes = zoo.random().between(3.0, 10.0) / zoo.threads();  // a beat of 4 ms and thread
    const double slowest_s = zoo.seconds() / 12;
    static versioned_table table;
    zoo.on_threads([&](zoo::worker& self) {
        double moves_on_s = 0.1;
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = changes; self.random().chance(left); --left) {
                table.replace_setting(self.random().below(500), self.random().between(100U, 1500U));
            }
            if (self.index() != 0 || self.elapsed_s() < moves_on_s) { continue; }
            table.reader_moved_on();
            moves_on_s = self.elapsed_s() + slowest_s * self.random().unit();
        }
    });
    return zoo.end();
}
