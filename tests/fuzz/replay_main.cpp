// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz body over every file of the folders named on the command line, then over cheap mutations of each: what the
// fuzzer found stays fixed in every build, also where there is no libFuzzer.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int mutations_per_file = 500;

void run(const std::string& bytes) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

std::string mutated(std::string bytes, std::mt19937& random) {
    const auto position = [&] { return bytes.empty() ? 0 : random() % bytes.size(); };
    for (int i = static_cast<int>(random() % 4); i >= 0 && !bytes.empty(); --i) {
        switch (random() % 4) {
            case 0:
                bytes[position()] = static_cast<char>(random());
                break;
            case 1:
                bytes.erase(position(), 1 + random() % 8);
                break;
            case 2:
                bytes.insert(position(), 1, static_cast<char>(random()));
                break;
            default:
                bytes.resize(position());
                break;
        }
    }
    return bytes;
}

}  // namespace

int main(int count, char** arguments) {
    std::mt19937 random(20240229);  // fixed: a failure here must come back
    int files = 0;
    for (int i = 1; i < count; ++i) {
        std::vector<std::filesystem::path> paths;
        for (const auto& entry : std::filesystem::directory_iterator(arguments[i])) { paths.push_back(entry.path()); }
        std::sort(paths.begin(), paths.end());
        for (const auto& path : paths) {
            std::ifstream in(path, std::ios::binary);
            const std::string bytes{std::istreambuf_iterator<char>(in), {}};
            std::printf("%s\n", path.filename().c_str());  // before running, so that a crash names its input
            std::fflush(stdout);
            run(bytes);
            for (int m = 0; m < mutations_per_file; ++m) { run(mutated(bytes, random)); }
            ++files;
        }
    }
    std::printf("%d files, %d mutations each\n", files, mutations_per_file);
    return files == 0 ? 1 : 0;  // an empty corpus is a test that cannot fail
}
