// SPDX-License-Identifier: Apache-2.0
#pragma once
// A library with a static object and no memwatch in it.

void keep_until_the_end(void* held, void (*destroy)(void*));
