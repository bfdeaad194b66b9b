// SPDX-License-Identifier: Apache-2.0
// A search index is rebuilt from scratch while the old one serves; when the new one is complete, it takes over and the old one
// is thrown away at once. Memory rises between one and two indexes, five to nine times a run.

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "zoo.hpp"

namespace {

using postings = std::unordered_map<std::string, std::vector<std::uint32_t>>;

class search_index {
public:
    ZOO_FUNCTION void add_document(std::uint32_t number, unsigned words) {
        const std::lock_guard lock(mutex_);
        for (unsigned word = 0; word < words; ++word) {
            (*next_)["term-" + std::to_string((number * 2654435761U + word * 97U) % 3000U)].push_back(number);
        }
    }
    ZOO_FUNCTION void take_over() {
        const std::lock_guard lock(mutex_);
        serving_ = std::move(next_);
        next_ = std::make_unique<postings>();
    }

private:
    std::mutex mutex_;
    std::unique_ptr<postings> serving_ = std::make_unique<postings>();
    std::unique_ptr<postings> next_ = std::make_unique<postings>();
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("search_index::add_document", "double_buffer");
    zoo.is_clean("search_index::take_over", "double_buffer");
    const unsigned words = zoo.random().between(10U, 40U);
    const double documents = zoo.random().between(0.5, 1.5) / zoo.threads();  // a beat of 4 ms and thread
    const double rebuild_s = zoo.seconds() / zoo.random().between(5.0, 9.0);
    static search_index index;
    std::atomic<std::uint32_t> number{0};
    zoo.on_threads([&](zoo::worker& self) {
        double take_over_s = rebuild_s;
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < documents * 250 * self.elapsed_s(); ++made) { index.add_document(++number, words); }
            if (self.index() != 0 || self.elapsed_s() < take_over_s) { continue; }
            index.take_over();
            take_over_s += rebuild_s;
        }
    });
    return zoo.end();
}
