// SPDX-License-Identifier: Apache-2.0
// A backlog is read in at the start and worked off over the whole run, newest first, so what is left at any moment is the very
// oldest; the jobs themselves are short-lived.

#include <memory>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct job {
    std::string name;
    std::vector<std::byte> payload;
};

class backlog {
public:
    ZOO_FUNCTION void read_job(std::uint64_t number, std::size_t payload_bytes) {
        auto read = std::make_unique<job>();
        read->name = "job number " + std::to_string(number) + " of the backlog";
        read->payload.resize(payload_bytes);
        jobs_.push_back(std::move(read));
    }
    ZOO_FUNCTION std::size_t work_off() {
        const std::unique_ptr<job> done = std::move(jobs_.back());
        jobs_.pop_back();
        const std::vector<std::byte> result(done->payload.size() / 2);
        zoo::use(result.data());
        return result.size();
    }
    std::size_t left() const { return jobs_.size(); }

private:
    std::vector<std::unique_ptr<job>> jobs_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("backlog::read_job", "start_up_load");
    zoo.is_clean("backlog::work_off", "churn");
    const double jobs = zoo.random().between(3000.0, 10'000.0) / zoo.threads();
    const double read_until = zoo.random().between(0.03, 0.2), done_at_end = zoo.random().between(0.5, 0.95);
    static std::vector<backlog> backlogs(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        backlog& own = backlogs[self.index()];
        double read = 0, done = 0;
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; read < jobs * std::min(1.0, self.progress() / read_until); ++read) {
                own.read_job(static_cast<std::uint64_t>(read), self.random().between(100U, 2500U));
            }
            for (; own.left() > 0 && done < jobs * done_at_end * self.progress() * self.progress(); ++done) { own.work_off(); }
        }
    });
    return zoo.end();
}
