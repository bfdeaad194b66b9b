// SPDX-License-Identifier: Apache-2.0
// Linked: charts keep their points in tracked deques and throw the older half away when they are full, each at a moment of its
// own; drawing them works in untagged memory that a tag_scope labels.

#include <memwatch/memwatch.hpp>

#include <deque>
#include <vector>

#include "zoo.hpp"

namespace {

memwatch::tag points_tag{"zoo/points"};
memwatch::tag drawing_tag{"zoo/drawing"};

class chart {
public:
    explicit chart(std::size_t most) : most_(most), points_(memwatch::tracked_allocator<double>{points_tag}) {}

    ZOO_FUNCTION void add_point(double value) {
        points_.push_back(value);
        if (points_.size() > most_) {
            points_.erase(points_.begin(), points_.begin() + static_cast<std::ptrdiff_t>(most_ / 2));
        }
    }
    ZOO_FUNCTION void draw() const {
        const memwatch::tag_scope drawing{drawing_tag};
        const std::vector<double> pixels(points_.begin(), points_.end());
        zoo::use(pixels.data());
    }

private:
    std::size_t most_;
    std::deque<double, memwatch::tracked_allocator<double>> points_;
};

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("chart::add_point", "sawtooth");
    zoo.is_clean("chart::draw", "churn");
    const auto charts = static_cast<std::size_t>(zoo.random().between(40U, 200U) / static_cast<unsigned>(zoo.threads())) + 1;
    const double points = 4 * 250 * zoo.seconds();  // of a chart in the run
    static std::vector<std::vector<chart>> boards(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        std::vector<chart>& board = boards[self.index()];
        for (std::size_t i = 0; i < charts; ++i) {
            board.emplace_back(static_cast<std::size_t>(points * self.random().between(0.05, 0.3)));
        }
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < 1000 * self.elapsed_s(); ++made) {
                for (chart& one : board) { one.add_point(self.random().unit()); }
            }
            board[self.random().below(charts)].draw();
        }
    });
    return zoo.end();
}
