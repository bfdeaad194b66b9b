// SPDX-License-Identifier: Apache-2.0
#pragma once
// The container of the native dump, without knowing what is in it: header, chunks, directory (FORMAT.md).
//
//   89 'MWDUMP' 0A | major minor | crc      16 bytes
//   CE 'MWC' | 'SITE' | flags part | stored size | raw size | payload crc | header crc      28 bytes, then the payload
//   ...
//   directory chunk 'DIRY' | its offset | 'MWDUMPED'
//
// Reading walks the chunks in order, or, where some are skipped and the directory is sound, goes where that says. A chunk whose
// payload fails its checksum costs itself; one whose header fails makes the reader look for the next marker with a sound
// header, so that no damage can spread further than the chunk it hit.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>

#include "snapshot/byte_source.hpp"
#include "snapshot/deflate.hpp"

namespace memwatch::inline v1::codec {

inline constexpr std::string_view dump_magic{"\x89MWDUMP\n", 8};
inline constexpr std::uint16_t dump_major = 1;
inline constexpr std::uint16_t dump_minor = 4;
inline constexpr std::uint32_t max_chunk_bytes = 1U << 30;

// What decoding a dump of `file_bytes` may unpack to, in bytes of payload and rows: hostile input is refused memory beyond.
// Real dumps stay far below (1 M records: 15 MB unpack to 80 MB).
[[nodiscard]] constexpr std::uint64_t unpack_budget(std::uint64_t file_bytes) { return (256ULL << 20) + 64 * file_bytes; }

class chunk_writer {
public:
    chunk_writer();

    // `type` is four characters, `part` numbers chunks of one type. Deflates where that saves at least a sixteenth; without
    // `as` it doesn't try.
    void add(const char* type, std::uint16_t part, std::string_view payload, std::optional<packing> as);

    // Appends the directory. False when a payload was above max_chunk_bytes.
    [[nodiscard]] bool finish();
    [[nodiscard]] std::string take() { return std::move(out_); }
    [[nodiscard]] std::uint64_t raw_bytes() const { return raw_bytes_; }  // of all payloads before deflating

private:
    std::string out_;
    std::vector<std::uint64_t> offsets_;
    std::uint64_t raw_bytes_{};
    bool is_too_large_{};
};

struct chunk {
    std::string type;
    std::uint16_t part{};
    std::string_view payload;  // valid until the next call of next()
};

class chunk_reader {
public:
    // `bytes` and `damage` must outlive the reader. Errors: unreadable (not a dump), unsupported (a newer major version).
    [[nodiscard]] static result<chunk_reader> open(byte_source& bytes, std::vector<std::string>& damage);

    // Chunks of these types are stepped over, their payloads unread. Before the first next().
    void skip(std::vector<std::string> types);
    [[nodiscard]] std::uint64_t skipped_chunks() const { return skipped_chunks_; }
    [[nodiscard]] std::uint64_t skipped_bytes() const { return skipped_bytes_; }

    // The next intact chunk; false at the end. Notes what is damaged on the way and, at the end, what the directory misses.
    bool next(chunk& out);

    // Takes `bytes` of the unpack budget; false when there are none left.
    bool charge(std::uint64_t bytes);

private:
    struct header;
    struct entry {
        std::string type;
        std::uint64_t at;
    };
    chunk_reader(byte_source& bytes, std::vector<std::string>& damage);

    [[nodiscard]] static bool parse_header(std::string_view bytes, std::uint64_t at, header& out);
    [[nodiscard]] bool read_header(std::uint64_t at, header& out) const;
    bool find_header(header& out);
    bool search_header(header& out);
    bool unpack(const header& from, chunk& out);
    bool next_of_plan(chunk& out);
    [[nodiscard]] bool is_skipped(const std::string& type) const;
    [[nodiscard]] bool make_plan();
    [[nodiscard]] std::optional<std::vector<entry>> sound_directory() const;
    void note(std::uint64_t at, const std::string& what) { damage_->push_back("byte " + std::to_string(at) + ": " + what); }
    void read_directory(const header& at);
    bool end();

    byte_source* bytes_;
    std::vector<std::string>* damage_;
    std::uint64_t at_;
    std::uint64_t budget_;
    std::string unpacked_;
    std::vector<std::string> seen_types_;  // of chunks whose header was sound
    std::optional<std::uint64_t> directory_at_;
    bool is_over_budget_{};
    std::vector<std::string> skip_;
    std::optional<std::vector<std::uint64_t>>
        plan_;  // where the chunks that are wanted begin, last first; of a sound directory
    std::uint64_t skipped_chunks_{};
    std::uint64_t skipped_bytes_{};
};

}  // namespace memwatch::inline v1::codec
