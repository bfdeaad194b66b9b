// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include <memwatch/model/delta.hpp>
#include <memwatch/model/site_name.hpp>
#include <memwatch/model/snapshot.hpp>

#include "model/verdict_checks.hpp"

using namespace memwatch;

namespace {

// One of everything, consistent.
snapshot small_snapshot() {
    snapshot s;
    s.modules.push_back({"/usr/bin/orders", "ab12", 0x1000, 0x2000, 0});
    s.frames.push_back({0, 0x1a40, {}});
    s.stacks.push_back({{0}, false});
    s.tags.push_back({"order-cache", 4096, 2, 0, 0});
    s.routes = {"", "/api/v2/orders"};
    s.threads.push_back({"other", 0, false});
    s.sites.push_back({});
    s.sites[0].live.add(2048, 0);
    s.live.push_back({1, 2048, 10, 0, {}, 0, 1, 0});
    return s;
}

std::string place_of(const snapshot& s) {
    const auto checked = validate(s);
    return checked ? "valid" : checked.error().where;
}

frame named(std::string function) { return {0, 0x10, {{std::move(function), "", 0}}}; }

}  // namespace

TEST_CASE("trace_id: text and back") {
    const trace_id id{0x4bf92f3577b34da6, 0xa3ce929d0e0e4736};
    CHECK(to_string(id) == "4bf92f3577b34da6a3ce929d0e0e4736");
    CHECK(*parse_trace_id("4bf92f3577b34da6a3ce929d0e0e4736") == id);
    CHECK(*parse_trace_id("4BF92F3577B34DA6A3CE929D0E0E4736") == id);
    CHECK_FALSE(parse_trace_id(std::string(32, '0'))->is_valid());
}

TEST_CASE("trace_id: anything but 32 hex digits is refused") {
    for (const char* text : {"", "4bf9", "4bf92f3577b34da6a3ce929d0e0e473", "4bf92f3577b34da6a3ce929d0e0e47361",
                             "4bf92f3577b34da6a3ce929d0e0e473g", "4bf92f3577b34da6a3ce929d0e0e473 "}) {
        CHECK(parse_trace_id(text).error().code == error_code::invalid_argument);
    }
}

TEST_CASE("validate: accepts a consistent snapshot and names the row of each broken law") {
    CHECK(place_of(small_snapshot()) == "valid");
    CHECK(place_of({}) == "valid");
    const auto broken = [](auto&& breakage) {
        auto s = small_snapshot();
        breakage(s);
        return place_of(s);
    };
    CHECK(broken([](snapshot& s) { s.frames[0].module = 1; }) == "frames[0]");
    CHECK(broken([](snapshot& s) { s.frames[0].module = no_module; }) == "valid");
    CHECK(broken([](snapshot& s) { s.stacks[0].frames.push_back(1); }) == "stacks[0]");
    CHECK(broken([](snapshot& s) { s.tags[0].freed_bytes = 4097; }) == "tags[0]");
    CHECK(broken([](snapshot& s) { s.tags[0].frees = 3; }) == "tags[0]");
    CHECK(broken([](snapshot& s) { s.tags[0].weight = -0.1; }) == "tags[0]");
    CHECK(broken([](snapshot& s) { s.tags[0].weight = 1.1; }) == "tags[0]");
    CHECK(broken([](snapshot& s) { s.tags[0].weight = std::nan(""); }) == "tags[0]");
    CHECK(broken([](snapshot& s) { s.tags[0].weight = 1; }) == "valid");
    CHECK(broken([](snapshot& s) { s.sites[0].stack = 1; }) == "sites[0]");
    CHECK(broken([](snapshot& s) { s.sites[0].tag = 1; }) == "sites[0]");
    CHECK(broken([](snapshot& s) { s.sites[0].freed.bytes = -1; }) == "sites[0]");
    CHECK(broken([](snapshot& s) { s.sites[0].live.bytes = std::numeric_limits<double>::infinity(); }) == "sites[0]");
    CHECK(broken([](snapshot& s) { s.sites[0].lifetimes.objects[11] = std::nan(""); }) == "sites[0]");
    CHECK(broken([](snapshot& s) { s.sites[0].cohorts = {{5, 1, 1, false}, {5, 1, 1, false}}; }) == "sites[0]");
    CHECK(broken([](snapshot& s) { s.live[0].site = 1; }) == "live[0]");
    CHECK(broken([](snapshot& s) { s.live[0].route = 2; }) == "live[0]");
    CHECK(broken([](snapshot& s) { s.live[0].thread = 1; }) == "live[0]");
    CHECK(broken([](snapshot& s) { s.live.push_back(s.live[0]); }) == "live[1]");
    CHECK(broken([](snapshot& s) { s.live.push_back({2, 1, 0, 0, {}, 0, 0, 0}); }) == "live[1]");
    CHECK(broken([](snapshot& s) { s.live.clear(); }) == "valid");  // a summary
}

