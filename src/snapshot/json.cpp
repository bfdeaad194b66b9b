// SPDX-License-Identifier: Apache-2.0
#include "snapshot/json.hpp"

#include <array>
#include <limits>
#include <optional>

#include <rapidjson/document.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/writer.h>

#include "snapshot/fields.hpp"

namespace memwatch::inline v1::codec {
namespace {

constexpr const char* document_format = "memwatch-snapshot";
constexpr const char* lines_format = "memwatch-lines";
constexpr std::uint64_t json_version = 1;

// ---------------------------------------------------------------------------------------------------------------- writing

// RapidJSON's output stream over a std::string: no second copy of a dump that may have hundreds of megabytes.
struct string_sink {
    using Ch = char;
    void Put(char c) { text.push_back(c); }
    void Flush() {}
    std::string text;
};

using json_writer = rapidjson::Writer<string_sink>;

// Length of the well-formed UTF-8 sequence at `at` (Unicode 15, table 3-7), 0 when there is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
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
std::string_view as_utf8(const std::string& text, std::string& buffer) {
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

void put_header(json_writer& out, const char* format) {
    out.Key("format");
    out.String(format);
    out.Key("version");
    out.Uint64(json_version);
}

// ---------------------------------------------------------------------------------------------------------------- reading

constexpr unsigned parse_flags = rapidjson::kParseIterativeFlag | rapidjson::kParseFullPrecisionFlag |
                                 rapidjson::kParseStopWhenDoneFlag | rapidjson::kParseValidateEncodingFlag;

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

// Reads one JSON value after the other from the same bytes, into a pool that is emptied in between: memory follows the largest
// row, not the document.
class value_reader {
public:
    explicit value_reader(std::string_view bytes) : bytes_(bytes) {}

    // The next value, or null at a syntax error. Valid until the next call.
    const rapidjson::Value* next() {
        pool_.Clear();
        document_.emplace(&pool_);
        rapidjson::MemoryStream stream(bytes_.data() + at_, bytes_.size() - at_);
        document_->ParseStream<parse_flags, rapidjson::UTF8<>>(stream);
        if (document_->HasParseError()) {
            at_ += document_->GetErrorOffset();
            return nullptr;
        }
        at_ += stream.Tell();
        return &*document_;
    }

    // Skips white space, then `c` when it stands there.
    bool take(char c) {
        skip_space();
        if (at_ >= bytes_.size() || bytes_[at_] != c) { return false; }
        ++at_;
        return true;
    }

    [[nodiscard]] std::size_t at() const { return at_; }

private:
    void skip_space() {
        while (at_ < bytes_.size() &&
               (bytes_[at_] == ' ' || bytes_[at_] == '\n' || bytes_[at_] == '\r' || bytes_[at_] == '\t')) {
            ++at_;
        }
    }

    std::string_view bytes_;
    std::size_t at_{};
    rapidjson::MemoryPoolAllocator<> pool_;
    std::optional<rapidjson::Document> document_;
};

// Calls `action(rows)` with the table of that name, `live` included; false when there is none.
bool with_table(snapshot& s, std::string_view name, auto&& action) {
    bool found = false;
    const auto visit = [&](table_name table, auto& rows) {
        if (!found && name == table.json) {
            found = true;
            action(rows);
        }
    };
    tables(visit, s);
    visit(table_name{"live", "LIVE"}, s.live);
    return found;
}

result<void> check_version(const rapidjson::Value& version) {
    if (version.IsUint64() && version.GetUint64() <= json_version) { return {}; }
    return fail(error_code::unsupported, "a newer version of the JSON snapshot than this build reads", "version");
}

// Reads the outer object by hand and leaves every value in it to RapidJSON, a row at a time.
class document_reader {
public:
    explicit document_reader(std::string_view bytes) : in_(bytes) {}

    result<decoded_snapshot> read() {
        if (!in_.take('{')) { return fail(error_code::unreadable, "not a JSON object", "byte 0"); }
        bool is_whole = in_.take('}');
        while (!is_whole && !failure_ && read_member()) {
            is_whole = in_.take('}');
            if (!is_whole && !in_.take(',')) { break; }
        }
        if (failure_) { return tl::unexpected<error>(*failure_); }
        if (!is_whole) { out_.damage.push_back("byte " + std::to_string(in_.at()) + ": the JSON ends or breaks here"); }
        if (!is_ours_) { return fail(error_code::unreadable, "a JSON object, but not a memwatch snapshot", "format"); }
        return std::move(out_);
    }

private:
    bool read_member() {
        const auto* key_value = in_.next();
        if (key_value == nullptr || !key_value->IsString()) { return false; }
        const std::string key{key_value->GetString(), key_value->GetStringLength()};
        if (!in_.take(':')) { return false; }
        bool is_fine = true;
        if (with_table(out_.value, key, [&](auto& rows) { is_fine = read_table(key, rows); })) { return is_fine; }
        const auto* value = in_.next();
        if (value == nullptr) { return false; }
        take_single(key, *value);
        return true;
    }

    void take_single(const std::string& key, const rapidjson::Value& value) {
        if (key == "format") { is_ours_ = value.IsString() && std::string_view{value.GetString()} == document_format; }
        if (key == "version") {
            if (auto checked = check_version(value); !checked) { failure_ = checked.error(); }
        }
        if (key == "info" && !row_reader::get(value, out_.value.info)) {
            out_.damage.push_back("info: a field of another type");
        }
    }

    template <class Row>
    bool read_table(const std::string& key, std::vector<Row>& rows) {
        if (!in_.take('[')) { return false; }
        if (in_.take(']')) { return true; }
        do {
            const auto* value = in_.next();
            if (value == nullptr) { return false; }
            Row row{};
            if (!row_reader::get(*value, row)) {
                out_.damage.push_back(key + "[" + std::to_string(rows.size()) + "]: a field of another type");
                row = Row{};
            }
            rows.push_back(std::move(row));
        } while (in_.take(','));
        return in_.take(']');
    }

    value_reader in_;
    decoded_snapshot out_;
    std::optional<error> failure_;
    bool is_ours_{};
};

// Reads line by line; a broken line costs itself, because each row says where it belongs.
class lines_reader {
public:
    explicit lines_reader(std::string_view bytes) : bytes_(bytes) {}

    result<decoded_snapshot> read() {
        while (!bytes_.empty()) {
            const auto end = bytes_.find('\n');
            ++line_;
            auto taken = take_line(bytes_.substr(0, end));
            if (!taken) { return tl::unexpected<error>(taken.error()); }
            bytes_.remove_prefix(end == std::string_view::npos ? bytes_.size() : end + 1);
        }
        if (!has_end_) { out_.damage.emplace_back("the last line is missing: rows may be lost"); }
        return std::move(out_);
    }

private:
    void note(const char* what) { out_.damage.push_back("line " + std::to_string(line_) + ": " + what); }

    result<void> take_line(std::string_view line) {
        value_reader in{line};
        const auto* row = in.next();
        if (row == nullptr || !row->IsObject()) {
            note("not a JSON object");
            return {};
        }
        if (line_ == 1) { return take_header(*row); }
        const auto table = row->FindMember("table");
        if (table == row->MemberEnd() || !table->value.IsString()) {
            note("names no table");
            return {};
        }
        take_row(*row, {table->value.GetString(), table->value.GetStringLength()});
        return {};
    }

    static result<void> take_header(const rapidjson::Value& row) {
        const auto version = row.FindMember("version");
        if (version == row.MemberEnd()) { return fail(error_code::unreadable, "the first line names no version", "line 1"); }
        return check_version(version->value);
    }

    void take_row(const rapidjson::Value& from, std::string_view table) {
        if (table == "info") {
            if (!row_reader::get(from, out_.value.info)) { note("a field of another type"); }
            return;
        }
        if (table == "end") {
            has_end_ = true;
            const auto rows = from.FindMember("rows");
            if (rows == from.MemberEnd() || !rows->value.IsUint64() || rows->value.GetUint64() != rows_) {
                note("rows are missing");
            }
            return;
        }
        ++rows_;
        with_table(out_.value, table, [&](auto& rows) { place(from, rows); });
    }

    // Rows that are missing in between are left empty; there can't be more of them than lines so far.
    template <class Row>
    void place(const rapidjson::Value& from, std::vector<Row>& rows) {
        const auto index = from.FindMember("index");
        if (index == from.MemberEnd() || !index->value.IsUint64() || index->value.GetUint64() < rows.size() ||
            index->value.GetUint64() >= line_) {
            return note("its index is out of order");
        }
        if constexpr (!std::is_same_v<Row, live_record>) { rows.resize(index->value.GetUint64()); }
        Row row{};
        if (!get_row(from, row)) {
            note("a field of another type");
            row = Row{};
        }
        rows.push_back(std::move(row));
    }

    static bool get_row(const rapidjson::Value& from, std::string& row) {
        row_reader reader{from};
        fields(reader, row);
        return reader.bad() == nullptr;
    }
    static bool get_row(const rapidjson::Value& from, auto& row) { return row_reader::get(from, row); }

    std::string_view bytes_;
    std::size_t line_{};
    std::size_t rows_{};
    bool has_end_{};
    decoded_snapshot out_;
};

}  // namespace

std::string encode_json(const snapshot& s) {
    string_sink sink;
    json_writer out{sink};
    row_writer rows{out};
    out.StartObject();
    put_header(out, document_format);
    rows("info", s.info);
    const auto put_table = [&](table_name table, const auto& values) { rows(table.json, values); };
    tables(put_table, s);
    rows("live", s.live);
    out.EndObject();
    sink.text += '\n';
    return std::move(sink.text);
}

std::string encode_json_lines(const snapshot& s) {
    string_sink sink;
    json_writer out{sink};
    row_writer rows{out};
    std::uint64_t row_count = 0;
    const auto put_line = [&](auto&& put_fields) {
        out.Reset(sink);
        out.StartObject();
        put_fields();
        out.EndObject();
        sink.text += '\n';
    };
    const auto put_table = [&](table_name table, const auto& values) {
        row_count += values.size();
        for (std::size_t i = 0; i < values.size(); ++i) {
            put_line([&] {
                out.Key("table");
                out.String(table.json);
                rows("index", static_cast<std::uint64_t>(i));
                fields(rows, values[i]);
            });
        }
    };
    put_line([&] { put_header(out, lines_format); });
    put_line([&] {
        out.Key("table");
        out.String("info");
        fields(rows, s.info);
    });
    tables(put_table, s);
    put_table(table_name{"live", "LIVE"}, s.live);
    put_line([&] {
        out.Key("table");
        out.String("end");
        rows("rows", row_count);
    });
    return std::move(sink.text);
}

result<decoded_snapshot> decode_json(std::string_view bytes) { return document_reader{bytes}.read(); }
result<decoded_snapshot> decode_json_lines(std::string_view bytes) { return lines_reader{bytes}.read(); }

bool looks_like_json(std::string_view bytes) {
    const auto first = bytes.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && bytes[first] == '{';
}

bool looks_like_json_lines(std::string_view bytes) {
    return looks_like_json(bytes) && bytes.substr(0, bytes.find('\n')).find(lines_format) != std::string_view::npos &&
           bytes.substr(0, 200).find(lines_format) != std::string_view::npos;
}

}  // namespace memwatch::inline v1::codec
