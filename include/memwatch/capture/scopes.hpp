// SPDX-License-Identifier: Apache-2.0
#pragma once
// Labels and exceptions for what the calling thread allocates until the end of a block.
//
//   memwatch::tag_scope parsing{parser_tag};     // samples without a tag of their own are the parser's: malloc's, new's,
//   load(path);                                  // untagged allocators'
//   memwatch::ignore_scope quiet;                // what is allocated from here to the end of the block is not sampled
//
// A tag_scope labels *samples*: sites and live records carry its tag, so reports by tag show it as an estimate. Exact counters
// (tag::totals) stay those of explicit tags - tracked_allocator, tracking_resource, pools - and never see a scope; what has an
// explicit tag keeps it. The tag is written down when the block is sampled; freeing elsewhere changes nothing. It travels with
// the trace context: bind(), attach() and trace_scope inside of it carry it. What preset full records of malloc's own blocks
// has no room for a tag and stays untagged.
//
// An ignore_scope leaves exact counters alone, too: what is tagged is counted, only never a sample. It belongs to its thread
// and must end on it: not across a co_await. Several may end in any order. Frees are followed as ever.
//
// Both nest. Allocates, locks, throws: never. Threads: the calling one's business only.

#include <memwatch/base/export.hpp>
#include <memwatch/capture/tag.hpp>
#include <memwatch/capture/trace_context.hpp>

namespace memwatch {
inline namespace v1 {

// Labels what is sampled without a tag of its own. In coroutines and on fibers it is what a context_scope is.
class [[nodiscard]] tag_scope {
public:
    MEMWATCH_API explicit tag_scope(tag label) noexcept;
    MEMWATCH_API tag_scope(carried_t, tag label) noexcept;

private:
    context_scope scope_;
};

// Nothing is sampled inside.
class [[nodiscard]] ignore_scope {
public:
    MEMWATCH_API ignore_scope() noexcept;
    MEMWATCH_API ~ignore_scope();
    ignore_scope(const ignore_scope&) = delete;
    ignore_scope& operator=(const ignore_scope&) = delete;
};

}  // namespace v1
}  // namespace memwatch
