// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include <memwatch/model/site_name.hpp>

#include "model/plumbing.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::array plumbing_namespaces = {std::string_view{"std::"},        std::string_view{"__gnu_cxx::"},
                                            std::string_view{"boost::"},      std::string_view{"memwatch::"},
                                            std::string_view{"__cxxabiv1::"}, std::string_view{"operator new"},
                                            std::string_view{"__cxa_"},       std::string_view{"operator delete"}};

// C names, and C++ ones where no demangler was at hand.
constexpr std::array plumbing_functions = {std::string_view{"malloc"},
                                           std::string_view{"calloc"},
                                           std::string_view{"realloc"},
                                           std::string_view{"reallocarray"},
                                           std::string_view{"aligned_alloc"},
                                           std::string_view{"posix_memalign"},
                                           std::string_view{"memalign"},
                                           std::string_view{"valloc"},
                                           std::string_view{"pvalloc"},
                                           std::string_view{"strdup"},
                                           std::string_view{"strndup"},
                                           std::string_view{"__strdup"},
                                           std::string_view{"__strndup"},
                                           std::string_view{"__libc_malloc"},
                                           std::string_view{"__libc_calloc"},
                                           std::string_view{"__libc_realloc"},
                                           std::string_view{"__libc_memalign"},
                                           std::string_view{"_Znwm"},
                                           std::string_view{"_Znam"},
                                           std::string_view{"start_thread"},
                                           std::string_view{"clone"},
                                           std::string_view{"clone3"},
                                           std::string_view{"__clone3"},
                                           std::string_view{"_start"},
                                           std::string_view{"__libc_start_main"},
                                           std::string_view{"__libc_start_call_main"}};

// Objects whose unnamed frames are nobody's own code.
constexpr std::array plumbing_modules = {
    std::string_view{"libc.so"},     std::string_view{"libc-"},       std::string_view{"libstdc++.so"},
    std::string_view{"libc++.so"},   std::string_view{"libgcc_s.so"}, std::string_view{"libm.so"},
    std::string_view{"libpthread"},  std::string_view{"ld-linux"},    std::string_view{"libmemwatch"},
    std::string_view{"libboost_"},   std::string_view{"libjemalloc"}, std::string_view{"libtcmalloc"},
    std::string_view{"libmimalloc"}, std::string_view{"linux-vdso"}};

template <class Prefixes>
bool starts_with_any(std::string_view text, const Prefixes& prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [text](auto prefix) { return text.substr(0, prefix.size()) == prefix; });
}

