// SPDX-License-Identifier: Apache-2.0
#pragma once
// Names base/ring.hpp's ring for headers, which should not pay for Boost.Lockfree.

namespace memwatch {
inline namespace v1 {

template <class Event>
class ring;

}  // namespace v1
}  // namespace memwatch
