// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where json_writer was; it is in base/ now, for it makes sense without reports. To be removed with its last user.

#include "base/json_writer.hpp"
