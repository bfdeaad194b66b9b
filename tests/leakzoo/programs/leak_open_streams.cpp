// SPDX-License-Identifier: Apache-2.0
// A page is written to a stream in memory. When a template is missing, the function returns before the stream is closed, and
// neither the stream nor what was written is ever freed.

#include "zoo.hpp"

namespace {

ZOO_FUNCTION std::FILE* open_page(char** text, std::size_t* bytes) { return open_memstream(text, bytes); }

ZOO_FUNCTION bool render_page(int paragraphs, bool is_template_missing) {
    char* text = nullptr;
    std::size_t bytes = 0;
    std::FILE* const page = open_page(&text, &bytes);
    for (int i = 0; i < paragraphs; ++i) { std::fprintf(page, "<p>Paragraph %d says what there is to say.</p>\n", i); }
    if (is_template_missing) { return false; }
    std::fclose(page);
    zoo::use(text);
    std::free(text);
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& streams = zoo.leaks("open_page", "c_library");
    zoo::truth& grown = zoo.leaks("render_page", "c_library");  // a buffer that had to grow
    const double share_missing = zoo.random().between(0.05, 0.2);
    while (zoo.tick(std::chrono::milliseconds(4))) {
        const int paragraphs = zoo.random().between(10, 400);
        if (render_page(paragraphs, zoo.random().chance(share_missing))) { continue; }
        constexpr std::uint64_t first_buffer = 8192;
        const std::uint64_t written = static_cast<std::uint64_t>(paragraphs) * 48;
        streams.lost(written < first_buffer ? first_buffer : 600);
        if (written >= first_buffer) { grown.lost(written); }
    }
    return zoo.end();
}
