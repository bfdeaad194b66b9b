// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>

#include "unit/serve/routes_fixture.hpp"

using namespace memwatch_test;

TEST_CASE("routes: each route answers with its type") {
    struct row {
        const char* target;
        const char* type;
        const char* body;
    };
    const row rows[] = {
        {"/metrics", "text/plain; version=0.0.4; charset=utf-8", "memwatch_live_bytes{tag=\"order-cache\"} 3072\n"},
        {"/healthz", "text/plain; charset=utf-8", "ok\n"},
        {"/debug/memtrace", "text/plain; charset=utf-8", "summary top=20"},
        {"/debug/memtrace/?top=3", "text/plain; charset=utf-8", "summary top=3"},
        {"/debug/memtrace/snapshot", "application/octet-stream", "dump memtrace "},
        {"/debug/memtrace/snapshot?format=json&label=before", "application/json", "dump json before"},
        {"/debug/memtrace/snapshot?format=jsonl", "application/x-ndjson", "dump jsonl"},
        {"/debug/memtrace/snapshot?format=pprof", "application/octet-stream", "dump pprof"},
        {"/debug/memtrace/snapshot?format=folded", "text/plain; charset=utf-8", "dump folded"},
        {"/debug/memtrace/sites", "application/json", "sites by= cursor= top=100 json"},
        {"/debug/memtrace/sites?by=samples&top=7&cursor=c&format=text", "text/plain; charset=utf-8",
         "sites by=samples cursor=c top=7 text"},
        {"/debug/memtrace/types", "application/json", "types"},
        {"/debug/memtrace/tags", "application/json", "tags"},
        {"/debug/memtrace/pools", "application/json", "pools"},
        {"/debug/memtrace/threads", "application/json", "threads"},
        {"/debug/memtrace/survivors", "application/json", "survivors by= cursor= top=100 json"},
        {"/debug/memtrace/verdicts", "application/json", "json level=suspect class=any top=100"},
        {"/debug/memtrace/verdicts?level=leak&format=text&top=3&records=0", "text/plain; charset=utf-8",
         "text level=leak class=any top=3"},
        {"/debug/memtrace/verdicts?class=cache&format=md", "text/markdown; charset=utf-8",
         "md level=suspect class=cache top=100"},
        {"/debug/memtrace/survivors?epochs=3", "application/json", "survivors by= cursor= top=100 epochs=3 depth=0 json"},
        {"/debug/memtrace/sites?epochs=6&depth=5", "application/json", "sites by= cursor= top=100 epochs=6 depth=5 json"},
        {"/debug/memtrace/hand_offs", "application/json", "hand_offs"},
        {"/debug/memtrace/routes", "application/json", "routes"},
        {"/debug/memtrace/traces", "application/json", "traces"},
        {"/debug/memtrace/config", "application/json", "{}"},
        {"/debug/memtrace/timeline", "application/json", "timeline 900 json"},
        {"/debug/memtrace/timeline?since=24h&format=text", "text/plain; charset=utf-8", "timeline 86400 text"},
        {"/debug/memtrace/config?format=text", "text/plain; charset=utf-8", "config text"},
        {"/debug/pprof/heap", "application/octet-stream", "dump pprof"},
        {"/debug/pprof/symbol", "text/plain; charset=utf-8", "num_symbols: 0\n"},
        {"/debug/pprof/allocs?gc=1&debug=0", "application/octet-stream", "dump pprof_allocs"},
        {"/debug/memtrace/snapshots", "application/json", "\"snapshots\":[]"},
        {"/debug/memtrace/snapshots?format=text", "text/plain; charset=utf-8", "no snapshot is kept"},
    };
    fixture f;
    for (const row& r : rows) {
        INFO(r.target);
        serve::router router = f.router();
        const auto answer = router.handle(get(r.target));
        CHECK(answer.status == 200);
        CHECK(header_of(answer, "Content-Type") == r.type);
        CHECK(contains(answer.body, r.body));

        const auto head = router.handle(ask("HEAD", r.target));
        CHECK(head.status == 200);
        CHECK(head.body.empty());
        CHECK(header_of(head, "Content-Length") == std::to_string(answer.body.size()));
        CHECK(header_of(head, "Content-Type") == r.type);
    }
}

