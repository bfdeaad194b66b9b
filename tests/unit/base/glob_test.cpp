// SPDX-License-Identifier: Apache-2.0
#include "base/glob.hpp"

#include <catch2/catch.hpp>
#include <string>

using memwatch::glob_matches;
using memwatch::question_mark;

TEST_CASE("glob: a star is any run of characters, the ends are bound") {
    const auto matches = [](const char* pattern, const char* text) {
        const bool is_joker = glob_matches(pattern, text, question_mark::any_character);
        CHECK(is_joker == glob_matches(pattern, text, question_mark::itself));
        return is_joker;
    };
    CHECK(matches("", ""));
    CHECK(matches("*", ""));
    CHECK(matches("**", "abc"));
    CHECK(matches("*api/v2/*", "GET /api/v2/orders"));
    CHECK(matches("a*b*c", "aXbYbZc"));
    CHECK_FALSE(matches("", "a"));
    CHECK_FALSE(matches("a", ""));
    CHECK_FALSE(matches("api", "/api"));
    CHECK_FALSE(matches("a*b", "ac"));
    CHECK_FALSE(matches("a*bc", "abcd"));
}

TEST_CASE("glob: a question mark is one character, or itself") {
    CHECK(glob_matches("a?c", "abc", question_mark::any_character));
    CHECK_FALSE(glob_matches("a?c", "ac", question_mark::any_character));
    CHECK_FALSE(glob_matches("a?c", "abc", question_mark::itself));
    CHECK(glob_matches("a?c", "a?c", question_mark::itself));
}
