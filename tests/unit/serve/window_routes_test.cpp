// SPDX-License-Identifier: Apache-2.0
// `seconds=N`: what a router defers, and what it does when the time has come, or when nobody waits any more. Kept snapshots.
#include <catch2/catch.hpp>
#include <string>
#include <variant>

#include "unit/serve/routes_fixture.hpp"

using namespace memwatch_test;

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

serve::deferred deferred_of(serve::outcome out) {
    REQUIRE(std::holds_alternative<serve::deferred>(out));
    return std::get<serve::deferred>(std::move(out));
}

memwatch::http_response response_of(serve::outcome out) {
    REQUIRE(std::holds_alternative<memwatch::http_response>(out));
    return std::get<memwatch::http_response>(std::move(out));
}

}  // namespace

TEST_CASE("windows: the routes that take seconds defer, freeze at the end only, and answer with what happened in between") {
    struct row {
        const char* target;
        const char* type;
        const char* body;
    };
    const row rows[] = {
        {"/debug/memtrace/snapshot?seconds=5", "application/octet-stream", "dump memtrace [from 5000000000]"},
        {"/debug/memtrace/snapshot?seconds=5&format=json&label=x", "application/json", "dump json x[from 5000000000]"},
        {"/debug/memtrace/snapshot?seconds=5&format=jsonl", "application/x-ndjson", "dump jsonl [from"},
        {"/debug/memtrace/snapshot?seconds=5&format=folded", "text/plain; charset=utf-8", "dump folded [from"},
        {"/debug/memtrace/snapshot?seconds=5&format=pprof", "application/octet-stream", "dump pprof [from"},
        {"/debug/pprof/heap?seconds=5", "application/octet-stream", "dump pprof [from"},
        {"/debug/pprof/allocs?seconds=5", "application/octet-stream", "dump pprof_allocs [from"},
        {"/debug/memtrace?seconds=5", "text/plain; charset=utf-8", "summary top=20"},
        {"/debug/memtrace?seconds=5&format=html", "text/html; charset=utf-8", "<pre>summary"},
    };
    for (const row& r : rows) {
        INFO(r.target);
        fixture f;
        serve::router router = f.router();
        memwatch::http_response answer;
        {
            const serve::deferred later = deferred_of(router.begin(get(r.target)));
            CHECK(later.after_ns == 5 * second_ns);
            CHECK(f.summaries == 1);
            CHECK(f.freezes == 0);
            answer = later.then();
        }
        CHECK(f.freezes == 1);
        CHECK(answer.status == 200);
        CHECK(header_of(answer, "Content-Type") == r.type);
        CHECK(header_of(answer, "X-Content-Type-Options") == "nosniff");
        CHECK(contains(answer.body, r.body));
        const auto head = deferred_of(router.begin(ask("HEAD", r.target)));
        CHECK(head.then().body.empty());
    }
}

TEST_CASE("windows: a mounted handler waits on its own thread") {
    fixture f;
    serve::router router = f.router();
    const std::uint64_t begun = fake_now;
    CHECK(router.handle(get("/debug/memtrace/snapshot?seconds=300")).status == 200);
    CHECK(fake_now - begun == 300 * second_ns);
    CHECK(router.handle(get("/debug/memtrace/snapshot")).status == 200);
    CHECK(fake_now - begun == 300 * second_ns);
}

TEST_CASE("windows: while one is open, other full snapshots are told how long it has left, and cheap routes answer") {
    fixture f;
    fake_now = 100 * second_ns;
    serve::router router = f.router();
    const serve::deferred open = deferred_of(router.begin(get("/debug/memtrace/snapshot?seconds=30")));
    std::string said;
    const auto retry_after = [&](const char* target) {
        const auto refused = response_of(router.begin(get(target)));
        CHECK(refused.status == 429);
        said = refused.body;
        return header_of(refused, "Retry-After");
    };
    CHECK(retry_after("/debug/memtrace/snapshot") == "30");
    fake_now += 10 * second_ns + 1;
    CHECK(retry_after("/debug/memtrace") == "20");
    CHECK(said.find("is open for 20 s more") != std::string::npos);
    CHECK(retry_after("/debug/pprof/heap?seconds=2") == "20");
    fake_now += 100 * second_ns;  // due, and its answer is still being made
    CHECK(retry_after("/debug/memtrace/sites") == "1");
    CHECK(said.find("one at a time") != std::string::npos);
    CHECK(said.find("s more") == std::string::npos);
    CHECK(response_of(router.begin(get("/metrics"))).status == 200);
    CHECK(response_of(router.begin(get("/debug/memtrace/tags"))).status == 200);
}

TEST_CASE("windows: one that nobody waits for any more gives its place back, answered or dropped") {
    fixture f;
    serve::router router = f.router();
    { const serve::deferred dropped = deferred_of(router.begin(get("/debug/memtrace/snapshot?seconds=300"))); }
    CHECK(f.freezes == 0);
    CHECK(router.handle(get("/debug/memtrace/snapshot")).status == 200);
    {
        const serve::deferred answered = deferred_of(router.begin(get("/debug/memtrace/snapshot?seconds=300")));
        CHECK(answered.then().status == 200);
    }
    CHECK(router.handle(get("/debug/memtrace/snapshot")).status == 200);
}

