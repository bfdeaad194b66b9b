// SPDX-License-Identifier: Apache-2.0
// What a copy of memwatch pays, once, to find out whether it is the first in its process: a walk over the notes of all loaded
// modules, beside a read of /proc/self/maps, which the alternative (a named mapping) would take. In a process with many modules
// and 2,000 mappings.  bench-copies MODULE
#include <dlfcn.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "platform/module_notes.hpp"
#include "platform/platform.hpp"

namespace {

template <class Function>
double median_us(Function function) {
    std::vector<double> took;
    for (int i = 0; i < 101; ++i) {
        const auto began = std::chrono::steady_clock::now();
        function();
        took.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - began).count());
    }
    std::nth_element(took.begin(), took.begin() + 50, took.end());
    return took[50];
}

std::size_t lines_of_maps() {
    std::ifstream maps("/proc/self/maps");
    std::size_t lines = 0;
    for (std::string line; std::getline(maps, line); ++lines) {}
    return lines;
}

void load_copies_of(const char* module, int count) {
    namespace fs = std::filesystem;
    std::string folder = (fs::temp_directory_path() / "memwatch-copies-XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) { return; }
    for (int i = 0; i < count; ++i) {
        const fs::path copy = fs::path(folder) / ("module" + std::to_string(i) + ".so");
        fs::copy_file(module, copy);
        if (dlopen(copy.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) { std::printf("%s\n", dlerror()); }
    }
    fs::remove_all(folder);
}

void report() {
    const double notes = median_us([] {
        memwatch::platform::visit_notes(
            64, [](void*, void*) noexcept { return false; }, nullptr);
    });
    const double maps = median_us([] { static_cast<void>(lines_of_maps()); });
    std::printf("%4zu modules, %5zu mappings: notes %7.1f us, /proc/self/maps %7.1f us\n",
                memwatch::platform::loaded_modules().size(), lines_of_maps(), notes, maps);
}

}  // namespace

int main(int argc, char** argv) {
    report();
    if (argc > 1) { load_copies_of(argv[1], 100); }
    report();
    for (std::size_t i = lines_of_maps(); i < 2000; ++i) {  // neighbours of different rights are not merged
        static_cast<void>(mmap(nullptr, 4096, i % 2 == 0 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    }
    report();
    return 0;
}
