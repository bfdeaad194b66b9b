// SPDX-License-Identifier: Apache-2.0
#include "serve/answers.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

unsigned status_of(error_code code) {
    switch (code) {
        case error_code::invalid_argument:
            return 400;
        case error_code::not_found:
            return 404;
        case error_code::unsupported:
            return 501;
        case error_code::limit:
            return 413;
        case error_code::unavailable:
            return 503;
        case error_code::unreachable:
            return 502;
        case error_code::unreadable:
        case error_code::io:
            break;
    }
    return 500;
}

constexpr format_row formats[] = {
    {"memtrace", "application/octet-stream", "memwatch.memtrace", false},
    {"json", json_type, "memwatch.json", true},
    {"jsonl", "application/x-ndjson", "memwatch.jsonl", true},
    {"pprof", "application/octet-stream", "memwatch.pb.gz", true},
    {"pprof_allocs", "application/octet-stream", "memwatch.pb.gz", true},
    {"folded", text_type, "memwatch.folded", true},
};

}  // namespace

http_response answer(unsigned status, const char* content_type, std::string body) {
    http_response out;
    out.status = status;
    out.headers = {{"Content-Type", content_type}};
    out.body = std::move(body);
    return out;
}

http_response refuse(unsigned status, std::string_view what) { return answer(status, text_type, std::string(what) + "\n"); }

http_response refuse(const error& e) { return refuse(status_of(e.code), e.message()); }

http_response rendered(result<std::string> body, const char* content_type) {
    return body ? answer(200, content_type, std::move(*body)) : refuse(body.error());
}

const format_row* find_format(std::string_view name) {
    const auto* const it = std::find_if(std::begin(formats), std::end(formats), [&](const auto& f) { return f.name == name; });
    return it == std::end(formats) ? nullptr : it;
}

http_response attachment(result<std::string> body, const format_row& format) {
    http_response out = rendered(std::move(body), format.content_type);
    if (out.status == 200) {
        out.headers.emplace_back("Content-Disposition", std::string("attachment; filename=\"") + format.file_name + "\"");
    }
    return out;
}

std::string escape_html(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string html_page(std::string_view text) {
    return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>memwatch</title></head>\n<body><pre>" +
           escape_html(text) + "</pre></body></html>\n";
}

void add_security_headers(http_response& response) {
    response.headers.emplace_back("X-Content-Type-Options", "nosniff");
    response.headers.emplace_back("Cache-Control", "no-store");
    response.headers.emplace_back("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
    response.headers.emplace_back("Referrer-Policy", "no-referrer");
    response.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
