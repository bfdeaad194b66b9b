// SPDX-License-Identifier: Apache-2.0
#pragma once
// memwatch: what leaks, since when, for which request, and who still holds it. The front door: everything but the HTTP side
// (memwatch/serve/server.hpp) and work on dumps (memwatch/snapshot/codec.hpp, diff.hpp).
//
//   event  ->  capture/  ->  record  ->  live/  ->  snapshot  ->  diff, report, serve, cli
//   alloc/     sampler                   tables     a value
//
//   auto session = memwatch::session::start({.service = "orders"});        // C++20; in C++17 set members of memwatch::options
//   memwatch::tag cache{"order-cache"};                                    // exact live bytes and objects
//   std::vector<order, memwatch::tracked_allocator<order>> v{memwatch::tracked_allocator<order>{cache}};
//   memwatch::trace_scope scope{traceparent, "/api/v2/orders"};            // for which request

#ifdef MEMWATCH_DISABLE
#include <memwatch/none.hpp>
#else
#include <memwatch/alloc/object_pool.hpp>
#include <memwatch/alloc/pool_registry.hpp>
#include <memwatch/alloc/pool_resource.hpp>
#include <memwatch/alloc/tracked_allocator.hpp>
#include <memwatch/alloc/tracking_resource.hpp>
#include <memwatch/base/log.hpp>
#include <memwatch/capture/scopes.hpp>
#include <memwatch/capture/tag.hpp>
#include <memwatch/capture/trace_context.hpp>
#include <memwatch/remedies.hpp>
#include <memwatch/session.hpp>
#endif
#include <memwatch/version.hpp>