TEST_CASE("live_totals: sums records, or the sites of a summary") {
    auto s = small_snapshot();
    CHECK(live_totals(s).bytes == 2048);
    s.live.clear();
    CHECK(live_totals(s).bytes == 2048);
    CHECK(live_totals(s).samples == 1);
}

TEST_CASE("delta_row: ratio and significance") {
    delta_row row;
    row.after.live.bytes = 10;
    CHECK(std::isinf(row.ratio()));
    row.before.live.bytes = 4;
    CHECK(row.ratio() == 2.5);
    row.after.live.bytes = 0;
    CHECK(row.ratio() == 0);
    row.bytes = -4;
    row.bytes_standard_error = 2;
    CHECK_FALSE(row.is_significant());
    row.bytes_standard_error = 1.9;
    CHECK(row.is_significant());
    row.bytes_standard_error = 100;
    row.is_exact = true;
    CHECK(row.is_significant());
}

TEST_CASE("dimension: names parse back") {
    for (const auto by : {dimension::site, dimension::type, dimension::tag, dimension::trace, dimension::route,
                          dimension::thread, dimension::pool}) {
        CHECK(*parse_dimension(to_string(by)) == by);
    }
    CHECK(parse_dimension("sites").error().code == error_code::invalid_argument);
    CHECK(std::string{to_string(change::appeared)} == "new");
}

TEST_CASE("bare_function_name: drops return types, parameters and suffixes, keeps what names the function") {
    const auto bare = [](const char* text) { return bare_function_name(text); };
    CHECK(bare("operator(x") == "operator");  // found by fuzzing: went round for ever
    CHECK(bare("f::operator(") == "f::operator");
    CHECK(bare("main") == "main");
    CHECK(bare("orders::cache::insert(orders::request const&)") == "orders::cache::insert");
    CHECK(bare("void orders::put<std::vector<int> >(int)") == "orders::put<std::vector<int> >");
    CHECK(bare("std::pair<int, bool> app::emplace<int>(int&&) const") == "app::emplace<int>");
    CHECK(bare("(anonymous namespace)::handle(int)") == "(anonymous namespace)::handle");
    CHECK(bare("app::(anonymous namespace)::handle(int)") == "app::(anonymous namespace)::handle");
    CHECK(bare("app::run(int)::{lambda(int)#1}::operator()(int) const") == "app::run::{lambda(int)#1}::operator()");
    CHECK(bare("app::run(int) const::{lambda()#2}::operator()() const") == "app::run::{lambda()#2}::operator()");
    CHECK(bare("operator new(unsigned long)") == "operator new");
    CHECK(bare("operator new[](unsigned long, std::nothrow_t const&)") == "operator new[]");
    CHECK(bare("app::text::operator bool() const") == "app::text::operator bool");
    CHECK(bare("std::ostream& app::operator<< <int>(std::ostream&, int)") == "app::operator<< <int>");
    CHECK(bare("app::less::operator<(app::less const&) const") == "app::less::operator<");
    CHECK(bare("app::work(int) [clone .cold]") == "app::work");
    CHECK(bare("app::text[abi:cxx11](int) const") == "app::text");
    CHECK(bare("parse.part.0") == "parse");
    CHECK(bare("parse.constprop.0.isra.1.cold") == "parse");
    CHECK(bare("non-virtual thunk to app::b::f()") == "app::b::f");
    CHECK(bare("decltype(auto) app::pick<int>(int)") == "app::pick<int>");
    // As c++filt prints what std::construct_at instantiates: the expression holds spaces, brackets and arrows of its own.
    const char* const construct_at =
        "decltype (::new ((void*)(0)) std::vector<char, std::allocator<char> >((declval<int>)(), (declval<char>)())) "
        "std::construct_at<std::vector<char, std::allocator<char> >, int, char>(std::vector<char, std::allocator<char> >*, "
        "int&&, char&&)";
    CHECK(bare(construct_at) == "std::construct_at<std::vector<char, std::allocator<char> >, int, char>");
    CHECK(is_plumbing(construct_at));
    CHECK(bare("decltype (x.begin()) app::first<app::list>(app::list&)") == "app::first<app::list>");
    CHECK(bare("my_operator(int)") == "my_operator");
    CHECK(bare("") == "");
    CHECK(bare("<<<(((") == "<<<(((");
}

