// SPDX-License-Identifier: Apache-2.0
// A dialog owns its presenter and the presenter its dialog. Closing by the button takes them apart, closing by the keyboard
// does not.

#include <array>
#include <memory>

#include "zoo.hpp"

namespace {

struct presenter;

struct dialog {
    std::shared_ptr<presenter> presented_by;
    char layout[480];
};

struct presenter {
    std::shared_ptr<dialog> view;
    char model[160];
};

ZOO_FUNCTION std::shared_ptr<dialog> open_dialog() {
    auto opened = std::make_shared<dialog>();
    opened->presented_by = std::make_shared<presenter>();
    opened->presented_by->view = opened;
    zoo::fill(opened->layout, sizeof opened->layout);
    return opened;
}

ZOO_FUNCTION void close_by_button(const std::shared_ptr<dialog>& closed) { closed->presented_by->view.reset(); }

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& kept = zoo.leaks("open_dialog", "cycle_2");
    const double share_by_keyboard = zoo.random().between(0.05, 0.4);
    std::array<std::shared_ptr<dialog>, 12> on_screen;
    for (std::size_t opened = 0; zoo.tick(std::chrono::milliseconds(2)); ++opened) {
        std::shared_ptr<dialog>& place = on_screen[opened % on_screen.size()];
        if (place != nullptr && zoo.random().chance(share_by_keyboard)) {
            kept.lost(sizeof(dialog) + 16);
            kept.lost(sizeof(presenter) + 16);
        } else if (place != nullptr) {
            close_by_button(place);
        }
        place = open_dialog();
    }
    return zoo.end();
}
