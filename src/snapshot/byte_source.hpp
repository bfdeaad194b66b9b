// SPDX-License-Identifier: Apache-2.0
#pragma once
// The bytes of a dump by position: all of them in memory, or a file of which only what is asked for is read. A dump of a
// gigabyte is mostly records of blocks; whoever wants its tables reads a few megabytes of it.
//
// Reads rather than a mapping: a file that somebody truncates while it is mapped would end the reader with SIGBUS.
//
// Threads: one a source.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include <memwatch/base/result.hpp>

#include "snapshot/dump_tables.hpp"

namespace memwatch::inline v1::codec {

class byte_source {
public:
    byte_source() = default;
    byte_source(const byte_source&) = delete;
    byte_source& operator=(const byte_source&) = delete;
    virtual ~byte_source() = default;

    [[nodiscard]] virtual std::uint64_t size() const = 0;
    // `count` bytes from `at`, fewer where the bytes end. Valid until the next call.
    [[nodiscard]] virtual std::string_view read(std::uint64_t at, std::uint64_t count) = 0;
};

class memory_bytes final : public byte_source {
public:
    explicit memory_bytes(std::string_view bytes) : bytes_(bytes) {}

    [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
    [[nodiscard]] std::string_view read(std::uint64_t at, std::uint64_t count) override {
        return bytes_.substr(std::min<std::uint64_t>(at, bytes_.size()), count);
    }

private:
    std::string_view bytes_;
};

// A regular file. Memory: the largest piece that was read.
class file_bytes final : public byte_source {
public:
    explicit file_bytes(int descriptor, std::uint64_t size) : descriptor_(descriptor), size_(size) {}
    ~file_bytes() override;

    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] std::string_view read(std::uint64_t at, std::uint64_t count) override;

    // errno of the first read that failed; 0 = none did. What could not be read looks like the end of the file.
    [[nodiscard]] int failure() const { return failure_; }

private:
    int descriptor_;  // ours
    std::uint64_t size_;
    int failure_{};
    std::string buffer_;
};

// decode() and decode_tables() of any of the formats that can be read.
[[nodiscard]] result<decoded_snapshot> decode_from(byte_source& bytes);
[[nodiscard]] result<dump_tables> decode_tables_from(byte_source& bytes);
[[nodiscard]] result<dump_tables> decode_sums_from(byte_source& bytes);
[[nodiscard]] result<dump_tables> decode_origin_from(byte_source& bytes);

}  // namespace memwatch::inline v1::codec
