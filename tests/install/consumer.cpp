// SPDX-License-Identifier: Apache-2.0
// What an application sees of an installed memwatch: starts a session, tracks a container, takes a snapshot, and checks that
// the tag is exact to the byte. Compiles as C++17, so options are set member by member. Exit status 0: all of it held.

#include <cstdint>
#include <cstdio>
#include <vector>

#include <memwatch/alloc/tracked_allocator.hpp>
#include <memwatch/memwatch.hpp>
#ifdef CONSUMER_SERVES
#include <memwatch/serve/server.hpp>
#endif

namespace {

std::uint64_t live_bytes_of(const memwatch::snapshot& s, const char* tag) {
    for (const memwatch::tag_totals& totals : s.tags) {
        if (totals.name == tag) { return totals.live_bytes(); }
    }
    return 0;
}

}  // namespace

int main() {
    memwatch::options wanted;
    wanted.service = "consumer";
    memwatch::session session = memwatch::session::start(wanted);
#ifdef CONSUMER_SERVES
    memwatch::server_options anywhere;
    anywhere.listen = "127.0.0.1:0";
    memwatch::server server = memwatch::server::start(session, anywhere);
    if (server.port() == 0) {
        std::printf("no server: %s\n", server.status().detail.c_str());
        return 1;
    }
#endif
    using numbers = std::vector<int, memwatch::tracked_allocator<int>>;
    numbers held{memwatch::tracked_allocator<int>{memwatch::tag{"consumer-numbers"}}};
    held.reserve(1000);

    const memwatch::result<memwatch::snapshot> taken = session.snapshot("held");
    if (!taken) {
        std::printf("no snapshot: %s\n", taken.error().message().c_str());
        return 1;
    }
    const std::uint64_t bytes = live_bytes_of(*taken, "consumer-numbers");
    std::printf("consumer-numbers: %llu bytes alive\n", static_cast<unsigned long long>(bytes));
    return bytes == 1000 * sizeof(int) ? 0 : 1;
}