TEST_CASE("site_name: the innermost frame of the user's own code") {
    const std::vector<module> modules{{"/opt/orders", "", 0, 0, 0}, {"/lib/x86_64-linux-gnu/libc.so.6", "", 0, 0, 0}};
    const auto name = [&](std::vector<frame> stack) { return site_name(stack, modules); };
    CHECK(name({named("malloc"), named("operator new(unsigned long)"), named("void std::vector<int>::push_back(int const&)"),
                named("orders::cache::insert(int)"), named("main")}) == "orders::cache::insert");
    CHECK(name({named("memwatch::v1::tracked_allocator<int>::allocate(unsigned long)"), named("boost::asio::detail::run()"),
                named("main")}) == "main");
    CHECK(name({named("std_like::f()")}) == "std_like::f");
    CHECK(name({named("malloc@@GLIBC_2.2.5"), named("work")}) == "work");
    // What libc does for somebody is that somebody's.
    CHECK(name({named("malloc"), frame{1, 0x99, {{"getdelim", "", 0}}}, named("read_config(char const*)")}) == "read_config");
    // A class' own operator new, and an allocator that a container calls, are no better places than malloc; one that a person
    // calls is.
    CHECK(name({named("malloc"), named("app::node::operator new(unsigned long)"), named("app::list::add(int)")}) ==
          "app::list::add");
    CHECK(name({named("malloc"), named("app::arena<int>::allocate(unsigned long)"),
                named("std::allocator_traits<app::arena<int> >::allocate(app::arena<int>&, unsigned long)"),
                named("app::list::add(int)")}) == "app::list::add");
    CHECK(name({named("malloc"), named("app::arena<int>::allocate(unsigned long)"), named("app::list::add(int)")}) ==
          "app::arena<int>::allocate");
    CHECK(name({frame{0,
                      1,
                      {{"app::pool::do_allocate(unsigned long, unsigned long)", "", 0},
                       {"std::pmr::memory_resource::allocate(unsigned long, unsigned long)", "", 0},
                       {"app::fill()", "", 0}}}}) == "app::fill");
    // All lines of a frame count, innermost inlined call first.
    CHECK(name({frame{0, 1, {{"std::allocator<int>::allocate(unsigned long)", "", 0}, {"orders::add(int)", "", 0}}}}) ==
          "orders::add");
    // What headers of the system and the compiler inline is their caller's, whatever it is called.
    CHECK(name({frame{1, 0x99, {{"getdelim", "", 0}}},
                frame{0,
                      1,
                      {{"getline", "/usr/include/x86_64-linux-gnu/bits/stdio.h", 120},
                       {"wrap", "/usr/lib/gcc/x86_64-linux-gnu/12/include/mm_malloc.h", 40},
                       {"helper", "/opt/gcc-13/include/c++/13/bits/own.h", 4},
                       {"read_config(char const*)", "/src/app/config.cpp", 9}}}}) == "read_config");
    CHECK(name({frame{0, 1, {{"app::load()", "/src/app/include/lib/load.h", 1}, {"main", "/src/app/main.cpp", 2}}}}) ==
          "app::load");
    CHECK(name({frame{0, 1, {{"getline", "/usr/include/stdio.h", 1}}}}) == "getline");  // nobody else is there
    // Unnamed frames are the user's unless the module is libc or the like.
    CHECK(name({frame{1, 0x99, {}}, frame{0, 0x1a40, {}}}) == "orders+0x1a40");
    CHECK(name({frame{1, 0x99, {}}}) == "libc.so.6+0x99");
    CHECK(name({frame{no_module, 0xabc, {}}}) == "0xabc");
    CHECK(name({named("malloc")}) == "malloc");
    CHECK(name({}) == "(no stack)");
}

