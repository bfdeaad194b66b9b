// SPDX-License-Identifier: Apache-2.0
// A pool of workers that are started as load asks for them, the last one before a third of the run is over: each has a
// thread_local set of compiled patterns that it builds up in its first while and keeps for as long as it lives.

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

using program = std::vector<std::uint32_t>;

ZOO_FUNCTION const program& compile_pattern(std::uint64_t pattern, std::size_t instructions) {
    static thread_local std::map<std::uint64_t, program> compiled;
    program& found = compiled[pattern];
    if (found.empty()) { found.assign(instructions, static_cast<std::uint32_t>(pattern)); }
    return found;
}

ZOO_FUNCTION std::string match(const program& compiled, std::size_t text_bytes) {
    std::string text(text_bytes, 'm');
    for (std::size_t i = 0; i < text.size() && i < compiled.size(); ++i) { text[i] = static_cast<char>(compiled[i]); }
    return text;
}

void work(zoo::scenario& zoo, std::uint64_t seed, std::uint64_t patterns) {
    zoo::rng random(seed);
    while (zoo.is_running()) {
        const std::uint64_t pattern = random.zipf(patterns);
        zoo::use(match(compile_pattern(pattern, 200 + pattern * 37 % 2000), random.between(30U, 800U)).data());
        std::this_thread::sleep_for(std::chrono::milliseconds(4));
    }
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("compile_pattern", "thread_local_cache");
    zoo.is_clean("match", "churn");
    const int workers = static_cast<int>(zoo.random().between(4U, 8U)) + zoo.threads();
    // The rarest of 60 patterns is one match in 250: about once a second.
    const std::uint64_t patterns = static_cast<std::uint64_t>(zoo.seconds() * zoo.random().between(1.0, 3.0)) + 5;
    std::vector<std::thread> pool;
    pool.reserve(static_cast<std::size_t>(workers));
    while (zoo.tick(std::chrono::milliseconds(20))) {
        const double wanted = std::min(1.0, zoo.progress() / 0.3) * workers;
        if (static_cast<double>(pool.size()) < wanted) {
            const std::uint64_t seed = zoo.random().next();
            pool.emplace_back([&zoo, seed, patterns] { work(zoo, seed, patterns); });
        }
    }
    for (std::thread& worker : pool) { worker.join(); }
    return zoo.end();
}
