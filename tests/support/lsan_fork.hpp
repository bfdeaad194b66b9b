// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a forked child gives up without freeing it (enter_child(): the parent's worker may have been changing it), for tests
// that call enter_child() in a process that goes on. One line a test program: MEMWATCH_LEFT_BY_FORK("leak:function\n...").

#define MEMWATCH_LEFT_BY_FORK(suppressions)               \
    extern "C" const char* __lsan_default_suppressions(); \
    extern "C" const char* __lsan_default_suppressions() { return suppressions; }
