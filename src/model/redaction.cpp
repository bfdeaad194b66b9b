// SPDX-License-Identifier: Apache-2.0
#include "model/redaction.hpp"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <string_view>
#include <vector>

#include "base/siphash.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::string_view replacement = "[redacted]";

// The last word of a key is one of these ...
constexpr std::string_view secret_words[] = {"pwd", "jwt", "bearer", "credential", "credentials", "authorization"};
// ... or the last two, written together, end in one of these: "PGPASSWORD", "pass_word", "secretkey", "csrftoken".
constexpr std::string_view secret_endings[] = {"password",  "passwords",  "passwd",     "passphrase",
                                               "secret",    "token",      "apikey",     "accesskey",
                                               "secretkey", "privatekey", "signingkey", "encryptionkey"};
// "pass" is a word of compilers and renderers too: alone, or whose it is.
constexpr std::string_view owners_of_pass[] = {"db",    "user", "admin", "root",  "auth",
                                               "login", "smtp", "mail",  "proxy", "redis"};
constexpr std::string_view schemes[] = {"bearer", "basic", "token", "negotiate"};  // one credential behind them
constexpr std::string_view placeholder_words[] = {"id", "key", "value", "name", "string", "placeholder"};

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
char lower(char c) noexcept { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_in_word(char c) noexcept { return is_digit(c) || is_upper(c) || is_lower(c); }
bool is_in_key(char c) noexcept { return is_in_word(c) || c == '_' || c == '-' || c == '.'; }
bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }

