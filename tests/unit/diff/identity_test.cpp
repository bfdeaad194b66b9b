// SPDX-License-Identifier: Apache-2.0
// The identity ladder on hand-made builds. tests/identity does it with real compilers.
#include <catch2/catch.hpp>

#include <set>

#include <memwatch/diff/diff.hpp>

#include "diff/stable_name.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

using namespace memwatch_test;

namespace {

source_line at(const std::string& function, std::uint32_t start, std::uint32_t line, const std::string& file = "a.cpp") {
    return {function, "/src/" + file, line, start};
}

const source_line operator_new{"operator new(unsigned long)", "", 0, 0};

// One build of a program: each site is a stack of one frame a function, or of inlined calls.
class build {
public:
    explicit build(const std::string& id) {
        s_.info.session = id;
        s_.info.executable = "/opt/app";
        s_.modules = {{"/opt/app", id, 0x400000, 0x500000, 0}, {"/lib/libc.so.6", "c", 0, 1, 0}};
        s_.tags = {{"untagged", 0, 0, 0, 0}};
        s_.routes = {""};
        s_.threads = {{"other", 0, false}};
    }

    // `lines`: innermost first; each a frame of its own, or all inlined into one.
    build& site(std::vector<source_line> lines, std::uint64_t bytes, const std::string& type = "", bool is_inlined = false) {
        stack calls;
        const auto add = [&](frame f) {
            f.offset = 0x1000 + 0x10 * s_.frames.size() + s_.modules[0].build_id.size();
            calls.frames.push_back(static_cast<std::uint32_t>(s_.frames.size()));
            s_.frames.push_back(std::move(f));
        };
        if (is_inlined) {
            add({0, 0, lines});
        } else {
            for (const auto& each : lines) { add({0, 0, {each}}); }
        }
        s_.stacks.push_back(calls);
        memwatch::site row;
        row.stack = static_cast<std::uint32_t>(s_.stacks.size() - 1);
        row.type = type;
        s_.sites.push_back(row);
        const auto index = static_cast<std::uint32_t>(s_.sites.size() - 1);
        s_.live.push_back({++sequence_, bytes, 1, 0, {}, index, 0, 0});
        s_.sites.back().live.add(bytes, 0);
        return *this;
    }

    [[nodiscard]] const snapshot& get() const { return s_; }
    snapshot& get() { return s_; }

private:
    snapshot s_;
    std::uint64_t sequence_{};
};

delta compare(const build& before, const build& after) {
    diff_options options;
    options.include_unchanged = true;
    auto out = diff(before.get(), after.get(), options);
    REQUIRE(out);
    return *out;
}

// "bytes before>bytes after rung", in order.
std::set<std::string> words(const delta& d) {
    std::set<std::string> out;
    for (const auto& row : d.rows) {
        out.insert(std::to_string(static_cast<int>(row.before.live.bytes)) + ">" +
                   std::to_string(static_cast<int>(row.after.live.bytes)) + " " + to_string(row.rung));
    }
    return out;
}

using expected = std::set<std::string>;

}  // namespace

TEST_CASE("stable_name: is the same in the next build and with another compiler") {
    CHECK(stable_name("app::work(int) [clone .constprop.0]") == "app::work");
    CHECK(stable_name("app_work.part.0") == "app_work");
    CHECK(stable_name("helper.lto_priv.3") == "helper");
    CHECK(stable_name("ns::text[abi:cxx11](int)") == "ns::text");
    const std::string lambda = "main::{lambda}::operator()";
    CHECK(stable_name("main::{lambda(int)#2}::operator()(int) const") == lambda);
    CHECK(stable_name("main::<lambda(int)>::operator()") == lambda);
    CHECK(stable_name("main::$_1::operator()(int) const") == lambda);
    CHECK(stable_name("{anonymous}::helper") == "(anonymous namespace)::helper");
    CHECK(stable_name("std::vector<std::vector<int> >::push_back(int)") == "std::vector<std::vector<int>>::push_back");
    CHECK(stable_name("$_") == "$_");
    CHECK(stable_name("") == "");
    CHECK(stable_name("{lambda(") == "{lambda}");
    CHECK(unnumbered("f(int)::{lambda(int)#12}::operator()(int) const [clone .isra.0]") ==
          "f(int)::{lambda(int)#}::operator()(int) const");
}

TEST_CASE("ladder: code above moved every line, and the site is the same by frames") {
    const auto before = build("b1").site({operator_new, at("app::insert(int)", 10, 14), at("main", 50, 55)}, 100);
    const auto after = build("b22").site({operator_new, at("app::insert(int)", 30, 34), at("main", 90, 95)}, 300);
    const auto d = compare(before, after);
    CHECK(words(d) == expected{"100>300 frames"});
    CHECK(d.rows[0].bytes == 200);
    CHECK(d.moves.empty());
}

TEST_CASE("ladder: what was inlined, and where, makes no difference") {
    const std::vector<source_line> calls{operator_new, at("app::insert(int)", 10, 14), at("app::run()", 20, 22),
                                         at("main", 50, 55)};
    CHECK(words(compare(build("b1").site(calls, 100), build("b22").site(calls, 100, "", true))) == expected{"100>100 frames"});
}

