// SPDX-License-Identifier: Apache-2.0
// leak_coverage::everything in a program that sees all of its heap, linked or preloaded. Status 0, or it says what was
// otherwise.
#include <unistd.h>
#include <cstdio>
#include <cstdlib>

#include <memwatch/memwatch.hpp>
#include <memwatch/testing.hpp>

namespace testing = memwatch::testing;

namespace {

int failures = 0;

void check(bool is_so, const char* what) {
    if (is_so) { return; }
    std::printf("not so: %s\n", what);
    ++failures;
}

int* kept = nullptr;

}  // namespace

[[gnu::noinline]] void forget_a_number() {
    kept = new int[100];
    asm volatile("" : : "g"(kept) : "memory");
}

int main() {
    ::alarm(60);
    testing::leak_options options;
    options.what = testing::leak_coverage::everything;
    const auto clean = testing::leak_check([] { delete new int(1); }, options);
    std::printf("%s", clean.message().c_str());
    check(clean.passed, "what is deleted is no leak");
    check(clean.notes.empty(), "nothing limits the answer");
    const auto leaky = testing::leak_check(forget_a_number, options);
    std::printf("%s", leaky.message().c_str());
    check(!leaky.passed, "what is kept is a leak");
    check(leaky.objects == 1, "of one object");
    check(leaky.bytes == 100 * sizeof(int), "to the byte");
    check(leaky.message().find("forget_a_number") != std::string::npos, "with its stack");
    check(testing::leak_check(forget_a_number).passed, "and not of interest where only tracked blocks are");
    return failures == 0 ? 0 : 1;
}
