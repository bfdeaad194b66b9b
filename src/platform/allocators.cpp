// SPDX-License-Identifier: Apache-2.0
#include "platform/allocators.hpp"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "platform/address_space.hpp"

namespace memwatch {
inline namespace v1 {
namespace platform {
namespace {

template <class Function>
Function find(const char* name) noexcept {
    return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

std::string path_of(const void* address) {
    Dl_info info{};
    if (address == nullptr || dladdr(address, &info) == 0 || info.dli_fname == nullptr) { return {}; }
    return info.dli_fname;
}

std::string_view file_of(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool begins_with(std::string_view text, std::string_view start) { return text.substr(0, start.size()) == start; }

bool is_own_library(std::string_view path) { return begins_with(file_of(path), "libmemwatch"); }

constexpr const char* allocator_names[] = {"glibc", "jemalloc", "tcmalloc", "mimalloc"};

// --- glibc

// The sum of `name`'s values in malloc_info's text, behind the last </heap>: <total type="fast" count="1" size="32"/>.
std::uint64_t total_in(std::string_view text, std::string_view name) {
    const std::size_t at = text.rfind(name);
    if (at == std::string_view::npos) { return 0; }
    const std::size_t size = text.find("size=\"", at);
    return size == std::string_view::npos ? 0 : std::strtoull(text.data() + size + 6, nullptr, 10);
}

void ask_by_text(glibc_figures& into) {
    char* text = nullptr;
    std::size_t size = 0;
    FILE* const stream = open_memstream(&text, &size);
    if (stream == nullptr) { return; }
    const bool is_told = malloc_info(0, stream) == 0;
    std::fclose(stream);
    if (is_told && text != nullptr) {
        const std::string_view all(text, size);
        into.is_there = true;
        into.fast = total_in(all, "<total type=\"fast\"");
        into.free_in_arenas = into.fast + total_in(all, "<total type=\"rest\"");
        into.mapped_blocks = total_in(all, "<total type=\"mmap\"");
        into.from_arenas = total_in(all, "<system type=\"current\"");
    }
    std::free(text);  // NOLINT(cppcoreguidelines-no-malloc): open_memstream's
}

// As mallinfo2's, which headers before glibc 2.33 do not declare.
struct arena_totals {
    std::size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

// Frees a block and looks at what its second word says then. Two sizes, as one may find its cache full.
std::uint64_t mark_left_in(std::size_t bytes) {
    void* const block = std::malloc(bytes);  // NOLINT(cppcoreguidelines-no-malloc): it is libc's malloc that is looked at
    if (block == nullptr) { return 0; }
    const auto address = reinterpret_cast<std::uint64_t>(block);
    std::free(block);  // NOLINT(cppcoreguidelines-no-malloc)
    std::array<std::uint64_t, 2> words{};
    // Through the kernel: the block is free.
    return copy_memory(address, words.data(), sizeof words) == sizeof words ? words[1] : 0;
}

// --- jemalloc

using control_function = int (*)(const char*, void*, std::size_t*, void*, std::size_t);

control_function find_mallctl() noexcept {
    for (const char* const name : {"mallctl", "je_mallctl", "jemalloc_mallctl"}) {
        if (const auto found = find<control_function>(name); found != nullptr) { return found; }
    }
    return nullptr;
}

template <class Value>
bool read_control(control_function control, const char* name, Value& value) noexcept {
    std::size_t size = sizeof value;
    return control(name, &value, &size, nullptr, 0) == 0 && size == sizeof value;
}

std::uint64_t size_control(control_function control, const char* name) noexcept {
    std::size_t value = 0;
    return read_control(control, name, value) ? value : 0;
}

// --- tcmalloc

using property_function = int (*)(const char*, std::size_t*);

std::uint64_t property(property_function ask, const char* name) noexcept {
    std::size_t value = 0;
    return ask(name, &value) != 0 ? value : 0;
}

}  // namespace

malloc_owner owner_of_malloc(std::string_view told) {
    malloc_owner owner;
    const void* const address = dlsym(RTLD_DEFAULT, "malloc");
    for (const char* const name : allocator_names) {
        if (begins_with(told, name)) { owner.name = name; }
    }
    // Behind our own interposition the linker's order is not ours to ask for: RTLD_NEXT begins at the wrong library.
    if (!owner.name.empty() || is_own_library(path_of(address))) { return owner; }
    owner.path = path_of(address);
    const std::string_view file = file_of(owner.path);
    for (const char* const name : allocator_names) {
        if (file.find(name) != std::string_view::npos) { owner.name = name; }
    }
    if (!owner.name.empty()) { return owner; }
    if (begins_with(file, "libc.so") || begins_with(file, "libc-")) {
        owner.name = "glibc";
        return owner;
    }
    // Linked into something else: told by what only they export.
    const auto is_beside = [&](const void* found) { return found != nullptr && path_of(found) == owner.path; };
    if (is_beside(reinterpret_cast<const void*>(find_mallctl()))) { owner.name = "jemalloc"; }
    if (is_beside(dlsym(RTLD_DEFAULT, "tc_version"))) { owner.name = "tcmalloc"; }
    if (is_beside(dlsym(RTLD_DEFAULT, "mi_version"))) { owner.name = "mimalloc"; }
    return owner;
}

std::string glibc_version() { return gnu_get_libc_version(); }

glibc_figures ask_glibc() {
    glibc_figures out;
    const auto totals = find<arena_totals (*)()>("mallinfo2");
    if (totals == nullptr) {
        ask_by_text(out);
        return out;
    }
    const arena_totals all = totals();
    out.is_there = true;
    out.from_arenas = all.arena;
    out.free_in_arenas = all.fordblks;
    out.fast = all.fsmblks;
    out.mapped_blocks = all.hblkhd;
    out.mapped_block_count = all.hblks;
    return out;
}

std::uint64_t learn_cache_mark() {
    // Sizes that are rare and sampled blocks' of memwatch never are; a full cache of one leaves two that agree.
    const std::array<std::uint64_t, 3> marks = {mark_left_in(1000), mark_left_in(904), mark_left_in(712)};
    for (std::size_t i = 0; i < marks.size(); ++i) {
        const std::uint64_t other = marks[(i + 1) % marks.size()];
        if (marks[i] != 0 && marks[i] == other) { return marks[i]; }
    }
    return 0;
}

jemalloc_figures ask_jemalloc() {
    jemalloc_figures out;
    const control_function control = find_mallctl();
    if (control == nullptr) { return out; }
    out.path = path_of(reinterpret_cast<const void*>(control));
    const char* version = nullptr;
    if (read_control(control, "version", version) && version != nullptr) {
        out.version = std::string(version).substr(0, std::strcspn(version, "-"));
    }
    bool has_statistics = false;
    if (!read_control(control, "config.stats", has_statistics) || !has_statistics) { return out; }
    std::uint64_t epoch = 1;
    std::size_t size = sizeof epoch;
    if (control("epoch", &epoch, &size, &epoch, sizeof epoch) != 0) { return out; }
    out.is_there = true;
    // 4096 is MALLCTL_ARENAS_ALL.
    out.small = size_control(control, "stats.arenas.4096.small.allocated");
    out.large = size_control(control, "stats.arenas.4096.large.allocated");
    out.cached = size_control(control, "stats.arenas.4096.tcache_bytes") +
                 size_control(control, "stats.arenas.4096.tcache_stashed_bytes");
    out.unused_pages =
        page_bytes * (size_control(control, "stats.arenas.4096.pdirty") + size_control(control, "stats.arenas.4096.pmuzzy"));
    out.tables = size_control(control, "stats.metadata");
    out.active = size_control(control, "stats.active");
    out.mapped = size_control(control, "stats.mapped") + size_control(control, "stats.retained");
    unsigned arenas = 0;
    if (read_control(control, "arenas.narenas", arenas)) { out.arenas = arenas; }
    return out;
}

bool ask_jemalloc_extents(const std::uint64_t* addresses, std::size_t count, jemalloc_extent* into) {
    const control_function control = find_mallctl();
    if (control == nullptr) { return false; }
    // As inspect_extent_util_stats_t of jemalloc 5.2 and later.
    struct answer {
        std::size_t free_regions, regions, bytes;
    };
    std::vector<answer> answers(count);
    std::size_t size = count * sizeof(answer);
    std::vector<std::uint64_t> asked(addresses, addresses + count);
    if (control("experimental.utilization.batch_query", answers.data(), &size, asked.data(), count * sizeof(std::uint64_t)) !=
        0) {
        return false;
    }
    for (std::size_t i = 0; i < count; ++i) { into[i] = {answers[i].bytes, answers[i].regions, answers[i].free_regions}; }
    return true;
}

tcmalloc_figures ask_tcmalloc() {
    tcmalloc_figures out;
    const auto ask = find<property_function>("MallocExtension_GetNumericProperty");
    if (ask == nullptr) { return out; }
    out.is_there = true;
    out.path = path_of(reinterpret_cast<const void*>(ask));
    if (const auto version = find<const char* (*)(int*, int*, const char**)>("tc_version"); version != nullptr) {
        int major = 0;
        int minor = 0;
        const char* patch = nullptr;
        version(&major, &minor, &patch);
        out.version = std::to_string(major) + "." + std::to_string(minor);
    }
    out.given_out = property(ask, "generic.current_allocated_bytes");
    out.mapped = property(ask, "generic.heap_size");
    out.unused_pages = property(ask, "tcmalloc.pageheap_free_bytes");
    out.given_back = property(ask, "tcmalloc.pageheap_unmapped_bytes");
    out.free_in_spans = property(ask, "tcmalloc.central_cache_free_bytes") +
                        property(ask, "tcmalloc.transfer_cache_free_bytes") + property(ask, "tcmalloc.thread_cache_free_bytes");
    const std::uint64_t in_memory = property(ask, "generic.total_physical_bytes");
    const std::uint64_t heap = out.mapped > out.given_back ? out.mapped - out.given_back : 0;
    out.tables = in_memory > heap ? in_memory - heap : 0;
    return out;
}

mimalloc_figures ask_mimalloc() {
    mimalloc_figures out;
    const auto version = find<int (*)()>("mi_version");
    if (version == nullptr) { return out; }
    out.is_there = true;
    out.path = path_of(reinterpret_cast<const void*>(version));
    const int number = version();  // 209 = 2.0.9
    out.version = std::to_string(number / 100) + "." + std::to_string(number / 10 % 10) + "." + std::to_string(number % 10);
    return out;
}

bool is_of_tcmalloc(std::uint64_t address) noexcept {
    static const auto ask = find<int (*)(const void*)>("MallocExtension_GetOwnership");
    constexpr int owned = 1;
    return ask != nullptr && ask(reinterpret_cast<const void*>(address)) == owned;  // NOLINT(performance-no-int-to-ptr)
}

bool is_of_mimalloc(std::uint64_t address) noexcept {
    static const auto ask = find<bool (*)(const void*)>("mi_is_in_heap_region");
    return ask != nullptr && ask(reinterpret_cast<const void*>(address));  // NOLINT(performance-no-int-to-ptr)
}

void release_free_memory() {
    if (const control_function control = find_mallctl(); control != nullptr) {
        static_cast<void>(control("arena.4096.purge", nullptr, nullptr, nullptr, 0));  // MALLCTL_ARENAS_ALL
    }
    if (const auto release = find<void (*)()>("MallocExtension_ReleaseFreeMemory"); release != nullptr) { release(); }
    if (const auto collect = find<void (*)(bool)>("mi_collect"); collect != nullptr) { collect(true); }
    malloc_trim(0);  // of arenas that nobody uses: nothing
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
