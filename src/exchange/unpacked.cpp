// SPDX-License-Identifier: Apache-2.0
#include "exchange/unpacked.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <vector>

#include <zlib.h>
#include <zstd.h>

namespace memwatch::inline v1::exchange {
namespace {

constexpr std::size_t piece_bytes = 256U << 10U;
constexpr std::size_t longest_line = 4U << 20U;
constexpr std::string_view gzip_magic{"\x1F\x8B", 2};
constexpr std::string_view zstd_magic{"\x28\xB5\x2F\xFD", 4};  // RFC 8878, 3.1.1
constexpr int largest_zstd_window = 27;                        // zstd's own default: 128 MiB

}  // namespace

class unpacked_stream::decoder {
public:
    virtual ~decoder() = default;
    // The next piece; empty at the end or where the data is broken.
    virtual std::string_view next() = 0;
    [[nodiscard]] virtual const char* damage() const { return nullptr; }
};

namespace {

class plain final : public unpacked_stream::decoder {
public:
    explicit plain(std::string_view bytes) : bytes_(bytes) {}

    std::string_view next() override {
        const std::string_view piece = bytes_.substr(0, piece_bytes);
        bytes_.remove_prefix(piece.size());
        return piece;
    }

private:
    std::string_view bytes_;
};

class gunzip final : public unpacked_stream::decoder {
public:
    explicit gunzip(std::string_view bytes) : rest_(bytes), out_(piece_bytes) {
        if (inflateInit2(&stream_, MAX_WBITS + 16) != Z_OK) { throw std::bad_alloc{}; }
    }
    ~gunzip() override { inflateEnd(&stream_); }
    gunzip(const gunzip&) = delete;
    gunzip& operator=(const gunzip&) = delete;

    std::string_view next() override {
        std::size_t filled = 0;
        while (filled == 0 && !is_over_) { filled = step(); }
        return {out_.data(), filled};
    }

    [[nodiscard]] const char* damage() const override { return is_broken_ ? "the gzip data is cut off or damaged" : nullptr; }

private:
    std::size_t step() {
        const auto offered = std::min<std::size_t>(rest_.size(), std::numeric_limits<uInt>::max());
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest_.data()));
        stream_.avail_in = static_cast<uInt>(offered);
        stream_.next_out = reinterpret_cast<Bytef*>(out_.data());
        stream_.avail_out = static_cast<uInt>(out_.size());
        const int status = inflate(&stream_, Z_NO_FLUSH);
        rest_.remove_prefix(offered - stream_.avail_in);
        const std::size_t filled = out_.size() - stream_.avail_out;
        if (status == Z_STREAM_END) {
            // A gzip file may have several members (RFC 1952, 2.2); what follows and is none of them is padding.
            is_over_ = rest_.substr(0, gzip_magic.size()) != gzip_magic || inflateReset(&stream_) != Z_OK;
        } else if (status != Z_OK) {
            is_over_ = is_broken_ = true;
        }
        return filled;
    }

    std::string_view rest_;
    std::vector<char> out_;
    z_stream stream_{};
    bool is_over_{};
    bool is_broken_{};
};

class unzstd final : public unpacked_stream::decoder {
public:
    explicit unzstd(std::string_view bytes)
        : in_{bytes.data(), bytes.size(), 0}, out_(piece_bytes), stream_(ZSTD_createDStream()) {
        if (stream_ == nullptr) { throw std::bad_alloc{}; }
        ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, largest_zstd_window);
    }

    std::string_view next() override {
        ZSTD_outBuffer out{out_.data(), out_.size(), 0};
        while (out.pos == 0 && !is_broken_ && (in_.pos < in_.size || has_more_)) {
            const std::size_t before = in_.pos;
            const std::size_t status = ZSTD_decompressStream(stream_.get(), &out, &in_);
            is_broken_ = ZSTD_isError(status) != 0;
            wants_more_ = status != 0;
            has_more_ = out.pos == out.size;
            if (out.pos == 0 && in_.pos == before) { break; }
        }
        return {out_.data(), is_broken_ ? 0 : out.pos};
    }

    [[nodiscard]] const char* damage() const override {
        return is_broken_ || wants_more_ ? "the zstd data is cut off or damaged" : nullptr;
    }

