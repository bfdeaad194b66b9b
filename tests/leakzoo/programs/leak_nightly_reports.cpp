// SPDX-License-Identifier: Apache-2.0
// A job that runs at fixed times builds a dozen sections of a report and frees the table of them, not the sections.

#include <array>

#include "zoo.hpp"

namespace {

struct section {
    char text[3000];
};

struct report {
    std::array<section*, 12> sections;
};

ZOO_FUNCTION section* write_section(int number) {
    auto* const written = new section;
    zoo::fill(written->text, sizeof written->text, static_cast<char>('a' + number));
    return written;
}

ZOO_FUNCTION report* build_report() {
    auto* const built = new report{};
    for (int number = 0; number < 12; ++number) { built->sections[static_cast<std::size_t>(number)] = write_section(number); }
    return built;
}

ZOO_FUNCTION void serve(zoo::rng& random) {
    const std::size_t bytes = random.between(500U, 5000U);
    char* const page = new char[bytes];
    zoo::fill(page, bytes);
    delete[] page;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& sections = zoo.leaks("write_section", "periodic");
    zoo.is_clean("build_report", "churn");
    zoo.is_clean("serve", "churn");
    const double period_s = zoo.seconds() * zoo.random().between(0.03, 0.06);
    double due_s = period_s * zoo.random().unit();
    while (zoo.tick(std::chrono::milliseconds(2))) {
        serve(zoo.random());
        if (zoo.elapsed_s() < due_s) { continue; }
        due_s += period_s;
        delete build_report();
        sections.lost(12 * sizeof(section), 12);
    }
    return zoo.end();
}
