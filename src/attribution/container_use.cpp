// SPDX-License-Identifier: Apache-2.0
#include "attribution/container_use.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include <memwatch/model/site_name.hpp>

namespace memwatch::inline v1 {
namespace {

struct family {
    std::string_view part;  // of a demangled function's qualified name
    container what;
};

// libstdc++'s names as they stand in stacks, and the hash tables people use instead of it. The first that matches wins, so what
// is inside a name's template arguments does not count (bare names are cut at the first '<').
constexpr std::array families{
    family{"_Rb_tree", container::tree},
    family{"std::map", container::tree},
    family{"std::set", container::tree},
    family{"std::multimap", container::tree},
    family{"std::multiset", container::tree},
    family{"std::pmr::map", container::tree},
    family{"_Hashtable", container::hash},
    family{"std::unordered_", container::hash},
    family{"std::__detail::_Map_base", container::hash},
    family{"std::__detail::_Insert", container::hash},
    family{"std::__detail::_Hash", container::hash},
    family{"boost::unordered", container::hash},
    family{"absl::", container::hash},
    family{"tsl::", container::hash},
    family{"phmap::", container::hash},
    family{"robin_hood::", container::hash},
    family{"ankerl::unordered_dense", container::hash},
    family{"folly::f14", container::hash},
    family{"folly::F14", container::hash},
    family{"google::dense_hash", container::hash},
    family{"std::list", container::list},
    family{"std::__cxx11::list", container::list},
    family{"std::_List_base", container::list},
    family{"std::__cxx11::_List_base", container::list},
    family{"std::forward_list", container::list},
    family{"std::vector", container::vector},
    family{"std::_Vector_base", container::vector},
    family{"std::deque", container::deque},
    family{"std::_Deque_base", container::deque},
    family{"std::queue", container::deque},
    family{"std::__cxx11::basic_string", container::string},
    family{"std::basic_string", container::string},
    family{"std::make_shared", container::shared_pointer},
    family{"std::allocate_shared", container::shared_pointer},
    family{"std::__shared_count", container::shared_pointer},
    family{"std::__shared_ptr", container::shared_pointer},
    family{"std::shared_ptr", container::shared_pointer},
    family{"boost::make_shared", container::shared_pointer},
    family{"boost::shared_ptr", container::shared_pointer},
    family{"std::function", container::function},
    family{"std::_Function_base", container::function},
};

constexpr std::array<std::string_view, 20> c_functions{
    "malloc",       "calloc",   "realloc",   "reallocarray", "aligned_alloc",  "posix_memalign", "memalign",
    "valloc",       "strdup",   "strndup",   "__strdup",     "__strndup",      "getline",        "getdelim",
    "_IO_getdelim", "asprintf", "vasprintf", "realpath",     "open_memstream", "scandir"};

// Frames that say nothing about who keeps the memory.
constexpr std::array<std::string_view, 6> allocator_layers{"std::allocator", "std::__new_allocator", "__gnu_cxx::new_allocator",
                                                           "std::pmr::",     "memwatch::",           "std::__allocate_guarded"};

bool starts_with(std::string_view text, std::string_view part) { return text.substr(0, part.size()) == part; }

// "std::vector<int>::push_back" -> "std::vector": what stands in template arguments is somebody else.
std::string_view outer_name(std::string_view bare) { return bare.substr(0, bare.find('<')); }

bool is_c_allocation(std::string_view bare) {
    std::string_view name = bare.substr(0, bare.find('@'));
    if (starts_with(name, "__GI_")) { name.remove_prefix(5); }  // as glibc calls it within itself
    return std::find(c_functions.begin(), c_functions.end(), name) != c_functions.end();
}

std::optional<container> family_of(std::string_view bare) {
    const std::string_view outer = outer_name(bare);
    if (starts_with(outer, "std::_Rb_tree") || starts_with(outer, "std::_Hashtable")) {
        return starts_with(outer, "std::_Rb_tree") ? container::tree : container::hash;
    }
    for (const family& each : families) {
        if (starts_with(outer, each.part)) { return each.what; }
    }
    if (starts_with(outer, "operator new")) { return container::plain_new; }
    if (is_c_allocation(bare)) { return container::c_heap; }
    return std::nullopt;
}

bool is_third_party_container(std::string_view bare) {
    const auto what = family_of(bare);
    return what == container::hash && !starts_with(bare, "std::") && !starts_with(bare, "boost::");
}

bool is_allocator_layer(std::string_view bare) {
    return std::any_of(allocator_layers.begin(), allocator_layers.end(),
                       [&](std::string_view layer) { return starts_with(bare, layer); });
}

// "std::map<int, std::string>::operator[]" -> "std::map::operator[]".
std::string without_arguments(std::string_view bare) {
    std::string name;
    int depth = 0;
    for (std::size_t i = 0; i < bare.size(); ++i) {
        const std::string_view rest = bare.substr(i);
        if (starts_with(rest, "operator<") || starts_with(rest, "operator>") || starts_with(rest, "operator-")) {
            return name + std::string(rest);
        }
        if (bare[i] == '<') { ++depth; }
        if (depth == 0) { name += bare[i]; }
        if (bare[i] == '>' && depth > 0) { --depth; }
    }
    return depth == 0 ? name : std::string(bare);
}

// Takes one library frame into account: `made` is the innermost container, `holder` the outermost.
void take_library_frame(container_use& use, const std::string& bare) {
    const auto what = family_of(bare);
    if (!what || is_allocator_layer(bare)) { return; }
    const bool is_weak = *what == container::plain_new || *what == container::c_heap;  // the door everything goes through
    if (is_weak && use.holder != container::none && use.holder != container::plain_new && use.holder != container::c_heap) {
        return;
    }
    const bool was_weak = use.made == container::none || use.made == container::plain_new || use.made == container::c_heap;
    // libstdc++'s operator new calls malloc: what the user's code said is the outer one.
    if (was_weak) { use.made = *what; }
    use.holder = *what;
    use.called = without_arguments(bare);
}

}  // namespace

const char* to_string(container what) noexcept {
    switch (what) {
        case container::none:
            return "unknown";
        case container::tree:
            return "map or set";
        case container::hash:
            return "hash table";
        case container::list:
            return "list";
        case container::vector:
            return "vector";
        case container::deque:
            return "deque or queue";
        case container::string:
            return "string";
        case container::shared_pointer:
            return "shared_ptr";
        case container::function:
            return "std::function";
        case container::c_heap:
            return "malloc";
        case container::plain_new:
            return "new";
    }
    return "unknown";
}

container_use read_stack(const std::vector<frame>& stack) {
    container_use use;
    for (const frame& f : stack) {
        for (const source_line& line : f.lines) {
            if (line.function.empty()) { continue; }
            const std::string bare = bare_function_name(line.function);
            if (is_plumbing(line.function) || is_c_allocation(bare) || is_third_party_container(bare)) {
                take_library_frame(use, bare);
                continue;
            }
            use.user_function = line.function;
            use.user_file = line.file;
            use.user_line = line.line;
            return use;
        }
    }
    return use;
}

bool sounds_like_cache(std::string_view name) {
    constexpr std::array<std::string_view, 7> words{"cache", "memo", "intern", "registry", "history", "lookup", "dedup"};
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

}  // namespace memwatch::inline v1
