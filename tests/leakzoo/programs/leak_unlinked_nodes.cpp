// SPDX-License-Identifier: Apache-2.0
// An intrusive list of waiting orders, with an erase that frees at the front and at the end, and only unlinks in the middle.

#include "zoo.hpp"

namespace {

struct order {
    order* before;
    order* after;
    char terms[300];
};

struct order_book {
    order front{};
    std::size_t size = 0;

    order_book() { front.before = front.after = &front; }

    ZOO_FUNCTION void append() {
        auto* const added = new order{front.before, &front, {}};
        added->before->after = front.before = added;
        zoo::fill(added->terms, sizeof added->terms, 'o');
        ++size;
    }

    ZOO_FUNCTION bool erase(std::size_t position) {
        order* at = front.after;
        for (std::size_t i = 0; i < position; ++i) { at = at->after; }
        at->before->after = at->after;
        at->after->before = at->before;
        --size;
        const bool is_in_the_middle = at->before != &front && at->after != &front;
        if (!is_in_the_middle) { delete at; }
        return !is_in_the_middle;
    }
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& unlinked = zoo.leaks("order_book::append", "unlinked");
    const std::size_t depth = zoo.random().between(3U, 40U);
    const double share_cancelled = zoo.random().between(0.1, 0.5);
    static order_book book;
    while (zoo.tick(std::chrono::milliseconds(2))) {
        book.append();
        if (book.size <= depth) { continue; }
        const std::size_t position = zoo.random().chance(share_cancelled) ? zoo.random().below(book.size) : 0;
        if (!book.erase(position)) { unlinked.lost(sizeof(order)); }
    }
    return zoo.end();
}
