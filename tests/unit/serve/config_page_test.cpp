// SPDX-License-Identifier: Apache-2.0
#include "serve/config_page.hpp"

#include <catch2/catch.hpp>

namespace serve = memwatch::serve;

TEST_CASE("config_page: JSON and text say the same, and hostile values stay values") {
    const std::vector<serve::config_row> rows = {
        {"interval", "4096", true, "bytes", "MEMWATCH_INTERVAL", "code", "mean bytes between samples", "1 .. 1TiB", "runtime"},
        {"service", "a\"b\\c\nMEMWATCH_TOKEN=x\xFF", false, "", "MEMWATCH_SERVICE", "environment", "name", "", "start"},
        {"inner", "", false, "", "", "default", "no variable", "a, b", "start"},
    };
    CHECK(serve::render_config_json(rows, "running") ==
          "{\"kind\":\"memwatch.config\",\"version\":1,\"session\":\"running\",\"options\":["
          "\n{\"name\":\"interval\",\"value\":4096,\"unit\":\"bytes\",\"environment\":\"MEMWATCH_INTERVAL\","
          "\"origin\":\"code\",\"values\":\"1 .. 1TiB\",\"changes\":\"runtime\",\"help\":\"mean bytes between samples\"},"
          "\n{\"name\":\"service\",\"value\":\"a\\\"b\\\\c\\u000aMEMWATCH_TOKEN=[redacted]\",\"unit\":null,"
          "\"environment\":\"MEMWATCH_SERVICE\",\"origin\":\"environment\",\"values\":null,\"changes\":\"start\",\"help\":"
          "\"name\"},"
          "\n{\"name\":\"inner\",\"value\":\"\",\"unit\":null,\"environment\":null,\"origin\":\"default\",\"values\":\"a, "
          "b\",\"changes\":\"start\",\"help\":\"no "
          "variable\"}]}\n");
    CHECK(serve::render_config_text(rows, "degraded: x\ny") ==
          "session: degraded: x?y\n"
          "\ninterval = 4096 bytes   (code; MEMWATCH_INTERVAL)\n    mean bytes between samples\n"
          "    1 .. 1TiB; can be changed while it runs\n"
          "\nservice = a\"b\\c?MEMWATCH_TOKEN=[redacted]   (environment; MEMWATCH_SERVICE)\n    name\n"
          "\ninner =    (default)\n    no variable\n    a, b\n");
    CHECK(serve::render_config_json({}, "stopped") ==
          "{\"kind\":\"memwatch.config\",\"version\":1,\"session\":\"stopped\",\"options\":[]}\n");
}
