// SPDX-License-Identifier: Apache-2.0
#include "platform/unwind_rules.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <pthread.h>

#include <atomic>
#include <cstddef>

#include "platform/platform.hpp"

// Rules need x86-64's conventions and a lock-free way from an address to its module.
#if defined(__x86_64__) && defined(DLFO_STRUCT_HAS_EH_DBASE)
#define HAS_UNWIND_RULES 1
#else
#define HAS_UNWIND_RULES 0
#endif

extern "C" void* __libc_stack_end;  // ld.so's: the top of the main thread's stack

namespace memwatch {
inline namespace v1 {
namespace platform {
namespace {

// One past the highest byte that frames of the stack around `stack_pointer` can lie at, without asking the kernel: a thread's
// control block sits above its stack, the main thread's stack above everything. A fiber's end is not known: frames lead along
// it, and the bound is only one that no frame crosses.
std::uint64_t limit_of_stack(std::uint64_t stack_pointer) noexcept {
    const auto control_block = reinterpret_cast<std::uint64_t>(pthread_self());
    if (stack_pointer < control_block) { return control_block; }
    const auto main_end = reinterpret_cast<std::uint64_t>(__libc_stack_end);
    return stack_pointer < main_end ? main_end : ~std::uint64_t{7};
}

std::uint64_t load(std::uint64_t address) noexcept { return *reinterpret_cast<const std::uint64_t*>(address); }

#if HAS_UNWIND_RULES

// --- the table

constexpr std::uint64_t table_size = std::uint64_t{1} << 15U;
constexpr std::uint64_t address_limit = std::uint64_t{1} << 47U;  // of user space
std::atomic<std::uint64_t> table[table_size];
std::atomic<std::uint64_t> generation{0};  // how often the table was emptied

std::uint64_t tag_of(std::uint64_t address) noexcept { return (address >> 15U) << 1U | (address & 1U); }
std::uint64_t index_of(std::uint64_t address) noexcept { return address % table_size; }

// The parts of an entry.
constexpr unsigned fp_shift = 23;
constexpr unsigned tag_shift = 31;
constexpr std::uint64_t way_mask = 7;
constexpr std::uint64_t offset_mask = unwind_rule::most_offset;  // in place: both count in units of eight
static_assert(unwind_rule::most_offset == 0x7FFFF8);

std::uint64_t entry_of(std::uint64_t address, const unwind_rule& rule) noexcept {
    // The way "none" is stored as 7: an entry of 0 is an empty one.
    const std::uint64_t way = rule.how == unwind_rule::way::none ? way_mask : static_cast<std::uint64_t>(rule.how);
    return tag_of(address) << tag_shift | std::uint64_t{rule.fp_place} << fp_shift | rule.offset | way;
}

void remember(std::uint64_t address, std::uint64_t entry, std::uint64_t seen_generation) noexcept {
    std::atomic<std::uint64_t>& home = table[index_of(address)];
    std::atomic<std::uint64_t>& neighbour = table[index_of(address) ^ 1U];
    // relaxed, all: an entry is one word and says for itself what it belongs to.
    const std::uint64_t before = home.load(std::memory_order_relaxed);
    std::atomic<std::uint64_t>* place = &home;
    if (before != 0) {
        if (neighbour.load(std::memory_order_relaxed) == 0) {  // relaxed: as above
            place = &neighbour;
        } else {
            neighbour.store(before, std::memory_order_relaxed);  // relaxed: as above
        }
    }
    place->store(entry, std::memory_order_relaxed);  // relaxed: as above
    // seq_cst: pairs with the fence in forget_unwind_rules(): either we see the new generation, or it sees our entry.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    // relaxed: ordered by the fence.
    if (generation.load(std::memory_order_relaxed) != seen_generation) {
        place->store(0, std::memory_order_relaxed);     // relaxed: as above
        neighbour.store(0, std::memory_order_relaxed);  // relaxed: what we moved there may be as old
    }
}

// --- modules

struct module {
    unwind_image image;  // the segment that holds the unwind tables
    std::uint64_t header{};
    std::uint64_t start{};
    std::uint64_t end{};
};

// The module around `pc`; its image is empty when it has no tables that can be read safely. False: there is none.
__attribute__((no_sanitize("address"))) bool find_module(std::uint64_t pc, module& found) noexcept {
    dl_find_object object{};
    // The cast: the address is data to us, only a key to glibc.
    if (_dl_find_object(reinterpret_cast<void*>(pc), &object) != 0) { return false; }
    found.start = reinterpret_cast<std::uint64_t>(object.dlfo_map_start);
    found.end = reinterpret_cast<std::uint64_t>(object.dlfo_map_end);
    found.header = reinterpret_cast<std::uint64_t>(object.dlfo_eh_frame);
    const auto* const elf = static_cast<const Elf64_Ehdr*>(object.dlfo_map_start);
    // The program headers tell which bytes are there: a module's mapping may have holes.
    const bool is_readable = found.header != 0 && found.end - found.start >= 4096 && elf->e_ident[EI_MAG0] == ELFMAG0 &&
                             elf->e_ident[EI_MAG1] == ELFMAG1 && elf->e_ident[EI_MAG2] == ELFMAG2 &&
                             elf->e_ident[EI_MAG3] == ELFMAG3 && elf->e_phentsize == sizeof(Elf64_Phdr) &&
                             elf->e_phoff % 8 == 0 && elf->e_phoff <= 1024 && elf->e_phnum <= 48;
    if (!is_readable) { return true; }
    const auto* const headers = reinterpret_cast<const Elf64_Phdr*>(found.start + elf->e_phoff);
    bool is_first = true;
    std::uint64_t bias = 0;
    for (std::size_t i = 0; i < elf->e_phnum; ++i) {
        const Elf64_Phdr& header = headers[i];
        if (header.p_type != PT_LOAD) { continue; }
        if (is_first) { bias = found.start - (header.p_vaddr & ~std::uint64_t{4095}); }
        is_first = false;
        const std::uint64_t address = bias + header.p_vaddr;
        if ((header.p_flags & PF_R) != 0 && found.header - address < header.p_filesz &&
            header.p_filesz <= found.end - address) {
            found.image = {reinterpret_cast<const std::uint8_t*>(address), header.p_filesz, address};
        }
    }
    return true;
}

// What was seen where: 36 bits of the module's first page, 28 bits of what its tables begin with. 0 = free.
constexpr std::size_t max_modules_seen = 256;
std::atomic<std::uint64_t> modules_seen[max_modules_seen];

std::uint64_t mark_of(const module& m) noexcept {
    std::uint64_t sum = (m.end - m.start) ^ (m.header << 20U);
    const std::size_t begin = m.header - m.image.address;
    for (std::size_t i = begin; i < begin + 64 && i < m.image.size; ++i) {
        sum = (sum ^ m.image.bytes[i]) * 0x9E3779B97F4A7C15ULL;
    }
    return m.start >> 12U << 28U | sum >> 36U;
}

// True when another module was seen at this one's place.
bool has_replaced_another(const module& m) noexcept {
    const std::uint64_t mark = mark_of(m);
    for (std::size_t i = 0; i < max_modules_seen; ++i) {
        std::atomic<std::uint64_t>& seen = modules_seen[(mark >> 28U) % max_modules_seen ^ i];
        // relaxed, all: one word; who reads an old one forgets once more than needed.
        std::uint64_t before = seen.load(std::memory_order_relaxed);
        if (before == 0 && seen.compare_exchange_strong(before, mark, std::memory_order_relaxed)) { return false; }  // relaxed
        if (before == mark) { return false; }
        if (before >> 28U == mark >> 28U) {
            seen.store(mark, std::memory_order_relaxed);  // relaxed: as above
            return true;
        }
    }
    return false;  // more modules than we remember: forget_unwind_rules() has to be called
}

// --- a miss

[[gnu::noinline, gnu::cold]] std::uint64_t look_up(std::uint64_t address) noexcept {
    constexpr std::uint64_t unknown = way_mask;
    if (address < 4096 || address >= address_limit) { return unknown; }
    // acquire: pairs with the release in forget_unwind_rules(): what we read from modules is not older than this number.
    std::uint64_t seen_generation = generation.load(std::memory_order_acquire);
    module m;
    if (!find_module(address - 1, m)) { return unknown; }  // not remembered: a module may be loaded here one day
    if (m.image.size != 0 && has_replaced_another(m)) {
        forget_unwind_rules();
        seen_generation =
            generation.load(std::memory_order_acquire);  // acquire: pairs with the release in forget_unwind_rules()
    }
    const std::uint64_t entry = entry_of(address, find_unwind_rule(m.image, m.header, address - 1));
    remember(address, entry, seen_generation);
    return entry;
}

// `address` is a return address; for one that was interrupted rather than left by a call, one more.
inline std::uint64_t entry_for(std::uint64_t address) noexcept {
    const std::uint64_t tag = tag_of(address);
    // relaxed, both: an entry is one word and says for itself what it belongs to.
    const std::uint64_t home = table[index_of(address)].load(std::memory_order_relaxed);
    if (__builtin_expect(home >> tag_shift == tag, 1)) { return home; }
    const std::uint64_t neighbour = table[index_of(address) ^ 1U].load(std::memory_order_relaxed);  // relaxed: as above
    return neighbour >> tag_shift == tag ? neighbour : look_up(address);
}

#endif

}  // namespace

#if HAS_UNWIND_RULES

void forget_unwind_rules() noexcept {
    // release: pairs with the acquire in look_up().
    generation.fetch_add(1, std::memory_order_release);
    // seq_cst: pairs with the fence in remember().
    std::atomic_thread_fence(std::memory_order_seq_cst);
    for (std::atomic<std::uint64_t>& entry : table) {
        // relaxed, both: ordered by the fence. Only what is there is written: untouched pages stay unbacked.
        if (entry.load(std::memory_order_relaxed) != 0) { entry.store(0, std::memory_order_relaxed); }
    }
}

unwind_rule look_up_unwind_rule(std::uint64_t return_address) noexcept {
    module m;
    if (!find_module(return_address - 1, m)) { return {}; }
    return find_unwind_rule(m.image, m.header, return_address - 1);
}

__attribute__((no_sanitize("address", "thread"))) void walk_by_rules(captured_stack& stack, std::uint32_t* slots,
                                                                     std::uint32_t max_depth, const void* entry,
                                                                     std::uint64_t frame_pointer) noexcept {
    const auto first = reinterpret_cast<std::uint64_t>(entry);
    std::uint64_t slot = first;    // where the return address was read
    std::uint64_t sp = first + 8;  // of the frame it leads into
    std::uint64_t fp = frame_pointer;
    std::uint64_t limit = limit_of_stack(first);
    std::uint32_t depth = 0;
    std::uint64_t exact = 0;  // 1: the address was interrupted, not left by a call
    stack.is_truncated = true;
    while (depth < max_depth) {
        const std::uint64_t address = load(slot);
        stack.frames[depth] = address;
        if (slots != nullptr) { slots[depth] = slot - first < no_slot ? static_cast<std::uint32_t>(slot - first) : no_slot; }
        ++depth;
        const std::uint64_t rule = entry_for(address + exact);
        exact = 0;
        const auto way = static_cast<unwind_rule::way>(rule & way_mask);
        std::uint64_t cfa = rule & offset_mask;
        if (way == unwind_rule::way::stack_pointer) {
            cfa += sp;
        } else if (way == unwind_rule::way::frame_pointer) {
            cfa += fp;
        } else if (way == unwind_rule::way::saved_by_frame) {
            const std::uint64_t place = fp - cfa;
            if (place < sp || place >= limit || place % 8 != 0) { break; }
            cfa = load(place);
        } else if (way == unwind_rule::way::signal_frame) {
            if (limit - sp < ucontext_pc + 8) { break; }
            slot = sp + ucontext_pc;
            fp = load(sp + ucontext_fp);
            sp = load(sp + ucontext_sp);  // of the interrupted code, perhaps on another stack
            if (sp % 8 != 0) { break; }
            limit = limit_of_stack(sp);
            exact = 1;
            continue;
        } else {
            stack.is_truncated = way != unwind_rule::way::end_of_stack;
            break;
        }
        if (cfa <= sp || cfa > limit || cfa % 8 != 0) { break; }
        const std::uint64_t fp_place = rule >> fp_shift & 0xFFU;
        if (fp_place != unwind_rule::fp_unchanged) {
            const std::uint64_t place = fp_place == unwind_rule::fp_at_fp ? fp : cfa - fp_place * 8;
            if (place < sp || place >= cfa || place % 8 != 0) { break; }
            fp = load(place);
        }
        slot = cfa - 8;
        sp = cfa;
    }
    stack.depth = depth;
}

#else

void forget_unwind_rules() noexcept {}

unwind_rule look_up_unwind_rule(std::uint64_t) noexcept { return {}; }

// No rules here: the chain of frame records. AArch64's ABI asks for them, libc keeps them, and the first of a thread is linked
// to none.
__attribute__((no_sanitize("address", "thread"))) void walk_by_rules(captured_stack& stack, std::uint32_t* slots,
                                                                     std::uint32_t max_depth, const void* entry,
                                                                     std::uint64_t frame_pointer) noexcept {
    const auto first = reinterpret_cast<std::uint64_t>(entry);
    const std::uint64_t limit = limit_of_stack(first);
    std::uint64_t slot = first;
    std::uint64_t next = frame_pointer;
    stack.depth = 0;
    stack.is_truncated = true;
    while (stack.depth < max_depth) {
        if (slots != nullptr) {
            slots[stack.depth] = slot - first < no_slot ? static_cast<std::uint32_t>(slot - first) : no_slot;
        }
        stack.frames[stack.depth++] = load(slot);
        stack.is_truncated = next != 0;
        if (next <= slot || next % 8 != 0 || limit - next < 16 || next >= limit) { break; }
        slot = next + 8;
        next = load(next);
    }
}

#endif

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
