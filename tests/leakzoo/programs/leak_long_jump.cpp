// SPDX-License-Identifier: Apache-2.0
// A decoder in the style of C libraries reports errors by longjmp to where decoding began: past the free of its row buffers.

#include <csetjmp>

#include "zoo.hpp"

namespace {

struct decoder {
    std::jmp_buf on_error;
    std::size_t row_bytes;
    bool is_damaged;
};

ZOO_FUNCTION unsigned char* allocate_row(const decoder& of) {
    auto* const row = static_cast<unsigned char*>(std::malloc(of.row_bytes));
    zoo::fill(row, of.row_bytes);
    return row;
}

ZOO_FUNCTION void check_row(decoder& of, int row) {
    if (of.is_damaged && row == 3) { std::longjmp(of.on_error, 1); }
}

ZOO_FUNCTION void decode_rows(decoder& of) {
    unsigned char* const row = allocate_row(of);
    for (int i = 0; i < 8; ++i) { check_row(of, i); }
    std::free(row);
}

ZOO_FUNCTION bool decode(decoder& of) {
    if (setjmp(of.on_error) != 0) { return false; }
    decode_rows(of);
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& rows = zoo.leaks("allocate_row", "exception_path");
    const double share_damaged = zoo.random().between(0.02, 0.1);
    const std::size_t row_bytes = zoo.random().between(1000U, 6000U);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(3) * zoo.threads())) {
            decoder image{{}, row_bytes, self.random().chance(share_damaged)};
            if (!decode(image)) { rows.lost(row_bytes); }
        }
    });
    return zoo.end();
}
