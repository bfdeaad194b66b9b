// SPDX-License-Identifier: Apache-2.0
#pragma once
// The same view without a screen: one look after the other as text or JSON lines, for pipes, logs and dumb terminals.
//
// In: a model and a service. Out: looks on stdout, trouble on stderr, an exit status. Threads: the caller's.

#include <cstddef>
#include <cstdint>

#include "cli/terminal.hpp"
#include "cli/top/lines.hpp"
#include "cli/top/service.hpp"

namespace memwatch {
inline namespace v1 {
namespace top {

struct plain_options {
    order how;
    std::size_t rows{20};   // a look; 0 = all
    std::uint64_t looks{};  // 0 = until a signal; a question nobody answers counts
    std::uint64_t interval_ns{};
    bool as_json{};
    bool with_colour{};
};

// 4 when nobody ever answered, 2 when the question was refused, 3 when nothing can be written any more.
exit_status print_looks(service of, model shown, const plain_options& options);

}  // namespace top
}  // namespace v1
}  // namespace memwatch
