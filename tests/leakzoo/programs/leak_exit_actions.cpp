// SPDX-License-Identifier: Apache-2.0
// Each upload registers what is to be cleaned up should the process end. When the upload is through, nothing takes it off the
// list again.

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

std::mutex guard;
std::vector<std::function<void()>> at_end;

ZOO_FUNCTION std::string make_path(std::uint64_t upload, std::size_t bytes) {
    std::string path = "/var/spool/uploads/" + std::to_string(upload);
    path.append(bytes, '_');
    return path;
}

ZOO_FUNCTION void clean_up_later(std::string path) {
    const std::lock_guard<std::mutex> lock(guard);
    at_end.emplace_back([held = std::move(path)] { std::remove(held.c_str()); });
}

ZOO_FUNCTION void upload_file(std::uint64_t upload, std::size_t path_bytes, std::size_t bytes) {
    clean_up_later(make_path(upload, path_bytes));
    const std::vector<char> content(bytes, 'c');
    zoo::use(content.data());
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& paths = zoo.leaks("make_path", "callback_list");
    zoo::truth& actions = zoo.leaks("clean_up_later", "callback_list");
    zoo.is_clean("upload_file", "churn");
    const std::size_t path_bytes = zoo.random().between(60U, 160U);
    zoo.on_threads([&](zoo::worker& self) {
        for (std::uint64_t upload = 0; self.tick(std::chrono::milliseconds(2) * zoo.threads()); ++upload) {
            upload_file(upload, path_bytes, self.random().between(100U, 8000U));
            paths.lost(path_bytes + 22);
            actions.lost(sizeof(std::string));
        }
    });
    return zoo.end();
}
