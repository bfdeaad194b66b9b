// SPDX-License-Identifier: Apache-2.0
#pragma once
// JSON as one more pair of visitors of the lists of fields (fields.hpp): a row to an object and back, by RapidJSON. Who owns a
// document (a snapshot, JSON lines, a footprint) walks its outer object.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <rapidjson/document.h>
#include <rapidjson/writer.h>

#include "snapshot/fields.hpp"

namespace memwatch::inline v1::codec {

// RapidJSON's output stream over a std::string: no second copy of a dump that may have hundreds of megabytes.
struct string_sink {
    using Ch = char;
    void Put(char c) { text.push_back(c); }
    void Flush() {}
    std::string text;
};

using json_writer = rapidjson::Writer<string_sink>;

// Length of the well-formed UTF-8 sequence at `at` (Unicode 15, table 3-7), 0 when there is none.
inline std::size_t utf8_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const auto is_tail = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
        return byte(i) >= low && byte(i) <= high;
    };
    const unsigned lead = byte(at);
    if (lead < 0x80) { return 1; }
    if (lead >= 0xC2 && lead <= 0xDF) { return is_tail(at + 1) ? 2 : 0; }
    if (lead >= 0xE0 && lead <= 0xEF) {
        return is_tail(at + 1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF) && is_tail(at + 2) ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        const bool second = is_tail(at + 1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
        return second && is_tail(at + 2) && is_tail(at + 3) ? 4 : 0;
    }
    return 0;
}

// The text itself when it is UTF-8, else a copy with each stray byte replaced.
inline std::string_view as_utf8(const std::string& text, std::string& buffer) {
    std::size_t at = 0;
    while (at < text.size()) {
        const auto length = utf8_length(text, at);
        if (length == 0) { break; }
        at += length;
    }
    if (at == text.size()) { return text; }
    buffer.assign(text, 0, at);
    while (at < text.size()) {
        const auto length = utf8_length(text, at);
        if (length == 0) {
            buffer += "\xEF\xBF\xBD";
        } else {
            buffer.append(text, at, length);
        }
        at += length == 0 ? 1 : length;
    }
    return buffer;
}

// The visitor that writes `"key":value` pairs.
class row_writer {
public:
    explicit row_writer(json_writer& out) : out_(out) {}

    void operator()(const char* key, const auto& value) {
        out_.Key(key);
        put(value);
    }
    void in_column(const char* key, const auto& value) { (*this)(key, value); }
    void column(const auto&, auto) {}

    void put(const std::string& value) {
        const auto text = as_utf8(value, buffer_);
        out_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    }
    void put(std::uint64_t value) { out_.Uint64(value); }
    void put(std::uint32_t value) { out_.Uint(value); }
    void put(std::int64_t value) { out_.Int64(value); }
    void put(bool value) { out_.Bool(value); }
    template <word Enum>
    void put(const Enum& value) {
        const auto text = word_of(value);
        out_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    }
    void put(double value) { out_.Double(value); }
    void put(trace_id value) { put(value.is_valid() ? to_string(value) : std::string{}); }
    template <std::size_t Size>
    void put(const double (&values)[Size]) {
        put_array(values);
    }
    template <class Row>
    void put(const std::vector<Row>& rows) {
        put_array(rows);
    }
    template <class Row>
    void put(const Row& row) {
        out_.StartObject();
        fields(*this, row);
        out_.EndObject();
    }

private:
    void put_array(const auto& values) {
        out_.StartArray();
        for (const auto& each : values) { put(each); }
        out_.EndArray();
    }

    json_writer& out_;
    std::string buffer_;
};

// The visitor that fills a row from an object. A field of another type leaves the default and is remembered.
class row_reader {
public:
    explicit row_reader(const rapidjson::Value& object) : object_(object) {}

    void operator()(const char* key, auto& value) {
        const auto found = object_.FindMember(key);
        if (found != object_.MemberEnd() && !get(found->value, value) && !bad_) { bad_ = key; }
    }
    void in_column(const char* key, auto& value) { (*this)(key, value); }
    void column(const auto&, auto) {}

    // First field that could not be read; null = none.
    [[nodiscard]] const char* bad() const { return bad_; }

    static bool get(const rapidjson::Value& from, std::string& to) {
        if (!from.IsString()) { return false; }
        to.assign(from.GetString(), from.GetStringLength());
        return true;
    }
    static bool get(const rapidjson::Value& from, std::uint64_t& to) {
        if (!from.IsUint64()) { return false; }
        to = from.GetUint64();
        return true;
    }
    static bool get(const rapidjson::Value& from, std::uint32_t& to) {
        if (!from.IsUint()) { return false; }
        to = from.GetUint();
        return true;
    }
    static bool get(const rapidjson::Value& from, std::int64_t& to) {
        if (!from.IsInt64()) { return false; }
        to = from.GetInt64();
        return true;
    }
    static bool get(const rapidjson::Value& from, bool& to) {
        if (!from.IsBool()) { return false; }
        to = from.GetBool();
        return true;
    }
    template <word Enum>
    static bool get(const rapidjson::Value& from, Enum& to) {
        if (!from.IsString()) { return false; }
        to = word_from(std::string_view{from.GetString(), from.GetStringLength()}, Enum{});
        return true;
    }
    static bool get(const rapidjson::Value& from, double& to) {
        if (!from.IsNumber()) { return false; }
        to = from.GetDouble();
        return true;
    }
    static bool get(const rapidjson::Value& from, trace_id& to) {
        if (!from.IsString()) { return false; }
        if (from.GetStringLength() == 0) { return true; }
        const auto parsed = parse_trace_id({from.GetString(), from.GetStringLength()});
        if (parsed) { to = *parsed; }
        return parsed.has_value();
    }
    template <std::size_t Size>
    static bool get(const rapidjson::Value& from, double (&to)[Size]) {
        if (!from.IsArray() || from.Size() != Size) { return false; }
        for (rapidjson::SizeType i = 0; i < Size; ++i) {
            if (!get(from[i], to[i])) { return false; }
        }
        return true;
    }
    template <class Row>
    static bool get(const rapidjson::Value& from, std::vector<Row>& to) {
        if (!from.IsArray()) { return false; }
        to.reserve(from.Size());
        for (const auto& each : from.GetArray()) {
            if (!get(each, to.emplace_back())) { return false; }
        }
        return true;
    }
    template <class Row>
    static bool get(const rapidjson::Value& from, Row& to) {
        if (!from.IsObject()) { return false; }
        row_reader nested{from};
        fields(nested, to);
        return nested.bad() == nullptr;
    }

private:
    const rapidjson::Value& object_;
    const char* bad_{};
};

}  // namespace memwatch::inline v1::codec
