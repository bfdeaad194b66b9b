// SPDX-License-Identifier: Apache-2.0
// Requests as a stranger sends them, above Beast: target, query, headers, access rules, routing. One body for the fuzzer and
// for the replay of tests/fuzz/corpus/http.
//
// Input: "METHOD target\nName: value\n...\n\nbody". Laws: no crash; a status the documentation knows; security headers on every
// answer; HEAD has no body; only an authorised POST keeps a snapshot; an error is text and repeats no control character; a
// deferred answer is due in 1 to 300 s, keeps full snapshots out until it is made or dropped, and is a complete answer then.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "control/protocol.hpp"
#include "serve/routes.hpp"
#include "unit/serve/made_snapshot.hpp"

namespace serve = memwatch::serve;

namespace {

constexpr const char* token = "0123456789abcdef";

void require(bool holds, const char* law) {
    if (holds) { return; }
    std::fprintf(stderr, "http_fuzz: broken law: %s\n", law);
    std::abort();
}

serve::service_view made_view() {
    serve::service_view v;
    v.freeze = [](std::string_view label) -> memwatch::result<memwatch::snapshot> {
        require(label.empty() || serve::is_label(label), "labels are plain words");
        return memwatch_test::made_snapshot();
    };
    v.summarize = []() -> memwatch::result<memwatch::snapshot> { return memwatch_test::made_snapshot(); };
    v.name_functions = [](memwatch::snapshot&, std::size_t) {};
    v.cut_to_baseline = [](memwatch::snapshot s) -> memwatch::result<memwatch::snapshot> { return s; };
    v.cut_window = [](const memwatch::snapshot&, memwatch::snapshot end) -> memwatch::result<memwatch::snapshot> {
        return end;
    };
    v.encode = [](const memwatch::snapshot&, std::string_view f) -> memwatch::result<std::string> { return std::string(f); };
    v.decode = [](std::string_view) -> memwatch::result<memwatch::snapshot> { return memwatch_test::made_snapshot(); };
    v.render_diff = [](const memwatch::snapshot&, const memwatch::snapshot&,
                       const serve::diff_request& r) -> memwatch::result<std::string> {
        require(r.focus.rfind("re:", 0) != 0, "no regular expression from a request");
        require(r.threshold_bytes >= 0 && r.top <= 10'000, "diff parameters are in range");
        return std::string("{}");
    };
    v.render_summary = [](const memwatch::snapshot&, std::size_t) -> memwatch::result<std::string> {
        return std::string("<&>");
    };
    v.render_table = [](const memwatch::snapshot&, const serve::table_request& r) -> memwatch::result<std::string> {
        require(r.top >= 1 && r.top <= 10'000, "table parameters are in range");
        return std::string("{}");
    };
    v.measure_footprint = [](serve::footprint_detail) -> memwatch::result<memwatch::footprint> {
        return memwatch::footprint{};
    };
    v.render_footprint = [](const memwatch::footprint&, std::string_view format) -> memwatch::result<std::string> {
        require(format == "json" || format == "text" || format == "md", "a format is one of three");
        return std::string("{}");
    };
    v.render_verdicts = [](const memwatch::snapshot&, const serve::verdict_request& r) -> memwatch::result<std::string> {
        require(r.top >= 1 && r.top <= 10'000, "verdict parameters are in range");
        require(r.format == "json" || r.format == "text" || r.format == "md", "a format is one of three");
        return std::string("{}");
    };
    v.history = []() -> memwatch::result<serve::history_page> { return serve::history_page{}; };
    v.past_dump = [](std::string_view name) -> memwatch::result<std::string> {
        if (name != "20261122T160000Z-00000001") { return memwatch::fail(memwatch::error_code::not_found, "no such name"); }
        return std::string("past");
    };
    v.past_dump_from = [](std::uint64_t) -> memwatch::result<std::string> { return std::string("past"); };
    v.render_timeline = [](std::uint64_t, bool) -> memwatch::result<std::string> { return std::string("{}"); };
    v.render_config = [](bool) -> memwatch::result<std::string> { return std::string("{}"); };
    v.health = [] { return std::string(); };
    v.name_site = [](const memwatch::snapshot&, const memwatch::site&) { return std::string("f"); };
    v.control = [](const serve::control_request& r) -> memwatch::result<std::string> {
        require(!r.options.empty() || !r.action.empty(), "there is something to do");
        for (const std::string& line : r.lines()) {
            const auto asked = memwatch::control::parse_request(line);
            require(asked.has_value(), "what is asked is a request of the control protocol");
            require(asked->command != "set" || asked->parameters == r.options, "no value becomes another option");
        }
        return std::string("{}");
    };
    return v;
}

std::string_view next_line(std::string_view& rest) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return line;
}

memwatch::http_request to_request(std::string_view bytes) {
    memwatch::http_request out;
    const std::string_view first = next_line(bytes);
    const std::size_t space = first.find(' ');
    out.method = std::string(first.substr(0, space));
    out.target = space == std::string_view::npos ? std::string() : std::string(first.substr(space + 1));
    while (!bytes.empty()) {
        const std::string_view line = next_line(bytes);
        if (line.empty()) { break; }
        const std::size_t colon = line.find(':');
        const std::string_view value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
        out.headers.emplace_back(std::string(line.substr(0, colon)), std::string(value));
    }
    out.body = std::string(bytes);
    return out;
}

bool has_header(const memwatch::http_response& r, std::string_view name) {
    return std::any_of(r.headers.begin(), r.headers.end(), [&](const auto& h) { return h.first == name; });
}

void check_answer(const memwatch::http_request& request, const memwatch::http_response& answer) {
    static const std::set<unsigned> known{200, 201, 400, 401, 403, 404, 405, 413, 414, 429, 503};
    require(known.count(answer.status) == 1, "the status is documented");
    for (const char* name : {"X-Content-Type-Options", "Cache-Control", "Content-Security-Policy", "Content-Type"}) {
        require(has_header(answer, name), "every answer carries the security headers");
    }
    for (const auto& [name, value] : answer.headers) {
        require(value.find_first_of("\r\n") == std::string::npos, "no header can be split");
    }
    require(request.method != "HEAD" || answer.body.empty(), "HEAD has no body");
    if (answer.status >= 400) {
        const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; };
        require(std::none_of(answer.body.begin(), answer.body.end(), is_control), "an error repeats no control character");
        require(answer.body.size() < 20'000, "an error is short");
    }
}

memwatch::http_response plain_get(serve::router& router, const char* target) {
    const memwatch::http_request request{
        "GET", target, {{"Host", "localhost"}, {"Authorization", std::string("Bearer ") + token}}, {}};
    const serve::outcome out = router.begin(request);
    require(std::holds_alternative<memwatch::http_response>(out), "nothing is deferred without a window");
    return std::get<memwatch::http_response>(out);
}

// The answer at once, or at the end of its window; every second window is dropped instead.
memwatch::http_response settle(serve::router& router, const memwatch::http_request& request, const serve::requester& who) {
    serve::outcome out = router.begin(request, who);
    if (auto* const ready = std::get_if<memwatch::http_response>(&out)) { return std::move(*ready); }
    auto later = std::make_unique<serve::deferred>(std::get<serve::deferred>(std::move(out)));
    out = memwatch::http_response{};
    require(later->after_ns >= 1'000'000'000 && later->after_ns <= 300'000'000'000, "a window is 1 to 300 s");
    require(request.method == "GET" || request.method == "HEAD", "only reading waits");
    require(plain_get(router, "/debug/memtrace/snapshot").status == 429, "one full snapshot at a time");
    require(plain_get(router, "/metrics").status == 200, "metrics are answered while a window is open");
    const bool is_dropped = request.target.size() % 2 == 1;
    if (!is_dropped) { check_answer(request, later->then()); }
    later.reset();
    require(plain_get(router, "/debug/memtrace/snapshot").status == 200, "a window gives its place back");
    memwatch::http_request afterwards = request;
    afterwards.target = "/healthz";
    return router.handle(afterwards, who);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto target = serve::parse_target(bytes)) {
        require(!target->path.empty() && target->path.front() == '/', "a path begins with a slash");
        require(target->parameters.size() <= serve::max_parameters, "parameters are bounded");
    }
    const memwatch::http_request request = to_request(bytes);
    struct place {
        serve::exposure where;
        serve::requester who;
    };
    const place places[] = {{serve::exposure::loopback, {}},
                            {serve::exposure::network, {}},
                            {serve::exposure::mounted, {}},
                            {serve::exposure::unix_socket, {}},
                            {serve::exposure::unix_socket, {true}}};
    for (const place& at : places) {
        const auto kept = std::make_shared<serve::kept_snapshots>(2, 64);
        require(kept->keep("base", "dump", 0, 0).has_value(), "a small dump is kept");
        serve::router_options options;
        options.access = {at.where, token};
        serve::router router(made_view(), options, kept);
        const memwatch::http_response answer = settle(router, request, at.who);
        check_answer(request, answer);
        require(kept->list().size() == 1 || answer.status == 201, "only a POST that says 201 keeps a snapshot");
        if (answer.status == 201) {
            require(request.method == "POST", "only a POST keeps a snapshot");
            require(at.who.is_own_user || serve::header(request, "Authorization").find(token) != std::string_view::npos,
                    "a POST needs the token, or this user at a unix socket");
        }
    }
    return 0;
}
