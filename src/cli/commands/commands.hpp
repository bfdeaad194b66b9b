// SPDX-License-Identifier: Apache-2.0
#pragma once
// The commands, by what makes each: one function a file of this folder.

#include "cli/command.hpp"

namespace memwatch {
inline namespace v1 {

[[nodiscard]] std::unique_ptr<command> make_show(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_diff(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_report(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_merge(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_symbolize(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_gate(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_snapshot(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_export(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_run(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_control(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_attach(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_detach(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_options(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_top(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_verdicts(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_footprint(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_blackbox(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_completion(CLI::App& app);
[[nodiscard]] std::unique_ptr<command> make_manual(CLI::App& app);

}  // namespace v1
}  // namespace memwatch
