// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/json_writer.hpp"
#include "exchange/call_paths.hpp"
#include "exchange/export_formats.hpp"

namespace memwatch::inline v1::exchange {
namespace {

constexpr const char* schema = "https://www.speedscope.app/file-format-schema.json";

struct metric {
    const char* name;
    const char* unit;
    double (*value)(const site& of);
};

constexpr metric metrics[] = {
    {"live bytes", "bytes", [](const site& of) { return of.live.bytes; }},
    {"live objects", "none", [](const site& of) { return of.live.objects; }},
    {"allocated bytes", "bytes", [](const site& of) { return of.allocated.bytes; }},
    {"allocated objects", "none", [](const site& of) { return of.allocated.objects; }},
};

class speedscope_writer {
public:
    explicit speedscope_writer(const snapshot& s) : s_(s), paths_(s) {}

    std::string write() {
        for (const site& each : s_.sites) {
            paths_of_sites_.push_back(paths_.path_of(each.stack));
            std::reverse(paths_of_sites_.back().begin(), paths_of_sites_.back().end());
        }
        json_.begin_object();
        json_.key("$schema").value(schema);
        json_.key("exporter").value("memwatch " + s_.info.version);
        json_.key("name").value(title());
        json_.key("activeProfileIndex").value(std::uint64_t{0});
        put_frames();
        put_profiles();
        json_.end_object();
        return json_.take();
    }

private:
    [[nodiscard]] std::string title() const {
        const std::string& name = s_.info.service.empty() ? s_.info.executable : s_.info.service;
        if (name.empty()) { return "memwatch"; }
        return s_.info.label.empty() ? name : name + " " + s_.info.label;
    }

    void put_frames() {
        json_.key("shared").begin_object();
        json_.key("frames").begin_array();
        for (const call& each : paths_.calls()) {
            json_.new_line();
            json_.begin_object();
            json_.key("name").value(each.function);
            if (!each.file.empty()) { json_.key("file").value(each.file); }
            if (each.line != 0) { json_.key("line").value(std::uint64_t{each.line}); }
            json_.end_object();
        }
        json_.end_array();
        json_.end_object();
    }

    void put_profiles() {
        json_.key("profiles").begin_array();
        bool has_one = false;
        for (const metric& each : metrics) {
            const bool is_last = &each == std::end(metrics) - 1;
            const bool has_values = std::any_of(s_.sites.begin(), s_.sites.end(),
                                                [&](const site& of) { return whole_amount(each.value(of)) != 0; });
            if (!has_values && !(is_last && !has_one)) { continue; }  // a file without a profile would not open
            put_profile(each);
            has_one = true;
        }
        json_.end_array();
    }

    void put_profile(const metric& of) {
        json_.new_line();
        json_.begin_object();
        json_.key("type").value("sampled");
        json_.key("name").value(of.name);
        json_.key("unit").value(of.unit);
        json_.key("samples").begin_array();
        std::uint64_t sum = 0;
        for_each_value(of, [&](const std::vector<std::uint32_t>& path, std::uint64_t value) {
            sum += value;
            json_.begin_array();
            for (const std::uint32_t index : path) { json_.value(std::uint64_t{index}); }
            json_.end_array();
        });
        json_.end_array();
        json_.key("weights").begin_array();
        for_each_value(of, [&](const auto&, std::uint64_t value) { json_.value(value); });
        json_.end_array();
        json_.key("startValue").value(std::uint64_t{0});
        json_.key("endValue").value(sum);
        json_.end_object();
    }

    template <class Take>
    void for_each_value(const metric& of, Take take) const {
        for (std::size_t i = 0; i < s_.sites.size(); ++i) {
            const std::uint64_t value = whole_amount(of.value(s_.sites[i]));
            if (value != 0) { take(paths_of_sites_[i], value); }
        }
    }

    const snapshot& s_;
    call_paths paths_;
    std::vector<std::vector<std::uint32_t>> paths_of_sites_;  // outermost first
    json_writer json_;
};

}  // namespace

std::string encode_speedscope(const snapshot& s) { return speedscope_writer(s).write(); }

}  // namespace memwatch::inline v1::exchange
