// SPDX-License-Identifier: Apache-2.0
#include "platform/demangle.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

namespace memwatch {
inline namespace v1 {

std::string demangle(const std::string& symbol) {
    constexpr std::size_t longest_symbol = 4096, longest_name = 65536;
    // Without the prefix __cxa_demangle reads types: "i" would become "int".
    if (symbol.compare(0, 2, "_Z") != 0 || symbol.size() > longest_symbol) { return symbol; }
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status),
                                                      std::free);
    if (status != 0 || name == nullptr) { return symbol; }
    std::string text(name.get());
    // "f() [clone .cold]": a part that the compiler split off f() is f() to its reader.
    if (const std::size_t clone = text.find(" [clone "); clone != std::string::npos) { text.erase(clone); }
    return text.size() > longest_name ? symbol : text;
}

}  // namespace v1
}  // namespace memwatch
