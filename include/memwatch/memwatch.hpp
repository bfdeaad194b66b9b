// SPDX-License-Identifier: Apache-2.0
#pragma once
// memwatch: what leaks, since when, for which request, and who still holds it.

#include <memwatch/session.hpp>
