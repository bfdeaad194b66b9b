// SPDX-License-Identifier: Apache-2.0
// The core library is its rooms; this file only gives the linker a translation unit to begin with.
