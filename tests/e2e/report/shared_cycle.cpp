// SPDX-License-Identifier: Apache-2.0
// A page knows its sections and each section its page, both by shared_ptr. The rule: reference_cycle.
#include <memory>

#include "two_dumps.hpp"

namespace site {

struct section;

struct page {
    std::shared_ptr<section> first;
    char text[400];
};

struct section {
    std::shared_ptr<page> owner;
    char text[200];
};

[[gnu::noinline]] void render_page() {
    const auto made = std::make_shared<page>();
    made->first = std::make_shared<section>();
    made->first->owner = made;
}

}  // namespace site

int main(int count, char** arguments) {
    return leaks::run(count, arguments, 1500, [](int) { site::render_page(); });
}
