// SPDX-License-Identifier: Apache-2.0
// A library whose loading does not end.
#include <unistd.h>

[[gnu::constructor]] static void hang() {
    for (;;) { pause(); }
}