template <std::size_t Count>
bool is_one_of(std::string_view word, const std::string_view (&list)[Count]) noexcept {
    return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

// The words of a key, in lower case and without numbers behind them: "dbPassword2" -> db, password.
std::vector<std::string> words_of(std::string_view key) {
    std::vector<std::string> out(1);
    for (std::size_t i = 0; i < key.size(); ++i) {
        const bool begins_word = i + 1 < key.size() && is_lower(key[i + 1]);  // the T of "APIToken"
        const bool is_hump = i > 0 && is_upper(key[i]) && (is_lower(key[i - 1]) || (is_upper(key[i - 1]) && begins_word));
        if (!is_in_word(key[i]) || is_hump) { out.emplace_back(); }
        if (is_in_word(key[i])) { out.back() += lower(key[i]); }
    }
    for (std::string& word : out) {
        while (!word.empty() && is_digit(word.back())) { word.pop_back(); }
    }
    out.erase(std::remove(out.begin(), out.end(), std::string()), out.end());
    return out;
}

bool ends_with(std::string_view text, std::string_view end) noexcept {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// Whether the key's last words, written together, are one of `wanted`.
bool ends_in_any(const std::vector<std::string>& words, const std::vector<std::string>& wanted) {
    std::string tail;
    for (auto word = words.rbegin(); !wanted.empty() && word != words.rend(); ++word) {
        tail.insert(0, *word);
        if (std::find(wanted.begin(), wanted.end(), tail) != wanted.end()) { return true; }
    }
    return false;
}

bool is_secret(const std::vector<std::string>& words) {
    if (words.empty()) { return false; }
    const std::string& last = words.back();
    const std::string before = words.size() > 1 ? words[words.size() - 2] : std::string();
    if (last == "pass") { return before.empty() || is_one_of(before, owners_of_pass); }
    const std::string both = before + last;
    return is_one_of(last, secret_words) ||
           std::any_of(std::begin(secret_endings), std::end(secret_endings), [&](auto end) { return ends_with(both, end); });
}

// Reads `text` once, from the left, and copies what is no secret.
class redactor {
public:
    redactor(std::string_view text, const std::vector<std::string>& more_words) : text_(text), more_words_(more_words) {}

    std::string run() {
        while (at_ < text_.size()) {
            if (text_.compare(at_, 3, "://") == 0) {
                pass_authority();
            } else if (is_in_key(text_[at_])) {
                pass_key();
            } else {
                ++at_;
            }
        }
        out_.append(text_.substr(copied_));
        return std::move(out_);
    }

private:
    // Behind "://": the password of "user:password@", also with slashes in it, and a user who is long enough to be a token.
    void pass_authority() {
        at_ += 3;
        std::size_t end = std::min(text_.find_first_of("/?# \t\r\n\"'", at_), text_.size());
        const std::size_t colon = std::min(text_.find(':', at_), end);
        if (!has_at_sign(end) && colon < end && text_[at_] != '[' && !is_number(colon + 1, end)) {
            end = std::min(text_.find_first_of(" \t\r\n\"'", at_), text_.size());
        }
        if (!has_at_sign(end)) { return; }
        const std::size_t host = text_.substr(0, end).rfind('@');
        if (std::min(colon, host) - at_ >= shortest_token) { return take_out(at_, host); }
        if (colon < host) { take_out(colon + 1, host); }
    }

    [[nodiscard]] bool has_at_sign(std::size_t end) const {
        return text_.substr(at_, end - at_).find('@') != std::string_view::npos;
    }

    [[nodiscard]] bool is_number(std::size_t from, std::size_t end) const {
        const std::string_view text = text_.substr(from, end - from);
        return std::all_of(text.begin(), text.end(), is_digit);
    }

    void pass_key() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && is_in_key(text_[at_])) { ++at_; }
        const std::string_view key = text_.substr(begin, at_ - begin);
        const std::vector<std::string> words = words_of(key);
        if (!is_secret(words) && !ends_in_any(words, more_words_)) { return; }
        if (const std::size_t value = behind_separator(); value != 0) { return pass_value(value, words.back()); }
        const std::size_t value = behind_spaces(at_);
        if (value == at_ || value == text_.size()) { return; }
        const bool is_option = key.substr(0, 2) == "--" && text_[value] != '-';
        if (is_option) { return pass_value(value, words.back()); }
        if (words.back() == "bearer") { pass_credential(value); }
    }

    // Where the value begins behind `=`, `:`, `=>`, `"...":`, `[]=` or their percent-encoded forms; 0: no separator. `a::b` is
    // a C++ name.
    [[nodiscard]] std::size_t behind_separator() const {
        const std::size_t at = behind_spaces(behind_key());
        if (at < text_.size() && (text_[at] == '=' || text_[at] == ':')) {
            if (text_.compare(at, 2, "::") == 0 || text_.compare(at, 3, "://") == 0) { return 0; }
            const bool is_long = at + 1 < text_.size() && (text_[at + 1] == '=' || text_[at + 1] == '>');
            return behind_spaces(at + (is_long ? 2 : 1));
        }
        return is_any_at(at, {"%3D", "%3d", "%3A", "%3a"}) ? at + 3 : 0;
    }

    // What may stand between a key and its separator: an index ("token[]=", "user[token]="), then a quote.
    [[nodiscard]] std::size_t behind_key() const {
        std::size_t at = at_;
        if (at < text_.size() && text_[at] == '[') {
            while (++at < text_.size() && is_in_key(text_[at])) {}
            if (at == text_.size() || text_[at] != ']') { return at_; }
            ++at;
        } else if (at < text_.size() && text_[at] == ']') {
            ++at;
        } else {
            if (is_any_at(at, {"%5B", "%5b"})) { at += 3; }
            if (is_any_at(at, {"%5D", "%5d"})) { at += 3; }
        }
        if (is_any_at(at, {"\\\"", "\\'"})) { return at + 2; }
        if (is_any_at(at, {"%22", "%27"})) { return at + 3; }
        return is_any_at(at, {"\"", "'"}) ? at + 1 : at;
    }

    [[nodiscard]] bool is_any_at(std::size_t at, std::initializer_list<std::string_view> what) const {
        return at < text_.size() && std::any_of(what.begin(), what.end(), [&](std::string_view each) {
                   return text_.compare(at, each.size(), each) == 0;
               });
    }

    [[nodiscard]] std::size_t behind_spaces(std::size_t at) const {
        while (at < text_.size() && is_space(text_[at])) { ++at; }
        return at;
    }

    // A quote, comma or closing bracket ends a value only where nothing of it can follow: "ab,REST" is one value, "ab,x=1" two.
    // Depends on what stands behind `at` only: so it holds as well when the value has become "[redacted]".
    [[nodiscard]] bool is_end_of_value(std::size_t at) const {
        const std::size_t next = std::min(text_.find_first_not_of(perhaps_ends, at), text_.size());
        if (next == text_.size() || ends.find(text_[next]) != std::string_view::npos) { return true; }
        if (next == at) { return false; }
        std::size_t behind = next;
        while (behind < text_.size() && is_in_key(text_[behind])) { ++behind; }
        if (behind == next) { return false; }
        if (is_any_at(behind, {"\"", "'"})) { ++behind; }
        return is_any_at(behind, {"=", ":", "%3D", "%3d", "%3A", "%3a"});
    }

    [[nodiscard]] std::size_t end_of_value(std::size_t at) const {
        for (; at < text_.size(); ++at) {
            at = std::min(text_.find_first_of(" \t\r\n&#;,\"')]}>|", at), text_.size());
            if (is_end_of_value(at)) { return at; }
            at =
                std::min(text_.find_first_not_of(perhaps_ends, at), text_.size()) - 1;  // once over a run, not once a character
        }
        return text_.size();
    }

    void pass_value(std::size_t from, std::string_view last_word) {
        if (from < text_.size() && (text_[from] == '"' || text_[from] == '\'')) { return pass_quoted(from); }
        if (const std::size_t end = end_of_placeholder(from); end != 0) { return take_out(end, end); }
        if (text_.compare(from, replacement.size(), replacement) == 0) {
            const std::size_t behind = from + replacement.size();
            return take_out(from, end_of_value(behind));
        }
        std::size_t end = end_of_value(from);
        std::string scheme(text_.substr(from, end - from));
        std::transform(scheme.begin(), scheme.end(), scheme.begin(), lower);
        if (end < text_.size() && is_space(text_[end])) {
            if (is_one_of(scheme, schemes)) {
                end = end_of_value(behind_spaces(end));
            } else if (scheme == "digest" || last_word == "authorization") {  // a list of parameters
                end = std::min(text_.find_first_of("\r\n", end), text_.size());
            }
        }
        take_out(from, end);
    }

    // From the quote at `from` to its like, over escaped ones; one that goes on behind it goes as a whole.
    void pass_quoted(std::size_t from) {
        std::size_t close = from + 1;
        while (close < text_.size() && text_[close] != text_[from]) { close += text_[close] == '\\' ? 2 : 1; }
        if (close >= text_.size()) { return take_out(from + 1, text_.size()); }
        if (!is_end_of_value(close + 1)) { return take_out(from, end_of_value(close + 1)); }
        if (end_of_placeholder(from + 1) == close) { return take_out(close, close); }
        take_out(from + 1, close);
    }

    // "Bearer eyJhbGciOi..." but not "bearer of news".
    void pass_credential(std::size_t from) {
        std::size_t end = from;
        while (end < text_.size() &&
               (is_in_key(text_[end]) || std::string_view("~+/=").find(text_[end]) != std::string_view::npos)) {
            ++end;
        }
        const std::string_view value = text_.substr(from, end - from);
        const bool has_digit = std::any_of(value.begin(), value.end(), is_digit);
        if (value.size() >= shortest_token || (value.size() >= 8 && has_digit)) { take_out(from, end); }
    }

    // Of "{token}" or "<your-password>" at `from`; 0: another value, maybe a real one that somebody put into brackets.
    [[nodiscard]] std::size_t end_of_placeholder(std::size_t from) const {
        if (from >= text_.size() || (text_[from] != '{' && text_[from] != '<')) { return 0; }
        const bool is_route = text_[from] == '{';
        const std::size_t close = text_.find(is_route ? '}' : '>', from);
        if (close == std::string_view::npos) { return 0; }
        const std::string_view name = text_.substr(from + 1, close - from - 1);
        const bool is_name = std::all_of(name.begin(), name.end(), [](char c) { return is_in_key(c) && !is_digit(c); });
        if (!is_name || !(is_end_of_value(close + 1) || (is_route && text_[close + 1] == '/'))) { return 0; }
        const std::vector<std::string> words = words_of(name);
        return words.empty() || is_secret(words) || ends_in_any(words, more_words_) ||
                       is_one_of(words.back(), placeholder_words)
                   ? close + 1
                   : 0;
    }

    void take_out(std::size_t from, std::size_t end) {
        at_ = std::max(end, from);
        if (from >= end || text_.substr(from, end - from) == replacement) { return; }
        out_.append(text_.substr(copied_, from - copied_)).append(replacement);
        copied_ = end;
    }

    static constexpr std::size_t shortest_token = 20;  // where only its length tells it from a name
    static constexpr std::string_view ends = " \t\r\n&#";
    static constexpr std::string_view perhaps_ends = ";,\"')]}>|";
    const std::string_view text_;
    const std::vector<std::string>& more_words_;
    std::string out_;
    std::size_t at_{};
    std::size_t copied_{};  // of text_, into out_
};