TEST_CASE("ladder: a function that was edited keeps its sites, by function, and in order") {
    const auto in_insert = [](std::uint32_t line) {
        return std::vector<source_line>{operator_new, at("app::insert(int)", 10, line), at("main", 50, 55)};
    };
    SECTION("one site: wherever it is now") {
        CHECK(words(compare(build("b1").site(in_insert(14), 1), build("b22").site(in_insert(19), 1))) ==
              expected{"1>1 function"});
    }
    SECTION("consecutive lines that all moved by one are not mistaken for each other") {
        const auto before = build("b1").site(in_insert(11), 1).site(in_insert(12), 2).site(in_insert(13), 3);
        const auto after = build("b22").site(in_insert(12), 1).site(in_insert(13), 2).site(in_insert(14), 3);
        CHECK(words(compare(before, after)) == expected{"1>1 function", "2>2 function", "3>3 function"});
    }
    SECTION("a call that stands once says how far the others moved") {
        const auto other = [](std::uint32_t line) {
            return std::vector<source_line>{operator_new, at("app::make()", 5, 6), at("app::insert(int)", 10, line),
                                            at("main", 50, 55)};
        };
        const auto before = build("b1").site(in_insert(11), 1).site(in_insert(13), 2).site(other(12), 9);
        const auto after = build("b22").site(in_insert(13), 1).site(in_insert(15), 2).site(in_insert(18), 7).site(other(14), 9);
        CHECK(words(compare(before, after)) == expected{"1>1 function", "2>2 function", "9>9 function", "0>7 none"});
    }
    SECTION("a site was added below the others: these did not move") {
        const auto before = build("b1").site(in_insert(11), 1).site(in_insert(12), 2);
        const auto after = build("b22").site(in_insert(11), 1).site(in_insert(12), 2).site(in_insert(13), 3);
        CHECK(words(compare(before, after)) == expected{"1>1 frames", "2>2 frames", "0>3 none"});
    }
    SECTION("what two explanations fit is not guessed, but proposed") {
        const auto before = build("b1").site(in_insert(11), 1);
        const auto after = build("b22").site(in_insert(13), 2).site(in_insert(14), 3);
        const auto d = compare(before, after);
        CHECK(words(d) == expected{"1>0 none", "0>2 none", "0>3 none"});
        REQUIRE(d.moves.size() == 1);
        CHECK(d.rows[d.moves[0].gone].what == change::gone);
        CHECK(d.rows[d.moves[0].appeared].what == change::appeared);
        CHECK(d.total.bytes == 4);
    }
}

TEST_CASE("ladder: the caller tells two sites of one helper apart, also when main was edited") {
    const auto from = [](const std::string& caller, std::uint32_t main_line) {
        return std::vector<source_line>{operator_new, at("app::make()", 10, 11), at(caller, 20, 22), at("main", 50, main_line)};
    };
    const auto before = build("b1").site(from("app::orders()", 51), 1).site(from("app::users()", 52), 2);
    const auto after = build("b22").site(from("app::users()", 52), 2).site(from("app::orders()", 55), 1);
    CHECK(words(compare(before, after)) == expected{"1>1 function", "2>2 frames"});
}

TEST_CASE("ladder: a renamed function is proposed and never summed") {
    const auto called = [](const std::string& name) {
        return std::vector<source_line>{operator_new, at(name, 10, 11), at("app::handle()", 20, 22), at("main", 50, 51)};
    };
    const auto d = compare(build("b1").site(called("app::insert(int)"), 64), build("b22").site(called("app::put(int)"), 64));
    CHECK(words(d) == expected{"64>0 none", "0>64 none"});
    REQUIRE(d.moves.size() == 1);
    CHECK(d.moves[0].why.find("called by app::handle") != std::string::npos);
    SECTION("also when only one of the two is among the first rows") {
        diff_options top;
        top.top = 1;
        const auto cut = diff(build("b1").site(called("app::insert(int)"), 64).get(),
                              build("b22").site(called("app::put(int)"), 64).get(), top);
        REQUIRE(cut);
        CHECK(cut->rows.size() == 2);
        CHECK(cut->moves.size() == 1);
    }
}

TEST_CASE("ladder: unlike sites are not proposed as moved") {
    const auto before = build("b1").site({operator_new, at("app::a()", 10, 11), at("app::x()", 20, 21)}, 64, "Order");
    const auto after = build("b22").site({operator_new, at("app::b()", 10, 11), at("app::x()", 20, 21)}, 64, "User");
    CHECK(compare(before, after).moves.empty());
}

