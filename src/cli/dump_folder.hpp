// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the processes of one run leave their dumps. A child of root may have dropped privileges by its end: then the folder
// takes files from anybody (01733) under a name that nobody can list or guess; else it is 0700.

#include <string>
#include <vector>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

class dump_folder {
public:
    // `kept`: a folder of the user's that is made if need be and stays; empty: a private one that goes with this object.
    // Errors: io.
    [[nodiscard]] static result<dump_folder> make(const std::string& kept);

    dump_folder(dump_folder&& other) noexcept;
    dump_folder& operator=(dump_folder&&) = delete;
    dump_folder(const dump_folder&) = delete;
    ~dump_folder();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    // Regular files named as dumps are that were not there at the beginning, in the order of their names.
    [[nodiscard]] std::vector<std::string> dumps() const;

private:
    dump_folder(std::string outer, std::string path);
    [[nodiscard]] std::vector<std::string> all_dumps() const;

    std::string outer_;  // to be removed with everything in it; empty: nothing is
    std::string path_;
    std::vector<std::string> before_;
};

}  // namespace v1
}  // namespace memwatch
