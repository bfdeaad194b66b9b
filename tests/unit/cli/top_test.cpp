// SPDX-License-Identifier: Apache-2.0
// `memwatch top` without a terminal: a made-up service, look after look, key after key.
#include <catch2/catch.hpp>

#include "cli/top/lines.hpp"
#include "cli/top/pace.hpp"

namespace {

using namespace memwatch;
namespace top = memwatch::top;
using top::column;
using top::dimension;
using top::key;

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t block_bytes = 1000;

// A service of two sites whose blocks are all recorded. Its sums are kept as the real one keeps them.
class made_service {
public:
    made_service() {
        s_.info.service = "orders";
        s_.info.pid = 4711;
        s_.info.session = std::string(32, 'a');
        s_.modules.push_back({"/bin/orders", "ab12", 0x1000, 0x9000, 0});
        for (const char* name : {"orders::cache::insert", "orders::log::append"}) {
            const auto index = static_cast<std::uint32_t>(s_.frames.size());
            s_.frames.push_back({0, 0x1000 + index, {{name, "orders.cpp", 40 + index, 0}}});
            s_.stacks.push_back({{index}, false});
            site added;
            added.stack = added.tag = index;
            added.type = "Order";
            s_.sites.push_back(added);
        }
        s_.tags.push_back({"cache"});
        s_.tags.push_back({"log"});
        s_.routes = {"", "/orders"};
        s_.threads = {{"other", 0, true}, {"worker", 12, true}};
    }

    // `blocks` more at a site, by now; each seen with the odds of R.
    made_service& allocate(std::uint32_t site, std::size_t blocks, std::uint64_t interval = 0) {
        for (std::size_t i = 0; i < blocks; ++i) {
            s_.live.push_back({++sequence_, block_bytes, now_ns_, interval, {}, site, 1, 1});
            s_.sites[site].live.add(block_bytes, interval);
            s_.sites[site].allocated.add(block_bytes, interval);
        }
        s_.tags[site].allocated_bytes += blocks * block_bytes;
        s_.tags[site].allocations += blocks;
        return *this;
    }

    made_service& after(std::uint64_t seconds) {
        now_ns_ += seconds * second_ns;
        return *this;
    }

    made_service& restart() {
        s_.info.session = std::string(32, 'b');
        return *this;
    }

    [[nodiscard]] snapshot whole() const {
        snapshot taken = s_;
        taken.info.taken_ns = now_ns_;
        REQUIRE(validate(taken));
        return taken;
    }

    [[nodiscard]] snapshot summary() const {
        snapshot taken = whole();
        taken.live.clear();
        return taken;
    }

    snapshot& raw() { return s_; }

private:
    snapshot s_;
    std::uint64_t now_ns_{second_ns}, sequence_{};
};

const top::row& find(const top::model& in, const std::string& name) {
    for (const top::row& each : in.rows().rows()) {
        if (each.name == name) { return each; }
    }
    FAIL("no row " + name);
    return in.rows().rows().front();
}

top::growth growth_of(const top::model& in, const std::string& name) { return in.rows().growth_of(find(in, name)); }

std::vector<std::string> names(const std::vector<const top::row*>& rows) {
    std::vector<std::string> out;
    for (const top::row* each : rows) { out.push_back(each->name); }
    return out;
}

void type(top::controls& at, top::model& in, const std::string& keys) {
    for (const char c : keys) { at.press({key::character, std::string(1, c)}, in, 10); }
}

const std::string cache = "orders::cache::insert", logging = "orders::log::append";

}  // namespace

TEST_CASE("top: growth is what came since the mark, the last look and within a minute") {
    made_service service;
    top::model model("localhost:9467", dimension::site);
    model.take(service.allocate(0, 10).whole());
    CHECK(growth_of(model, cache).since_mark == 0);
    CHECK(growth_of(model, cache).per_second == 0);

    model.take(service.after(2).allocate(0, 4).whole());
    model.take(service.after(2).allocate(0, 1).whole());
    const top::growth grown = growth_of(model, cache);
    CHECK(grown.since_mark == 5000);
    CHECK(grown.since_last == 1000);
    CHECK(grown.per_second == 5000.0 / 4);
    CHECK(grown.is_sure());
    CHECK(model.total_growth().since_mark == 5000);
    CHECK(model.rows().mark_age_ns() == 4 * second_ns);

    // What came long ago is no rate any more, and still growth.
    for (int i = 0; i < 40; ++i) { model.take(service.after(3).whole()); }
    CHECK(growth_of(model, cache).per_second == 0);
    CHECK(growth_of(model, cache).since_mark == 5000);
}

