// SPDX-License-Identifier: Apache-2.0
// DHAT's JSON, version 2: what dh_view.js checks, and the comments of dhat-rs (nnethercote/dhat-rs, src/lib.rs) on each key. A
// path may stand in it only once: dh_view.js refuses a "repeated location".
#include <map>

#include <memwatch/model/site_name.hpp>

#include "base/json_writer.hpp"
#include "exchange/call_paths.hpp"
#include "exchange/export_formats.hpp"

namespace memwatch::inline v1::exchange {
namespace {

constexpr std::uint64_t nanoseconds_a_microsecond = 1000;
constexpr double microseconds_a_second = 1e6;
constexpr std::uint64_t short_lived_us = 500;  // "tuth": dhat-rs takes 10, DHAT 500

// What DHAT calls a program point.
struct point {
    double total_bytes{}, total_blocks{}, lifetimes_us{}, live_bytes{}, live_blocks{};
};

class dhat_writer {
public:
    explicit dhat_writer(const snapshot& s) : s_(s), paths_(s), us_(s.info.taken_ns / nanoseconds_a_microsecond) {}

    std::string write() {
        add_points();
        json_.begin_object();
        put_header();
        json_.key("pps").begin_array();
        for (const auto& [path, each] : points_) { put_point(path, each); }
        json_.end_array();
        put_frames();
        json_.end_object();
        return json_.take();
    }

private:
    void add_points() {
        const std::vector<double> alive_us = ages_of_sites();
        for (std::size_t i = 0; i < s_.sites.size(); ++i) {
            const site& each = s_.sites[i];
            point& to = points_[paths_.path_of(each.stack)];
            to.total_bytes += each.allocated.bytes;
            to.total_blocks += each.allocated.objects;
            to.live_bytes += each.live.bytes;
            to.live_blocks += each.live.objects;
            to.lifetimes_us += each.lifetimes.sum_seconds * microseconds_a_second + alive_us[i];
        }
    }

    // Blocks that are alive count until the end.
    [[nodiscard]] std::vector<double> ages_of_sites() const {
        std::vector<double> sums(s_.sites.size());
        for (const live_record& each : s_.live) {
            sampled_totals one;
            one.add(each.size_bytes, each.interval_bytes);
            const std::uint64_t age_ns =
                each.birth_ns != 0 && s_.info.taken_ns > each.birth_ns ? s_.info.taken_ns - each.birth_ns : 0;
            sums[each.site] += one.objects * static_cast<double>(age_ns) / nanoseconds_a_microsecond;
        }
        return sums;
    }

    void put_header() {
        json_.key("dhatFileVersion").value(std::uint64_t{2});
        json_.key("mode").value("heap");
        json_.key("verb").value("Allocated");
        json_.key("bklt").value(true);
        json_.key("bkacc").value(false);
        json_.key("tu").value("\xC2\xB5s");
        json_.key("Mtu").value("s");
        json_.key("tuth").value(short_lived_us);
        json_.key("cmd").value(s_.info.executable.empty() ? s_.info.service : s_.info.executable);
        json_.key("pid").value(s_.info.pid);
        json_.key("te").value(us_);
        json_.key("tg").value(us_);
    }

    void put_point(const std::vector<std::uint32_t>& path, const point& of) {
        json_.new_line();
        json_.begin_object();
        const std::uint64_t bytes = whole_amount(of.live_bytes), blocks = whole_amount(of.live_blocks);
        json_.key("tb").value(std::max(bytes, whole_amount(of.total_bytes)));
        json_.key("tbk").value(std::max(blocks, whole_amount(of.total_blocks)));
        json_.key("tl").value(whole_amount(of.lifetimes_us));
        for (const char* key : {"mb", "gb", "eb"}) { json_.key(key).value(bytes); }
        for (const char* key : {"mbk", "gbk", "ebk"}) { json_.key(key).value(blocks); }
        json_.key("fs").begin_array();
        for (const std::uint32_t index : path) { json_.value(std::uint64_t{index} + 1); }
        json_.end_array();
        json_.end_object();
    }

    void put_frames() {
        json_.key("ftbl").begin_array();
        json_.value("[root]");
        for (const call& each : paths_.calls()) {
            json_.new_line();
            std::string text = each.function;
            if (!each.file.empty()) {
                text += " (" + each.file + (each.line == 0 ? std::string{} : ":" + std::to_string(each.line)) + ")";
            }
            json_.value(text);
        }
        json_.end_array();
    }

    const snapshot& s_;
    call_paths paths_;
    const std::uint64_t us_;
    std::map<std::vector<std::uint32_t>, point> points_;
    json_writer json_;
};

}  // namespace

std::string encode_dhat(const snapshot& s) { return dhat_writer(s).write(); }

}  // namespace memwatch::inline v1::exchange
