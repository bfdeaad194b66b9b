// SPDX-License-Identifier: Apache-2.0
// Plug-ins hang attributes of any type on the document. Replacing one is fine; one plug-in makes a new name each time.

#include <any>
#include <map>
#include <string>

#include "zoo.hpp"

namespace {

struct annotation {
    char text[224];
};

std::map<std::string, std::any> attributes;

ZOO_FUNCTION void set_attribute(const char* name, char letter) {
    annotation set;
    zoo::fill(set.text, sizeof set.text, letter);
    attributes[name] = set;
}

ZOO_FUNCTION void spell_check(std::uint64_t pass, bool is_named_by_pass) {
    char name[64];
    std::snprintf(name, sizeof name, "spell/%llu", static_cast<unsigned long long>(is_named_by_pass ? pass : pass % 8));
    set_attribute(name, 's');
}

ZOO_FUNCTION void lay_out(std::uint64_t pass) { set_attribute(pass % 2 == 0 ? "layout/left" : "layout/right", 'l'); }

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& named = zoo.leaks("set_attribute", "any_bag");
    const double share_named = zoo.random().between(0.1, 0.6);
    for (std::uint64_t pass = 0; zoo.tick(std::chrono::milliseconds(2)); ++pass) {
        const bool is_named_by_pass = zoo.random().chance(share_named);
        lay_out(pass);
        spell_check(pass, is_named_by_pass);
        if (is_named_by_pass) { named.lost(sizeof(annotation) + 80); }
    }
    return zoo.end();
}
