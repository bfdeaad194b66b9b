// SPDX-License-Identifier: Apache-2.0
// A cache of weak pointers was to hold nothing alive. But make_shared puts object and counters into one block, which the weak
// pointer keeps; and names never repeat.

#include <map>
#include <memory>

#include "zoo.hpp"

namespace {

struct thumbnail {
    unsigned char pixels[600];
};

std::map<std::uint64_t, std::weak_ptr<thumbnail>> known;

ZOO_FUNCTION std::shared_ptr<thumbnail> load_thumbnail(std::uint64_t file) {
    auto loaded = std::make_shared<thumbnail>();
    zoo::fill(loaded->pixels, sizeof loaded->pixels, static_cast<char>(file));
    return loaded;
}

ZOO_FUNCTION std::shared_ptr<thumbnail> find_thumbnail(std::uint64_t file) {
    std::weak_ptr<thumbnail>& entry = known[file];
    std::shared_ptr<thumbnail> found = entry.lock();
    if (found == nullptr) {
        found = load_thumbnail(file);
        entry = found;
    }
    return found;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& blocks = zoo.leaks("load_thumbnail", "weak_pointers");
    zoo::truth& entries = zoo.leaks("find_thumbnail", "weak_pointers");
    const std::uint64_t repeats = zoo.random().between(2U, 6U);
    for (std::uint64_t view = 0; zoo.tick(std::chrono::milliseconds(2)); ++view) {
        const std::uint64_t file = view / repeats;
        const auto shown = find_thumbnail(file);
        zoo::use(shown.get());
        if (view % repeats != 0) { continue; }
        blocks.lost(sizeof(thumbnail) + 16);
        entries.lost(64);
    }
    return zoo.end();
}
