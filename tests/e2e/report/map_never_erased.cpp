// SPDX-License-Identifier: Apache-2.0
// Sessions are opened and never closed. The rule: erase_missing.
#include <map>

#include "two_dumps.hpp"

namespace shop {

struct customer {
    char name[240];
};

std::map<long, customer>& sessions() {
    static std::map<long, customer> all;
    return all;
}

[[gnu::noinline]] void open_session(long id) { sessions()[id].name[0] = 'x'; }

}  // namespace shop

int main(int count, char** arguments) {
    long next = 0;
    return leaks::run(count, arguments, 2000, [&](int) { shop::open_session(++next); });
}
