// SPDX-License-Identifier: Apache-2.0
#pragma once
// Said when modules were loaded, on the thread that did it, outside of any hook.

namespace memwatch::interpose {

void patch_loaded_modules() noexcept;

}  // namespace memwatch::interpose
