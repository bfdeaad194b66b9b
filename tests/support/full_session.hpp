// SPDX-License-Identifier: Apache-2.0
#pragma once
// A session for tests that go through the public doors: small, with a chosen preset, and a way to count what it sees of a tag.

#include <algorithm>

#include <memwatch/memwatch.hpp>

namespace test_support {

class session_with {
public:
    explicit session_with(memwatch::preset_option preset, std::uint64_t interval_bytes = 1U << 20U) {
        memwatch::options wanted;
        wanted.service = "test";
        wanted.preset = preset;
        wanted.interval_bytes = interval_bytes;
        wanted.budget_bytes = 16U << 20U;
        session_ = memwatch::session::start(wanted);
    }

    [[nodiscard]] const memwatch::session& get() const noexcept { return session_; }
    [[nodiscard]] memwatch::session& get() noexcept { return session_; }

    [[nodiscard]] std::size_t live_records(memwatch::tag owner) const {
        const auto frozen = session_.snapshot();
        if (!frozen) { return 0; }
        const auto is_owned = [&](const memwatch::live_record& r) { return frozen->sites[r.site].tag == owner.id(); };
        return static_cast<std::size_t>(std::count_if(frozen->live.begin(), frozen->live.end(), is_owned));
    }

private:
    memwatch::session session_;
};

}  // namespace test_support
