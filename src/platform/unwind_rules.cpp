// SPDX-License-Identifier: Apache-2.0
#include "platform/unwind_rules.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <sys/auxv.h>

#include <atomic>
#include <cstddef>

#include "platform/platform.hpp"

// Rules need x86-64's conventions and a lock-free way from an address to its module.
#if defined(__x86_64__) && defined(DLFO_STRUCT_HAS_EH_DBASE)
#define HAS_UNWIND_RULES 1
#else
#define HAS_UNWIND_RULES 0
#endif

extern "C" void* __libc_stack_end;                               // ld.so's: the top of the main thread's stack
extern "C" const void* _Unwind_Find_FDE(void* pc, void* bases);  // libgcc's; `bases` is three words it writes

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

// Where a walk writes how it found each frame: offsets from the first slot, for those who look again.
struct walk_trail {
    std::uint64_t first;
    std::uint32_t* slots;  // may be null
    std::uint32_t* bases;  // may be null

    // `base` is the address of a word, or one of the numbers below.
    static constexpr std::uint64_t previous_slot = 0;
    static constexpr std::uint64_t argument = 1;
    void add(std::uint32_t depth, std::uint64_t slot, std::uint64_t base) const noexcept {
        if (slots != nullptr) { slots[depth] = offset_of(slot); }
        if (bases == nullptr) { return; }
        bases[depth] = base == previous_slot ? no_slot : base == argument ? in_register : offset_of(base);
        // What follows from a word that has no number here has none itself.
        if (base > argument && bases[depth] == no_slot && slots != nullptr) { slots[depth] = no_slot; }
    }

private:
    [[nodiscard]] std::uint32_t offset_of(std::uint64_t address) const noexcept {
        const std::uint64_t offset = address - first;
        return offset < in_register ? static_cast<std::uint32_t>(offset) : no_slot;
    }
};

__attribute__((no_sanitize("address", "thread"))) std::uint64_t load(std::uint64_t address) noexcept {
    return *reinterpret_cast<const std::uint64_t*>(address);
}

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
            neighbour.store(before, std::memory_order_seq_cst);  // seq_cst: pairs with the loads in forget_unwind_rules()
        }
    }
    // seq_cst, both: pairs with forget_unwind_rules(): either we see its generation, or it sees our entry.
    place->store(entry, std::memory_order_seq_cst);
    if (generation.load(std::memory_order_seq_cst) != seen_generation) {  // seq_cst: pairs with forget_unwind_rules()
        place->store(0, std::memory_order_relaxed);                       // relaxed: as above
        neighbour.store(0, std::memory_order_relaxed);                    // relaxed: what we moved there may be as old
    }
}

// --- modules

struct module {
    unwind_image image;  // the segment that holds the unwind tables
    std::uint64_t header{};
    std::uint64_t start{};
    std::uint64_t end{};
};

struct program_headers {
    const Elf64_Phdr* first{};
    std::size_t count{};
};

// What lies at `address` if that is an ELF header with its program headers on the same page.
__attribute__((no_sanitize("address"))) program_headers headers_at(std::uint64_t address) noexcept {
    const auto* const elf = reinterpret_cast<const Elf64_Ehdr*>(address);
    const bool is_elf = elf->e_ident[EI_MAG0] == ELFMAG0 && elf->e_ident[EI_MAG1] == ELFMAG1 &&
                        elf->e_ident[EI_MAG2] == ELFMAG2 && elf->e_ident[EI_MAG3] == ELFMAG3;
    constexpr std::size_t page_bytes = 4096;
    const bool is_near = is_elf && elf->e_phentsize == sizeof(Elf64_Phdr) && elf->e_phoff % 8 == 0 &&
                         elf->e_phoff < page_bytes && elf->e_phnum <= (page_bytes - elf->e_phoff) / sizeof(Elf64_Phdr);
    return is_near ? program_headers{reinterpret_cast<const Elf64_Phdr*>(address + elf->e_phoff), elf->e_phnum}
                   : program_headers{};
}

