// SPDX-License-Identifier: Apache-2.0
// Every error is remembered as text, for a page that nobody reads. The rule: text_accumulates.
#include <string>
#include <vector>

#include "two_dumps.hpp"

namespace errors {

std::vector<std::string>& seen() {
    static std::vector<std::string> all;
    return all;
}

[[gnu::noinline]] void note(long id) {
    std::string text = "request " + std::to_string(id) + " failed: ";
    text.append(300, '.');
    seen().push_back(std::move(text));
}

}  // namespace errors

int main(int count, char** arguments) {
    errors::seen().reserve(10'000);
    long next = 0;
    return leaks::run(count, arguments, 2000, [&](int) { errors::note(++next); });
}