private:
    struct closer {
        void operator()(ZSTD_DStream* stream) const noexcept { ZSTD_freeDStream(stream); }
    };

    ZSTD_inBuffer in_;
    std::vector<char> out_;
    std::unique_ptr<ZSTD_DStream, closer> stream_;
    bool wants_more_{};  // the frame has not ended
    bool has_more_{};    // the last piece was full: zstd may hold more without reading
    bool is_broken_{};
};

std::unique_ptr<unpacked_stream::decoder> decoder_of(std::string_view bytes) {
    if (bytes.substr(0, gzip_magic.size()) == gzip_magic) { return std::make_unique<gunzip>(bytes); }
    if (bytes.substr(0, zstd_magic.size()) == zstd_magic) { return std::make_unique<unzstd>(bytes); }
    return std::make_unique<plain>(bytes);
}

}  // namespace

unpacked_stream::unpacked_stream(std::string_view bytes, std::uint64_t limit) : decoder_(decoder_of(bytes)), left_(limit) {}

unpacked_stream::~unpacked_stream() = default;

std::string_view unpacked_stream::next() {
    if (is_over_limit_) { return {}; }
    const std::string_view piece = decoder_->next();
    if (piece.empty() && decoder_->damage() != nullptr) { damage_ = decoder_->damage(); }
    if (piece.size() > left_) {
        is_over_limit_ = true;
        damage_ = "it unpacks to more than a profile of its size has";
        return {};
    }
    left_ -= piece.size();
    return piece;
}

std::string unpacked_head(std::string_view bytes, std::size_t size) {
    unpacked_stream stream(bytes, std::numeric_limits<std::uint64_t>::max());
    std::string head;
    while (head.size() < size) {
        const std::string_view piece = stream.next();
        if (piece.empty()) { break; }
        head.append(piece.substr(0, size - head.size()));
    }
    return head;
}

result<std::string> unpack_all(std::string_view bytes, std::uint64_t limit) {
    unpacked_stream stream(bytes, limit);
    std::string all;
    for (std::string_view piece = stream.next(); !piece.empty(); piece = stream.next()) { all.append(piece); }
    if (stream.is_over_limit()) { return fail(error_code::limit, stream.damage()); }
    if (!stream.damage().empty()) { return fail(error_code::unreadable, stream.damage()); }
    return all;
}

std::optional<std::string_view> line_reader::next() {
    if (is_line_too_long_) { return std::nullopt; }
    for (;;) {
        if (piece_.empty()) { piece_ = from_.next(); }
        if (piece_.empty()) { return last_line(); }
        const std::size_t end = piece_.find('\n');
        const std::string_view part = piece_.substr(0, end);
        if (carried_.size() + part.size() > longest_line) {
            is_line_too_long_ = true;
            return std::nullopt;
        }
        piece_.remove_prefix(end == std::string_view::npos ? piece_.size() : end + 1);
        if (end == std::string_view::npos) {
            carried_.append(part);
            continue;
        }
        std::string_view line = part;
        if (!carried_.empty()) {
            line_ = std::move(carried_);
            line_.append(part);
            carried_.clear();
            line = line_;
        }
        if (!line.empty() && line.back() == '\r') { line.remove_suffix(1); }
        return line;
    }
}

std::optional<std::string_view> line_reader::last_line() {
    if (carried_.empty()) { return std::nullopt; }
    is_last_line_cut_ = true;
    line_ = std::move(carried_);
    carried_.clear();
    return line_;
}

}  // namespace memwatch::inline v1::exchange