// The segment that holds the unwind tables: the program headers tell which bytes are there, a module's mapping may have holes.
__attribute__((no_sanitize("address"))) bool find_tables(const program_headers& headers, std::uint64_t bias, std::uint64_t pc,
                                                         module& found) noexcept {
    bool has_code = false;
    unwind_image image;
    for (std::size_t i = 0; i < headers.count; ++i) {
        const Elf64_Phdr& header = headers.first[i];
        if (header.p_type != PT_LOAD) { continue; }
        const std::uint64_t address = bias + header.p_vaddr;
        has_code = has_code || pc - address < header.p_memsz;
        if ((header.p_flags & PF_R) != 0 && found.header - address < header.p_filesz) {
            image = {reinterpret_cast<const std::uint8_t*>(address), header.p_filesz, address};
        }
    }
    if (has_code) { found.image = image; }
    return has_code && image.size != 0;
}

// The module around `pc`; its image is empty when it has no tables that can be read safely. False: there is none.
bool find_module(std::uint64_t pc, module& found) noexcept {
    dl_find_object object{};
    // The cast: the address is data to us, only a key to glibc.
    if (_dl_find_object(reinterpret_cast<void*>(pc), &object) != 0) { return false; }
    found.start = reinterpret_cast<std::uint64_t>(object.dlfo_map_start);  // of one segment, in a module with holes
    found.end = reinterpret_cast<std::uint64_t>(object.dlfo_map_end);
    found.header = reinterpret_cast<std::uint64_t>(object.dlfo_eh_frame);
    if (found.header == 0) { return true; }
    const std::uint64_t bias = object.dlfo_link_map->l_addr;
    dl_find_object beginning{};
    const bool is_at_bias = bias == found.start || (_dl_find_object(reinterpret_cast<void*>(bias), &beginning) == 0 &&
                                                    beginning.dlfo_link_map == object.dlfo_link_map);
    // A module linked for address 0 begins at its bias; an executable linked for another is the main one, whose headers the
    // kernel named; what is left was prelinked.
    if (is_at_bias && find_tables(headers_at(bias), bias, pc, found)) { return true; }
    const program_headers of_main{reinterpret_cast<const Elf64_Phdr*>(getauxval(AT_PHDR)), getauxval(AT_PHNUM)};
    if (find_tables(of_main, bias, pc, found)) { return true; }
    static_cast<void>(find_tables(headers_at(found.start), bias, pc, found));
    return true;
}

// What was seen where. Two words a module that are written one after the other; who reads them apart forgets once too often.
struct module_seen {
    std::atomic<std::uint64_t> mark;  // 36 bits of its first page, 28 bits of what its tables begin with. 0 = free
    std::atomic<std::uint64_t> end;
};
constexpr std::size_t max_modules_seen = 256;
module_seen modules_seen[max_modules_seen];
constexpr unsigned page_shift = 12;
constexpr unsigned mark_shift = 28;

std::uint64_t mark_of(const module& m) noexcept {
    std::uint64_t sum = (m.end - m.start) ^ (m.header << 20U);
    const std::size_t begin = m.header - m.image.address;
    for (std::size_t i = begin; i < begin + 64 && i < m.image.size; ++i) {
        sum = (sum ^ m.image.bytes[i]) * 0x9E3779B97F4A7C15ULL;
    }
    return m.start >> page_shift << mark_shift | sum >> (64 - mark_shift);
}

// True when one seen before lay where this one lies now; it is not remembered any longer.
bool drop_overlapping(const module& m, const module_seen& own) noexcept {
    bool has_dropped = false;
    for (module_seen& other : modules_seen) {
        // relaxed, both: a wrong answer costs a walk through tables.
        const std::uint64_t start = other.mark.load(std::memory_order_relaxed) >> mark_shift << page_shift;
        const std::uint64_t end = other.end.load(std::memory_order_relaxed);  // relaxed: as above
        if (&other == &own || start >= m.end || end <= m.start) { continue; }
        other.end.store(0, std::memory_order_relaxed);  // relaxed: as above
        has_dropped = true;
    }
    return has_dropped;
}

