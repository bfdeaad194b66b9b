// SPDX-License-Identifier: Apache-2.0
// A C function's result is used and not freed. The rule: free_missing.
#include <cstring>

#include "two_dumps.hpp"

namespace config {

[[gnu::noinline]] std::size_t length_of_copy(const char* text) {
    const char* const copy = strdup(text);
    return std::strlen(copy);  // the bug: nobody frees it
}

}  // namespace config

int main(int count, char** arguments) {
    const std::string text(400, 'x');
    std::size_t sum = 0;
    const int status = leaks::run(count, arguments, 2000, [&](int) { sum += config::length_of_copy(text.c_str()); });
    return sum == 0 ? 3 : status;
}
