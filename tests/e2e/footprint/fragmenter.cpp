// SPDX-License-Identifier: Apache-2.0
// A program that fragments its heap on purpose and knows what it did: at each stage it prints, as one line of JSON, how many
// bytes its live blocks have, how much of its freed memory lies on whole pages that are in memory, and how much beside live
// blocks; then it waits for a line. It asks the kernel itself (mincore), and its allocator nothing but malloc_usable_size.
//
//   fragmenter [threads]
#include <dlfcn.h>
#include <malloc.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t blocks = 400'000;
constexpr std::uintptr_t page = 4096;

struct block {
    char* address;
    std::size_t bytes;  // usable
};

// Bytes of live blocks on each page that ever had a block.
using page_use = std::map<std::uintptr_t, std::size_t>;

void note(page_use& pages, const block& one, bool is_live) {
    auto at = reinterpret_cast<std::uintptr_t>(one.address);
    const std::uintptr_t end = at + one.bytes;
    while (at < end) {
        const std::uintptr_t stop = at / page * page + page < end ? at / page * page + page : end;
        pages[at / page] += is_live ? stop - at : 0;
        at = stop;
    }
}

bool is_resident(std::uintptr_t number) {
    unsigned char flag = 0;
    return mincore(reinterpret_cast<void*>(number * page), page, &flag) == 0 && (flag & 1U) != 0;  // NOLINT
}

void say(const char* stage, const std::vector<block>& all, const std::vector<bool>& is_live) {
    std::size_t live = 0;
    std::size_t whole = 0;
    std::size_t holes = 0;
    {
        page_use pages;
        for (std::size_t i = 0; i < all.size(); ++i) {
            note(pages, all[i], is_live[i]);
            live += is_live[i] ? all[i].bytes : 0;
        }
        for (const auto& [number, used] : pages) {
            if (!is_resident(number)) { continue; }
            (used == 0 ? whole : holes) += page - used;
        }
    }
    // What this took has gone back to the allocator by now, and is small beside what it is about.
    std::printf("{\"stage\": \"%s\", \"live\": %zu, \"whole_pages\": %zu, \"holes\": %zu}\n", stage, live, whole, holes);
    std::fflush(stdout);
    char line[16];
    if (std::fgets(line, sizeof line, stdin) == nullptr) { std::exit(0); }
}

void fill(std::vector<block>& into, std::size_t count, unsigned seed) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t bytes = 40 + (i * 7919 + seed) % 400;
        auto* const address = static_cast<char*>(std::malloc(bytes));
        std::memset(address, 1, bytes);
        into.push_back({address, malloc_usable_size(address)});
    }
}

std::size_t resident_bytes() {
    std::size_t size = 0;
    std::size_t resident = 0;
    FILE* const file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr || std::fscanf(file, "%zu %zu", &size, &resident) != 2) { std::abort(); }
    std::fclose(file);
    return resident * page;
}

// Whichever allocator is there.
void give_back() {
    const auto find = [](const char* name) { return dlsym(RTLD_DEFAULT, name); };
    if (void* const purge = find("mallctl"); purge != nullptr) {
        reinterpret_cast<int (*)(const char*, void*, std::size_t*, void*, std::size_t)>(purge)("arena.4096.purge", nullptr,
                                                                                               nullptr, nullptr, 0);
    } else if (void* const release = find("MallocExtension_ReleaseFreeMemory"); release != nullptr) {
        reinterpret_cast<void (*)()>(release)();
    } else if (void* const collect = find("mi_collect"); collect != nullptr) {
        reinterpret_cast<void (*)(bool)>(collect)(true);
    } else {
        malloc_trim(0);
    }
}

}  // namespace

int main(int count, char** arguments) {
    const int threads = count > 1 ? std::atoi(arguments[1]) : 1;
    std::vector<std::vector<block>> parts(static_cast<std::size_t>(threads));
    std::vector<block> all;
    all.reserve(blocks);
    for (auto& part : parts) { part.reserve(blocks / parts.size()); }
    for (std::size_t t = 0; t < parts.size(); ++t) {
        std::thread([&, t] { fill(parts[t], blocks / parts.size(), static_cast<unsigned>(t)); }).join();
    }
    for (const auto& part : parts) { all.insert(all.end(), part.begin(), part.end()); }
    std::vector<bool> is_live(all.size(), true);
    say("filled", all, is_live);
    const auto release = [&](std::size_t i) {
        std::free(all[i].address);
        is_live[i] = false;
    };
    for (std::size_t i = 0; i < all.size() / 2; ++i) {
        if (i % 16 != 0) { release(i); }
    }
    say("holes", all, is_live);
    for (std::size_t i = all.size() / 2; i + 1 < all.size(); ++i) { release(i); }  // the last one keeps the heap's end
    say("gone", all, is_live);
    const std::size_t before = resident_bytes();
    give_back();
    std::printf("{\"stage\": \"given back\", \"before\": %zu, \"after\": %zu}\n", before, resident_bytes());
    std::fflush(stdout);
    return 0;
}