// True when another module was seen at this one's place. Places are kept for ever and refilled, so that probing ends at the
// first free one.
bool has_replaced_another(const module& m) noexcept {
    const std::uint64_t mark = mark_of(m);
    for (std::size_t i = 0; i < max_modules_seen; ++i) {
        module_seen& seen = modules_seen[((mark >> mark_shift) + i) % max_modules_seen];
        // relaxed, all: as in drop_overlapping().
        std::uint64_t before = seen.mark.load(std::memory_order_relaxed);
        const bool is_known = before == mark && seen.end.load(std::memory_order_relaxed) == m.end;  // relaxed: as above
        if (is_known) { return false; }
        const bool is_place_of_its_page = before >> mark_shift == mark >> mark_shift;
        if (!is_place_of_its_page && (before != 0 || !seen.mark.compare_exchange_strong(
                                                         before, mark, std::memory_order_relaxed))) {  // relaxed: as above
            continue;
        }
        const bool was_another =
            is_place_of_its_page && before != mark && seen.end.load(std::memory_order_relaxed) != 0;  // relaxed
        seen.mark.store(mark, std::memory_order_relaxed);                                             // relaxed: as above
        seen.end.store(m.end, std::memory_order_relaxed);                                             // relaxed: as above
        return drop_overlapping(m, seen) || was_another;
    }
    return false;  // more modules than are remembered: forget_unwind_rules() has to be called
}

// --- a miss

// Of a return address: the call before it decides, which may be the last instruction of its function.
unwind_rule rule_of(const module& m, std::uint64_t address) noexcept {
    unwind_rule rule = find_unwind_rule(m.image, m.header, address - 1);
    // Nothing before it can have called, but a function begins exactly here: somebody put the address on a new stack for the
    // first function to return to, as makecontext() does.
    const bool may_be_hand_made = rule.how == unwind_rule::way::no_function;
    if (may_be_hand_made && find_unwind_rule(m.image, m.header, address).how != unwind_rule::way::no_function) {
        rule.how = unwind_rule::way::end_of_stack;
    }
    return rule;
}

// Code outside of modules is a JIT's; few tell libgcc about its frames (__register_frame). Then, and only then, libgcc may take
// a lock - as it would if it were asked to unwind.
bool has_registered_tables(std::uint64_t pc) noexcept {
    const void* bases[3]{};
    return _Unwind_Find_FDE(reinterpret_cast<void*>(pc), bases) != nullptr;
}

[[gnu::noinline, gnu::cold]] std::uint64_t look_up(std::uint64_t address) noexcept {
    constexpr std::uint64_t unknown = way_mask;
    if (address < 4096 || address >= address_limit) { return static_cast<std::uint64_t>(unwind_rule::way::no_function); }
    // acquire: pairs with the release in forget_unwind_rules(): what we read from modules is not older than this number.
    std::uint64_t seen_generation = generation.load(std::memory_order_acquire);
    module m;
    if (!find_module(address - 1, m)) {
        // Not remembered: a module may be loaded here one day.
        return has_registered_tables(address - 1) ? unknown : static_cast<std::uint64_t>(unwind_rule::way::no_function);
    }
    if (m.image.size != 0 && has_replaced_another(m)) {
        forget_unwind_rules();
        seen_generation =
            generation.load(std::memory_order_acquire);  // acquire: pairs with the release in forget_unwind_rules()
    }
    const std::uint64_t entry = entry_of(address, rule_of(m, address));
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
    // seq_cst: pairs with the acquire in look_up() and with remember().
    generation.fetch_add(1, std::memory_order_seq_cst);
    for (std::atomic<std::uint64_t>& entry : table) {
        // Only what is there is written: untouched pages stay unbacked.
        // seq_cst: pairs with the stores in remember(); relaxed: it follows that load in the order of this one word.
        if (entry.load(std::memory_order_seq_cst) != 0) { entry.store(0, std::memory_order_relaxed); }
    }
}

