// SPDX-License-Identifier: Apache-2.0
// Events carry std::function handlers with everything they need. A recipient that has moved leaves its mailbox behind, and the
// mailbox goes on being filled.

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "zoo.hpp"

namespace {

using event = std::function<std::size_t()>;

struct mailbox {
    std::vector<event> waiting;
    bool has_moved = false;
};

std::map<std::uint64_t, mailbox> mailboxes;

ZOO_FUNCTION event make_event(std::size_t bytes) {
    auto payload = std::make_unique<std::vector<char>>(bytes, 'e');
    return [held = std::shared_ptr<std::vector<char>>(std::move(payload))] { return held->size(); };
}

ZOO_FUNCTION void post(std::uint64_t recipient, event posted) { mailboxes[recipient].waiting.push_back(std::move(posted)); }

ZOO_FUNCTION void run_mailbox(mailbox& of) {
    std::size_t bytes = 0;
    for (const event& each : of.waiting) { bytes += each(); }
    zoo::use(&bytes);
    of.waiting.clear();
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& undelivered = zoo.leaks("make_event", "abandoned_mailbox");
    zoo::truth& lists = zoo.leaks("post", "single_block");  // one list a mailbox, ever longer
    const std::uint64_t recipients = zoo.random().between(8U, 30U);
    const std::uint64_t moved = zoo.random().between(1U, 3U);
    const std::size_t mean_bytes = zoo.random().between(200U, 700U);
    for (std::uint64_t i = 0; i < recipients; ++i) { mailboxes[i].has_moved = i < moved; }
    while (zoo.tick(std::chrono::milliseconds(2))) {
        for (int i = 0; i < 3; ++i) {
            const std::uint64_t recipient = zoo.random().below(recipients);
            const std::size_t bytes = zoo.random().between(mean_bytes / 2, mean_bytes * 3 / 2);
            post(recipient, make_event(bytes));
            if (recipient >= moved) { continue; }
            undelivered.lost(bytes);
            lists.lost(sizeof(event), 0);
        }
        mailbox& chosen = mailboxes[zoo.random().below(recipients)];
        if (!chosen.has_moved) { run_mailbox(chosen); }
    }
    return zoo.end();
}