TEST_CASE("routes: every refusal has its status and names what was wrong") {
    struct row {
        const char* method;
        const char* target;
        unsigned status;
        const char* words;
    };
    const row rows[] = {
        {"GET", "/", 404, "no such route"},
        {"GET", "/metrics/", 404, "no such route"},
        {"GET", "/debug/memtrace/../../etc/passwd", 404, "no such route"},
        {"GET", "/debug/memtrace/verdicts?class=leaky", 400, "class: must be one of inconclusive|steady|"},
        {"GET", "/debug/memtrace/verdicts?level=all", 400, "level: must be one of none|suspect|leak"},
        {"GET", "/debug/memtrace/verdicts?top=0", 400, "top:"},
        {"GET", "/debug/memtrace/verdicts?format=html", 400, "format: must be one of json|text|md"},
        {"GET", "/debug/memtrace/verdicts?by=site", 400, "by: unknown parameter"},
        {"GET", "/debug/memtrace/footprint?detail=2", 400, "detail"},
        {"GET", "/debug/memtrace/footprint?format=pprof", 400, "format"},
        {"POST", "/debug/memtrace/footprint", 405, "GET, HEAD"},
        {"GET", "/debug/memtrace/scan", 404, "no such route"},
        {"POST", "/nonsense", 404, "no such route"},
        {"GET", "metrics", 400, "begin with '/'"},
        {"GET", "/debug/memtrace/survivors?epochs=-1", 400, "epochs"},
        {"GET", "/debug/memtrace/sites?depth=65", 400, "depth"},
        {"GET", "/debug/memtrace/tags?epochs=2", 400, "epochs: unknown parameter"},
        {"GET", "/metrics?x=1", 400, "x: unknown parameter; /metrics takes none"},
        {"GET", "/debug/memtrace?tip=3", 400, "tip: unknown parameter; /debug/memtrace takes top|format"},
        {"GET", "/debug/memtrace?top=x", 400, "top: must be a whole number from 0 to 10000"},
        {"GET", "/debug/memtrace?top=10001", 400, "top:"},
        {"GET", "/debug/memtrace?format=yaml", 400, "format: must be one of text|html"},
        {"GET", "/debug/memtrace/snapshot?format=yaml", 400,
         "format: must be one of memtrace|json|jsonl|pprof|pprof_allocs|folded"},
        {"GET", "/debug/memtrace/snapshot?label=a%20b", 400, "label:"},
        {"GET", "/debug/memtrace/snapshot?seconds=0", 400, "seconds: must be a whole number from 1 to 300"},
        {"GET", "/debug/memtrace/snapshot?seconds=301", 400, "seconds: must be"},
        {"GET", "/debug/memtrace/snapshot?seconds=", 400, "seconds: must be"},
        {"GET", "/debug/memtrace/snapshot?seconds=1.5", 400, "seconds: must be"},
        {"GET", "/debug/memtrace/snapshot?seconds=-1", 400, "seconds: must be"},
        {"GET", "/debug/memtrace?seconds=x", 400, "seconds: must be"},
        {"GET", "/debug/pprof/heap?seconds=301", 400, "seconds:"},
        {"GET", "/debug/pprof/allocs?seconds=0", 400, "seconds:"},
        {"GET", "/debug/memtrace/sites?seconds=3", 400, "seconds: unknown parameter"},
        {"GET", "/debug/memtrace/snapshot?kept=a", 404, "kept: no kept snapshot has this label; none is kept"},
        {"GET", "/debug/memtrace/snapshot?kept=a&label=b", 400, "kept: takes format"},
        {"GET", "/debug/memtrace/snapshot?kept=a&records=0", 400, "kept: takes format"},
        {"GET", "/debug/memtrace/snapshot?records=2", 400, "records"},
        {"GET", "/debug/memtrace/snapshot?records=0&label=a", 400, "records: 0 goes with format only"},
        {"GET", "/debug/memtrace/snapshot?records=0&seconds=3", 400, "records: 0 goes with format only"},
        {"GET", "/debug/memtrace/snapshot?kept=a&seconds=3", 400, "kept: takes format"},
        {"GET", "/debug/memtrace/snapshots?format=html", 400, "format: must be one of json|text"},
        {"GET", "/debug/pprof/heap?debug=1", 400, "debug:"},
        {"GET", "/debug/memtrace/sites?top=0", 400, "top:"},
        {"GET", "/debug/memtrace/sites?by=nonsense", 400, "by: no such column"},
        {"GET", "/debug/memtrace/sites?format=html", 400, "format: must be one of json|text"},
        {"GET", "/debug/memtrace/config?format=html", 400, "format:"},
        {"GET", "/debug/memtrace/timeline?since=yesterday", 400, "since:"},
        {"GET", "/debug/memtrace/timeline?format=html", 400, "format:"},
        {"GET", "/debug/memtrace/diff", 400, "base: the label of a kept snapshot is needed"},
        {"GET", "/debug/memtrace/diff?base=a", 404, "base: no kept snapshot has this label; none is kept"},
        {"GET", "/debug/memtrace/diff?base=a&threshold=lots", 400, "threshold:"},
        {"GET", "/debug/memtrace/diff?base=a&treshold=1", 400, "treshold: unknown parameter"},
        {"GET", "/debug/memtrace/diff?base=a&by=colour", 400, "by: must be one of"},
        {"GET", "/debug/memtrace/diff?base=a&top=-1", 400, "top:"},
        {"GET", "/debug/memtrace/diff?base=a&format=md", 400, "format:"},
        {"GET", "/debug/memtrace/diff?base=a&focus=re:(a*)*", 400, "focus:"},
        {"POST", "/metrics", 405, "GET, HEAD"},
        {"DELETE", "/debug/memtrace/snapshot", 405, "GET, HEAD, POST"},
        {"OPTIONS", "/metrics", 405, "GET, HEAD"},
        {"get", "/metrics", 405, "GET, HEAD"},
    };
    fixture f;
    for (const row& r : rows) {
        INFO(r.method << " " << r.target);
        serve::router router = f.router();
        const auto answer = router.handle(ask(r.method, r.target));
        CHECK(answer.status == r.status);
        CHECK(contains(answer.body, r.words));
        CHECK(header_of(answer, "Content-Type") == "text/plain; charset=utf-8");
        CHECK(header_of(answer, "Allow") == (r.status == 405 ? r.words : ""));
    }
    serve::router router = f.router();
    CHECK(router.handle(get("/" + std::string(9000, 'a'))).status == 414);
    auto with_body = post("/debug/memtrace/snapshot?label=a");
    with_body.body.assign(64 * 1024 + 1, 'x');
    CHECK(router.handle(with_body).status == 413);
}

