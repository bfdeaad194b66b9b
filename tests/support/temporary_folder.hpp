// SPDX-License-Identifier: Apache-2.0
#pragma once
// A folder of the test's own, private to this user, gone with the object.

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include <catch2/catch.hpp>

namespace test_support {

struct temporary_folder {
    temporary_folder() : path((std::filesystem::temp_directory_path() / "memwatch-test-XXXXXX").string()) {
        REQUIRE(::mkdtemp(path.data()) != nullptr);
    }
    ~temporary_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;

    std::string path;
};

}  // namespace test_support
