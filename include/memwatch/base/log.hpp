// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where memwatch's few words go. Silent but for warnings: a degraded start, an unknown MEMWATCH_* variable, a misused pool. The
// default sink writes one line to stderr; a host replaces it with its own logger.

#include <string_view>

#include <memwatch/base/export.hpp>

namespace memwatch {
inline namespace v1 {

// How bad it is.
enum class log_level { warning, info };

// `line` is one structured line without a newline: `memwatch level=warning event=... key=value ...`. Called on any thread that
// is not inside an allocation; must not throw.
using log_sink = void (*)(log_level level, std::string_view line);

// Null restores the default sink. Threads: any.
MEMWATCH_API void set_log_sink(log_sink sink) noexcept;

// For memwatch's own rooms, in whichever of its libraries. At most 10 lines of one event in a minute reach the sink; how many
// were held back is said with the next.
MEMWATCH_API void write_log(log_level level, std::string_view line) noexcept;

}  // namespace v1
}  // namespace memwatch