TEST_CASE("top: a mark counts from the next look on, in every dimension, and leaves the rate alone") {
    made_service service;
    top::model model("localhost:9467", dimension::site);
    model.take(service.allocate(0, 10).whole());
    model.take(service.after(2).allocate(0, 4).summary());
    CHECK_FALSE(model.needs_records());
    model.mark();
    CHECK(model.needs_records());
    model.take(service.after(2).allocate(0, 1).whole());
    CHECK(growth_of(model, cache).since_mark == 0);
    CHECK(growth_of(model, cache).per_second > 0);
    model.switch_to(dimension::tag);
    model.take(service.after(2).allocate(0, 7).whole());
    CHECK(growth_of(model, "cache").since_mark == 7000);
    CHECK(model.rows().mark_age_ns() == 2 * second_ns);
}

TEST_CASE("top: the error of growth is that of what came and went, not that of what stayed") {
    constexpr std::uint64_t interval = 4096;
    made_service service;
    top::model model("localhost:9467", dimension::site);
    model.take(service.allocate(0, 1000, interval).whole());
    model.take(service.after(2).allocate(0, 100, interval).whole());
    sampled_totals came;
    for (int i = 0; i < 100; ++i) { came.add(block_bytes, interval); }
    CHECK(growth_of(model, cache).standard_error == Approx(came.bytes_standard_error()));
    CHECK(growth_of(model, cache).is_sure());
    CHECK(model.total_growth().standard_error == Approx(came.bytes_standard_error()));

    model.take(service.after(2).allocate(1, 1, interval).whole());  // one sample is no news
    CHECK_FALSE(growth_of(model, logging).is_sure());
}

TEST_CASE("top: a summary keeps ages and routes of the look before, and adds nothing where records are needed") {
    made_service service;
    top::model model("localhost:9467", dimension::site);
    model.take(service.allocate(0, 3).after(5).whole());
    CHECK(find(model, cache).oldest_age_ns == 5 * second_ns);
    CHECK(find(model, cache).route == "/orders");
    model.take(service.after(2).allocate(0, 1).summary());
    CHECK(find(model, cache).oldest_age_ns == 7 * second_ns);
    CHECK(find(model, cache).route == "/orders");
    CHECK(growth_of(model, cache).since_mark == 1000);

    model.switch_to(dimension::route);
    CHECK(model.needs_records());
    const double before = find(model, "/orders").live_bytes;
    model.take(service.after(2).allocate(0, 1).summary());
    CHECK(find(model, "/orders").live_bytes == before);
}

TEST_CASE("top: a restarted service starts over, trouble is kept until an answer") {
    made_service service;
    top::model model("localhost:9467", dimension::site);
    model.fail({error_code::unreachable, "Connection\x1b[2J refused", {}});
    CHECK_FALSE(model.has_answered());
    CHECK(model.trouble() == "Connection\\x1b[2J refused");
    model.take(service.allocate(0, 10).whole());
    CHECK(model.trouble().empty());
    made_service next;
    model.take(next.restart().allocate(0, 2).whole());
    CHECK(model.was_restarted());
    CHECK(growth_of(model, cache).since_mark == 0);
    CHECK(find(model, cache).live_bytes == 2000);
}

