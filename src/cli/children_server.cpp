// SPDX-License-Identifier: Apache-2.0
#include "cli/children_server.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <memwatch/snapshot/codec.hpp>

#include "cli/child.hpp"
#include "cli/terminal.hpp"
#include "control/client.hpp"
#include "report/json.hpp"
#include "runtime/service_renderers.hpp"
#include "serve/http_server.hpp"
#include "serve/metrics.hpp"
#include "serve/routes.hpp"
#include "snapshot/footprint_json.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t most_processes = 64;  // asked for one scrape
constexpr std::uint64_t most_routers = 64;  // kept; each may hold snapshots
constexpr std::size_t named_sites = 20;

result<snapshot> decode_answer(const result<std::string>& bytes) {
    if (!bytes) { return tl::unexpected<error>(bytes.error()); }
    result<decoded_snapshot> decoded = decode(*bytes);
    if (!decoded) { return tl::unexpected<error>(decoded.error()); }
    return std::move(decoded->value);
}

control::client_limits limits_of_scrape() {
    control::client_limits limits;
    limits.connect_ns = 500'000'000;
    limits.answer_ns = 10'000'000'000;
    return limits;
}

result<snapshot> summary_of(std::uint64_t pid) {
    return decode_answer(control::ask(pid, {"summary", {{"names", std::to_string(named_sites)}}}, limits_of_scrape()));
}

result<footprint> footprint_of(std::uint64_t pid, serve::footprint_detail how) {
    control::request asked{"footprint", {}};
    if (how != serve::footprint_detail::automatic) {
        asked.parameters.emplace_back("detail", how == serve::footprint_detail::all ? "1" : "0");
    }
    return control::ask(pid, asked).and_then([](const std::string& bytes) { return decode_footprint(bytes); });
}

result<std::string> steer(std::uint64_t pid, const serve::control_request& wanted) {
    result<std::string> status = std::string();
    for (const std::string& line : wanted.lines()) {
        const result<control::request> asked = control::parse_request(line);
        status = asked ? control::ask(pid, *asked) : result<std::string>(tl::unexpected<error>(asked.error()));
        if (!status) { break; }
    }
    return status.map([](const std::string& lines) { return fields_to_json(lines); });
}

// The routes of one process, asked through its socket. It names functions itself: it has the files, and at most 200 sites'
// worth.
serve::service_view view_of(std::uint64_t pid) {
    serve::service_view out;
    out.freeze = [pid](std::string_view label) {
        control::request asked{"snapshot", {{"names", "200"}}};
        if (!label.empty()) { asked.parameters.emplace_back("label", label); }
        return decode_answer(control::ask(pid, asked));
    };
    out.summarize = [pid] { return summary_of(pid); };
    out.name_functions = [](snapshot&, std::size_t) {};
    out.render_config = [pid](bool as_text) {
        return control::ask(pid, {"status", {}}).map([&](const std::string& lines) {
            return as_text ? lines : fields_to_json(lines);
        });
    };
    out.health = [pid] {
        const result<std::string> status = control::ask(pid, {"status", {}}, limits_of_scrape());
        const std::string state = status ? std::string(control::field(*status, "state")) : status.error().message();
        return state == "running" ? std::string() : state;
    };
    out.history = [pid] { return control::ask(pid, {"history", {}}, limits_of_scrape()).map(&read_history_page); };
    out.past_dump = [pid](std::string_view name) {
        const bool is_word = serve::is_label(name);  // others would not stand in a line
        return is_word ? control::ask(pid, {"past", {{"name", std::string(name)}}})
                       : result<std::string>(fail(error_code::not_found, "no such name"));
    };
    out.past_dump_from = [pid](std::uint64_t age_ns) {
        return control::ask(pid, {"past", {{"since", std::to_string(age_ns / 1'000'000) + "ms"}}});
    };
    out.render_timeline = [pid](std::uint64_t span_ns, bool as_text) {
        const std::string span = std::to_string(span_ns / 1'000'000'000) + "s";
        return control::ask(pid, {"timeline", {{"since", span}, {"format", as_text ? "text" : "json"}}}, limits_of_scrape());
    };
    out.control = [pid](const serve::control_request& wanted) { return steer(pid, wanted); };
    out.measure_footprint = [pid](serve::footprint_detail how) { return footprint_of(pid, how); };
    fill_renderers(out);
    return out;
}

// "/debug/memtrace?pid=7&top=3" -> 7, and the target without it. 0: not given; nullopt: no number.
struct split_target {
    std::string target;
    std::uint64_t pid{};
    bool is_wrong{};
};

split_target take_pid(const std::string& target) {
    split_target out;
    const std::size_t mark = target.find('?');
    out.target = target.substr(0, mark);
    std::string_view rest = mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
    char separator = '?';
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('&'), rest.size());
        const std::string_view part = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (part.substr(0, 4) != "pid=") {
            out.target.append(1, separator).append(part);
            separator = '&';
            continue;
        }
        const auto parsed = std::from_chars(part.data() + 4, part.data() + part.size(), out.pid);
        out.is_wrong = out.is_wrong || parsed.ec != std::errc{} || parsed.ptr != part.data() + part.size() || out.pid == 0;
    }
    return out;
}

http_response refuse(unsigned status, std::string what) {
    http_response out;
    out.status = status;
    out.headers = {
        {"Content-Type", "text/plain; charset=utf-8"}, {"X-Content-Type-Options", "nosniff"}, {"Cache-Control", "no-store"}};
    out.body = std::move(what) + "\n";
    return out;
}

