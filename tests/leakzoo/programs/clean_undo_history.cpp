// SPDX-License-Identifier: Apache-2.0
// An editor's undo history, bounded per document, over a couple of dozen documents that are edited one after the other, most of
// them for the first time in the first half: histories fill one by one, and a document's oldest edits then make room.

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

class edit {
public:
    virtual ~edit() = default;
};

class replaced_text : public edit {
public:
    replaced_text(std::string before, std::string after) : before_(std::move(before)), after_(std::move(after)) {}

private:
    std::string before_, after_;
};

class document {
public:
    ZOO_FUNCTION void replace_text(std::size_t before_bytes, std::size_t after_bytes, std::size_t most) {
        history_.push_back(std::make_unique<replaced_text>(std::string(before_bytes, 'b'), std::string(after_bytes, 'a')));
        if (history_.size() > most) { history_.pop_front(); }
    }

private:
    std::deque<std::unique_ptr<edit>> history_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("document::replace_text", "bounded_history");
    const auto documents = zoo.random().between(15U, 40U) / static_cast<unsigned>(zoo.threads()) + 1;
    const double edits = zoo.random().between(4.0, 10.0) / zoo.threads();  // a beat of 4 ms and thread
    // All histories together take as many edits as 25 to 35 % of the run makes; each is full well within its document's turn.
    const auto most = static_cast<std::size_t>(edits * 250 * zoo.seconds() * zoo.random().between(0.25, 0.35) / documents) + 1;
    static std::vector<std::vector<document>> desks(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        desks[self.index()] = std::vector<document>(documents);
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            // Each document has its turn in the first 40 % of the run; later they are edited in no order.
            const auto turn = static_cast<std::uint64_t>(self.progress() / 0.4 * documents);
            const std::uint64_t which = turn < documents ? turn : self.random().below(documents);
            for (; made < edits * 250 * self.elapsed_s(); ++made) {
                desks[self.index()][which].replace_text(self.random().between(30U, 900U), self.random().between(30U, 900U),
                                                        most);
            }
        }
    });
    return zoo.end();
}