// Another id for `id`, the same for the same key; "no trace" stays that.
void hide(trace_id& id, siphash_key key) noexcept {
    if (!id.is_valid()) { return; }
    siphash_state state(key);
    state.add(id.high);
    state.add(id.low);
    const siphash_value hidden = state.finish();
    id = {hidden.first, hidden.second};
    if (!id.is_valid()) { id.low = 1; }  // all zero says that there is none
}

void hide_traces(snapshot& s, siphash_key key) noexcept {
    for (live_record& each : s.live) { hide(each.trace, key); }
    for (trace_example& each : s.examples) { hide(each.trace, key); }
    for (lifetime_example& each : s.lifetime_examples) { hide(each.trace, key); }
    for (pool_totals& each : s.pools) { hide(each.oldest_trace, key); }
}

}  // namespace

std::vector<std::string> redaction_words(std::string_view list) {
    std::vector<std::string> out(1);
    for (const char c : list) {
        if (c == ',' || is_space(c)) {
            out.emplace_back();
        } else if (is_in_word(c)) {
            out.back() += lower(c);
        }
    }
    for (std::string& word : out) {
        while (!word.empty() && is_digit(word.back())) { word.pop_back(); }  // as words_of() drops them
    }
    out.erase(std::remove(out.begin(), out.end(), std::string()), out.end());
    return out;
}

void redact(std::string& text, const std::vector<std::string>& words) {
    if (text.find_first_of("=:% ") == std::string::npos) { return; }  // nearly all names: nothing separates anything
    text = redactor(text, words).run();
}

std::string redacted(std::string text, const std::vector<std::string>& words) {
    redact(text, words);
    return text;
}

void redact_names(snapshot& s, const redaction_rules& rules) {
    const auto take_out = [&](std::string& name) { redact(name, rules.words); };
    take_out(s.info.service);
    take_out(s.info.label);
    for (tag_totals& each : s.tags) { take_out(each.name); }
    for (std::string& each : s.routes) { take_out(each); }
    for (pool_totals& each : s.pools) {
        take_out(each.name);
        take_out(each.upstream);
        take_out(each.tag);
    }
    for (thread_info& each : s.threads) { take_out(each.name); }
    for (hand_off& each : s.hand_offs) {
        take_out(each.from);
        take_out(each.to);
    }
    if ((rules.trace_key.first | rules.trace_key.second) != 0) { hide_traces(s, rules.trace_key); }
}

}  // namespace v1
}  // namespace memwatch
