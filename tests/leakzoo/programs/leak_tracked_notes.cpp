// SPDX-License-Identifier: Apache-2.0
// Linked: texts under a tag are formatted all the time and thrown away; those at level "notice" are kept for a page of recent
// notices, which shows the last ten and keeps all.

#include <memwatch/memwatch.hpp>

#include <list>
#include <string>

#include "zoo.hpp"

namespace {

using text = std::basic_string<char, std::char_traits<char>, memwatch::tracked_allocator<char>>;

const memwatch::tag texts_tag{"zoo/texts"};
std::list<text> notices;

ZOO_FUNCTION text format_text(std::size_t bytes, char level) {
    text formatted(bytes, level, memwatch::tracked_allocator<char>{texts_tag});
    zoo::use(formatted.data());
    return formatted;
}

ZOO_FUNCTION void keep_notice(text&& notice) { notices.push_back(std::move(notice)); }

ZOO_FUNCTION std::size_t show_recent() {
    std::size_t bytes = 0;
    int shown = 0;
    for (auto recent = notices.rbegin(); recent != notices.rend() && shown < 10; ++recent, ++shown) { bytes += recent->size(); }
    return bytes;
}

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo::truth& texts = zoo.leaks("format_text", "graveyard");
    zoo::truth& entries = zoo.leaks("keep_notice", "graveyard");
    const double share_notices = zoo.random().between(0.02, 0.2);
    const std::size_t mean_bytes = zoo.random().between(400U, 1500U);
    while (zoo.tick(std::chrono::milliseconds(1))) {
        text formatted = format_text(zoo.random().between(mean_bytes / 2, mean_bytes * 3 / 2), 'n');
        if (!zoo.random().chance(share_notices)) { continue; }
        texts.lost(formatted.size() + 1);
        entries.lost(sizeof(text) + 16);
        keep_notice(std::move(formatted));
        zoo::use(reinterpret_cast<const void*>(show_recent()));
    }
    return zoo.end();
}
