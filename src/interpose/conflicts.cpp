// SPDX-License-Identifier: Apache-2.0
#include "interpose/conflicts.hpp"

#include "interpose/targets.hpp"
#include "platform/module_walk.hpp"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>
#include <cstring>

namespace memwatch::interpose {
namespace {

bool is_exported(const char* symbol) noexcept { return dlsym(RTLD_DEFAULT, symbol) != nullptr; }

struct known_object {
    const char* part_of_path;
    const char* name;
};

// The first loaded object whose path names a tracer of malloc.
const char* find_tracer() {
    static constexpr known_object tracers[] = {{"libheaptrack", "heaptrack"},
                                               {"libbytehound", "bytehound"},
                                               {"libdd_profiling", "ddprof"},
                                               {"libc_malloc_debug", "libc_malloc_debug"}};
    const char* found = nullptr;
    platform::walk_modules(
        [](dl_phdr_info* info, std::size_t, void* result) {
            for (const known_object& tracer : tracers) {
                if (std::strstr(info->dlpi_name, tracer.part_of_path) != nullptr) {
                    *static_cast<const char**>(result) = tracer.name;
                    return 1;
                }
            }
            return 0;
        },
        &found);
    return found;
}

const char* find_sanitizer() noexcept {
    static constexpr known_object runtimes[] = {{"__asan_init", "AddressSanitizer"},
                                                {"__tsan_init", "ThreadSanitizer"},
                                                {"__msan_init", "MemorySanitizer"},
                                                {"__hwasan_init", "HWAddressSanitizer"},
                                                {"__lsan_do_leak_check", "LeakSanitizer"}};
    for (const known_object& runtime : runtimes) {
        if (is_exported(runtime.part_of_path)) { return runtime.name; }
    }
    return nullptr;
}

bool environment_has(const char* variable, const char* part) noexcept {
    const char* const value = std::getenv(variable);
    return value != nullptr && std::strstr(value, part) != nullptr;
}

}  // namespace

conflicts find_conflicts() {
    conflicts found;
    if (const char* const sanitizer = find_sanitizer(); sanitizer != nullptr) {
        found.must_stand_aside = true;
        found.sentences.push_back(std::string(sanitizer) + " brings a malloc of its own: nothing is sampled");
        return found;
    }
    if (real.is_before_us) {
        found.sentences.push_back(std::string("malloc is defined by ") + real.path + " before us: its blocks are not seen");
    }
    if (const char* const tracer = find_tracer(); tracer != nullptr) {
        found.must_stand_aside = true;
        found.sentences.push_back(std::string(tracer) + " traces malloc already: nothing is sampled");
    }
    if (!real.can_align) {
        found.sentences.push_back(std::string("the malloc of ") + real.path + " has no memalign: few blocks are sampled");
    }
    if (std::strcmp(real.name, "jemalloc") == 0 && environment_has("MALLOC_CONF", "prof:true")) {
        found.sentences.emplace_back("jemalloc profiles this heap, too (MALLOC_CONF): both costs add up");
    }
    if (std::strcmp(real.name, "tcmalloc") == 0 && std::getenv("HEAPPROFILE") != nullptr) {
        found.sentences.emplace_back("tcmalloc profiles this heap, too (HEAPPROFILE): both costs add up");
    }
    return found;
}

}  // namespace memwatch::interpose
