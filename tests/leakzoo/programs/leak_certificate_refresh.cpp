// SPDX-License-Identifier: Apache-2.0
// Some times a second the certificate chain is read again, and the one before is left where it is. Slow, beside busy work.

#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct certificate_chain {
    std::vector<unsigned char> bytes;
};

certificate_chain* current = nullptr;

ZOO_FUNCTION void refresh_certificates(std::size_t bytes) {
    auto* fresh = new certificate_chain;
    fresh->bytes.assign(bytes, 0x30);
    current = fresh;
}

ZOO_FUNCTION void shake_hands(zoo::rng& random) {
    std::vector<unsigned char> transcript(random.between(500U, 4000U), 0x16);
    const std::string name(random.between(20U, 60U), 'n');
    transcript.insert(transcript.end(), name.begin(), name.end());
    zoo::use(transcript.data());
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& outdated = zoo.leaks("refresh_certificates", "slow");
    zoo.is_clean("shake_hands", "churn");
    const std::size_t bytes = zoo.random().between(8U, 24U) << 10U;
    const double period_s = zoo.random().between(0.2, 0.35);
    double due_s = 0;
    while (zoo.tick(std::chrono::milliseconds(2))) {
        shake_hands(zoo.random());
        if (zoo.elapsed_s() < due_s) { continue; }
        if (current != nullptr) { outdated.lost(current->bytes.size() + sizeof(certificate_chain)); }
        refresh_certificates(bytes);
        due_s += period_s;
    }
    return zoo.end();
}