std::string_view file_name(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool ends_with(std::string_view text, std::string_view suffix) {
    return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

// "parse.part.0" -> "parse": what gcc appends to a C name; demanglers say it as " [clone .part.0]".
std::string_view without_clone_suffix(std::string_view name) {
    constexpr std::array suffixes = {std::string_view{".part."}, std::string_view{".constprop."}, std::string_view{".isra."},
                                     std::string_view{".cold"}, std::string_view{".lto_priv."}};
    if (name.find_first_of(" (<") != std::string_view::npos) { return name; }
    for (const std::string_view suffix : suffixes) { name = name.substr(0, name.find(suffix)); }
    return name;
}

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// The reader of one demangled declaration. `<`, `(`, `[` and `{` nest; "operator" may be followed by any of them.
class declaration {
public:
    explicit declaration(std::string_view text) : text_(text) {}

    std::string bare_name() {
        while (at_ < text_.size() && step()) {}
        while (!name_.empty() && name_.back() == ' ') { name_.pop_back(); }
        return name_;
    }

private:
    // Consumes one piece of the declaration; false at the end of the name.
    bool step() {
        const char c = text_[at_];
        if (after_operator()) { return take_operator(); }
        if (c == '(') { return take_parenthesis(); }
        if (text_.substr(at_, 5) == "[abi:") {  // "text[abi:cxx11]": of its type's version, no part of a name that people write
            group();
            return true;
        }
        if (c == '<' || c == '{' || c == '[') {
            name_ += group();
        } else if (c == ' ') {
            ++at_;
            if (at_ < text_.size() && text_[at_] == '[') { return false; }        // " [clone .cold]"
            if (name_ == "decltype" && text_.substr(at_, 1) == "(") { group(); }  // the demangler's "decltype (...) f"
            name_.clear();                                                        // what stood before was a return type
        } else {
            name_ += c;
            ++at_;
        }
        return true;
    }

    [[nodiscard]] bool after_operator() const {
        constexpr std::string_view word = "operator";
        return ends_with(name_, word) && (name_.size() == word.size() || !is_word(name_[name_.size() - word.size() - 1])) &&
               !is_word(text_[at_]);
    }

    // "operator()", "operator<<", "operator new[]", "operator bool": everything up to the parameters is the name.
    bool take_operator() {
        const auto from = at_;
        if (text_.substr(at_, 2) == "()") {
            name_ += "()";
            at_ += 2;
        }
        while (at_ < text_.size() && text_[at_] != '(') { name_ += text_[at_++]; }
        return at_ > from && at_ < text_.size();  // "operator(" of a name that is none: it ends here
    }

    // Parameters end the name, unless more of it follows: "f(int)::{lambda()#1}::operator()".
    bool take_parenthesis() {
        if (text_.substr(at_, 21) == "(anonymous namespace)") {
            name_ += group();
            return true;
        }
        if (name_ == "decltype") {  // a return type; the space behind it starts the name
            group();
            return true;
        }
        group();
        const auto scope = text_.find("::", at_);
        const auto between = scope == std::string_view::npos ? std::string_view{"x"} : text_.substr(at_, scope - at_);
        if (!between.empty() && between != " const") { return false; }
        at_ = scope;
        return true;
    }

    // The bracketed text that starts here, brackets included. Arrows and comparisons inside template arguments are rare enough.
    std::string_view group() {
        const auto from = at_;
        int depth = 0;
        for (; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '<' || c == '(' || c == '[' || c == '{') { ++depth; }
            const bool is_arrow = c == '>' && at_ > 0 && text_[at_ - 1] == '-';
            if ((c == '>' && !is_arrow) || c == ')' || c == ']' || c == '}') { --depth; }
            if (depth == 0) {
                ++at_;
                break;
            }
        }
        return text_.substr(from, at_ - from);
    }

    std::string_view text_;
    std::size_t at_{};
    std::string name_;
};

std::string hex(std::uint64_t value) {
    char text[32];
    const int length = std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return std::string(text, static_cast<std::size_t>(length));
}

bool is_named(const frame& f) {
    return std::any_of(f.lines.begin(), f.lines.end(), [](const source_line& line) { return !line.function.empty(); });
}

bool is_of_plumbing_module(const frame& f, const std::vector<module>& modules) {
    return f.module < modules.size() && is_plumbing_module(modules[f.module].path);
}

// "arena<T>::allocate" called by std::allocator_traits, "pool::do_allocate" by std::pmr: a container's allocator, which is as
// little the place that wants memory as operator new is.
bool is_allocator_for(std::string_view function, std::string_view caller) {
    if (function.find("allocate") == std::string_view::npos) { return false; }  // spares nearly everybody the parsing
    const std::string name = bare_function_name(function);
    const bool is_named_so = ends_with(name, "::allocate") || ends_with(name, "::do_allocate");
    return is_named_so && starts_with_any(bare_function_name(caller), std::array{std::string_view{"std::"}});
}

// The first named line behind line `line` of frame `at`: who called it. Empty: nobody known.
template <class FrameAt>
std::string_view caller_of(std::size_t count, FrameAt frame_at, std::size_t at, std::size_t line) {
    for (++line; at < count; ++at, line = 0) {
        const frame& f = frame_at(at);
        for (; line < f.lines.size(); ++line) {
            if (!f.lines[line].function.empty()) { return f.lines[line].function; }
        }
    }
    return {};
}

template <class FrameAt>
std::optional<own_place> find_own(std::size_t count, FrameAt frame_at, const std::vector<module>& modules) {
    for (std::size_t i = 0; i < count; ++i) {
        const frame& f = frame_at(i);
        if (is_of_plumbing_module(f, modules)) { continue; }
        if (!is_named(f) && f.module < modules.size()) { return own_place{i, no_line}; }
        for (std::size_t l = 0; l < f.lines.size(); ++l) {
            const std::string& function = f.lines[l].function;
            if (function.empty() || is_plumbing(function) || is_system_header(f.lines[l].file)) { continue; }
            if (!is_allocator_for(function, caller_of(count, frame_at, i, l))) { return own_place{i, l}; }
        }
    }
    return std::nullopt;
}

template <class FrameAt>
std::string name_of(std::size_t count, FrameAt frame_at, const std::vector<module>& modules) {
    if (count == 0) { return "(no stack)"; }
    const std::optional<own_place> own = find_own(count, frame_at, modules);
    if (!own) { return frame_name(frame_at(0), modules); }
    const frame& f = frame_at(own->frame);
    return own->line == no_line ? frame_name(f, modules) : bare_function_name(f.lines[own->line].function);
}

// FNV-1a, 64 bits (Fowler, Noll, Vo; offset basis and prime from their page). Collisions only merge two names.
class hash64 {
public:
    void add(std::string_view bytes) {
        for (const char c : bytes) { add_byte(static_cast<unsigned char>(c)); }
        add_byte(0xFF);  // no UTF-8 text contains it: "ab","c" differs from "a","bc"
    }
    void add(std::uint64_t value) {
        for (int i = 0; i < 8; ++i) { add_byte(static_cast<unsigned char>(value >> (8 * i))); }
    }
    [[nodiscard]] std::string hex() const {
        constexpr char digits[] = "0123456789abcdef";
        std::string out(16, '0');
        for (std::size_t i = 0; i < 16; ++i) { out[i] = digits[(value_ >> (60 - 4 * i)) & 0xFU]; }
        return out;
    }

private:
    void add_byte(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001B3ULL; }

    std::uint64_t value_{0xCBF29CE484222325ULL};
};

}  // namespace

