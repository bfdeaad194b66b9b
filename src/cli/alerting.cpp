// SPDX-License-Identifier: Apache-2.0
#include "cli/alerting.hpp"

#include <cstdlib>

#include "cli/terminal.hpp"
#include "http/client.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr http_limits limits{std::chrono::seconds{5}, std::chrono::seconds{10}, std::uint64_t{16} << 20U};

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string() : value;
}

bool is_web_url(const std::string& text) {
    const bool has_scheme = text.rfind("http://", 0) == 0 || text.rfind("https://", 0) == 0;
    return has_scheme && text.size() < 2048 && text.find_first_of(" \t\r\n\"<>\\") == std::string::npos;
}

result<std::vector<notify::active_alert>> ask_active(const http_url& target, const notify::label_set& identity) {
    notify::label_set wanted = identity;
    wanted["alertname"] = notify::regression_alert_name;
    http_url question = target;
    question.target += notify::filter_query(wanted);
    const result<std::string> answer = http_get(question, limits);
    if (!answer) { return tl::unexpected<error>(answer.error()); }
    return notify::decode_alerts(*answer);
}

// What failed is said; whether anything was told that had to be.
bool tell(const http_url& target, const alert_choice& to, const std::optional<notify::regression>& firing,
          std::uint64_t now_unix_ms) {
    const auto active = ask_active(target, to.identity);
    if (!active) {
        print_error({active.error().code, "cannot see which alerts are active: " + active.error().what, active.error().where});
        if (!firing) { return false; }  // a new alert needs no knowledge of old ones
    }
    const auto plan = notify::plan_alerts(to.identity, firing, active ? *active : std::vector<notify::active_alert>{},
                                          now_unix_ms, to.lasts_ms);
    if (plan.empty()) { return true; }
    const result<std::string> answer = http_post_json(target, notify::encode_alerts(plan), limits);
    if (!answer) {
        print_error({answer.error().code, "the alert was not taken: " + answer.error().what, answer.error().where});
    }
    return answer.has_value();
}

}  // namespace

std::string build_url() {
    std::string url =
        variable("GITHUB_SERVER_URL") + "/" + variable("GITHUB_REPOSITORY") + "/actions/runs/" + variable("GITHUB_RUN_ID");
    if (variable("GITHUB_RUN_ID").empty()) { url = variable("CI_JOB_URL"); }
    if (url.empty()) { url = variable("BUILD_URL"); }
    return is_web_url(url) ? url : std::string();
}

bool tell_alertmanagers(const alert_choice& to, const std::optional<notify::regression>& firing, std::uint64_t now_unix_ms) {
    bool is_told = to.targets.empty();
    for (const http_url& target : to.targets) { is_told = tell(target, to, firing, now_unix_ms) || is_told; }
    return is_told;
}

}  // namespace v1
}  // namespace memwatch