TEST_CASE("routes: a footprint is as detailed as asked for, and admitted like a full snapshot", "[serve]") {
    fixture f;
    serve::router_options options = fixture::with_token();
    options.full_snapshot_burst = 3;
    serve::router router = f.router(options);
    CHECK(router.handle(get("/debug/memtrace/footprint")).body == "json detail=1");
    CHECK(router.handle(get("/debug/memtrace/footprint?format=text&detail=0")).body == "text detail=0");
    const auto markdown = router.handle(get("/debug/memtrace/footprint?format=md&detail=1"));
    CHECK(markdown.body == "md detail=2");
    CHECK(header_of(markdown, "Content-Type") == "text/markdown; charset=utf-8");
    CHECK(router.handle(get("/debug/memtrace/footprint")).status == 429);
    CHECK(f.footprints == 3);
}

TEST_CASE("routes: every answer carries the security headers and none allows other origins") {
    fixture f;
    serve::router router = f.router();
    for (const char* target : {"/metrics", "/nonsense", "/debug/memtrace", "/debug/memtrace?top=x"}) {
        const auto answer = router.handle(get(target));
        CHECK(header_of(answer, "X-Content-Type-Options") == "nosniff");
        CHECK(header_of(answer, "Cache-Control") == "no-store");
        CHECK(contains(header_of(answer, "Content-Security-Policy"), "default-src 'none'"));
        CHECK(header_of(answer, "Access-Control-Allow-Origin").empty());
    }
    CHECK(header_of(router.handle(get("/debug/memtrace/snapshot")), "Content-Disposition") ==
          "attachment; filename=\"memwatch.memtrace\"");
    CHECK(router.handle({"GET", "/metrics", {{"Host", "evil.example"}}, {}}).status == 403);
    CHECK(router.handle(ask("GET", "/metrics", {{"Origin", "http://evil.example"}})).status == 403);
}

