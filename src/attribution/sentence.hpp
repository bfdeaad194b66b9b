// SPDX-License-Identifier: Apache-2.0
#pragma once
// A sentence with names in it. Names come from the program that was watched and are hostile; how they are made harmless differs
// between Markdown, HTML and a terminal, so a sentence keeps them apart until somebody renders it:
//
//   sentence{"pool "}.name(pool.name).say(" has 340 objects out")     ->  parts {"pool ", "conn"*, " has 340 objects out"}

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace memwatch::inline v1 {

struct sentence {
    struct part {
        std::string text;
        bool is_name{};
    };

    std::vector<part> parts;

    sentence() = default;
    sentence(const char* text) { say(text); }             // NOLINT(google-explicit-constructor): "..." is a sentence
    sentence(std::string text) { say(std::move(text)); }  // NOLINT(google-explicit-constructor)

    sentence& say(std::string text) {
        if (!text.empty()) { parts.push_back({std::move(text), false}); }
        return *this;
    }
    sentence& name(std::string_view text) {
        parts.push_back({std::string{text}, true});
        return *this;
    }

    [[nodiscard]] bool empty() const noexcept { return parts.empty(); }

    // `quote` for names, `escape` for everything else.
    template <class Quote, class Escape>
    [[nodiscard]] std::string render(Quote&& quote, Escape&& escape) const {
        std::string text;
        for (const part& each : parts) { text += each.is_name ? quote(each.text) : escape(each.text); }
        return text;
    }
    // As it is: for JSON, which quotes as a whole, and for tests.
    [[nodiscard]] std::string plain() const {
        const auto same = [](const std::string& text) { return text; };
        return render(same, same);
    }
};

}  // namespace memwatch::inline v1
