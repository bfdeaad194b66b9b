// SPDX-License-Identifier: Apache-2.0
#include "runtime/misuse_log.hpp"

#include <fmt/format.h>

#include <memwatch/base/log.hpp>

#include "model/redaction.hpp"
#include "platform/platform.hpp"
#include "runtime/process_state.hpp"
#include "runtime/process_status.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

const char* name_of(pool_misuse kind) {
    switch (kind) {
        case pool_misuse::double_release:
            return "double_release";
        case pool_misuse::foreign_pointer:
            return "foreign_pointer";
        case pool_misuse::outstanding_at_destruction:
            return "outstanding_at_destruction";
    }
    return "unknown";
}

// "orders::finish(order*)", or "/usr/bin/orders+0x1a40" without symbols.
std::string describe(const void* return_address, const std::vector<platform::loaded_module>& modules) {
    const auto address = reinterpret_cast<std::uint64_t>(return_address);
    for (const platform::loaded_module& m : modules) {
        if (address < m.start || address > m.limit) { continue; }
        const std::uint64_t offset = address - m.start + m.file_offset;
        std::string name = process().symbols.function_at(m.path, m.build_id, offset);
        return name.empty() ? fmt::format("{}+{:#x}", m.path, offset) : name;
    }
    return fmt::format("{:#x}", address);
}

}  // namespace

void log_pool_misuse(const pool_misuse_report& report) noexcept {
    try {
        const std::vector<platform::loaded_module> modules = platform::loaded_modules();
        std::string line = fmt::format("memwatch level=warning event=pool_misuse kind={} pool=\"{}\"", name_of(report.kind),
                                       redacted(std::string(report.pool), redaction_words(detail::process_options().redact)));
        if (report.objects != 1) { line += fmt::format(" objects={}", report.objects); }
        if (report.caller != nullptr) { line += fmt::format(" at=\"{}\"", describe(report.caller, modules)); }
        if (report.last_caller != nullptr) {
            const char* const role =
                report.kind == pool_misuse::outstanding_at_destruction ? "acquired_at" : "released_before_at";
            line += fmt::format(" {}=\"{}\"", role, describe(report.last_caller, modules));
        }
        write_log(log_level::warning, line);
    } catch (...) {
        // No memory for words; the pool has counted it.
    }
}

}  // namespace v1
}  // namespace memwatch
