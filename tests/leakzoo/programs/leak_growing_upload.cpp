// SPDX-License-Identifier: Apache-2.0
// Uploads grow by realloc as they arrive. A finished one is written and freed, an aborted one forgotten half way.

#include <array>

#include "zoo.hpp"

namespace {

struct upload {
    char* data = nullptr;
    std::size_t bytes = 0;
    std::size_t wanted = 0;
};

ZOO_FUNCTION void append_chunk(upload& to, std::size_t bytes) {
    to.data = static_cast<char*>(std::realloc(to.data, to.bytes + bytes));
    zoo::fill(to.data + to.bytes, bytes);
    to.bytes += bytes;
}

ZOO_FUNCTION void write_upload(upload& finished) {
    std::free(finished.data);
    finished.data = nullptr;
    finished.bytes = 0;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& aborted = zoo.leaks("append_chunk", "realloc");
    const double share_aborted = zoo.random().between(0.02, 0.08);
    const std::size_t chunk = zoo.random().between(500U, 1500U);
    zoo.on_threads([&](zoo::worker& self) {
        std::array<upload, 16> uploads;
        while (self.tick(std::chrono::milliseconds(2) * zoo.threads())) {
            upload& chosen = uploads[self.random().below(uploads.size())];
            if (chosen.data == nullptr) { chosen.wanted = chunk * self.random().between(2U, 12U); }
            append_chunk(chosen, chunk);
            if (self.random().chance(share_aborted)) {
                aborted.lost(chosen.bytes);
                chosen = upload{};
            } else if (chosen.bytes >= chosen.wanted) {
                write_upload(chosen);
            }
        }
        for (upload& open : uploads) { write_upload(open); }
    });
    return zoo.end();
}
