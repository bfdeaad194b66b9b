// SPDX-License-Identifier: Apache-2.0
// Findings (clusters of rows), their ranks and the key metrics, as people and scripts read them.
#include <catch2/catch.hpp>

#include "diff/clusters.hpp"
#include "golden.hpp"
#include "report/findings.hpp"
#include "report/json.hpp"
#include "report/markdown.hpp"
#include "report/text.hpp"
#include "sample.hpp"

using namespace memwatch;

namespace {

struct comparison {
    delta d = sample::growth_by_callers();
    std::vector<cluster> clusters = cluster_rows(d);
    delta findings = as_findings(d, clusters);
    std::vector<snapshot> moments = sample::three_moments();
    metric_table metrics = make_metric_table({&moments[0], &moments[1], &moments[2]});
};

}  // namespace

TEST_CASE("findings: text, Markdown and JSON read as in the golden files") {
    const comparison all;
    text_options how;
    how.metrics = &all.metrics;
    check_golden("findings.txt", render_text(all.findings, how));
    check_golden("findings.md", render_markdown(all.findings, &all.metrics));
    check_golden("findings.json", render_json(all.d, &all.clusters, &all.metrics));
}

TEST_CASE("findings: the leak of several callers comes first, beside a cache that grew more, and the first line says so") {
    const comparison all;
    const std::string text = render_text(all.findings);
    const std::string first = text.substr(0, text.find('\n'));
    CHECK(first.starts_with("Grew most steadily: +60.6 MiB"));
    CHECK(first.find("by 2 call paths") != std::string::npos);
    CHECK(text.find("callers orders::handle_create (86 %), orders::handle_batch (14 %)") != std::string::npos);
    CHECK(text.find("reached by 2 call paths") != std::string::npos);
}

TEST_CASE("findings: the terms of a score are shown, also what a small row's age and weight count") {
    const comparison all;
    const delta_row& first = all.findings.rows[0];
    CHECK(rank_words(all.findings, first)
              .starts_with("0.97 = 0.40 x 1.00 growth + 0.35 x 0.98 older than 22.5 s + 0.25 x 0.90 weight"));
    delta_row small = first;
    small.rank = {0.25, 1, 1, 0.4};
    CHECK(rank_words(all.findings, small).ends_with("weight, age and weight x 0.50"));
    CHECK(score_words(all.findings.rows.back()) == "-");
    CHECK(rank_words(all.findings, all.findings.rows.back()).empty());
    delta own = all.findings;
    own.ranking = "own";
    small.rank.score = 7;
    CHECK(rank_words(own, small) == "7 by the caller's own ranking");
}

TEST_CASE("metrics: what is unknown is a dash in words and null in JSON, and of two snapshots it is left out") {
    std::vector<snapshot> moments = sample::three_moments();
    const metric_table three = make_metric_table({&moments[0], &moments[1], &moments[2]});
    CHECK(three.columns == std::vector<std::string>{"before", "under load", "after"});
    CHECK(shown_metrics(three).size() == three.rows.size());
    CHECK(render_text(three, false).find("\nfragmentation                    -            -            -\n") !=
          std::string::npos);
    json_writer json;
    write_json(json, three);
    CHECK(json.take().find("\"fragmentation\", \"unit\": \"ratio\", \"values\": [null, null, null]") != std::string::npos);
    moments[0].info.label = moments[1].info.label = "same";
    const metric_table two = make_metric_table({&moments[0], &moments[1]});
    CHECK(two.columns == std::vector<std::string>{"before", "after"});
    CHECK(render_text(two, false).find("fragmentation") == std::string::npos);
    CHECK(render_text(two, false).find("\nlive bytes  ") == std::string::npos);
    CHECK(render_text(two, false).find("bytes per thread") != std::string::npos);
    CHECK(render_markdown(two).find("| bytes per thread |") != std::string::npos);
    CHECK(render_text(metric_table{}, false).empty());
    CHECK(render_markdown(metric_table{}).empty());
}
