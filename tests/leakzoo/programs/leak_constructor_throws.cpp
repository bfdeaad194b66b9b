// SPDX-License-Identifier: Apache-2.0
// A texture reserves its pixels in the constructor and then finds the header wrong: the destructor of an object that never was
// does not run.

#include <stdexcept>
#include <vector>

#include "zoo.hpp"

namespace {

class texture {
public:
    ZOO_FUNCTION texture(std::size_t bytes, bool is_header_wrong) : pixels_(static_cast<char*>(std::malloc(bytes))) {
        zoo::fill(pixels_, bytes);
        if (is_header_wrong) { throw std::invalid_argument("texture header"); }
    }
    ~texture() { std::free(pixels_); }
    texture(const texture&) = delete;
    texture& operator=(const texture&) = delete;

    char first() const { return pixels_[0]; }

private:
    char* pixels_;
};

ZOO_FUNCTION bool show(std::size_t bytes, bool is_header_wrong) {
    try {
        const texture shown(bytes, is_header_wrong);
        return shown.first() == 'z';
    } catch (const std::invalid_argument&) { return false; }
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& unborn = zoo.leaks("texture::texture", "exception_path");
    const double share_wrong = zoo.random().between(0.02, 0.2);
    const std::size_t bytes = zoo.random().between(1000U, 9000U);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(3) * zoo.threads())) {
            if (!show(bytes, self.random().chance(share_wrong))) { unborn.lost(bytes); }
        }
    });
    return zoo.end();
}
