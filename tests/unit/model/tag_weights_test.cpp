// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "model/tag_weights.hpp"

using namespace memwatch;

namespace {

std::string refusal(const char* text) {
    const auto parsed = parse_tag_weights(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == error_code::invalid_argument);
    return parsed.error().where + ": " + parsed.error().what;
}

}  // namespace

TEST_CASE("tag_weights: names and weights, spaces around them do not count") {
    const auto parsed = parse_tag_weights(" order-cache = 0.9 ,session=0,a=b=1e-1");
    REQUIRE(parsed);
    REQUIRE(parsed->size() == 3);
    CHECK(((*parsed)[0].tag == "order-cache" && (*parsed)[0].weight == 0.9));
    CHECK(((*parsed)[1].tag == "session" && (*parsed)[1].weight == 0));
    CHECK(((*parsed)[2].tag == "a=b" && (*parsed)[2].weight == 0.1));  // a name may hold '='
    CHECK(parse_tag_weights("")->empty());
    CHECK(parse_tag_weights("  ")->empty());
}

TEST_CASE("tag_weights: what is wrong is said with its item") {
    CHECK(refusal("a=0.5,b") == "b: no weight: write TAG=WEIGHT");
    CHECK(refusal("=0.5") == "=0.5: no tag: write TAG=WEIGHT");
    CHECK(refusal("a=0.5,") == ": no weight: write TAG=WEIGHT");
    CHECK(refusal("a=0.5,a=0.6") == "a: the tag has two weights");
    for (const char* bad : {"a=-0.1", "a=1.01", "a=nan", "a=inf", "a=", "a=high", "a=0.5x", "a=0,5"}) {
        INFO(bad);
        CHECK_FALSE(parse_tag_weights(bad));
    }
    CHECK(refusal("a=2") == "a=2: not a weight: use a number from 0 to 1");
}

TEST_CASE("tag_weights: set by name; tags that are not there are told") {
    snapshot s;
    s.tags = {{"untagged", 0, 0, 0, 0}, {"cash", 0, 0, 0, 0, 0.3}};
    CHECK(set_tag_weights(s, {{"cash", 1}, {"gone", 0.5}}) == std::vector<std::string>{"gone"});
    CHECK(s.tags[1].weight == 1);
    CHECK(s.tags[0].weight == default_tag_weight);
}
