// SPDX-License-Identifier: Apache-2.0
// The table of options: what text makes of it, and where each value is said to come from.
#include <catch2/catch.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "settings/chosen_options.hpp"

using namespace memwatch;

namespace {

chosen_options choose(options from_code = {}) {
    std::vector<std::string> warnings;
    chosen_options out = choose_options(std::move(from_code), warnings);
    CHECK(warnings.empty());
    return out;
}

std::vector<std::string> overlay(std::vector<const char*> environment, chosen_options& into) {
    std::vector<std::string> warnings;
    environment.push_back(nullptr);
    overlay_environment(environment.data(), into, warnings);
    return warnings;
}

bool mentions(const std::vector<std::string>& warnings, std::string_view text) {
    return std::any_of(warnings.begin(), warnings.end(),
                       [&](const std::string& w) { return w.find(text) != std::string::npos; });
}

template <class Visit>
void for_each_option(Visit visit) {
    for (std::size_t i = 0; i < option_count; ++i) { visit(static_cast<option_id>(i), describe(static_cast<option_id>(i))); }
}

}  // namespace

TEST_CASE("options: the environment overlays the code, bad values keep it, unknown names are said") {
    options code;
    code.service = "from-code";
    code.stack_depth = 10;
    chosen_options into = choose(code);
    const auto warnings = overlay({"PATH=/bin", "MEMWATCH_SERVICE=from-env", "MEMWATCH_INTERVAL=64KiB", "MEMWATCH_EPOCH=250ms",
                                   "MEMWATCH_PRESET=full", "MEMWATCH_UNWINDER=sideways", "MEMWATCH_STACK_DEPTH=twelve",
                                   "MEMWATCH_BUDGET=5 parsecs", "MEMWATCH_INTERVALL=1", "MEMWATCH_LISTEN=127.0.0.1:0"},
                                  into);
    CHECK(into.service == "from-env");
    CHECK(into.interval_bytes == 64 << 10);
    CHECK(into.epoch_ns == 250'000'000);
    CHECK(into.preset == preset_option::full);
    CHECK(into.stack_depth == 10);
    CHECK(into.unwinder == unwinder_option::automatic);
    CHECK(into.budget_bytes == options{}.budget_bytes);
    CHECK(warnings.size() == 4);
    CHECK(mentions(warnings, "MEMWATCH_UNWINDER is ignored: sideways: not one of auto, fp, dwarf"));
    CHECK(mentions(warnings, "MEMWATCH_STACK_DEPTH is ignored"));
    CHECK(mentions(warnings, "MEMWATCH_BUDGET is ignored"));
    CHECK(mentions(warnings, "MEMWATCH_INTERVALL is not an option of memwatch; MEMWATCH_INTERVAL is one"));
}

TEST_CASE("options: each value remembers where it comes from, and what was refused never counts") {
    options code;
    code.stack_depth = 10;
    code.epoch_ns = 1'000'000'000;
    chosen_options into = choose(code);
    overlay({"MEMWATCH_INTERVAL=1MiB", "MEMWATCH_STACK_DEPTH=0", "MEMWATCH_EPOCH=2s", "MEMWATCH_UNWINDER=sideways"}, into);
    CHECK(into.origin(option_id::service) == option_origin::standard);
    CHECK(into.origin(option_id::stack_depth) == option_origin::code);
    CHECK(into.stack_depth == 10);
    CHECK(into.origin(option_id::epoch_ns) == option_origin::environment);
    CHECK(into.origin(option_id::interval_bytes) == option_origin::environment);  // though it equals the default
    CHECK(into.origin(option_id::unwinder) == option_origin::standard);
    REQUIRE(change_option(into, "interval", "2KiB"));
    CHECK(into.origin(option_id::interval_bytes) == option_origin::runtime);
    CHECK_FALSE(change_option(into, "unwinder", "sideways"));
    CHECK(into.origin(option_id::unwinder) == option_origin::standard);
}

TEST_CASE("options: what code sets out of range becomes the default, with a sentence") {
    options wanted;
    wanted.interval_bytes = 0;
    wanted.stack_depth = 65;
    wanted.epoch_ns = 1;
    std::vector<std::string> warnings;
    const chosen_options chosen = choose_options(wanted, warnings);
    CHECK(warnings == std::vector<std::string>{"interval_bytes = 0 is out of range 1 .. 1TiB; 1MiB is used",
                                               "epoch_ns = 1ns is out of range 10ms .. 1h; 10s is used",
                                               "stack_depth = 65 is out of range 1 .. 64; 64 is used"});
    CHECK(chosen.interval_bytes == options{}.interval_bytes);
    CHECK(chosen.stack_depth == 64);
    CHECK(chosen.origin(option_id::stack_depth) == option_origin::standard);
}

