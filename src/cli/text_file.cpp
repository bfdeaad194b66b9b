// SPDX-License-Identifier: Apache-2.0
#include "cli/text_file.hpp"

#include <algorithm>

#include <memwatch/base/units.hpp>

#include "platform/regular_file.hpp"

namespace memwatch {
inline namespace v1 {

result<std::string> read_text_file(const std::string& path, std::uint64_t max_bytes) {
    const result<regular_file> file = regular_file::open(path);
    if (!file) {
        // What is no regular file is no mistake on the command line but an input that cannot be read.
        const error_code code = file.error().code == error_code::invalid_argument ? error_code::io : file.error().code;
        return fail(code, file.error().what, path);
    }
    if (file->size_bytes() > max_bytes) {
        return fail(error_code::limit, "has more than " + format_bytes(static_cast<double>(max_bytes)), path);
    }
    std::string text(file->size_bytes(), '\0');
    text.resize(file->read_at(0, text.data(), text.size()));
    return text;
}

std::string read_head(const std::string& path, std::size_t max_bytes) {
    const result<regular_file> file = regular_file::open(path);
    if (!file) { return {}; }
    std::string text(max_bytes, '\0');
    text.resize(file->read_at(0, text.data(), text.size()));
    return text;
}

}  // namespace v1
}  // namespace memwatch
