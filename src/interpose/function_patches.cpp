// SPDX-License-Identifier: Apache-2.0
#include "interpose/function_patches.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "interpose/function_slots.hpp"
#include "interpose/loaded_modules.hpp"
#include "platform/module_walk.hpp"

namespace memwatch::interpose {
namespace {

// What may be done with each page now, so that it can be so again.
class page_protections {
public:
    page_protections() {
        const std::string maps = read_maps();
        for (std::size_t at = 0; at < maps.size();) {
            const std::size_t end = std::min(maps.find('\n', at), maps.size());
            add(maps.substr(at, end - at));
            at = end + 1;
        }
    }

    // -1: unknown.
    [[nodiscard]] int of(std::uintptr_t address) const noexcept {
        const auto next = std::upper_bound(ranges_.begin(), ranges_.end(), address,
                                           [](std::uintptr_t wanted, const range& each) { return wanted < each.begin; });
        if (next == ranges_.begin()) { return -1; }
        const range& found = *(next - 1);
        return address < found.end ? found.protection : -1;
    }

private:
    struct range {
        std::uintptr_t begin;
        std::uintptr_t end;
        int protection;
    };

    static std::string read_maps() {
        std::string text;
        const int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
        char some[4096];
        for (ssize_t got = 1; file >= 0 && got > 0;) {
            got = read(file, some, sizeof some);
            if (got > 0) { text.append(some, static_cast<std::size_t>(got)); }
        }
        if (file >= 0) { close(file); }
        return text;
    }

    void add(const std::string& line) {
        unsigned long begin = 0;
        unsigned long end = 0;
        char allowed[5] = {};
        if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, allowed) != 3) { return; }
        ranges_.push_back(
            {begin, end,
             (allowed[0] == 'r' ? PROT_READ : 0) | (allowed[1] == 'w' ? PROT_WRITE : 0) | (allowed[2] == 'x' ? PROT_EXEC : 0)});
    }

    std::vector<range> ranges_;
};

// One aligned word, from `before` to `after`, on a page that is as it was afterwards. False: it holds something else by now, or
// the page may not be written.
enum class written : std::uint8_t { done, changed, refused };
written write_slot(const page_protections& pages, std::uintptr_t* where, std::uintptr_t before, std::uintptr_t after) noexcept {
    static const auto page_bytes = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    void* const page = reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(where) / page_bytes * page_bytes);
    const int protection = pages.of(reinterpret_cast<std::uintptr_t>(where));
    if (protection < 0) { return written::refused; }
    const bool is_closed = (protection & PROT_WRITE) == 0;
    if (is_closed && mprotect(page, page_bytes, protection | PROT_WRITE) != 0) { return written::refused; }
    // relaxed: the functions on both sides were there before the word.
    const bool is_done = __atomic_compare_exchange_n(where, &before, after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    if (is_closed) { mprotect(page, page_bytes, protection); }
    return is_done ? written::done : written::changed;
}

const patched_function* find_function_named(std::span<const patched_function> all, const char* name) noexcept {
    const auto* const found =
        std::lower_bound(all.data(), all.data() + all.size(), name,
                         [](const patched_function& each, const char* wanted) { return std::strcmp(each.name, wanted) < 0; });
    return found != all.data() + all.size() && std::strcmp(found->name, name) == 0 ? found : nullptr;
}

bool is_libc(std::uintptr_t function) noexcept {
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(function), &info) == 0) { return false; }
    const char* const slash = std::strrchr(info.dli_fname, '/');
    const char* const file = slash == nullptr ? info.dli_fname : slash + 1;
    return std::strncmp(file, "libc.so", 7) == 0 || std::strncmp(file, "libc-2.", 7) == 0;
}

// What a slot that was never called would be bound to is the program's own, unless the module brings another (RTLD_DEEPBIND).
bool would_be_original(const pinned_module& module, const patched_function& function) noexcept {
    const std::uintptr_t own = module.find(function.name);
    return own == 0 || own == function.original || is_libc(own);
}

std::uintptr_t word_at(const std::uintptr_t* where) noexcept {
    return __atomic_load_n(where, __ATOMIC_RELAXED);  // relaxed: a value to compare
}

}  // namespace

const function_patches::patch* function_patches::find(const std::uintptr_t* where) const noexcept {
    const auto found = std::lower_bound(patches_.begin(), patches_.end(), where,
                                        [](const patch& each, const std::uintptr_t* wanted) { return each.where < wanted; });
    return found != patches_.end() && found->where == where ? &*found : nullptr;
}

std::size_t function_patches::put(which wanted) {
    const std::span<const patched_function> functions = patched_functions();
    const page_protections pages;
    std::vector<patch> now;
    module_count_ = 0;
    refused_ = 0;
    for (const module_entry& entry : patchable_modules()) {
        const pinned_module module(entry);
        if (!module) {
            for (const patch& each : patches_) {
                if (each.module == entry.base) { now.push_back(each); }
            }
            continue;
        }
        const module_slots slots(entry.base, module.headers(), module.header_count());
        const std::size_t before = now.size();
        slots.for_each([&](const function_slot& slot) {
            const patched_function* const function = find_function_named(functions, slot.name);
            if (function == nullptr || function->original == 0 || (wanted == which::sized && !function->is_sized)) { return; }
            const std::uintptr_t value = word_at(slot.where);
            if (value == function->ours) {
                const patch* const known = find(slot.where);
                now.push_back({slot.where, known == nullptr ? function->original : known->before, function, entry.base});
                return;
            }
            const bool is_unbound = slot.may_be_unbound && slots.holds_code_at(value);
            if (value != function->original && !(is_unbound && would_be_original(module, *function))) { return; }
            const written result = write_slot(pages, slot.where, value, function->ours);
            if (result == written::done) { now.push_back({slot.where, value, function, entry.base}); }
            if (result == written::refused) { ++refused_; }
        });
        if (now.size() != before) { ++module_count_; }
    }
    std::sort(now.begin(), now.end(), [](const patch& a, const patch& b) { return a.where < b.where; });
    patches_ = std::move(now);
    return patches_.size();
}

std::size_t function_patches::take_back(bool keeps_sized) {
    const page_protections pages;
    std::vector<patch> kept;
    for (const module_entry& entry : patchable_modules()) {
        const pinned_module module(entry);
        if (!module) { continue; }
        const module_slots slots(entry.base, module.headers(), module.header_count());
        slots.for_each([&](const function_slot& slot) {
            const patch* const known = find(slot.where);
            if (known == nullptr || word_at(slot.where) != known->function->ours) { return; }
            const bool is_kept = keeps_sized && known->function->is_sized;
            if (is_kept || write_slot(pages, slot.where, known->function->ours, known->before) == written::refused) {
                kept.push_back(*known);
            }
        });
    }
    std::sort(kept.begin(), kept.end(), [](const patch& a, const patch& b) { return a.where < b.where; });
    patches_ = std::move(kept);
    return patches_.size();
}

function_patches::load_counts function_patches::count_loads() noexcept {
    load_counts counts;
    platform::walk_modules(
        [](dl_phdr_info* info, std::size_t size, void* into) {
            if (size < offsetof(dl_phdr_info, dlpi_subs) + sizeof info->dlpi_subs) { return 1; }
            *static_cast<load_counts*>(into) = {info->dlpi_adds, info->dlpi_subs};
            return 1;
        },
        &counts);
    return counts;
}

}  // namespace memwatch::interpose
