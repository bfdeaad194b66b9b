// SPDX-License-Identifier: Apache-2.0
// The core: tracks a container under a tag, takes a snapshot, and checks that the tag is exact to the byte. C++17: options are
// set member by member. Exit status 0: all of it held.
#include <cstdint>
#include <cstdio>
#include <vector>

#include <memwatch/memwatch.hpp>

int main() {
    memwatch::options wanted;
    wanted.service = "consumer";
    const memwatch::session session = memwatch::session::start(wanted);

    const memwatch::tag owner{"consumer-numbers"};
    std::vector<int, memwatch::tracked_allocator<int>> numbers{memwatch::tracked_allocator<int>{owner}};
    numbers.reserve(1000);

    const memwatch::result<memwatch::snapshot> taken = session.snapshot("held");
    if (!taken) {
        std::printf("no snapshot: %s\n", taken.error().message().c_str());
        return 1;
    }
    const std::uint64_t bytes = owner.totals().live_bytes();
    std::printf("consumer-numbers: %llu bytes alive, one of %zu tags\n", static_cast<unsigned long long>(bytes),
                taken->tags.size());
    return bytes == 1000 * sizeof(int) ? 0 : 1;
}