TEST_CASE("top: rows are ordered by any column, either way, and filtered by any name") {
    made_service service;
    top::model model("localhost:9467", dimension::site);
    model.take(service.allocate(0, 10).allocate(1, 2).whole());
    model.take(service.after(2).allocate(1, 5).whole());
    using words = std::vector<std::string>;
    CHECK(names(arranged(model.rows(), {column::growth, false}, "")) == words{logging, cache});
    CHECK(names(arranged(model.rows(), {column::growth, true}, "")) == words{cache, logging});
    CHECK(names(arranged(model.rows(), {column::live, false}, "")) == words{cache, logging});
    CHECK(names(arranged(model.rows(), {column::name, false}, "")) == words{cache, logging});
    CHECK(names(arranged(model.rows(), {column::tag, true}, "")) == words{logging, cache});
    CHECK(names(arranged(model.rows(), {column::live, false}, "LOG")) == words{logging});
    CHECK(names(arranged(model.rows(), {column::live, false}, "/ORD")) == words{cache, logging});
    CHECK(arranged(model.rows(), {}, "nothing").empty());
}

TEST_CASE("top: a chosen row is followed, until one is chosen the first is") {
    made_service service;
    top::model model("localhost:9467", dimension::site);
    top::controls at;
    model.take(service.allocate(0, 10).allocate(1, 2).whole());
    at.sort_by(column::live);
    auto rows = arranged(model.rows(), at.how(), at.filter());
    CHECK(at.place(rows, 10).selected == 0);
    at.press({key::down, {}}, model, 10);
    CHECK(rows[at.place(rows, 10).selected]->name == logging);
    model.take(service.after(1).allocate(1, 50).whole());  // now it is the first
    rows = arranged(model.rows(), at.how(), at.filter());
    CHECK(at.place(rows, 10).selected == 0);
    CHECK(rows[0]->name == logging);
    at.press({key::end, {}}, model, 10);
    CHECK(at.place(rows, 10).selected == 1);
    CHECK(at.place(rows, 1).first == 1);
    at.press({key::home, {}}, model, 1);
    CHECK(at.place(rows, 1).first == 0);
}

TEST_CASE("top: keys do what the help says") {
    made_service service;
    top::model model("localhost:9467", dimension::site);
    top::controls at;
    model.take(service.allocate(0, 10).allocate(1, 2).whole());
    CHECK(at.how().by == column::growth);
    type(at, model, "l");
    CHECK((at.how().by == column::live && !at.how().is_reversed));
    type(at, model, "l");
    CHECK(at.how().is_reversed);
    type(at, model, "R>");
    CHECK((at.how().by == column::growth && !at.how().is_reversed));
    for (std::size_t i = 0; i < top::column_count; ++i) { type(at, model, "<"); }
    CHECK(at.how().by == column::growth);

    type(at, model, "v");
    CHECK(model.by() == dimension::tag);
    type(at, model, "V");
    CHECK(model.by() == dimension::site);

    type(at, model, "/lqg");  // letters of a filter are no commands
    CHECK(at.is_typing());
    at.press({key::backspace, {}}, model, 10);
    at.press({key::character, "\xC3\xB6"}, model, 10);
    CHECK(at.filter() == "lq\xC3\xB6");
    at.press({key::backspace, {}}, model, 10);
    at.press({key::enter, {}}, model, 10);
    CHECK((at.filter() == "lq" && !at.is_typing()));
    at.press({key::escape, {}}, model, 10);
    CHECK(at.filter().empty());

    type(at, model, "p");
    CHECK(at.is_paused());
    type(at, model, "b");
    CHECK((!at.is_paused() && model.needs_records()));

    at.press({key::enter, {}}, model, 10);
    CHECK(at.shown() == top::page::stack);
    CHECK(at.press({key::character, "q"}, model, 10) == top::controls::wish::nothing);
    CHECK(at.shown() == top::page::table);
    CHECK(at.press({key::character, "q"}, model, 10) == top::controls::wish::quit);
}

