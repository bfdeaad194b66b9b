// SPDX-License-Identifier: Apache-2.0
#include "serve/target.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "serve/utf8.hpp"

namespace serve = memwatch::serve;

TEST_CASE("target: path and parameters come out decoded, in order") {
    const auto t = serve::parse_target("/debug/memtrace/diff?base=a&focus=%2Aapi%2Fv2%2f%2A&threshold=1+MiB&x=&y");
    REQUIRE(t);
    CHECK(t->path == "/debug/memtrace/diff");
    CHECK(t->text("base") == "a");
    CHECK(t->text("focus") == "*api/v2/*");
    CHECK(t->text("threshold") == "1 MiB");
    CHECK(t->find("x") != nullptr);
    CHECK(t->find("y") != nullptr);
    CHECK(t->find("z") == nullptr);
    CHECK(t->text("z", "otherwise") == "otherwise");
    CHECK(serve::parse_target("/a+b")->path == "/a+b");  // '+' is a space in a query only
    CHECK(serve::parse_target("/x?a=b=c")->text("a") == "b=c");
    CHECK(serve::parse_target("/x?&&a=1&&")->parameters.size() == 1);
    CHECK(serve::parse_target("/%c3%a9")->path == "/\xC3\xA9");
}

TEST_CASE("target: what is not a target is refused, with words") {
    struct row {
        std::string target;
        const char* words;
    };
    const row rows[] = {
        {"", "begin with '/'"},
        {"metrics", "begin with '/'"},
        {"http://127.0.0.1/metrics", "begin with '/'"},
        {"*", "begin with '/'"},
        {"/a#b", "fragment"},
        {"/%", "two hex digits"},
        {"/%4", "two hex digits"},
        {"/%zz", "two hex digits"},
        {"/x?a=%1", "a: a '%'"},
        {"/x%00", "control characters"},
        {"/x?a=%0d%0aSet-Cookie:x", "control characters"},
        {"/x?a=%7f", "control characters"},
        {"/x?a=%ff", "not UTF-8"},
        {"/x?a=%ed%a0%80", "not UTF-8"},  // a surrogate
        {"/x?=1", "no name"},
        {"/x?a=1&a=2", "a: given twice"},
    };
    for (const row& r : rows) {
        INFO(r.target);
        const auto t = serve::parse_target(r.target);
        REQUIRE_FALSE(t);
        CHECK(t.error().code == memwatch::error_code::invalid_argument);
        CHECK(t.error().message().find(r.words) != std::string::npos);
    }
    std::string many = "/x?";
    for (int i = 0; i < 33; ++i) { many += "p" + std::to_string(i) + "=&"; }
    CHECK(serve::parse_target(many).error().what == "too many query parameters");
    CHECK(serve::parse_target("/" + std::string(8192, 'a')).error().code == memwatch::error_code::limit);
    CHECK(serve::parse_target("/" + std::string(8191, 'a')).has_value());
}

TEST_CASE("target: numbers and choices name the parameter and what is allowed") {
    const auto t = serve::parse_target("/x?top=20&bad=2x&minus=-1&big=101&huge=99999999999999999999&none=&format=yaml");
    REQUIRE(t);
    CHECK(t->number("top", 5, 100).value() == 20);
    CHECK(t->number("absent", 5, 100).value() == 5);
    for (const char* name : {"bad", "minus", "big", "huge", "none"}) {
        CHECK(t->number(name, 5, 100).error().message() == std::string(name) + ": must be a whole number from 0 to 100");
    }
    CHECK(t->choice("format", "json", "json|text").error().message() == "format: must be one of json|text");
    CHECK(t->choice("absent", "json", "json|text").value() == "json");
}

TEST_CASE("target: a list holds its words and not their parts") {
    CHECK(serve::is_listed("b", "a|b|c"));
    CHECK(serve::is_listed("c", "a|b|c"));
    CHECK_FALSE(serve::is_listed("", "a||c"));
    CHECK_FALSE(serve::is_listed("a", ""));
    CHECK_FALSE(serve::is_listed("form", "format|top"));
}

TEST_CASE("utf8: bytes that are no character become U+FFFD, and a cut never splits one") {
    CHECK(serve::to_utf8("plain", 100) == "plain");
    CHECK(serve::to_utf8("a\xFFz", 100) == "a\xEF\xBF\xBDz");
    CHECK(serve::to_utf8("\xC0\xAF", 100) == "\xEF\xBF\xBD\xEF\xBF\xBD");  // overlong
    CHECK(serve::to_utf8("\xF4\x90\x80\x80", 100).size() == 12);           // above U+10FFFF
    CHECK(serve::to_utf8("\xF0\x9F\x92\xA7", 100) == "\xF0\x9F\x92\xA7");
    CHECK(serve::to_utf8("\xE2\x82", 100) == "\xEF\xBF\xBD\xEF\xBF\xBD");  // cut short
    CHECK(serve::to_utf8("ab\xC3\xA9z", 3) == "ab...");
    CHECK(serve::to_utf8("ab\xC3\xA9z", 4) == "ab\xC3\xA9...");
    CHECK(serve::is_utf8("\xC3\xA9"));
    CHECK_FALSE(serve::is_utf8("\xE9"));
}
