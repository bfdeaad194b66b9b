// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where records go, as capture/ sees it: a table of functions that runtime/ binds to live/. The hot path calls the live table
// directly and synchronously without this room knowing that room.

#include <cstdint>

#include "model/record.hpp"

namespace memwatch {
inline namespace v1 {

struct record_sink {
    void* context;
    void (*insert)(void* context, const record& r, std::uint64_t& random_state) noexcept;
    // `thread` and `time_ns` describe the free. False: the block was not live.
    bool (*remove)(void* context, block_key key, std::uint16_t thread, std::uint64_t time_ns) noexcept;
    // The same in two steps: hold() takes the record out, then either settle() counts the free or restore() puts it back.
    bool (*hold)(void* context, block_key key, held_block& held) noexcept;
    void (*settle)(void* context, const held_block& held, std::uint16_t thread, std::uint64_t time_ns) noexcept;
    void (*abandon)(void* context, const held_block& held) noexcept;  // neither freed nor known any more
    void (*restore)(void* context, const held_block& held, std::uint64_t& random_state) noexcept;
    // Index for a thread that was not seen before; 0 when there is no room.
    std::uint16_t (*register_thread)(void* context, std::uint32_t tid, const char* name) noexcept;
    // The thread ends; `name` (16 bytes) is what it is called by now.
    void (*retire_thread)(void* context, std::uint16_t thread, const char* name) noexcept;
};

}  // namespace v1
}  // namespace memwatch