TEST_CASE("ladder: functions of one name in two files, overloads and lambdas are told apart") {
    const auto in = [](const std::string& function, std::uint32_t start, const std::string& file) {
        return std::vector<source_line>{operator_new, at(function, start, start + 2, file), at("main", 50, 51, "main.cpp")};
    };
    SECTION("static functions") {
        const auto before = build("b1").site(in("helper()", 10, "a.cpp"), 1).site(in("helper()", 40, "b.cpp"), 2);
        const auto after = build("b22").site(in("helper()", 90, "a.cpp"), 1).site(in("helper()", 10, "b.cpp"), 2);
        CHECK(words(compare(before, after)) == expected{"1>1 frames", "2>2 frames"});
    }
    SECTION("one of them moved to another file") {
        const auto before = build("b1").site(in("helper()", 10, "a.cpp"), 1).site(in("helper()", 40, "b.cpp"), 2);
        const auto after = build("b22").site(in("helper()", 10, "c.cpp"), 1).site(in("helper()", 40, "b.cpp"), 2);
        CHECK(words(compare(before, after)) == expected{"1>1 frames", "2>2 frames"});
    }
    SECTION("overloads that changed places") {
        const auto before = build("b1").site(in("f(int)", 10, "a.cpp"), 1).site(in("f(long)", 40, "a.cpp"), 2);
        const auto after = build("b22").site(in("f(long)", 10, "a.cpp"), 2).site(in("f(int)", 40, "a.cpp"), 1);
        CHECK(words(compare(before, after)) == expected{"1>1 frames", "2>2 frames"});
    }
    SECTION("a parameter was added") {
        const auto before = build("b1").site(in("f(int)", 10, "a.cpp"), 1);
        CHECK(words(compare(before, build("b22").site(in("f(int, bool)", 12, "a.cpp"), 1))) == expected{"1>1 frames"});
    }
    SECTION("lambdas count anew") {
        const auto lambda = [&](int number, std::uint32_t start) {
            return in("run()::{lambda()#" + std::to_string(number) + "}::operator()() const", start, "a.cpp");
        };
        const auto before = build("b1").site(lambda(1, 10), 1).site(lambda(2, 20), 2);
        const auto after = build("b22").site(lambda(2, 15), 1).site(lambda(3, 27), 2);
        CHECK(words(compare(before, after)) == expected{"1>1 frames", "2>2 frames"});
    }
}

TEST_CASE("ladder: sites of one line become one row, which says so") {
    const std::vector<source_line> calls{operator_new, at("app::fill()", 10, 12), at("main", 50, 51)};
    const auto before = build("b1").site(calls, 10);
    const auto after = build("b22").site(calls, 10).site(calls, 30);  // the loop around it was unrolled
    const auto d = compare(before, after);
    CHECK(words(d) == expected{"10>40 frames"});
    CHECK(d.rows[0].before.sites == 1);
    CHECK(d.rows[0].after.sites == 2);
}

TEST_CASE("ladder: same functions but other type, tag or way into the allocator is another site") {
    const std::vector<source_line> calls{operator_new, at("app::fill()", 10, 12)};
    CHECK(words(compare(build("b1").site(calls, 1, "Order"), build("b22").site(calls, 1, "User"))) ==
          expected{"1>0 none", "0>1 none"});
    std::vector<source_line> by_malloc = calls;
    by_malloc[0].function = "malloc";
    CHECK(words(compare(build("b1").site(calls, 1), build("b22").site(by_malloc, 1))) == expected{"1>0 none", "0>1 none"});
}

TEST_CASE("ladder: within one build nothing is matched by name") {
    const std::vector<source_line> calls{operator_new, at("app::fill()", 10, 12)};
    auto before = build("b1").site(calls, 1);
    auto after = build("b1").site(calls, 1);
    for (auto& f : after.get().frames) { f.offset += 0x100; }
    CHECK(words(compare(before, after)) == expected{"1>0 none", "0>1 none"});
}

TEST_CASE("ladder: is the same in both directions, sums stay sums, and two equal programs have no difference") {
    for (int round = 0; round < 50; ++round) {
        const std::uint64_t seed = test_support::seed();
        INFO("seed " << seed);
        random_source random{seed};
        const auto random_build = [&](const std::string& id) {
            build b{id};
            for (int i = 0; i < 40; ++i) {
                std::vector<source_line> lines{operator_new};
                for (auto depth = 1 + random.below(5); depth > 0; --depth) {
                    const auto function = static_cast<std::uint32_t>(random.below(8));
                    lines.push_back(at("app::f" + std::to_string(function) + "()", 100 * function,
                                       100 * function + static_cast<std::uint32_t>(random.below(6))));
                }
                b.site(lines, 1 + random.below(1000), random.chance(0.5) ? "Order" : "", random.chance(0.5));
            }
            return b;
        };
        const auto a = random_build("b1");
        const auto b = random_build("b22");
        const auto forth = compare(a, b);
        const auto back = compare(b, a);
        CHECK(forth.rows.size() == back.rows.size());
        CHECK(forth.moves.size() == back.moves.size());
        double sum = 0;
        for (const auto& row : forth.rows) { sum += row.bytes; }
        CHECK(sum == Approx(forth.total.bytes));
        CHECK(forth.total.bytes == -back.total.bytes);

        auto rebuilt = a;
        rebuilt.get().modules[0].build_id = "b333";
        for (auto& f : rebuilt.get().frames) { f.offset += 0x5000; }
        diff_options changes;
        const auto same = diff(a.get(), rebuilt.get(), changes);
        REQUIRE(same);
        CHECK(same->rows.empty());
    }
}
