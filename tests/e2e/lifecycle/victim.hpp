// SPDX-License-Identifier: Apache-2.0
#pragma once
// Small lives that end badly. Each mode is one lifecycle question from src/capture/README.md; the program answers by its exit
// status and one line.

#include <cstddef>
#include <cstdint>
#include <vector>

#include <memwatch/memwatch.hpp>

namespace lifecycle {

using memwatch::tag;
using buffer = std::vector<char, memwatch::tracked_allocator<char>>;

// 0 if it holds; else 1, and a line on stderr.
int check(bool holds, const char* what);

// Each block is a record.
memwatch::session start_full(memwatch::control_option control = memwatch::control_option::off);
std::size_t records_of(const memwatch::session& session, tag owner);
std::uint64_t self_bytes_of(const memwatch::session& session);
inline buffer make(tag owner, std::size_t bytes = 1000) { return buffer(bytes, 'x', memwatch::tracked_allocator<char>{owner}); }

int before_start_and_after_stop();
int second_start();
int stop_and_restart();
int start_and_stop_from_threads();
int closed_descriptors();
int fork_while_allocating();
int fork_and_exec();
int a_program_of_its_own();
int fork_and_exit();
int spawned();
int fork_handlers_of_the_host();
int loader_in_a_forked_child();
int snapshot_in_a_forked_child();
int exec_while_loading();
int exit_while_loading();
int thread_exit_with_tls_destructors();
int thread_churn();
int small_stacks();
int signals_during_sampling();
int coroutine_frames();
int exit_from_a_thread();
int exit_while_allocating();
int quick_exit();
int static_session();
int destroyed_late();
int closed_plugin();
int plugin_churn();

}  // namespace lifecycle
