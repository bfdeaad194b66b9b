// SPDX-License-Identifier: Apache-2.0
#include "symbols/symbolizer.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <span>

#include "platform/demangle.hpp"
#include "symbols/dwarf_index.hpp"
#include "symbols/elf_object.hpp"
#include "symbols/symbol_cache.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr const char* system_debug_dir = "/usr/lib/debug";
constexpr std::string_view deleted_suffix = " (deleted)";  // how /proc/self/maps marks a replaced file

std::string base_name(std::string path) {
    if (path.ends_with(deleted_suffix)) { path.resize(path.size() - deleted_suffix.size()); }
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

// The dump's build id becomes part of a path: nothing but hex digits may.
bool is_build_id(const std::string& text) {
    return text.size() >= 4 && text.size() <= 128 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// A kernel object without a file.
bool is_virtual(const module& m) { return m.path.empty() || m.path.front() == '[' || m.path.starts_with("linux-vdso"); }

std::vector<std::string> debug_candidates(const module& m, const symbolize_options& options) {
    std::vector<std::string> dirs = options.debug_dirs;
    if (options.use_system_dirs) { dirs.emplace_back(system_debug_dir); }
    const std::string name = base_name(m.path);
    const bool has_name = !name.empty() && name != "." && name != "..";
    std::vector<std::string> candidates;
    for (const std::string& dir : dirs) {
        candidates.push_back(dir + "/.build-id/" + m.build_id.substr(0, 2) + "/" + m.build_id.substr(2) + ".debug");
        if (has_name) { candidates.insert(candidates.end(), {dir + "/" + name + ".debug", dir + "/" + name}); }
    }
    return candidates;
}

// The files one module is resolved from: the program itself, its separate debug file, or both.
class module_symbols {
public:
    static result<module_symbols> load(const module& m, const symbolize_options& options) {
        module_symbols symbols(m);
        std::string why = symbols.open_program();
        if (symbols.program_ == nullptr || !symbols.has_dwarf(*symbols.program_)) { symbols.open_debug(options); }
        if (symbols.program_ == nullptr && symbols.debug_ == nullptr) { return fail(error_code::not_found, why); }
        symbols.choose_symbols();
        return symbols;
    }

    // `file_offset` of an instruction.
    std::vector<source_line> lines_at(std::uint64_t file_offset) {
        const std::optional<std::uint64_t> address = address_of(file_offset);
        if (!address) { return {}; }
        const char* const symbol = symbols_ ? symbols_->function_at(*address) : nullptr;
        std::vector<source_line> lines;
        if (dwarf_) { lines = dwarf_->lines_at(*address, symbol); }
        if (lines.empty() && symbol != nullptr) { lines.push_back({demangle(symbol), {}, 0}); }
        return lines;
    }

    [[nodiscard]] bool has_debug_information() const noexcept { return dwarf_ != nullptr; }

    [[nodiscard]] bool is_unverified() const noexcept { return program_ != nullptr && module_.build_id.empty(); }

private:
    explicit module_symbols(const module& m) : module_(m) {}

    // Why the program cannot be used; "" = it can.
    std::string open_program() {
        result<elf_object> program = elf_object::open(module_.path);
        if (!program) { return program.error().what; }
        if (const std::string id = program->build_id(); id != module_.build_id) {
            return "is another build now (" + (id.empty() ? "no build id" : "build id " + id) + ")";
        }
        program_ = std::make_unique<elf_object>(std::move(*program));
        return {};
    }

    void open_debug(const symbolize_options& options) {
        if (!is_build_id(module_.build_id)) { return; }
        for (const std::string& path : debug_candidates(module_, options)) {
            result<elf_object> candidate = elf_object::open(path);
            if (!candidate || candidate->build_id() != module_.build_id) { continue; }
            auto object = std::make_unique<elf_object>(std::move(*candidate));
            const bool is_useful = has_dwarf(*object) || object->has_section(SHT_SYMTAB);
            if (!is_useful) { continue; }
            debug_ = std::move(object);
            return;
        }
    }

    bool has_dwarf(const elf_object& object) {
        auto index = std::make_unique<dwarf_index>(object);
        if (!index->has_units()) { return false; }
        dwarf_ = std::move(index);
        return true;
    }

    void choose_symbols() {
        for (const std::uint32_t type : {std::uint32_t{SHT_SYMTAB}, std::uint32_t{SHT_DYNSYM}}) {
            for (const elf_object* object : {program_.get(), debug_.get()}) {
                if (object != nullptr && object->has_section(type) && !symbols_) { symbols_.emplace(*object, type); }
            }
        }
    }

    [[nodiscard]] std::optional<std::uint64_t> address_of(std::uint64_t file_offset) const {
        if (program_ != nullptr) { return program_->address_of(file_offset); }
        const std::optional<std::uint64_t> start = debug_->executable_start();
        if (!start || file_offset < module_.file_offset) { return std::nullopt; }
        return *start + (file_offset - module_.file_offset);
    }

    module module_;
    std::unique_ptr<elf_object> program_;  // before what reads from it
    std::unique_ptr<elf_object> debug_;
    std::unique_ptr<dwarf_index> dwarf_;
    std::optional<symbol_table> symbols_;
};

std::string describe(const module& m) {
    return m.path + (m.build_id.empty() ? std::string(" (no build id)") : " (build id " + m.build_id + ")");
}

// Frames of `s` in known modules, by module and offset: one module is open at a time, its units are met in order.
std::vector<std::uint32_t> frames_by_module(const snapshot& s) {
    std::vector<std::uint32_t> order;
    for (std::uint32_t i = 0; i < s.frames.size(); ++i) {
        if (s.frames[i].module < s.modules.size() && s.frames[i].offset != 0) { order.push_back(i); }
    }
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        const frame &left = s.frames[a], &right = s.frames[b];
        return left.module != right.module ? left.module < right.module : left.offset < right.offset;
    });
    return order;
}