TEST_CASE("options: weights of tags are taken whole or refused with the item that is wrong") {
    chosen_options into;
    CHECK(overlay({"MEMWATCH_TAG_WEIGHTS=order-cache=0.9, session=0.2"}, into).empty());
    CHECK(into.tag_weights == "order-cache=0.9, session=0.2");
    CHECK(into.origin(option_id::tag_weights) == option_origin::environment);
    CHECK(overlay({"MEMWATCH_TAG_WEIGHTS=order-cache=0.9,session=2"}, into) ==
          std::vector<std::string>{"MEMWATCH_TAG_WEIGHTS is ignored: session=2: not a weight: use a number from 0 to 1"});
    CHECK(into.tag_weights == "order-cache=0.9, session=0.2");
    options code;
    code.tag_weights = "x";
    std::vector<std::string> warnings;
    CHECK(choose_options(code, warnings).tag_weights.empty());
    CHECK(warnings == std::vector<std::string>{"tag_weights is ignored: x: no weight: write TAG=WEIGHT"});
}

TEST_CASE("options: the ends of each range are inside, and one beyond either is outside") {
    for_each_option([](option_id id, const option_description& option) {
        if (!option.has_range()) { return; }
        CAPTURE(option.environment);
        const std::string unit = option.kind == option_kind::duration ? "ns" : "";
        const auto is_read = [&](std::uint64_t value) {
            chosen_options into;
            const std::string entry = std::string(option.environment) + "=" + std::to_string(value) + unit;
            return overlay({entry.c_str()}, into).empty() && option_number(into, id) == std::to_string(value);
        };
        CHECK(is_read(option.least));
        CHECK(is_read(option.most));
        CHECK_FALSE(is_read(option.most + 1));
        if (option.least > 0) { CHECK_FALSE(is_read(option.least - 1)); }
    });
}

TEST_CASE("options: reading what was written gives the same value, and each default is in its own range") {
    const options defaults;
    for_each_option([&](option_id id, const option_description& option) {
        CAPTURE(option.environment);
        CHECK(option_text(defaults, id) == option.default_text());
        chosen_options into;
        const std::string entry = std::string(option.environment) + "=" + option_text(defaults, id);
        CHECK(overlay({entry.c_str()}, into).empty());
        CHECK(option_text(into, id) == option_text(defaults, id));
    });
}

TEST_CASE("options: runtime changes take what may change and refuse the rest in a sentence") {
    chosen_options into = choose();
    const auto refusal = [&](const char* name, const char* value) {
        const auto done = change_option(into, name, value);
        REQUIRE_FALSE(done);
        return done.error();
    };
    CHECK(refusal("epoch", "1s").code == error_code::invalid_argument);
    CHECK(refusal("epoch", "1s").message() == "epoch: is fixed when the session starts");
    CHECK(refusal("intervall", "1KiB").code == error_code::invalid_argument);
    CHECK(refusal("interval_bytes", "1KiB").code == error_code::invalid_argument);  // that is the member, not the option
    CHECK(refusal("interval", "2TiB").message() == "interval: 2TiB: out of range 1 .. 1TiB");
    CHECK(into.interval_bytes == options{}.interval_bytes);
    for_each_option([&](option_id id, const option_description& option) {
        CAPTURE(option.environment);
        CHECK(change_option(into, option.name(), option_text(into, id)).has_value() ==
              (option.change == option_change::runtime));
    });
}

TEST_CASE("options: external names are unique and lead back to their row; server options and secrets are known variables") {
    std::set<std::string> names;
    for_each_option([&](option_id id, const option_description& option) {
        CHECK(names.insert(option.name()).second);
        CHECK(find_option(option.name()) == id);
    });
    for (const option_description& option : server_option_table()) { CHECK(is_known_variable(option.environment)); }
    for (const char* name : {"MEMWATCH_TOKEN", "MEMWATCH_TOKEN_FILE", "MEMWATCH_PRELOAD_LIBRARY", "MEMWATCH_ATTACH_LIBRARY"}) {
        CHECK(is_known_variable(name));
    }
    CHECK_FALSE(is_known_variable("MEMWATCH_TOKENS"));
}

TEST_CASE("options: a misspelt name is answered with the nearest one up to two edits away, and not beyond") {
    CHECK(nearest_variable("MEMWATCH_INTERVALL") == "MEMWATCH_INTERVAL");
    CHECK(nearest_variable("MEMWATCH_PERSET") == "MEMWATCH_PRESET");
    CHECK(nearest_variable("MEMWATCH_TOKENFILE") == "MEMWATCH_TOKEN_FILE");
    CHECK(nearest_variable("MEMWATCH_LISTN") == "MEMWATCH_LISTEN");
    CHECK(nearest_variable("MEMWATCH_INTERCALAR").empty());
    CHECK(nearest_variable("MEMWATCH_").empty());
    CHECK(nearest_variable("MEMWATCH_" + std::string(100'000, 'A')).empty());
}
