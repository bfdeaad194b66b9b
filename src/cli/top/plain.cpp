// SPDX-License-Identifier: Apache-2.0
#include "cli/top/plain.hpp"

#include <chrono>
#include <thread>

#include "cli/top/pace.hpp"

namespace memwatch {
inline namespace v1 {
namespace top {
namespace {

std::uint64_t now_ns() {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

void wait_until(std::uint64_t due_ns) {
    const std::uint64_t now = now_ns();
    if (due_ns > now) { std::this_thread::sleep_for(std::chrono::nanoseconds(due_ns - now)); }
}

}  // namespace

exit_status print_looks(service of, model shown, const plain_options& options) {
    pace next(options.interval_ns);
    std::string said;
    for (std::uint64_t look = 0; options.looks == 0 || look < options.looks; ++look) {
        wait_until(next.next_ns());
        const bool with_records = shown.needs_records() || next.wants_records(now_ns());
        answer got = of.ask(with_records);
        if (!got.value) {
            const error& why = got.value.error();
            next.failed(now_ns(), got.retry_after_ns);
            shown.fail(why);
            if (why.message() != said) { print_error(why); }
            said = why.message();
            if (!got.is_temporary && !shown.has_answered()) { return status_of(why); }  // asking again is no use
            continue;
        }
        said.clear();
        next.answered(now_ns(), got.took_ns, with_records);
        shown.take(*got.value);
        const auto printed = print(options.as_json ? json_line(shown, options.how, options.rows)
                                                   : plain_lines(shown, options.how, options.rows, options.with_colour));
        if (!printed) {
            print_error(printed.error());
            return status_of(printed.error());
        }
    }
    return shown.has_answered() ? exit_status::fine : exit_status::unreachable;
}

}  // namespace top
}  // namespace v1
}  // namespace memwatch