TEST_CASE("routes: a browser gets an escaped page, everything else text") {
    fixture f;
    f.summary_text = "std::vector<Order> & \"x\" 'y' </pre><script>alert(1)</script>";
    serve::router router = f.router();
    const auto page =
        router.handle(ask("GET", "/debug/memtrace", {{"Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}}));
    CHECK(header_of(page, "Content-Type") == "text/html; charset=utf-8");
    CHECK(header_of(page, "Vary") == "Accept");
    CHECK(contains(page.body, "<pre>std::vector&lt;Order&gt; &amp; &quot;x&quot; &#39;y&#39; &lt;/pre&gt;&lt;script&gt;"));
    CHECK_FALSE(contains(page.body, "<script>"));
    CHECK(header_of(router.handle(ask("GET", "/debug/memtrace", {{"Accept", "*/*"}})), "Content-Type") ==
          "text/plain; charset=utf-8");
    CHECK(header_of(router.handle(ask("GET", "/debug/memtrace?format=text", {{"Accept", "text/html"}})), "Content-Type") ==
          "text/plain; charset=utf-8");
}

TEST_CASE("routes: a kept snapshot is what a diff starts from") {
    fixture f;
    serve::router router = f.router();
    const auto kept = router.handle(post("/debug/memtrace/snapshot?label=before"));
    CHECK(kept.status == 201);
    CHECK(kept.body == "{\"label\":\"before\",\"bytes\":20,\"taken_ns\":5000000000}\n");
    const auto diff =
        router.handle(get("/debug/memtrace/diff?base=before&threshold=10MB&focus=*api*&by=route&top=5&format=text"));
    CHECK(diff.status == 200);
    CHECK(diff.body == "decoded(dump memtrace before) by=route threshold=10000000.000000 focus=*api* top=5 text");
    CHECK(router.handle(get("/debug/memtrace/diff?base=before")).body ==
          "decoded(dump memtrace before) by=site threshold=0.000000 focus= top=20 json");
    const auto missing = router.handle(get("/debug/memtrace/diff?base=after"));
    CHECK(missing.status == 404);
    CHECK(contains(missing.body, "kept: before"));
    CHECK(router.handle(post("/debug/memtrace/snapshot")).status == 400);
    CHECK(router.handle(post("/debug/memtrace/snapshot?label=a/b")).status == 400);
}

TEST_CASE("routes: a GET with a label keeps nothing") {
    fixture f;
    serve::router router = f.router();
    CHECK(router.handle(get("/debug/memtrace/snapshot?label=x")).status == 200);
    CHECK(router.handle(get("/debug/memtrace/diff?base=x")).status == 404);
}

TEST_CASE("routes: a POST needs the token, on loopback too") {
    fixture f;
    CHECK(f.router().handle(ask("POST", "/debug/pprof/symbol")).status == 200);  // a question, though pprof posts it
    serve::router with = f.router();
    const auto anonymous = with.handle(ask("POST", "/debug/memtrace/snapshot?label=a"));
    CHECK(anonymous.status == 401);
    CHECK(header_of(anonymous, "WWW-Authenticate") == "Bearer realm=\"memwatch\"");
    CHECK(f.freezes == 0);

    serve::router_options options;
    options.access.where = serve::exposure::loopback;
    serve::router without = f.router(options);
    const auto refused = without.handle(post("/debug/memtrace/snapshot?label=a"));
    CHECK(refused.status == 403);
    CHECK(contains(refused.body, "MEMWATCH_TOKEN"));
    CHECK(f.freezes == 0);
    options.access.where = serve::exposure::mounted;
    CHECK(f.router(options).handle(post("/debug/memtrace/snapshot?label=a")).status == 403);
}

TEST_CASE("routes: beyond loopback the debug routes need the token, and metrics do not") {
    fixture f;
    serve::router_options options = fixture::with_token();
    options.access.where = serve::exposure::network;
    serve::router router = f.router(options);
    const auto bearer = std::string("Bearer ") + token;
    CHECK(router.handle({"GET", "/metrics", {{"Host", "orders.svc:9467"}}, {}}).status == 200);
    CHECK(router.handle({"GET", "/healthz", {{"Host", "orders.svc:9467"}}, {}}).status == 200);
    CHECK(router.handle({"GET", "/debug/memtrace", {{"Host", "orders.svc:9467"}}, {}}).status == 401);
    CHECK(router.handle({"GET", "/debug/memtrace", {{"Host", "orders.svc:9467"}, {"Authorization", bearer}}, {}}).status ==
          200);
    options.access.token.clear();
    CHECK(f.router(options).handle({"GET", "/debug/pprof/heap", {{"Host", "orders.svc:9467"}}, {}}).status == 403);
}

TEST_CASE("routes: on loopback without a Host metrics and health answer, and nothing else") {
    fixture f;
    serve::router_options options = fixture::with_token();
    options.access.where = serve::exposure::loopback;
    serve::router router = f.router(options);
    const auto bearer = std::pair<std::string, std::string>("Authorization", std::string("Bearer ") + token);
    for (const std::vector<std::pair<std::string, std::string>>& headers :
         {std::vector<std::pair<std::string, std::string>>{bearer}, {bearer, {"Host", ""}}}) {
        CHECK(router.handle({"GET", "/metrics", headers, {}}).status == 200);
        CHECK(router.handle({"HEAD", "/healthz", headers, {}}).status == 200);
        for (const char* target : {"/debug/memtrace", "/debug/memtrace/config", "/debug/memtrace/tags", "/debug/pprof/heap"}) {
            CHECK(router.handle({"GET", target, headers, {}}).status == 403);
        }
        CHECK(router.handle({"POST", "/debug/memtrace/snapshot?label=a", headers, {}}).status == 403);
    }
    CHECK(f.freezes == 0);
}

TEST_CASE("routes: debug routes can be switched off and metrics stay") {
    fixture f;
    serve::router_options options = fixture::with_token();
    options.routes = serve::route_set::without_debug;
    serve::router router = f.router(options);
    CHECK(router.handle(get("/metrics")).status == 200);
    CHECK(router.handle(get("/healthz")).status == 200);
    for (const char* target : {"/debug/memtrace", "/debug/memtrace/sites", "/debug/memtrace/config", "/debug/pprof/heap"}) {
        const auto refused = router.handle(get(target));
        CHECK(refused.status == 404);
        CHECK(contains(refused.body, "debug_listen"));
    }
    CHECK(router.handle(post("/debug/memtrace/snapshot?label=a")).status == 404);
    CHECK(f.freezes == 0);
}

TEST_CASE("routes: full snapshots run one at a time") {
    fixture f;
    serve::service_view view = f.view();
    serve::router* inner = nullptr;
    memwatch::http_response second;
    view.freeze = [&](std::string_view) -> memwatch::result<memwatch::snapshot> {
        second = inner->handle(get("/debug/memtrace/snapshot"));  // arrives while the first is being taken
        return made_snapshot();
    };
    serve::router router(view, fixture::with_token(), std::make_shared<serve::kept_snapshots>());
    inner = &router;
    CHECK(router.handle(get("/debug/memtrace/snapshot")).status == 200);
    CHECK(second.status == 429);
    CHECK(header_of(second, "Retry-After") == "1");
}

TEST_CASE("routes: full snapshots are rate-limited, cheap routes are not") {
    fixture f;
    fake_now = 1'000'000'000;
    serve::router_options options = fixture::with_token();
    options.full_snapshot_burst = 2;
    serve::router router = f.router(options);
    CHECK(router.handle(get("/debug/memtrace")).status == 200);
    CHECK(router.handle(get("/debug/memtrace/sites")).status == 200);
    const auto refused = router.handle(get("/debug/pprof/heap"));
    CHECK(refused.status == 429);
    CHECK(header_of(refused, "Retry-After") == "2");
    for (int i = 0; i < 10; ++i) {
        CHECK(router.handle(get("/metrics")).status == 200);
        CHECK(router.handle(get("/debug/memtrace/tags")).status == 200);
    }
    CHECK(f.freezes == 2);
    fake_now += 1'000'000'000;
    CHECK(router.handle(get("/debug/memtrace")).status == 200);
    CHECK(router.handle(get("/debug/memtrace")).status == 429);
}

TEST_CASE("routes: without live state the debug routes answer 503 and liveness stays") {
    fixture f;
    f.is_down = true;
    f.health_detail = "memwatch never started";
    serve::router router = f.router();
    for (const char* target : {"/debug/memtrace", "/debug/memtrace/snapshot", "/debug/memtrace/tags", "/debug/pprof/heap"}) {
        const auto answer = router.handle(get(target));
        CHECK(answer.status == 503);
        CHECK(contains(answer.body, "never started"));
    }
    CHECK(router.handle(get("/healthz")).body == "ok, but memwatch: memwatch never started\n");
    CHECK(router.handle(get("/metrics")).body.find("memwatch_up 0\n") != std::string::npos);
}

TEST_CASE("routes: an answer above the cap is refused, an exception is a 500") {
    fixture f;
    f.encoded.assign(2000, 'x');
    serve::router_options options = fixture::with_token();
    options.max_response_bytes = 1000;
    const auto refused = f.router(options).handle(get("/debug/memtrace/snapshot"));
    CHECK(refused.status == 413);
    CHECK(contains(refused.body, "above this server's cap"));

    serve::service_view view = f.view();
    view.render_config = [](bool) -> memwatch::result<std::string> { throw std::runtime_error("renderer broke"); };
    view.health = []() -> std::string { throw 1; };
    serve::router router(view, fixture::with_token(), std::make_shared<serve::kept_snapshots>());
    CHECK(router.handle(get("/debug/memtrace/config")).status == 500);
    CHECK(router.handle(get("/healthz")).status == 500);
    CHECK(router.handle(get("/debug/memtrace")).status == 200);
}

TEST_CASE("routes: control needs the token, even on loopback, and a body that says what to do", "[serve]") {
    for (const auto where : {serve::exposure::loopback, serve::exposure::mounted, serve::exposure::network}) {
        fixture f;
        serve::router_options how;
        how.access = {where, token};
        serve::router r(f.view(), how, std::make_shared<serve::kept_snapshots>());
        memwatch::http_request asked{"POST", "/debug/memtrace/control", {{"Host", "localhost"}}, "preset=full&interval=64KiB"};
        CHECK(r.handle(asked).status == 401);
        CHECK(f.controls == 0);
        asked.headers.emplace_back("Authorization", std::string("Bearer ") + token);
        CHECK(r.handle(asked).body == "set preset=full interval=64KiB;");
        asked.body = "action=most";
        CHECK(r.handle(asked).status == 400);
        asked.body = "action=pause";
        asked.method = "GET";
        CHECK(r.handle(asked).status == 405);
        asked.method = "POST";
        f.is_down = true;
        CHECK(r.handle(asked).status == 503);
        CHECK(f.controls == 2);
    }
}

TEST_CASE("routes: survivors alone need the live records, so a full snapshot; all that ever survived does not") {
    fixture f;
    serve::router router = f.router();
    CHECK(router.handle(get("/debug/memtrace/survivors")).status == 200);
    CHECK(f.freezes == 0);
    CHECK(router.handle(get("/debug/memtrace/survivors?epochs=2")).status == 200);
    CHECK(f.freezes == 1);
    CHECK(router.handle(get("/debug/memtrace/survivors?depth=5")).status == 200);
    CHECK(f.freezes == 2);
}

TEST_CASE("routes: verdicts say whose the kept blocks are by a full snapshot, and do without for who asks often", "[serve]") {
    fixture f;
    serve::router router = f.router();
    CHECK(router.handle(get("/debug/memtrace/verdicts")).status == 200);
    CHECK(f.freezes == 1);
    CHECK(router.handle(get("/debug/memtrace/verdicts?records=0")).status == 200);
    CHECK(f.freezes == 1);
    CHECK(f.summaries == 1);
}

TEST_CASE("routes: since=baseline shows what was born after the mark, and says when there is none", "[serve]") {
    fixture f;
    serve::router router = f.router();
    for (const char* const route : {"/debug/memtrace", "/debug/memtrace/snapshot", "/debug/memtrace/sites"}) {
        INFO(route);
        const auto unmarked = router.handle(get(std::string(route) + "?since=baseline"));
        CHECK(unmarked.status == 400);
        CHECK(contains(unmarked.body, "no mark"));
        CHECK(router.handle(get(std::string(route) + "?since=yesterday")).status == 400);
        f.baseline_ns = 1;
        CHECK(router.handle(get(std::string(route) + "?since=baseline")).status == 200);
        f.baseline_ns = 0;
    }
    CHECK(router.handle(get("/debug/memtrace?since=baseline&seconds=1")).status == 400);
    CHECK(router.handle(get("/debug/memtrace/tags?since=baseline")).status == 400);  // exact from the start
}

TEST_CASE("routes: a diff goes back in the history by age or by name, and says how far it can", "[serve]") {
    fixture f;
    serve::router router = f.router();
    CHECK(contains(router.handle(get("/debug/memtrace/diff?since=1h")).body, "decoded(past)"));
    CHECK(contains(router.handle(get("/debug/memtrace/diff?base=20261122T160000Z-00000001")).body, "decoded(past)"));
    CHECK(router.handle(get("/debug/memtrace/snapshot?past=30m")).body == "past");
    CHECK(router.handle(get("/debug/memtrace/snapshot?kept=20261122T160000Z-00000001&format=json")).status == 200);
    const auto too_far = router.handle(get("/debug/memtrace/diff?since=2h"));
    CHECK(too_far.status == 404);
    CHECK(contains(too_far.body, "since: the history begins 1h00m ago"));
    CHECK(router.handle(get("/debug/memtrace/diff?base=20261122T150000Z-00000001")).status == 500);
    for (const char* const wrong :
         {"/debug/memtrace/diff?since=2", "/debug/memtrace/diff?since=1h&base=a",
          "/debug/memtrace/diff?since=", "/debug/memtrace/snapshot?past=1h&kept=a", "/debug/memtrace/snapshot?past=soon"}) {
        INFO(wrong);
        CHECK(router.handle(get(wrong)).status == 400);
    }
}

TEST_CASE("routes: the list of kept snapshots has those of the history, and what is wrong with them", "[serve]") {
    fixture f;
    serve::router router = f.router();
    const std::string json = router.handle(get("/debug/memtrace/snapshots")).body;
    CHECK(contains(json, R"("history":{"where":"/var/lib/shop","problem":"","bytes":30,"max_bytes":4096,"snapshots":[)"));
    CHECK(contains(json, R"({"name":"20261122T160000Z-00000001","bytes":20,"taken_unix_ns":8,"age_s":3600,"problem":""})"));
    const std::string text = router.handle(get("/debug/memtrace/snapshots?format=text")).body;
    CHECK(contains(text, "20261122T150000Z-00000001  10 B  2h00m ago  cannot be used: damaged: torn\n"));
    CHECK(contains(text, "history (/var/lib/shop, 30 B of 4.0 KiB)\n"));
}