unwind_rule look_up_unwind_rule(std::uint64_t return_address) noexcept {
    module m;
    return find_module(return_address - 1, m) ? rule_of(m, return_address) : unwind_rule{};
}

unwind_rule remembered_unwind_rule(std::uint64_t return_address) noexcept {
    const std::uint64_t entry = entry_for(return_address);
    unwind_rule rule;
    const std::uint64_t way = entry & way_mask;
    rule.how = way == way_mask ? unwind_rule::way::none : static_cast<unwind_rule::way>(way);
    rule.fp_place = static_cast<std::uint8_t>(entry >> fp_shift);
    rule.offset = static_cast<std::uint32_t>(entry & offset_mask);
    return rule;
}

namespace {

// The register values a walk carries from frame to frame.
struct walk_state {
    std::uint64_t slot;   // where the return address is
    std::uint64_t sp;     // of the frame it leads into
    std::uint64_t fp;     // in that frame
    std::uint64_t limit;  // nothing is read at or above
    std::uint64_t exact;  // 1: the address was interrupted, not left by a call
    // What they follow from, as walk_trail::add() takes it.
    std::uint64_t slot_base;
    std::uint64_t sp_base;
    std::uint64_t fp_base;
};

// ld.so's own start, which has no tables: constructors of libraries that the program was linked with run behind it.
bool is_first_frame(const walk_state& at) noexcept {
    constexpr std::uint64_t most_bytes = 64;
    return at.limit == reinterpret_cast<std::uint64_t>(__libc_stack_end) && at.limit - at.sp <= most_bytes;
}

// Into the interrupted code, perhaps on another stack. False: this can't be what a kernel wrote.
__attribute__((no_sanitize("address", "thread"))) bool leave_signal_frame(walk_state& at) noexcept {
    if (at.limit - at.sp < ucontext_pc + 8) { return false; }
    at.slot = at.sp + ucontext_pc;
    at.slot_base = at.sp_base;
    at.fp = load(at.sp + ucontext_fp);
    at.fp_base = at.sp + ucontext_fp;
    at.sp_base = at.sp + ucontext_sp;
    at.sp = load(at.sp + ucontext_sp);
    at.limit = limit_of_stack(at.sp);
    at.exact = 1;
    return at.sp % 8 == 0;
}

// Into the caller's frame. False: the rule leads to where no frame can be.
__attribute__((no_sanitize("address", "thread"))) inline bool follow(walk_state& at, std::uint64_t rule) noexcept {
    std::uint64_t cfa = rule & offset_mask;
    const auto way = static_cast<unwind_rule::way>(rule & way_mask);
    if (way == unwind_rule::way::stack_pointer) {
        cfa += at.sp;
        at.slot_base = at.sp_base;
    } else if (way == unwind_rule::way::frame_pointer) {
        cfa += at.fp;
        at.slot_base = at.fp_base;
    } else {
        const std::uint64_t place = at.fp - cfa;
        if (place < at.sp || place >= at.limit || place % 8 != 0) { return false; }
        cfa = load(place);
        at.slot_base = place;
    }
    if (cfa <= at.sp || cfa > at.limit || cfa % 8 != 0) { return false; }
    const std::uint64_t fp_place = rule >> fp_shift & 0xFFU;
    if (fp_place != unwind_rule::fp_unchanged) {
        const std::uint64_t place = fp_place == unwind_rule::fp_at_fp ? at.fp : cfa - fp_place * 8;
        if (place < at.sp || place >= cfa || place % 8 != 0) { return false; }
        at.fp = load(place);
        at.fp_base = place;
    }
    at.slot = cfa - 8;
    at.sp_base = walk_trail::previous_slot;
    at.sp = cfa;
    at.exact = 0;
    return true;
}

__attribute__((no_sanitize("address", "thread"))) walk_end walk(captured_stack& stack, const walk_trail& trail,
                                                                std::uint32_t max_depth, walk_state at) noexcept {
    for (std::uint32_t depth = 0; depth < max_depth;) {
        const std::uint64_t address = load(at.slot);
        if (address == 0) { return walk_end::complete; }  // how many fibers' stacks begin
        trail.add(depth, at.slot, at.slot_base);
        stack.frames[depth] = address;
        stack.depth = ++depth;
        const std::uint64_t rule = entry_for(address + at.exact);
        switch (static_cast<unwind_rule::way>(rule & way_mask)) {
            case unwind_rule::way::stack_pointer:
            case unwind_rule::way::frame_pointer:
            case unwind_rule::way::saved_by_frame:
                if (!follow(at, rule)) { return walk_end::no_rule; }
                break;
            case unwind_rule::way::signal_frame:
                if (!leave_signal_frame(at)) { return walk_end::no_rule; }
                break;
            case unwind_rule::way::end_of_stack:
                return walk_end::complete;
            case unwind_rule::way::no_function:
                return is_first_frame(at) ? walk_end::complete : walk_end::unknown_code;
            default:
                return walk_end::no_rule;
        }
    }
    return walk_end::depth;
}

}  // namespace

