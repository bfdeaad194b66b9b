// SPDX-License-Identifier: Apache-2.0
#include "model/redaction.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::string_view replacement = "[redacted]";

constexpr std::string_view secret_words[] = {"password", "passwd", "passphrase", "pwd",        "secret",      "token",
                                             "apikey",   "jwt",    "bearer",     "credential", "credentials", "authorization"};
constexpr std::string_view secret_kinds_of_key[] = {"api", "access", "secret", "private", "signing", "encryption"};
constexpr std::string_view schemes[] = {"bearer", "basic", "digest", "token", "negotiate"};

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
        const bool is_hump = i > 0 && is_upper(key[i]) && is_lower(key[i - 1]);
        if (!is_in_word(key[i]) || is_hump) { out.emplace_back(); }
        if (is_in_word(key[i])) { out.back() += lower(key[i]); }
    }
    for (std::string& word : out) {
        while (!word.empty() && is_digit(word.back())) { word.pop_back(); }
    }
    out.erase(std::remove(out.begin(), out.end(), std::string()), out.end());
    return out;
}

bool is_secret(const std::vector<std::string>& words) {
    if (words.empty()) { return false; }
    if (is_one_of(words.back(), secret_words)) { return true; }
    return words.size() > 1 && words.back() == "key" && is_one_of(words[words.size() - 2], secret_kinds_of_key);
}

// Reads `text` once, from the left, and copies what is no secret.
class redactor {
public:
    explicit redactor(std::string_view text) : text_(text) {}

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
    // Behind "://": the password of "user:password@".
    void pass_authority() {
        at_ += 3;
        const std::size_t end = std::min(text_.find_first_of("/?# \t\"'", at_), text_.size());
        const std::size_t host = text_.substr(0, end).rfind('@');
        const std::size_t colon = text_.find(':', at_);
        if (host == std::string_view::npos || host < at_ || colon >= host) { return; }
        take_out(colon + 1, host);
    }

    void pass_key() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && is_in_key(text_[at_])) { ++at_; }
        const std::string_view key = text_.substr(begin, at_ - begin);
        const std::vector<std::string> words = words_of(key);
        if (!is_secret(words)) { return; }
        if (const std::size_t value = behind_separator(); value != 0) { return pass_value(value); }
        const std::size_t value = behind_spaces(at_);
        if (value == at_ || value == text_.size()) { return; }
        const bool is_option = key.substr(0, 2) == "--" && text_[value] != '-';
        if (is_option) { return pass_value(value); }
        if (words.back() == "bearer") { pass_credential(value); }
    }

    // Where the value begins behind `=`, `:`, `"...":` or their percent-encoded forms; 0: no separator. `a::b` is a C++ name.
    [[nodiscard]] std::size_t behind_separator() const {
        std::size_t at = at_;
        if (at < text_.size() && (text_[at] == '"' || text_[at] == '\'')) { ++at; }
        at = behind_spaces(at);
        if (at < text_.size() && (text_[at] == '=' || text_[at] == ':')) {
            const bool is_scope = text_.compare(at, 2, "::") == 0 || text_.compare(at, 3, "://") == 0;
            return is_scope ? 0 : behind_spaces(at + 1);
        }
        for (const std::string_view encoded : {"%3D", "%3d", "%3A", "%3a"}) {
            if (text_.compare(at, 3, encoded) == 0) { return at + 3; }
        }
        return 0;
    }

    [[nodiscard]] std::size_t behind_spaces(std::size_t at) const {
        while (at < text_.size() && is_space(text_[at])) { ++at; }
        return at;
    }

    [[nodiscard]] std::size_t end_of_value(std::size_t from) const {
        return std::min(text_.find_first_of(" \t\r\n&;,\"')]}>|#", from), text_.size());
    }

    void pass_value(std::size_t from) {
        if (from < text_.size() && (text_[from] == '"' || text_[from] == '\'')) {
            return take_out(from + 1, std::min(text_.find(text_[from], from + 1), text_.size()));
        }
        std::size_t end = end_of_value(from);
        std::string scheme(text_.substr(from, end - from));
        std::transform(scheme.begin(), scheme.end(), scheme.begin(), lower);
        if (is_one_of(scheme, schemes) && end < text_.size() && is_space(text_[end])) {
            end = end_of_value(behind_spaces(end));
        }
        take_out(from, end);
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
        if (value.size() >= 20 || (value.size() >= 8 && has_digit)) { take_out(from, end); }
    }

    [[nodiscard]] bool is_placeholder(std::size_t from, std::size_t end) const {
        const std::string_view value = text_.substr(from, end - from);
        const bool is_open = !value.empty() && (value.front() == '{' || value.front() == '<');
        return is_open && std::all_of(value.begin() + 1, value.end(), is_in_key);
    }

    void take_out(std::size_t from, std::size_t end) {
        at_ = std::max(end, from);
        const bool is_gone = text_.compare(from, replacement.size(), replacement) == 0;
        if (from >= end || is_gone || is_placeholder(from, end)) { return; }
        out_.append(text_.substr(copied_, from - copied_)).append(replacement);
        copied_ = end;
    }

    const std::string_view text_;
    std::string out_;
    std::size_t at_{};
    std::size_t copied_{};  // of text_, into out_
};

}  // namespace

void redact(std::string& text) {
    if (text.find_first_of("=:% ") == std::string::npos) { return; }  // nearly all names: nothing separates anything
    text = redactor(text).run();
}

std::string redacted(std::string text) {
    redact(text);
    return text;
}

void redact_names(snapshot& s) {
    redact(s.info.service);
    redact(s.info.label);
    for (tag_totals& each : s.tags) { redact(each.name); }
    for (std::string& each : s.routes) { redact(each); }
    for (pool_totals& each : s.pools) {
        redact(each.name);
        redact(each.upstream);
        redact(each.tag);
    }
    for (thread_info& each : s.threads) { redact(each.name); }
    for (hand_off& each : s.hand_offs) {
        redact(each.from);
        redact(each.to);
    }
}

}  // namespace v1
}  // namespace memwatch
