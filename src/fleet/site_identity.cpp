// SPDX-License-Identifier: Apache-2.0
#include "fleet/site_identity.hpp"

#include <algorithm>

#include <memwatch/model/site_name.hpp>

#include "base/hash.hpp"

namespace memwatch::inline v1 {
namespace {

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool is_named(const frame& f) {
    return !f.lines.empty() &&
           std::all_of(f.lines.begin(), f.lines.end(), [](const source_line& line) { return !line.function.empty(); });
}

// Two lanes that start differently.
void mix_in(site_identity& key, std::uint64_t value) {
    key.high = combine_hash(key.high, value);
    key.low = combine_hash(key.low, value ^ 0xD1B54A32D192ED03ULL);
}

class identifier {
public:
    identifier(const snapshot& s, const fleet_builds& builds) : s_(s) {
        for (const auto& each : s.modules) {
            modules_.push_back(hash_text(identity_of(each)));
            has_several_.push_back(builds.has_several(each));
        }
    }

    identified_sites run() {
        std::vector<std::uint64_t> frames;
        frames.reserve(s_.frames.size());
        for (const auto& each : s_.frames) { frames.push_back(hash_of(each)); }
        std::vector<site_identity> stacks;
        stacks.reserve(s_.stacks.size());
        for (const auto& each : s_.stacks) {
            site_identity key{each.frames.size(), ~std::uint64_t{0}};
            for (const auto index : each.frames) { mix_in(key, frames[index]); }
            stacks.push_back(key);
        }
        std::vector<std::uint64_t> tags;
        for (const auto& each : s_.tags) { tags.push_back(hash_text(each.name)); }
        out_.keys.reserve(s_.sites.size());
        for (const auto& each : s_.sites) {
            auto key = stacks[each.stack];
            mix_in(key, hash_text(each.type));
            mix_in(key, tags[each.tag]);
            out_.keys.push_back(key);
        }
        return std::move(out_);
    }

private:
    std::uint64_t hash_of(const frame& f) {
        if (f.module == no_module) { return is_named(f) ? hash_of_names(f) : combine_hash(0, f.offset); }
        if (!has_several_[f.module]) { return combine_hash(modules_[f.module], f.offset); }
        if (!is_named(f)) {
            ++out_.nameless_frames_apart;
            return combine_hash(modules_[f.module], f.offset);
        }
        return hash_of_names(f);
    }

    static std::uint64_t hash_of_names(const frame& f) {
        std::uint64_t names = 1;
        for (const auto& line : f.lines) { names = combine_hash(names, hash_text(bare_function_name(line.function))); }
        return names;
    }

    const snapshot& s_;
    std::vector<std::uint64_t> modules_;
    std::vector<bool> has_several_;
    identified_sites out_;
};

}  // namespace

const std::string& identity_of(const module& m) { return m.build_id.empty() ? m.path : m.build_id; }

void fleet_builds::add(const std::vector<module>& modules) {
    for (const auto& each : modules) { builds_of_[file_name(each.path)].insert(identity_of(each)); }
}

bool fleet_builds::has_several(const module& m) const {
    const auto found = builds_of_.find(file_name(m.path));
    return found != builds_of_.end() && found->second.size() > 1;
}

std::vector<std::string> fleet_builds::describe() const {
    std::vector<std::string> words;
    for (const auto& [name, builds] : builds_of_) {
        if (builds.size() > 1) { words.push_back(name + ": " + std::to_string(builds.size()) + " builds"); }
    }
    return words;
}

identified_sites identities_of(const snapshot& s, const fleet_builds& builds) { return identifier{s, builds}.run(); }

}  // namespace memwatch::inline v1
