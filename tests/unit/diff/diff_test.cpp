// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <cmath>

#include <memwatch/diff/diff.hpp>

#include "model/sampling_stop.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

using namespace memwatch_test;

namespace {

constexpr dimension all_dimensions[] = {dimension::site,  dimension::type,   dimension::tag, dimension::trace,
                                        dimension::route, dimension::thread, dimension::pool};
constexpr std::uint64_t second_ns = 1'000'000'000;

// A service in miniature: blocks are allocated and freed at will, two snapshots are taken of what is alive.
class service {
public:
    explicit service(std::uint64_t interval_bytes = 0) : interval_(interval_bytes) {
        s_.info.session = "5e55";
        s_.info.host = "h1";
        s_.info.executable = "/opt/orders";
        s_.info.started_unix_ns = 1'700'000'000 * second_ns;
        s_.info.interval_bytes = interval_bytes;
        s_.modules.push_back({"/opt/orders", "b1", 0x400000, 0x500000, 0});
        s_.tags.push_back({"untagged", 0, 0, 0, 0});
        s_.routes.push_back("");
        s_.threads.push_back({"other", 0, false});
    }

    std::uint32_t add_site(const std::string& function, const std::string& type = "", std::uint32_t tag = 0) {
        const auto offset = 0x1000 + 0x10 * s_.frames.size();
        s_.frames.push_back({0, offset, {{function, "", 0}}});
        s_.stacks.push_back({{static_cast<std::uint32_t>(s_.frames.size() - 1)}, false});
        site row;
        row.stack = static_cast<std::uint32_t>(s_.stacks.size() - 1);
        row.type = type;
        row.tag = tag;
        s_.sites.push_back(row);
        return static_cast<std::uint32_t>(s_.sites.size() - 1);
    }

    // A sampled block, born `at_s` seconds after the start.
    void allocate(std::uint32_t at_site, std::uint64_t size, double at_s, std::uint32_t route = 0, trace_id trace = {}) {
        s_.live.push_back({++sequence_, size, static_cast<std::uint64_t>(at_s * 1e9), interval_, trace, at_site, route, 0});
    }

    template <class Predicate>
    void free_if(Predicate predicate) {
        std::erase_if(s_.live, predicate);
    }

    snapshot take(double at_s) {
        auto copy = s_;
        copy.info.taken_ns = static_cast<std::uint64_t>(at_s * 1e9);
        for (const auto& record : copy.live) { copy.sites[record.site].live.add(record.size_bytes, record.interval_bytes); }
        return copy;
    }

