// SPDX-License-Identifier: Apache-2.0
// A program that knows nothing of memwatch: threads that allocate all the time, threads that come and go, a leak, and, on a
// word at its standard input, a module to load or to close, its tables as they are, and its end.
//
//   victim THREADS MODULE     words: tables, load, call, unload, storm, fork, rounds, end     each is answered with a line that
//   ends in "."
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

std::atomic<bool> must_end{false};
std::atomic<std::uint64_t> rounds{0};
std::vector<void*> lost;

[[gnu::noinline]] void check(bool is_right, const char* what) {
    if (is_right) { return; }
    std::fprintf(stderr, "victim: wrong: %s\n", what);
    std::abort();
}

// As programs use the heap: C and C++ forms, growing blocks, strings, containers.
void churn() {
    std::map<int, std::string> names;
    std::vector<std::unique_ptr<char[]>> blocks;
    for (int i = 0; i < 60; ++i) {
        names[i] = std::string(static_cast<std::size_t>(20 + i * 7 % 400), 'n');
        blocks.push_back(std::make_unique<char[]>(static_cast<std::size_t>(1 + i * 53 % 3000)));
        std::memset(blocks.back().get(), i, static_cast<std::size_t>(1 + i * 53 % 3000));
        auto* grown = static_cast<unsigned char*>(std::malloc(32));
        std::memset(grown, i, 32);
        grown = static_cast<unsigned char*>(std::realloc(grown, static_cast<std::size_t>(100 + i * 31)));
        check(grown[0] == i && grown[31] == i, "realloc keeps what was there");
        std::free(grown);
        char* const copy = strdup("as libc allocates");
        check(std::strcmp(copy, "as libc allocates") == 0, "strdup");
        std::free(copy);
        auto* const zeroed = static_cast<unsigned char*>(std::calloc(7, 33));
        check(zeroed[0] == 0 && zeroed[7 * 33 - 1] == 0, "calloc zeroes");
        std::free(zeroed);
        void* aligned = nullptr;
        check(posix_memalign(&aligned, 256, 300) == 0 && reinterpret_cast<std::uintptr_t>(aligned) % 256 == 0, "alignment");
        std::free(aligned);
    }
    for (const auto& [number, name] : names) { check(name.size() == static_cast<std::size_t>(20 + number * 7 % 400), "names"); }
}

void work() {
    while (!must_end.load()) {
        churn();
        rounds.fetch_add(1);
    }
}

void come_and_go() {
    while (!must_end.load()) {
        std::thread([] {
            for (int i = 0; i < 5; ++i) { churn(); }
        }).join();
        rounds.fetch_add(1);
    }
}

}  // namespace

extern "C" [[gnu::noinline]] void* victim_leaks_here(std::size_t bytes) {
    void* const block = std::malloc(bytes);
    std::memset(block, 1, bytes);
    lost.push_back(block);
    return block;
}

