// SPDX-License-Identifier: Apache-2.0
#include "interpose/loaded_modules.hpp"

#include <dlfcn.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "capture/heap_door.hpp"
#include "interpose/symbol_search.hpp"
#include "interpose/targets.hpp"
#include "platform/module_walk.hpp"

namespace memwatch::interpose {
namespace {

constexpr std::size_t spare_modules = 16;  // loaded between counting and listing

std::uintptr_t base_of(const void* address) noexcept {
    Dl_info info{};
    return dladdr(address, &info) == 0 ? 0 : reinterpret_cast<std::uintptr_t>(info.dli_fbase);
}

std::string_view file_of(std::string_view path) noexcept { return path.substr(path.rfind('/') + 1); }

bool is_left_alone(const module_entry& module) noexcept {
    if (module.name.empty()) { return false; }
    if (module.base == getauxval(AT_BASE) || module.base == getauxval(AT_SYSINFO_EHDR)) { return true; }
    if (module.base == base_of(&targets) || module.base == base_of(reinterpret_cast<const void*>(&register_heap_door))) {
        return true;
    }
    if (file_of(module.name).substr(0, 12) == "libmemwatch-" || file_of(module.name).substr(0, 12) == "libmemwatch.") {
        return true;
    }
    // libc calls malloc as others do (strdup); an allocator's library means itself.
    return std::strcmp(real.name, "glibc") != 0 && module.name == real.path;
}

// Lists names without allocating under the dynamic linker's lock.
struct listing {
    std::vector<module_entry> entries;
    std::size_t count{};
    std::size_t name_bytes{};
};

}  // namespace

std::vector<module_entry> patchable_modules() {
    listing list;
    platform::walk_modules(
        [](dl_phdr_info* info, std::size_t, void* into) {
            auto& sizes = *static_cast<listing*>(into);
            ++sizes.count;
            sizes.name_bytes = std::max(sizes.name_bytes, std::strlen(info->dlpi_name));
            return 0;
        },
        &list);
    list.entries.resize(list.count + spare_modules);
    for (module_entry& each : list.entries) { each.name.reserve(list.name_bytes + 64); }
    list.count = 0;
    platform::walk_modules(
        [](dl_phdr_info* info, std::size_t, void* into) {
            auto& out = *static_cast<listing*>(into);
            if (out.count == out.entries.size()) { return 1; }  // next time
            module_entry& each = out.entries[out.count];
            if (std::strlen(info->dlpi_name) > each.name.capacity()) { return 0; }
            each.base = info->dlpi_addr;
            each.name = info->dlpi_name;
            ++out.count;
            return 0;
        },
        &list);
    list.entries.resize(list.count);
    std::erase_if(list.entries, &is_left_alone);
    return std::move(list.entries);
}

pinned_module::pinned_module(const module_entry& module) noexcept {
    handle_ = module.name.empty() ? open_module(nullptr, RTLD_LAZY) : open_module(module.name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
    const auto* const map = static_cast<const link_map*>(handle_);
    if (map == nullptr || map->l_addr != module.base) { return; }
    struct search {
        const link_map* map;
        pinned_module* self;
    } wanted{map, this};
    platform::walk_modules(
        [](dl_phdr_info* info, std::size_t, void* at) {
            const auto& looking = *static_cast<const search*>(at);
            if (info->dlpi_addr != looking.map->l_addr || std::strcmp(info->dlpi_name, looking.map->l_name) != 0) { return 0; }
            looking.self->headers_ = info->dlpi_phdr;
            looking.self->header_count_ = info->dlpi_phnum;
            return 1;
        },
        &wanted);
}

pinned_module::~pinned_module() {
    if (handle_ != nullptr) { close_module(handle_); }
}

std::uintptr_t pinned_module::find(const char* symbol) const noexcept {
    return reinterpret_cast<std::uintptr_t>(dlsym(handle_, symbol));
}

}  // namespace memwatch::interpose
