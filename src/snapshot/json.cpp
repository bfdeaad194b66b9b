// SPDX-License-Identifier: Apache-2.0
#include "snapshot/json.hpp"

#include <array>
#include <limits>
#include <optional>

#include <rapidjson/memorystream.h>

#include "snapshot/json_rows.hpp"

namespace memwatch::inline v1::codec {
namespace {

constexpr const char* document_format = "memwatch-snapshot";
constexpr const char* lines_format = "memwatch-lines";
constexpr std::uint64_t json_version = 1;

// ---------------------------------------------------------------------------------------------------------------- writing

void put_header(json_writer& out, const char* format) {
    out.Key("format");
    out.String(format);
    out.Key("version");
    out.Uint64(json_version);
}

// ---------------------------------------------------------------------------------------------------------------- reading

constexpr unsigned parse_flags = rapidjson::kParseIterativeFlag | rapidjson::kParseFullPrecisionFlag |
                                 rapidjson::kParseStopWhenDoneFlag | rapidjson::kParseValidateEncodingFlag;

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
