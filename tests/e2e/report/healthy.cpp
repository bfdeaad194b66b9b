// SPDX-License-Identifier: Apache-2.0
// Makes and frees, and keeps a window of the last hundred. Nothing is found.
#include <deque>
#include <string>

#include "two_dumps.hpp"

int main(int count, char** arguments) {
    std::deque<std::string> last;
    return leaks::run(count, arguments, 2000, [&](int i) {
        last.emplace_back(500, static_cast<char>('a' + i % 26));
        if (last.size() > 100) { last.pop_front(); }
    });
}