TEST_CASE("windows: failures at the start, at the end and of the session in between are answers") {
    fixture f;
    serve::router router = f.router();
    f.is_down = true;
    CHECK(response_of(router.begin(get("/debug/memtrace/snapshot?seconds=3"))).status == 503);
    f.is_down = false;
    const serve::deferred later = deferred_of(router.begin(get("/debug/memtrace/snapshot?seconds=3")));
    f.is_down = true;
    CHECK(later.then().status == 503);

    serve::service_view view = f.view();
    f.is_down = false;
    view.cut_window = [](const memwatch::snapshot&, memwatch::snapshot) -> memwatch::result<memwatch::snapshot> {
        return memwatch::fail(memwatch::error_code::unavailable, "the session ended");
    };
    serve::router other(view, fixture::with_token(), std::make_shared<serve::kept_snapshots>());
    CHECK(deferred_of(other.begin(get("/debug/memtrace?seconds=3"))).then().status == 503);

    view.freeze = [](std::string_view) -> memwatch::result<memwatch::snapshot> { throw std::bad_alloc(); };
    serve::router broken(view, fixture::with_token(), std::make_shared<serve::kept_snapshots>());
    CHECK(deferred_of(broken.begin(get("/debug/memtrace?seconds=3"))).then().status == 503);
}

TEST_CASE("windows: an answer above the cap is refused at the end, too") {
    fixture f;
    f.encoded.assign(2000, 'x');
    serve::router_options options = fixture::with_token();
    options.max_response_bytes = 1000;
    serve::router router = f.router(options);
    CHECK(deferred_of(router.begin(get("/debug/memtrace/snapshot?seconds=3"))).then().status == 413);
}

TEST_CASE("kept: the list says what is kept, how large and since when") {
    fixture f;
    fake_now = 50 * second_ns;
    serve::router router = f.router();
    CHECK(router.handle(post("/debug/memtrace/snapshot?label=before")).status == 201);
    fake_now += 7 * second_ns;
    auto by_body = post("/debug/memtrace/snapshot");
    by_body.body = "label=after";
    CHECK(router.handle(by_body).status == 201);
    const std::string listed = router.handle(get("/debug/memtrace/snapshots")).body;
    CHECK(listed.substr(0, listed.find(",\"history\"")) ==
          "{\"kind\":\"memwatch.snapshots\",\"version\":1,\"bytes\":39,\"max_bytes\":33554432,\"max_count\":16,\"snapshots\":["
          "{\"label\":\"before\",\"bytes\":20,\"taken_ns\":5000000000,\"age_s\":7},\n"
          "{\"label\":\"after\",\"bytes\":19,\"taken_ns\":5000000000,\"age_s\":0}]");
    const auto text = router.handle(get("/debug/memtrace/snapshots?format=text")).body;
    CHECK(contains(text, "before  20 B  7"));
    CHECK(contains(text, "after"));
}

TEST_CASE("kept: a kept snapshot comes back as it was, or in another format") {
    fixture f;
    serve::router router = f.router();
    CHECK(router.handle(post("/debug/memtrace/snapshot?label=before")).status == 201);
    const int freezes = f.freezes;
    CHECK(router.handle(get("/debug/memtrace/snapshot?kept=before")).body == "dump memtrace before");
    CHECK(router.handle(get("/debug/memtrace/snapshot?kept=before&format=json")).body ==
          "dump json decoded(dump memtrace before)");
    CHECK(f.freezes == freezes);
    CHECK(router.handle(get("/debug/memtrace/snapshot?kept=after")).status == 404);
}

TEST_CASE("kept: the label of a POST comes from the query or the body, once") {
    struct row {
        const char* target;
        const char* type;
        const char* body;
        unsigned status;
    };
    const row rows[] = {
        {"/debug/memtrace/snapshot", "", "label=a", 201},
        {"/debug/memtrace/snapshot", "application/x-www-form-urlencoded", "label=a-b", 201},
        {"/debug/memtrace/snapshot", "application/json", "{\"label\": \"a\"}", 201},
        {"/debug/memtrace/snapshot?label=a", "application/json", "{}", 201},
        {"/debug/memtrace/snapshot?label=a", "", "label=b", 400},
        {"/debug/memtrace/snapshot", "application/json", "{\"label\": \"a\", \"label\": \"b\"}", 400},
        {"/debug/memtrace/snapshot", "application/json", "{\"label\": [\"a\"]}", 400},
        {"/debug/memtrace/snapshot", "application/json", "{\"name\": \"a\"}", 400},
        {"/debug/memtrace/snapshot", "", "label=a%20b", 400},
        {"/debug/memtrace/snapshot", "", "", 400},
    };
    for (const row& r : rows) {
        INFO(r.target << " " << r.body);
        fixture f;
        serve::router router = f.router();
        auto request = post(r.target);
        if (*r.type != '\0') { request.headers.emplace_back("Content-Type", r.type); }
        request.body = r.body;
        CHECK(router.handle(request).status == r.status);
        CHECK(f.freezes == (r.status == 201 ? 1 : 0));
    }
}