// Names the frames of one snapshot, module by module.
class namer {
public:
    namer(snapshot& s, const symbolize_options& options) : s_(s), options_(options), order_(frames_by_module(s)) {}

    symbolize_summary run() {
        for (std::size_t begin = 0; begin < order_.size();) {
            const std::uint32_t index = s_.frames[order_[begin]].module;
            std::size_t end = begin;
            while (end < order_.size() && s_.frames[order_[end]].module == index) { ++end; }
            name_module(s_.modules[index], std::span(order_).subspan(begin, end - begin));
            begin = end;
        }
        return std::move(summary_);
    }

private:
    void name_module(const module& m, std::span<const std::uint32_t> frames) {
        const symbol_cache* const cache = is_build_id(m.build_id) ? options_.cache : nullptr;
        const known_lines known = cache != nullptr ? cache->load(m.build_id) : known_lines{};
        std::vector<std::uint32_t> unknown;
        for (const std::uint32_t index : frames) {
            const auto found = known.find(s_.frames[index].offset);
            found != known.end() ? take(s_.frames[index], found->second) : unknown.push_back(index);
        }
        if (!unknown.empty()) { look_up(m, unknown, cache); }
    }

    void look_up(const module& m, const std::vector<std::uint32_t>& frames, const symbol_cache* cache) {
        result<module_symbols> symbols =
            is_virtual(m) ? fail(error_code::not_found, "has no file") : module_symbols::load(m, options_);
        if (!symbols && !is_virtual(m)) { summary_.warnings.push_back(describe(m) + ": " + symbols.error().what); }
        if (symbols && symbols->is_unverified()) {
            summary_.warnings.push_back(describe(m) + ": names may be those of another build");
        }
        known_lines found;
        for (const std::uint32_t index : frames) {
            frame& f = s_.frames[index];
            // A return address points behind its call, maybe into another line or function.
            std::vector<source_line> lines = symbols ? symbols->lines_at(f.offset - 1) : std::vector<source_line>();
            if (cache != nullptr && symbols && symbols->has_debug_information()) { found.emplace(f.offset, lines); }
            take(f, std::move(lines));
        }
        if (!found.empty()) { cache->store(m.build_id, std::move(found)); }
    }

    void take(frame& f, std::vector<source_line> lines) {
        if (!lines.empty()) { f.lines = std::move(lines); }
        ++(f.lines.empty() ? summary_.unresolved : summary_.resolved);
        const std::size_t done = summary_.resolved + summary_.unresolved;
        if (options_.progress && (done % frames_a_step == 0 || done == order_.size())) {
            options_.progress(done, order_.size());
        }
    }

    static constexpr std::size_t frames_a_step = 256;

    snapshot& s_;
    const symbolize_options& options_;
    std::vector<std::uint32_t> order_;
    symbolize_summary summary_;
};

}  // namespace

symbolize_summary symbolize(snapshot& s, const symbolize_options& options) { return namer(s, options).run(); }

}  // namespace v1
}  // namespace memwatch
