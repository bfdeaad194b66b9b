// SPDX-License-Identifier: Apache-2.0
#pragma once
// Zeroed memory for a table under test.

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace test_support {

class memory_block {
public:
    explicit memory_block(std::size_t bytes) : bytes_(std::calloc(1, bytes + 64)) {}
    [[nodiscard]] void* get() const noexcept {
        return reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(bytes_.get()) + 63) / 64 * 64);
    }

private:
    struct release {
        void operator()(void* p) const noexcept { std::free(p); }
    };
    std::unique_ptr<void, release> bytes_;
};

}  // namespace test_support
