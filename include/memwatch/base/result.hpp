// SPDX-License-Identifier: Apache-2.0
#pragma once
// The control lane's way to fail: a value, or an `error` that says what went wrong and where. Nothing in memwatch throws
// across its API; the hot lane (capture, alloc) does not fail at all, it drops and counts.
//
// The alias follows std::expected's member names, so that it can become std::expected in C++23.

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace memwatch {
inline namespace v1 {

// What kind of failure; decides the exit code of the CLI and the HTTP status, never the wording.
enum class error_code {
    invalid_argument,  // the caller (option, query, command line) asked for something that does not exist
    not_found,         // a file, label or route that is not there
    unreadable,        // bytes from outside that are not what they claim to be
    unsupported,       // readable, but newer or other than this build knows
    io,                // the operating system refused; `what` carries its words
    unreachable,       // no one answers at the address
    limit,             // a budget or cap would be exceeded
    unavailable,       // the session or component is stopped or degraded
};

// What went wrong, for a person and for a program.
struct error {
    error_code code{};
    std::string what;   // one sentence, no trailing full stop
    std::string where;  // file, byte offset, option name, URL ...; may be empty

    [[nodiscard]] std::string message() const { return where.empty() ? what : where + ": " + what; }
};

// A value or an error; the interface of std::expected (C++23).
template <class T>
using result = tl::expected<T, error>;

// `return fail(error_code::io, "cannot read", path);` from any function that returns a result.
[[nodiscard]] inline tl::unexpected<error> fail(error_code code, std::string what, std::string where = {}) {
    return tl::unexpected<error>(error{code, std::move(what), std::move(where)});
}

}  // namespace v1
}  // namespace memwatch