    snapshot& state() { return s_; }

private:
    std::uint64_t interval_;
    snapshot s_;
    std::uint64_t sequence_{};
};

delta diff_of(const snapshot& before, const snapshot& after, diff_options options = {}) {
    auto out = diff(before, after, options);
    REQUIRE(out);
    return *out;
}

const delta_row& row_named(const delta& d, const std::string& name) {
    const auto found = std::find_if(d.rows.begin(), d.rows.end(), [&](const delta_row& row) { return row.name == name; });
    REQUIRE(found != d.rows.end());
    return *found;
}

bool has_warning(const delta& d, const std::string& part) {
    return std::any_of(d.warnings.begin(), d.warnings.end(),
                       [&](const std::string& w) { return w.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("diff: diff(a, a) has no rows and no change, in every dimension") {
    for (int round = 0; round < 20; ++round) {
        const std::uint64_t seed = test_support::seed();
        INFO("seed " << seed);
        random_source random{seed};
        const auto a = random_snapshot(random);
        for (const auto by : all_dimensions) {
            const auto d = diff_of(a, a, {by});
            CHECK(d.rows.empty());
            CHECK(d.total.bytes == 0);
            CHECK(d.total.bytes_standard_error == 0);
            CHECK(d.total.what == change::unchanged);
            CHECK(d.warnings.empty());
        }
    }
}

TEST_CASE("diff: rows sum to the total, and diff(a, b) is -diff(b, a)") {
    for (int round = 0; round < 20; ++round) {
        const std::uint64_t seed = test_support::seed();
        INFO("seed " << seed);
        random_source random{seed};
        auto a = random_snapshot(random);
        auto b = random_snapshot(random);
        if (round % 2 == 0) { b.info.session = a.info.session; }
        if (round % 3 == 0) {  // share the tables, so that rows match
            b.modules = a.modules, b.frames = a.frames, b.stacks = a.stacks, b.tags = a.tags;
        }
        for (const auto by : all_dimensions) {
            diff_options all{by};
            all.include_unchanged = true;
            const auto forth = diff_of(a, b, all);
            const auto back = diff_of(b, a, all);
            // The total is summed in another order: equal but for rounding, in proportion to what was summed.
            const double summed = forth.total.before.live.bytes + forth.total.after.live.bytes;
            CHECK(std::abs(forth.total.bytes + back.total.bytes) <= 1e-12 * summed);
            REQUIRE(forth.rows.size() == back.rows.size());
            double before = 0;
            double after = 0;
            for (const auto& row : forth.rows) {
                before += row.before.live.bytes;
                after += row.after.live.bytes;
                CHECK(row.bytes == row.after.live.bytes - row.before.live.bytes);
                const auto twin = std::find_if(back.rows.begin(), back.rows.end(),
                                               [&](const delta_row& other) { return other.key == row.key; });
                REQUIRE(twin != back.rows.end());
                CHECK(twin->bytes == -row.bytes);
                CHECK(twin->bytes_standard_error == Approx(row.bytes_standard_error));
            }
            CHECK(forth.hidden_rows == 0);
            if (by == dimension::pool) { continue; }  // a pool on a pool counts once in the total: a test of its own
            CHECK(before == Approx(forth.total.before.live.bytes));
            CHECK(after == Approx(forth.total.after.live.bytes));
        }
    }
}

TEST_CASE("diff: names the leak with type, tag, route and trace") {
    service orders;
    orders.state().tags.push_back({"order-cache", 0, 0, 0, 0});
    orders.state().routes.push_back("/api/v2/orders");
    const auto leak = orders.add_site("orders::request_cache::insert(orders::request const&)", "Order", 1);
    const auto steady = orders.add_site("orders::session_store::put()");
    orders.allocate(steady, 1000, 1);
    const auto before = orders.take(10);
    for (std::uint64_t i = 1; i <= 10; ++i) { orders.allocate(leak, 100, 10.0 + static_cast<double>(i), 1, {7, i}); }
    const auto after = orders.take(21);

    const auto d = diff_of(before, after);
    REQUIRE(d.rows.size() == 1);
    const auto& row = d.rows[0];
    CHECK(row.name == "orders::request_cache::insert");
    CHECK(row.type == "Order");
    CHECK(row.tag == "order-cache");
    CHECK(row.bytes == 1000);
    CHECK(row.objects == 10);
    CHECK(row.what == change::appeared);
    CHECK(std::isinf(row.ratio()));
    CHECK(row.survivors_bytes == 1000);
    CHECK(row.bytes_standard_error == 0);
    CHECK(d.seconds == Approx(11));
    CHECK(row.rate_bytes_per_s == Approx(1000 / 11.0));
    CHECK(row.after.oldest_age_ns == 10 * second_ns);
    CHECK(row.stack.size() == 1);
    CHECK(d.modules.at(row.stack[0].module).path == "/opt/orders");
    CHECK(d.hidden_rows == 1);

    std::vector<std::string> shares;
    for (const auto& share : row.shares) { shares.push_back(std::string{to_string(share.by)} + " " + share.name); }
    CHECK(shares == std::vector<std::string>{"tag order-cache", "route /api/v2/orders", "trace " + to_string({7, 1}),
                                             "trace " + to_string({7, 2}), "trace " + to_string({7, 3}), "thread other"});
    CHECK(row.shares[1].bytes == 1000);
    CHECK(row.shares[2].trace == trace_id{7, 1});

    CHECK(diff_of(before, after, {dimension::route}).rows.at(0).name == "/api/v2/orders");
    CHECK(diff_of(before, after, {dimension::type}).rows.at(0).name == "Order");
    CHECK(diff_of(before, after, {dimension::thread}).rows.at(0).name == "other");
    CHECK(diff_of(before, after, {dimension::trace}).rows.size() == 10);
}

TEST_CASE("diff: a leak outranks caches that grew by more but filled up or evict") {
    service orders;
    const auto leak = orders.add_site("leak");
    const auto filled = orders.add_site("filled");
    const auto evicting = orders.add_site("evicting");
    const auto before = orders.take(0);
    // 100 s: the leak keeps 1 block of 1000 B each second; one cache takes 300 blocks within 40 s and stops; another one takes
    // 6 a second from an empty start, evicts the oldest beyond 240, and so holds nothing that is older than 40 s.
    for (int tick = 0; tick < 100; ++tick) {
        const double now = tick + 0.5;
        orders.allocate(leak, 1000, now);
        for (int i = 0; i < 15 && tick < 20; ++i) { orders.allocate(filled, 1000, now); }
        for (int i = 0; i < 6; ++i) { orders.allocate(evicting, 1000, now); }
        const auto limit = now - 40;
        orders.free_if(
            [&](const live_record& r) { return r.site == evicting && static_cast<double>(r.birth_ns) < limit * 1e9; });
    }
    const auto d = diff_of(before, orders.take(100));
    REQUIRE(d.rows.size() == 3);
    CHECK(d.rows[0].name == "leak");
    CHECK(d.rows[0].bytes == 100'000);
    CHECK(d.rows[0].steady_bytes == 100'000);
    CHECK(row_named(d, "filled").bytes == 300'000);
    CHECK(row_named(d, "filled").steady_bytes < 10'000);
    CHECK(row_named(d, "evicting").bytes >= 240'000);
    CHECK(row_named(d, "evicting").steady_bytes < 10'000);
}

TEST_CASE("diff: noise does not outrank a leak") {
    constexpr std::uint64_t interval = 1 << 20;
    service orders{interval};
    const auto leak = orders.add_site("leak");
    const auto noisy = orders.add_site("noisy");
    for (int i = 0; i < 40; ++i) { orders.allocate(noisy, 64, 0.1); }
    const auto before = orders.take(1);
    orders.free_if([&](const live_record& r) { return r.site == noisy; });
    for (int i = 0; i < 50; ++i) { orders.allocate(noisy, 64, 2 + i); }  // churn: +10 samples, 2 standard errors are 19
    for (int i = 0; i < 8; ++i) { orders.allocate(leak, 64, 2 + 6.0 * i); }
    const auto d = diff_of(before, orders.take(52));
    CHECK(d.rows[0].name == "leak");
    CHECK(d.rows[0].is_significant());
    CHECK(row_named(d, "noisy").bytes > d.rows[0].bytes);
    CHECK_FALSE(row_named(d, "noisy").is_significant());
}

TEST_CASE("diff: the standard error covers the truth") {
    // 2,000 rounds of a site whose 400 old blocks stay while 100 are freed and 300 are born. If z = (estimate - truth) / error
    // is unbiased with unit variance, mean z is within 4/sqrt(2000) = 0.09 of 0 and mean z^2 within about 0.15 of 1.
    constexpr std::uint64_t interval = 4096;
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    random_source random{seed};
    double sum = 0;
    double squares = 0;
    constexpr int rounds = 2000;
    for (int round = 0; round < rounds; ++round) {
        service one{interval};
        const auto site = one.add_site("f");
        double truth = 0;
        const auto maybe_allocate = [&](double at_s) {
            const std::uint64_t size = 512 + random.below(2048);
            if (random.chance(sampling_probability(size, interval))) { one.allocate(site, size, at_s); }
            return static_cast<double>(size);
        };
        for (int i = 0; i < 400; ++i) { maybe_allocate(0.1); }
        for (int i = 0; i < 100; ++i) { truth -= maybe_allocate(0.2); }
        const auto before = one.take(1);
        one.free_if([](const live_record& r) { return r.birth_ns == 200'000'000; });
        for (int i = 0; i < 300; ++i) { truth += maybe_allocate(2); }
        const auto d = diff_of(before, one.take(3));
        const double z = (d.total.bytes - truth) / d.total.bytes_standard_error;
        sum += z;
        squares += z * z;
    }
    CHECK(std::abs(sum / rounds) < 0.1);
    CHECK(squares / rounds == Approx(1).margin(0.2));
}

TEST_CASE("diff: a block alive on both sides cancels only within a session") {
    service one{1 << 20};
    one.allocate(one.add_site("f"), 100, 0.5);
    const auto before = one.take(1);
    auto after = one.take(2);
    CHECK(diff_of(before, after).total.bytes_standard_error == 0);
    after.info.session = "other";
    const auto d = diff_of(before, after);
    CHECK(d.total.bytes_standard_error == Approx(std::sqrt(2 * after.sites[0].live.bytes_variance)));
    CHECK(has_warning(d, "different sessions"));
}

TEST_CASE("diff: tells what survived from what was allocated again") {
    service one;
    const auto f = one.add_site("f");
    for (int i = 0; i < 5; ++i) { one.allocate(f, 100, 1 + i); }
    const auto before = one.take(10);
    one.free_if([](const live_record& r) { return r.birth_ns < 3'500'000'000; });  // three of the five
    for (int i = 0; i < 4; ++i) { one.allocate(f, 100, 11 + i); }
    const auto after = one.take(20);
    const auto d = diff_of(before, after);
    const auto& row = d.rows.at(0);
    CHECK(row.rung == match_rung::exact);
    CHECK(row.survived_bytes == 200);
    CHECK(row.freed_bytes == 300);
    CHECK(row.survivors_bytes == 400);
    CHECK(row.before.live.bytes == row.survived_bytes + row.freed_bytes);
    CHECK(row.after.live.bytes == row.survived_bytes + row.survivors_bytes);
    CHECK(row.before.first_birth_unix_ns == 1'700'000'001 * second_ns);
    CHECK(row.before.last_birth_unix_ns == 1'700'000'005 * second_ns);
    CHECK(row.after.first_birth_unix_ns == 1'700'000'004 * second_ns);
    CHECK(row.after.last_birth_unix_ns == 1'700'000'014 * second_ns);
    CHECK(d.total.survived_bytes == 200);
    CHECK(diff_of(after, before).rows.at(0).survived_bytes == 200);

    SECTION("another session follows no block, but knows when each side's were born") {
        auto restarted = after;
        restarted.info.session = "other";
        const auto across = diff_of(before, restarted).rows.at(0);
        CHECK(across.survived_bytes == -1);
        CHECK(across.freed_bytes == -1);
        CHECK(across.after.last_birth_unix_ns == 1'700'000'014 * second_ns);
    }
    SECTION("a summary doesn't know") {
        auto summary = after;
        summary.live.clear();
        const auto rows = diff_of(before, summary).rows;
        CHECK(rows.at(0).survived_bytes == -1);
        CHECK(rows.at(0).after.first_birth_unix_ns == 0);
    }
}

TEST_CASE("diff: a record that was thinned in between is still the same block") {
    service one{1 << 20};
    one.allocate(one.add_site("f"), 100, 0.5);
    const auto before = one.take(1);
    one.state().live[0].interval_bytes *= 2;
    const auto row = diff_of(before, one.take(2)).rows.at(0);
    CHECK(row.survived_bytes == row.after.live.bytes);
    CHECK(row.freed_bytes == 0);
}

TEST_CASE("diff: a summary compares by its sites") {
    service one{1 << 20};
    one.allocate(one.add_site("f"), 100, 0.5);
    auto before = one.take(1);
    one.allocate(0, 100, 1.5);
    auto after = one.take(2);
    const double change = diff_of(before, after).total.bytes;
    before.live.clear();
    after.live.clear();
    const auto d = diff_of(before, after);
    CHECK(d.rows.at(0).bytes == Approx(change));
    CHECK(d.rows[0].bytes_standard_error == Approx(std::sqrt(3 * before.sites[0].live.bytes_variance)));
    CHECK(has_warning(diff_of(before, after, {dimension::route}), "live records are missing"));
}

TEST_CASE("diff: of an excerpt's few records no route is told") {
    service one{1 << 20};
    one.allocate(one.add_site("f"), 100, 0.5);
    one.allocate(0, 100, 0.6);
    const auto before = one.take(1);
    one.allocate(0, 100, 1.5);
    one.allocate(0, 100, 1.6);
    auto after = one.take(2);
    REQUIRE_FALSE(diff_of(before, after).rows.at(0).shares.empty());
    after.live.resize(1);
    const auto d = diff_of(before, after);
    CHECK(d.rows.at(0).bytes > 0);
    CHECK(d.rows[0].shares.empty());
    CHECK(d.total.after.untraced_bytes == -1);
    CHECK(has_warning(d, "is an excerpt"));
}

TEST_CASE("diff: sites match across load addresses and table order") {
    service one;
    one.allocate(one.add_site("f"), 100, 0.5);
    const auto before = one.take(1);
    auto after = before;
    after.info.session = "after restart";
    after.modules.insert(after.modules.begin(), module{"/lib/libx.so", "b9", 0, 1, 0});
    after.modules[1].start += 0x7000000;
    after.frames[0].module = 1;
    after.frames[0].lines.clear();  // symbols are not needed
    CHECK(diff_of(before, after).rows.empty());
    after.frames[0].offset += 1;
    CHECK(diff_of(before, after).rows.size() == 2);
}

TEST_CASE("diff: modules that share a path or a build id are kept apart, equal ones are one") {
    service one;
    one.allocate(one.add_site("f"), 100, 0.5);
    auto s = one.take(1);
    s.modules = {{"", "", 0, 0, 0}, {"", "b1", 0, 0, 0}, {"x", "b1", 0, 0, 0}, {"x", "b1", 0, 0, 0}, {"x", "", 0, 0, 0}};
    for (std::uint32_t i = 0; i < s.modules.size(); ++i) {
        s.frames[0].module = i;
        CHECK(diff_of(s, s).rows.empty());
    }
}

TEST_CASE("diff: sites of a rebuilt program match by function names, whatever was inlined where") {
    service one;
    one.allocate(one.add_site("app::insert(int)"), 100, 0.5);
    auto before = one.take(1);
    before.frames[0].lines.push_back({"app::handle()", "a.cpp", 7});
    auto after = before;
    after.info.session = "rebuilt";
    after.modules[0].build_id = "b2";
    after.frames = {{0, 0x7777, {{"app::insert(int) [clone .constprop.0]", "a.cpp", 9}}},
                    {0, 0x8888, {{"app::handle()", "", 0}}}};
    after.stacks[0].frames = {0, 1};
    auto d = diff_of(before, after);
    CHECK(d.rows.empty());
    CHECK(has_warning(d, "different builds"));
    after.frames[0].lines.clear();
    d = diff_of(before, after);
    REQUIRE(d.rows.size() == 2);
    CHECK(d.moves.empty());
    CHECK(has_warning(d, "have no names in AFTER"));
    CHECK(d.modules.size() == 2);
    const auto& gone = d.rows.back();
    CHECK(gone.what == change::gone);
    CHECK(d.modules.at(gone.stack.at(0).module).build_id == "b1");
}

TEST_CASE("diff: tags and pools are exact, the untagged heap is an estimate") {
    service one{1 << 20};
    one.state().tags.push_back({"cache", 1000, 10, 400, 4});
    one.state().pools.push_back({"conn", "", 64, 10, 3, 0, 0, 0, 0, 0});
    one.allocate(one.add_site("f"), 100, 0.5);
    one.allocate(one.add_site("g", "", 1), 100, 0.5);
    const auto before = one.take(1);
    one.allocate(0, 100, 1.5);
    one.allocate(1, 100, 1.5);
    one.state().tags[1].allocated_bytes = 1500;
    one.state().tags[1].allocations = 15;
    one.state().pools[0].in_use = 7;
    const auto after = one.take(2);
    const auto tags = diff_of(before, after, {dimension::tag});
    const auto& cache = row_named(tags, "cache");
    CHECK(cache.is_exact);
    CHECK(cache.bytes == 500);
    CHECK(cache.objects == 5);
    CHECK(cache.bytes_standard_error == 0);
    const auto& untagged = row_named(tags, "untagged");
    CHECK_FALSE(untagged.is_exact);
    CHECK(untagged.bytes_standard_error > 0);
    CHECK_FALSE(tags.total.is_exact);
    const auto pools = diff_of(before, after, {dimension::pool});
    CHECK(pools.rows.at(0).bytes == 256);
    CHECK(pools.rows[0].objects == 4);
    CHECK(pools.rows[0].is_exact);
    CHECK(pools.total.is_exact);
}

TEST_CASE("diff: the total of pools has the objects of a pool on a pool once") {
    service one{1 << 20};
    one.state().pools.push_back({"pages", "storage", 4096, 10, 2, 0, 0, 0, 0, 0});
    one.state().pools.push_back({"orders", "pages", 64, 64, 3, 0, 0, 0, 0, 0});
    one.state().pools[1].upstream_is_pool = true;
    const auto before = one.take(1);
    one.state().pools[0].in_use = 3;
    one.state().pools[1].in_use = 50;
    const auto after = one.take(2);
    const auto pools = diff_of(before, after, {dimension::pool});
    CHECK(row_named(pools, "pages").bytes == 4096);
    CHECK(row_named(pools, "orders").bytes == 47 * 64);
    CHECK(pools.total.before.live.bytes == 2 * 4096);
    CHECK(pools.total.bytes == 4096);
}

TEST_CASE("diff: says where another run's modules are taken for the same by their path alone") {
    service one;
    one.add_site("f");
    const auto before = one.take(10);
    auto after = one.take(20);
    REQUIRE_FALSE(after.modules.empty());
    for (module& each : after.modules) { each.build_id.clear(); }
    CHECK_FALSE(has_warning(diff_of(before, after), "by its path"));  // one session: they are the same
    after.info.session = "another";
    CHECK(has_warning(diff_of(before, after), "by its path"));
    CHECK(has_warning(diff_of(before, after), after.modules.front().path));
}

TEST_CASE("diff: warns of what should not be compared") {
    service one;
    one.add_site("f");
    const auto before = one.take(10);
    auto after = one.take(20);
    CHECK(diff_of(before, after).warnings.empty());
    CHECK(has_warning(diff_of(after, before), "swapped"));
    after.activity.push_back({sampling_stop_row, static_cast<std::uint64_t>(sampling_stop::paused)});
    CHECK(has_warning(diff_of(before, after), "AFTER was taken while nothing was sampled (paused)"));
    after.activity.clear();
    after.info.host = "h2";
    after.info.interval_bytes = 65536;
    after.info.session = "other";
    after.info.service = "billing";
    after.modules[0].build_id = "b2";
    const auto d = diff_of(before, after);
    for (const char* part : {"hosts: h1 and h2", "intervals in bytes: 0 and 65536", "sessions", "services", "builds"}) {
        CHECK(has_warning(d, part));
    }
    CHECK(d.seconds == Approx(10));  // by the wall clock
    after.info.started_unix_ns = 0;
    CHECK(has_warning(diff_of(before, after), "unknown"));
    CHECK(diff_of(before, after).seconds == 0);
}

TEST_CASE("diff: threshold, focus and top hide rows but not the total") {
    service one;
    one.state().routes.push_back("/api/v2/orders");
    const auto big = one.add_site("app::big(int)", "Big");
    const auto small = one.add_site("app::small()", "Small");
    const auto before = one.take(1);
    one.allocate(big, 10'000, 1.5);
    one.allocate(small, 10, 1.5, 1);
    const auto after = one.take(2);
    const auto names = [&](const diff_options& options) {
        const auto d = diff_of(before, after, options);
        CHECK(d.total.bytes == 10'010);
        CHECK(d.hidden_rows + d.rows.size() == 2);
        std::string text;
        for (const auto& row : d.rows) { text += row.name + " "; }
        return text;
    };
    const auto focus = [&](const char* expression) { return names({dimension::site, 0, expression}); };
    CHECK(names({}) == "app::big app::small ");
    CHECK(names({dimension::site, 100}) == "app::big ");
    CHECK(names({dimension::site, 0, "", 1}) == "app::big ");
    CHECK(focus("*api/v2/*") == "app::small ");
    CHECK(focus("app::b?g") == "app::big ");
    CHECK(focus("small") == "app::small ");             // no wildcard: any part
    CHECK(focus("Small") == "app::small ");             // the type
    CHECK(focus("BIG") == "");                          // case counts
    CHECK(focus("*orders") == "app::big app::small ");  // route of one, module of both
    CHECK(focus("re:b.g\\(int\\)$") == "app::big ");
    CHECK(focus("re:^/api/v[0-9]+/") == "app::small ");
    CHECK(names({dimension::route, 0, "*big*"}) == "(no route) ");
    CHECK(has_warning(diff_of(before, after, {dimension::site, 0, "nothing*"}), "matched nothing"));
}

TEST_CASE("diff: a bad focus is refused, and an evil one ends") {
    const snapshot empty;
    const auto refused = [&](const std::string& expression) {
        const auto out = diff(empty, empty, {dimension::site, 0, expression});
        return !out && out.error().code == error_code::invalid_argument && !out.error().where.empty();
    };
    CHECK(refused("re:("));
    CHECK(refused("re:(a)\\1"));         // back references need exponential time
    CHECK(refused("re:x{1000}{1000}"));  // a million states
    CHECK(refused(std::string(300, 'a')));
    service one;
    one.add_site(std::string(5000, 'a'));
    const auto before = one.take(1);
    one.allocate(0, 1, 1.5);
    CHECK(diff_of(before, one.take(2), {dimension::site, 0, "re:(a+)+(a+)+$b"}).rows.empty());
    CHECK(diff_of(before, one.take(2), {dimension::site, 0, "*a*a*a*a*a*a*a*a*a*a*b"}).rows.empty());
}