bool is_plumbing_module(std::string_view path) { return starts_with_any(file_name(path), plumbing_modules); }

std::string site_key(const snapshot& s, const site& of) {
    hash64 hash;
    for (const auto index : s.stacks[of.stack].frames) {
        const frame& f = s.frames[index];
        if (f.module < s.modules.size()) {
            const module& m = s.modules[f.module];
            hash.add(m.build_id.empty() ? std::string_view(m.path) : std::string_view(m.build_id));
        } else if (is_named(f)) {
            // An address of one run. Names are what such a frame keeps: foreign profiles may have nothing else.
            for (const source_line& line : f.lines) {
                hash.add(line.function);
                hash.add(line.line);
            }
            continue;
        }
        hash.add(f.offset);
    }
    hash.add(of.type);
    hash.add(s.tags[of.tag].name);
    return hash.hex();
}

std::string bare_function_name(std::string_view demangled) {
    if (const auto thunk = demangled.find("thunk to "); thunk != std::string_view::npos) { demangled.remove_prefix(thunk + 9); }
    auto name = declaration{without_clone_suffix(demangled)}.bare_name();
    return name.empty() ? std::string{demangled} : name;
}

std::optional<own_place> find_own_place(const snapshot& s, const site& of) {
    const auto& indices = s.stacks[of.stack].frames;
    return find_own(
        indices.size(), [&](std::size_t i) -> const frame& { return s.frames[indices[i]]; }, s.modules);
}

bool is_plumbing(std::string_view function) {
    const auto name = bare_function_name(function);
    if (ends_with(name, "::operator new") || ends_with(name, "::operator new[]")) { return true; }  // a class has its own
    auto versioned = std::string_view{name}.substr(0, name.find('@'));  // "malloc@@GLIBC_2.2.5", "malloc@plt"
    if (starts_with_any(versioned, std::array{std::string_view{"__GI_"}})) { versioned.remove_prefix(5); }  // within glibc
    return starts_with_any(name, plumbing_namespaces) ||
           std::find(plumbing_functions.begin(), plumbing_functions.end(), versioned) != plumbing_functions.end();
}

std::string frame_name(const frame& f, const std::vector<module>& modules) {
    for (const auto& line : f.lines) {
        if (!line.function.empty()) { return bare_function_name(line.function); }
    }
    if (f.module >= modules.size()) { return hex(f.offset); }
    return std::string{file_name(modules[f.module].path)} + "+" + hex(f.offset);
}

std::string site_name(const snapshot& s, const site& of) {
    const auto& indices = s.stacks[of.stack].frames;
    return name_of(
        indices.size(), [&](std::size_t i) -> const frame& { return s.frames[indices[i]]; }, s.modules);
}

std::string site_name(const std::vector<frame>& stack, const std::vector<module>& modules) {
    return name_of(
        stack.size(), [&](std::size_t i) -> const frame& { return stack[i]; }, modules);
}

}  // namespace v1
}  // namespace memwatch