TEST_CASE("top: any screen is filled and never overrun") {
    made_service service;
    service.raw().routes[1] = "/\xE2\x82\xAC\x1b[31m/orders";
    service.raw().frames[0].lines[0].function = "f<" + std::string(300, 'x') + ">\n\x07";
    top::model model("localhost:9467", dimension::site);
    top::controls at;
    const auto check = [&] {
        for (std::size_t columns : {1U, 10U, 39U, 80U, 200U}) {
            for (std::size_t rows : {1U, 2U, 5U, 6U, 24U}) {
                const auto screen = draw(model, at, {columns, rows}, second_ns);
                CHECK(screen.size() == rows);
                for (const top::line& each : screen) {
                    CHECK(static_cast<std::size_t>(std::count_if(each.text.begin(), each.text.end(), [](char c) {
                              return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
                          })) <= std::max<std::size_t>(columns, 3));
                    CHECK(std::none_of(each.text.begin(), each.text.end(),
                                       [](char c) { return static_cast<unsigned char>(c) < ' '; }));
                }
            }
        }
    };
    check();  // before the first answer
    model.take(service.allocate(0, 10).allocate(1, 2).whole());
    model.take(service.after(2).allocate(0, 10).whole());
    for (const char* keys : {"", "v", "v", "v", "v", "v", "v", "?", "?", "/x"}) {
        type(at, model, keys);
        check();
    }
    at.press({key::escape, {}}, model, 10);
    at.press({key::enter, {}}, model, 10);
    check();
}

TEST_CASE("top: a column says what is thought of each row, and orders leaks first") {
    made_service service;
    service.allocate(0, 10).allocate(1, 2);
    for (std::uint32_t site = 0; site < 2; ++site) {
        service.raw().verdicts.emplace_back();
        service.raw().verdicts.back().index = site;
    }
    service.raw().verdicts[0].kind = verdict_class::cache;
    service.raw().verdicts[1].kind = verdict_class::leak_retained;
    top::model model("localhost:9467", dimension::site);
    model.take(service.whole());
    CHECK(names(arranged(model.rows(), {column::verdict, false}, "")) == std::vector<std::string>{logging, cache});
    const std::string text = plain_lines(model, {}, 0, false), json = json_line(model, {}, 0);
    CHECK(text.find("VERDICT") != std::string::npos);
    CHECK(text.find("cache    orders::cache::insert") != std::string::npos);
    CHECK(text.find("leak     orders::log::append") != std::string::npos);
    CHECK(json.find("\"verdict\": \"leak_retained\"") != std::string::npos);
    service.raw().verdicts.clear();
    top::model before("localhost:9467", dimension::site);
    before.take(service.whole());
    CHECK(json_line(before, {}, 0).find("\"verdict\": null") != std::string::npos);
}

TEST_CASE("top: lines for a pipe and for a script say the same figures") {
    made_service service;
    top::model model("localhost:9467", dimension::site);
    model.take(service.allocate(0, 10).allocate(1, 2).whole());
    model.take(service.after(2).allocate(0, 1024).whole());
    const std::string text = plain_lines(model, {}, 1, false), json = json_line(model, {}, 1);
    CHECK(text.find("1009.8 KiB  +1000.0 KiB  +500.0 KiB/s") != std::string::npos);
    CHECK(text.find("orders::cache::insert  cache  /orders") != std::string::npos);
    CHECK(text.find("log") == std::string::npos);
    CHECK(json.find("\"growth_bytes\": {\"estimate\": 1024000") != std::string::npos);
    CHECK(json.find("\"total_rows\": 2") != std::string::npos);
    CHECK(json.find('\n') == json.size() - 1);
}

TEST_CASE("top: a service is asked at most every interval and for a twentieth of its time") {
    top::pace pace(2 * second_ns);
    CHECK(pace.next_ns() == 0);
    CHECK(pace.wants_records(0));
    pace.answered(10 * second_ns, second_ns / 100, true);  // asked 10 ms before
    CHECK(pace.next_ns() == 12 * second_ns - second_ns / 100);
    CHECK_FALSE(pace.wants_records(19 * second_ns));
    CHECK(pace.wants_records(20 * second_ns));
    pace.answered(20 * second_ns, second_ns, true);  // a second to answer: 19 to rest, twice that for records
    CHECK(pace.next_ns() == 39 * second_ns);
    CHECK_FALSE(pace.wants_records(57 * second_ns));
    CHECK(pace.wants_records(58 * second_ns));
    pace.failed(40 * second_ns, 5 * second_ns);
    CHECK(pace.next_ns() == 45 * second_ns);
    pace.failed(40 * second_ns);
    CHECK(pace.next_ns() == 42 * second_ns);
    pace.failed(40 * second_ns, ~std::uint64_t{0} / 2);  // a server's word is not taken for ever
    CHECK(pace.next_ns() == 340 * second_ns);
}