TEST_CASE("site_name: of a site in a snapshot") {
    const auto s = small_snapshot();
    CHECK(site_name(s, s.sites[0]) == "orders+0x1a40");
}

TEST_CASE("find_own_place: names the frame and the inlined line that site_name() takes, and nothing where all is plumbing") {
    snapshot s;
    s.modules = {{"/opt/orders", "", 0, 0, 0}};
    s.frames = {named("malloc"),
                frame{0, 1, {{"std::vector<int>::push_back(int const&)", "", 0}, {"app::add(int)", "add.cpp", 7}}},
                frame{0, 2, {}}};
    s.stacks = {{{0, 1, 2}, false}, {{0}, false}, {{0, 2}, false}};
    s.sites.resize(3);
    for (std::uint32_t i = 0; i < 3; ++i) { s.sites[i].stack = i; }
    const auto inlined = find_own_place(s, s.sites[0]);
    REQUIRE(inlined);
    CHECK(inlined->frame == 1);
    CHECK(inlined->line == 1);
    CHECK_FALSE(find_own_place(s, s.sites[1]));
    const auto unnamed = find_own_place(s, s.sites[2]);
    REQUIRE(unnamed);
    CHECK(unnamed->frame == 1);
    CHECK(unnamed->line == no_line);
}

TEST_CASE("site_key: the same wherever a build is loaded, another for another build, offset, type or tag") {
    snapshot s;
    s.modules = {{"/bin/a", "aabb", 0x1000, 0x2000, 0}};
    s.frames = {{0, 0x10, {}}, {0, 0x20, {}}};
    s.stacks = {{{0, 1}, false}, {{1, 0}, false}};
    s.tags = {{"untagged", 0, 0, 0, 0}, {"cache", 0, 0, 0, 0}};
    site here;
    const std::string key = site_key(s, here);
    CHECK(key.size() == 16);
    CHECK(key.find_first_not_of("0123456789abcdef") == std::string::npos);
    snapshot elsewhere = s;
    elsewhere.modules[0].path = "/opt/a";
    elsewhere.modules[0].start = 0x7000;
    CHECK(site_key(elsewhere, here) == key);
    snapshot rebuilt = s;
    rebuilt.modules[0].build_id = "ccdd";
    CHECK(site_key(rebuilt, here) != key);
    site other = here;
    other.type = "int";
    CHECK(site_key(s, other) != key);
    other = here;
    other.tag = 1;
    CHECK(site_key(s, other) != key);
    other = here;
    other.stack = 1;
    CHECK(site_key(s, other) != key);
}

TEST_CASE("verdicts: what a process could not judge soundly is left out of its snapshot, which stays whole") {
    memwatch::snapshot s;
    s.stacks.resize(1);
    s.tags.resize(1);
    s.sites.resize(3);
    s.pools.resize(2);
    const auto add = [&](memwatch::verdict_subject subject, std::uint32_t row) -> memwatch::verdict& {
        s.verdicts.emplace_back();
        s.verdicts.back().subject = subject;
        s.verdicts.back().index = row;
        return s.verdicts.back();
    };
    add(memwatch::verdict_subject::pool, 1);
    add(memwatch::verdict_subject::pool, 0);
    add(memwatch::verdict_subject::pool, 2);  // there is none
    add(memwatch::verdict_subject::site, 2).looks = 7;
    add(memwatch::verdict_subject::site, 2);
    add(memwatch::verdict_subject::site, 0).kept_share = std::nan("");
    add(memwatch::verdict_subject::site, 1).confidence = 1.0000001;
    REQUIRE_FALSE(memwatch::validate(s));
    memwatch::keep_whole_verdicts(s);
    CHECK(memwatch::validate(s));
    REQUIRE(s.verdicts.size() == 3);
    CHECK(s.verdicts[0].looks == 7);
    CHECK(s.verdicts[1].index == 0);
    CHECK(s.verdicts[2].index == 1);
}
