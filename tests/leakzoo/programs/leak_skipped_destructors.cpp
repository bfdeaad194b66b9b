// SPDX-License-Identifier: Apache-2.0
// A scratch area is reset after each request by moving its pointer back. What was built in it is not destroyed, and long names
// have memory of their own.

#include <new>
#include <string>

#include "zoo.hpp"

namespace {

class scratch_area {
public:
    void* take(std::size_t bytes) {
        void* const taken = area_ + used_;
        used_ += bytes;
        return taken;
    }
    void reset() { used_ = 0; }

private:
    alignas(16) char area_[16384];
    std::size_t used_ = 0;
};

struct field {
    int number;
    std::string name;
};

ZOO_FUNCTION void add_field(scratch_area& scratch, int number, std::size_t name_bytes) {
    auto* const added = new (scratch.take(sizeof(field))) field{number, std::string(name_bytes, 'f')};
    zoo::use(added->name.data());
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& names = zoo.leaks("add_field", "skipped_destructors");
    const std::size_t longest = zoo.random().between(60U, 200U);
    zoo.on_threads([&](zoo::worker& self) {
        scratch_area scratch;
        while (self.tick(std::chrono::milliseconds(4) * zoo.threads())) {
            for (int number = 0; number < 8; ++number) {
                const std::size_t bytes = self.random().between(std::size_t{4}, longest);
                add_field(scratch, number, bytes);
                if (bytes > 15) { names.lost(bytes + 1); }
            }
            scratch.reset();
        }
    });
    return zoo.end();
}
