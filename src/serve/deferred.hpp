// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a route answers with: a response, or the promise of one later (`seconds=N`: a window has to pass first).
//
//   router::begin() -> http_response                  sent at once
//                   -> deferred{after_ns, then}       whoever serves waits, in whatever way does not hold up others, then calls
//                                                     `then` once; or drops it, which cancels: what it holds is released
//
// The server's one thread waits by timer, a mounted handler sleeps on its caller's thread. `then` refers to the router that
// made it: the router must outlive it. Threads: a deferred belongs to one at a time.

#include <cstdint>
#include <functional>
#include <variant>

#include <memwatch/serve/http_handler.hpp>

namespace memwatch {
inline namespace v1 {
namespace serve {

struct deferred {
    std::uint64_t after_ns{};
    std::function<http_response()> then;
};

using outcome = std::variant<http_response, deferred>;

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
