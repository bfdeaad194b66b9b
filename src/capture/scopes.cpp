// SPDX-License-Identifier: Apache-2.0
#include <memwatch/capture/scopes.hpp>

#include "capture/own_work.hpp"

namespace memwatch {
inline namespace v1 {

namespace {

trace_context labelled(tag label) noexcept {
    trace_context context = trace_context::current();
    context.tag = label.id();
    return context;
}

}  // namespace

tag_scope::tag_scope(tag label) noexcept : scope_(labelled(label)) {}

tag_scope::tag_scope(carried_t how, tag label) noexcept : scope_(how, labelled(label)) {}

// Out of line, as everything that touches the thread's block: a compiler may keep its address across a suspension point.
ignore_scope::ignore_scope() noexcept { detail::own_work::begin_ignoring(); }

ignore_scope::~ignore_scope() { detail::own_work::end_ignoring(); }

namespace detail {
__thread ignoring_state ignoring{};
}

}  // namespace v1
}  // namespace memwatch
