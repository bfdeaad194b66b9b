// SPDX-License-Identifier: Apache-2.0
#pragma once
// MEMWATCH_API marks what leaves the shared libraries; everything else is hidden (`-fvisibility=hidden`) and checked against
// the export list by tests/contract. Internal code never needs it.

#define MEMWATCH_API __attribute__((visibility("default")))
