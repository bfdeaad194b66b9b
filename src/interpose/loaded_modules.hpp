// SPDX-License-Identifier: Apache-2.0
#pragma once
// The modules whose slots may be patched: not the dynamic linker, the vDSO, memwatch itself and an allocator's own library.

#include <link.h>

#include <cstdint>
#include <string>
#include <vector>

namespace memwatch::interpose {

struct module_entry {
    std::uintptr_t base;
    std::string name;  // as the dynamic linker knows it; empty: the executable
};

[[nodiscard]] std::vector<module_entry> patchable_modules();

// Keeps a module loaded; made only once the dynamic linker has finished loading it.
class pinned_module {
public:
    explicit pinned_module(const module_entry& module) noexcept;
    ~pinned_module();
    pinned_module(const pinned_module&) = delete;
    pinned_module& operator=(const pinned_module&) = delete;

    // False: it is gone, or in another namespace.
    [[nodiscard]] explicit operator bool() const noexcept { return headers_ != nullptr; }
    [[nodiscard]] const ElfW(Phdr) * headers() const noexcept { return headers_; }
    [[nodiscard]] std::size_t header_count() const noexcept { return header_count_; }
    // What the module would find by itself and in the libraries it needs.
    [[nodiscard]] std::uintptr_t find(const char* symbol) const noexcept;

private:
    void* handle_{};
    const ElfW(Phdr) * headers_{};
    std::size_t header_count_{};
};

}  // namespace memwatch::interpose