namespace {

void leak() {
    while (!must_end.load()) {
        victim_leaks_here(10'000);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

// Every word of every module that a relocation by name fills in; by another reading of the tables than memwatch's.
int print_tables(dl_phdr_info* info, std::size_t, void*) {
    const char* const slash = std::strrchr(info->dlpi_name, '/');
    const std::string name = slash == nullptr ? info->dlpi_name : slash + 1;
    if (name.rfind("libmemwatch", 0) == 0 || name.rfind("linux-vdso", 0) == 0 || name.rfind("ld-linux", 0) == 0) { return 0; }
    const ElfW(Dyn)* dynamic = nullptr;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC) {
            dynamic = reinterpret_cast<const ElfW(Dyn)*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        }
    }
    const ElfW(Rela) * tables[2] = {};
    std::size_t sizes[2] = {};
    const ElfW(Sym)* symbols = nullptr;
    const char* names = nullptr;
    for (; dynamic != nullptr && dynamic->d_tag != DT_NULL; ++dynamic) {
        const auto at = dynamic->d_un.d_ptr;
        if (dynamic->d_tag == DT_JMPREL) { tables[0] = reinterpret_cast<const ElfW(Rela)*>(at); }
        if (dynamic->d_tag == DT_PLTRELSZ) { sizes[0] = at / sizeof(ElfW(Rela)); }
        if (dynamic->d_tag == DT_RELA) { tables[1] = reinterpret_cast<const ElfW(Rela)*>(at); }
        if (dynamic->d_tag == DT_RELASZ) { sizes[1] = at / sizeof(ElfW(Rela)); }
        if (dynamic->d_tag == DT_SYMTAB) { symbols = reinterpret_cast<const ElfW(Sym)*>(at); }
        if (dynamic->d_tag == DT_STRTAB) { names = reinterpret_cast<const char*>(at); }
    }
    for (int t = 0; t < 2; ++t) {
        for (std::size_t i = 0; tables[t] != nullptr && i < sizes[t]; ++i) {
            const auto type = ELF64_R_TYPE(tables[t][i].r_info);
            if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT && type != R_X86_64_64) { continue; }
            const auto* const word = reinterpret_cast<const std::uintptr_t*>(info->dlpi_addr + tables[t][i].r_offset);
            std::printf("%s %lx %lx %s\n", name.empty() ? "program" : name.c_str(), reinterpret_cast<unsigned long>(word),
                        static_cast<unsigned long>(*word), names + symbols[ELF64_R_SYM(tables[t][i].r_info)].st_name);
        }
    }
    return 0;
}

using module_function = void (*)(int);
void* module = nullptr;

void load(const char* path) {
    module = dlopen(path, RTLD_NOW);
    if (module == nullptr) { std::printf("%s\n", dlerror()); }
}

void call(int count) {
    auto* const function = module == nullptr ? nullptr : reinterpret_cast<module_function>(dlsym(module, "module_leaks_here"));
    if (function != nullptr) { function(count); }
}

// Loads, uses and closes as fast as it goes.
void storm(const char* path, int count) {
    for (int i = 0; i < count; ++i) {
        void* const handle = dlopen(path, i % 2 == 0 ? RTLD_NOW : RTLD_LAZY);
        check(handle != nullptr && dlerror() == nullptr, "dlopen");
        reinterpret_cast<module_function>(dlsym(handle, "module_churns"))(5);
        dlclose(handle);
    }
}

// Registered before anything of memwatch's was there: runs while memwatch holds its locks for the fork.
void use_heap() {
    for (int i = 0; i < 500; ++i) { std::free(std::malloc(1000)); }
}

void fork_once() {
    const pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 20; ++i) { churn(); }
        _exit(0);
    }
    int status = -1;
    check(waitpid(child, &status, 0) == child && status == 0, "a child lives as its parent");
}

}  // namespace

int main(int, char** arguments) {
    pthread_atfork(&use_heap, &use_heap, &use_heap);
    std::vector<std::thread> threads;
    const int count = std::atoi(arguments[1]);
    for (int i = 0; i < count; ++i) { threads.emplace_back(i == 0 ? &come_and_go : &work); }
    threads.emplace_back(&leak);
    std::puts("ready.");
    std::fflush(stdout);
    for (std::string word; std::cin >> word && word != "end";) {
        if (word == "tables") { dl_iterate_phdr(&print_tables, nullptr); }
        if (word == "load") { load(arguments[2]); }
        if (word == "call") { call(2000); }
        if (word == "unload") { dlclose(module); }
        if (word == "storm") { storm(arguments[2], 300); }
        if (word == "fork") { fork_once(); }
        if (word == "rounds") { std::printf("%lu\n", static_cast<unsigned long>(rounds.load())); }
        std::puts(".");
        std::fflush(stdout);
    }
    must_end = true;
    for (std::thread& each : threads) { each.join(); }
    for (void* const each : lost) { std::free(each); }
    return 0;
}
