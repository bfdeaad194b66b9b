// SPDX-License-Identifier: Apache-2.0
#pragma once
// Compares text with a file in tests/golden/report. MEMWATCH_UPDATE_GOLDEN=1 rewrites the file instead: read the change like a
// user before committing it.

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <catch2/catch.hpp>

inline void check_golden(const std::string& name, const std::string& actual) {
    const std::string path = std::string(MEMWATCH_GOLDEN_DIR) + "/" + name;
    if (std::getenv("MEMWATCH_UPDATE_GOLDEN") != nullptr) {
        std::ofstream(path) << actual;
        return;
    }
    std::ifstream file(path);
    REQUIRE(file.good());
    std::stringstream expected;
    expected << file.rdbuf();
    CHECK(actual == expected.str());
}
