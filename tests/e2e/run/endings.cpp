// SPDX-License-Identifier: Apache-2.0
// A program that holds 50 blocks of 1000 bytes until its static destructors run, and ends as its word says.
#include <err.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

namespace {

std::vector<std::unique_ptr<char[]>> held;

[[gnu::noinline]] void hold_until_the_end() {
    for (int i = 0; i < 50; ++i) { held.emplace_back(new char[1000]); }
}

bool is(const char* word, const char* name) { return std::strcmp(word, name) == 0; }

}  // namespace

int main(int, char** words) {
    hold_until_the_end();
    const char* const how = words[1];
    if (is(how, "exit")) { std::exit(3); }
    if (is(how, "exit-from-a-thread")) {
        std::thread([] { std::exit(3); }).join();
    }
    if (is(how, "_exit")) { _exit(3); }
    if (is(how, "quick_exit")) { std::quick_exit(3); }
    if (is(how, "errx")) { errx(3, "over"); }  // libc's own call of exit
    return 3;
}