class running_server final : public children_server {
public:
    running_server(std::string dump_dir, serve::access_policy access)
        : dump_dir_(std::move(dump_dir)), access_(std::move(access)) {}
    ~running_server() override {
        if (http_ != nullptr) { http_->stop(); }
    }

    result<void> start(const serve::listen_address& where) {
        auto started = serve::http_server::start(
            where, [this](const http_request& r, const serve::requester& who) { return handle(r, who); });
        if (!started) { return tl::unexpected<error>(started.error()); }
        http_ = std::move(*started);
        fmt::print(stderr, "memwatch: http://{}/metrics\n", http_->address().to_string());
        return {};
    }

private:
    // On the server's thread only.
    serve::outcome handle(const http_request& request, const serve::requester& who) {
        const split_target split = take_pid(request.target);
        if (split.is_wrong) { return refuse(400, "pid: a process of this run"); }
        const std::vector<std::uint64_t> pids = processes_of_run(dump_dir_);
        if (split.pid == 0 && split.target == "/metrics") { return metrics(request, pids); }
        const std::uint64_t pid = split.pid != 0 || pids.empty() ? split.pid : pids.front();
        if (std::find(pids.begin(), pids.end(), pid) == pids.end()) {
            return refuse(pids.empty() ? 503 : 404, "no process of this run with that number is running; running: " +
                                                        fmt::format("{}", fmt::join(pids, ", ")));
        }
        http_request asked = request;
        asked.target = split.target;
        const std::shared_ptr<serve::router> router = router_of(pid);
        serve::outcome out = router->begin(asked, who);
        if (auto* const later = std::get_if<serve::deferred>(&out)) {
            later->then = [router, then = std::move(later->then)] { return then(); };  // routers may be forgotten meanwhile
        }
        return out;
    }

    std::shared_ptr<serve::router> router_of(std::uint64_t pid) {
        if (routers_.size() >= most_routers && routers_.count(pid) == 0) { routers_.clear(); }
        auto& found = routers_[pid];
        if (found == nullptr) {
            serve::router_options how;
            how.access = access_;
            found = std::make_shared<serve::router>(view_of(pid), how, std::make_shared<serve::kept_snapshots>());
        }
        return found;
    }

    http_response metrics(const http_request& request, const std::vector<std::uint64_t>& pids) {
        if (const auto refused = serve::check_origin(request, access_)) { return refuse(refused->status, refused->what); }
        if (request.method != "GET" && request.method != "HEAD") { return refuse(405, "this route answers to GET, HEAD"); }
        std::map<std::string, prometheus::MetricFamily> families;
        serve::metrics_options how;
        how.name_site = names_.name_site;
        how.max_sites = named_sites;
        for (std::size_t i = 0; i < pids.size() && i < most_processes; ++i) {
            const result<snapshot> s = summary_of(pids[i]);
            if (s) { add(serve::collect_metrics(*s, how), std::to_string(pids[i]), families); }
        }
        std::vector<prometheus::MetricFamily> page;
        for (auto& [name, family] : families) { page.push_back(std::move(family)); }
        http_response out;
        out.headers = {{"Content-Type", serve::metrics_content_type},
                       {"X-Content-Type-Options", "nosniff"},
                       {"Cache-Control", "no-store"}};
        if (request.method == "GET") { out.body = serve::render_metrics(page); }
        return out;
    }

    static void add(std::vector<prometheus::MetricFamily> of_one, const std::string& pid,
                    std::map<std::string, prometheus::MetricFamily>& into) {
        for (prometheus::MetricFamily& family : of_one) {
            prometheus::MetricFamily& all = into[family.name];
            for (prometheus::ClientMetric& metric : family.metric) {
                metric.label.insert(metric.label.begin(), {"pid", pid});
                all.metric.push_back(std::move(metric));
            }
            all.name = family.name;
            all.help = family.help;
            all.type = family.type;
        }
    }

    static serve::service_view renderers() {
        serve::service_view out;
        fill_renderers(out);
        return out;
    }

    const std::string dump_dir_;
    const serve::access_policy access_;
    const serve::service_view names_ = renderers();
    std::map<std::uint64_t, std::shared_ptr<serve::router>> routers_;
    std::unique_ptr<serve::http_server> http_;
};

// As for a service: MEMWATCH_TOKEN or MEMWATCH_TOKEN_FILE.
result<std::string> token() {
    if (const char* const text = std::getenv("MEMWATCH_TOKEN")) {
        const auto formed = serve::check_token_form(text);
        return formed ? result<std::string>(text) : fail(formed.error().code, formed.error().what, "MEMWATCH_TOKEN");
    }
    const char* const path = std::getenv("MEMWATCH_TOKEN_FILE");
    return path == nullptr ? result<std::string>(std::string()) : serve::read_token_file(path);
}

}  // namespace

result<std::unique_ptr<children_server>> serve_children(const std::string& address, const std::string& dump_dir) {
    if (address.empty()) { return std::unique_ptr<children_server>(); }
    const result<serve::listen_address> where = serve::parse_listen_address(address);
    if (!where) { return tl::unexpected<error>(where.error()); }
    result<std::string> secret = token();
    if (!secret) { return tl::unexpected<error>(secret.error()); }
    auto made =
        std::make_unique<running_server>(dump_dir, serve::access_policy{serve::exposure_of(*where), std::move(*secret)});
    if (auto started = made->start(*where); !started) { return tl::unexpected<error>(started.error()); }
    return made;
}

}  // namespace v1
}  // namespace memwatch