walk_end walk_by_rules(captured_stack& stack, std::uint32_t* slots, std::uint32_t max_depth, const void* entry,
                       std::uint64_t frame_pointer, std::uint32_t* bases) noexcept {
    const auto first = reinterpret_cast<std::uint64_t>(entry);
    const walk_trail trail{first, slots, bases};
    stack.depth = 0;
    constexpr std::uint64_t by_itself = walk_trail::previous_slot;
    const walk_state at{first, first + 8, frame_pointer, limit_of_stack(first), 0, by_itself, by_itself, walk_trail::argument};
    const walk_end end = walk(stack, trail, max_depth, at);
    stack.is_truncated = end != walk_end::complete;
    return end;
}

#else

void forget_unwind_rules() noexcept {}

unwind_rule look_up_unwind_rule(std::uint64_t) noexcept { return {}; }
unwind_rule remembered_unwind_rule(std::uint64_t) noexcept { return {}; }

// No rules here: the chain of frame records. AArch64's ABI asks for them, libc keeps them, and the first of a thread is linked
// to none.
__attribute__((no_sanitize("address", "thread"))) walk_end walk_by_rules(captured_stack& stack, std::uint32_t* slots,
                                                                         std::uint32_t max_depth, const void* entry,
                                                                         std::uint64_t frame_pointer,
                                                                         std::uint32_t* bases) noexcept {
    const auto first = reinterpret_cast<std::uint64_t>(entry);
    const std::uint64_t limit = limit_of_stack(first);
    const walk_trail trail{first, slots, bases};
    std::uint64_t slot = first;
    std::uint64_t base = walk_trail::previous_slot;
    std::uint64_t next = frame_pointer;
    std::uint64_t next_base = walk_trail::argument;
    walk_end end = walk_end::depth;
    for (stack.depth = 0; stack.depth < max_depth;) {
        trail.add(stack.depth, slot, base);
        stack.frames[stack.depth++] = load(slot);
        const bool is_plausible = next > slot && next % 8 == 0 && next < limit && limit - next >= 16;
        if (!is_plausible) {
            end = next == 0 ? walk_end::complete : walk_end::no_rule;
            break;
        }
        base = next_base;
        next_base = next;
        slot = next + 8;
        next = load(next);
    }
    stack.is_truncated = end != walk_end::complete;
    return end;
}

#endif

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
