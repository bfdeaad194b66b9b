// SPDX-License-Identifier: Apache-2.0
// An interner never gives a word back, and need not: the language has only so many words. They come by Zipf's law, the common
// ones at once; even the rarest was met a few times by the middle of the run.

#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>

#include "zoo.hpp"

namespace {

class interner {
public:
    ZOO_FUNCTION std::string_view intern(const std::string& word) {
        const std::lock_guard lock(mutex_);
        return *words_.insert(word).first;
    }

private:
    std::mutex mutex_;
    std::unordered_set<std::string> words_;
};

ZOO_FUNCTION std::string spell(std::uint64_t rank) {
    return std::to_string(rank) + std::string(60 + rank * 7919 % 900, static_cast<char>('a' + rank % 26));
}

// The vocabulary whose rarest word is drawn `times` times in that many draws: words * ln(words) = draws / times.
std::uint64_t vocabulary_for(double draws, double times) {
    double words = 100;
    while (words * std::log(words) < draws / times) { words *= 1.05; }
    return static_cast<std::uint64_t>(words);
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("interner::intern", "interner");
    zoo.is_clean("spell", "churn");
    const double words_read = zoo.random().between(12.0, 24.0) / zoo.threads();  // a beat of 4 ms and thread
    const std::uint64_t vocabulary =
        vocabulary_for(words_read * zoo.threads() * 125 * zoo.seconds(), zoo.random().between(3.0, 6.0));
    static interner words;
    zoo.on_threads([&](zoo::worker& self) {
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < words_read * 250 * self.elapsed_s(); ++made) { words.intern(spell(self.random().zipf(vocabulary))); }
        }
    });
    return zoo.end();
}
