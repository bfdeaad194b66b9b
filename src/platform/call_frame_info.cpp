// SPDX-License-Identifier: Apache-2.0
#include "platform/call_frame_info.hpp"

#include <cstring>

namespace memwatch {
inline namespace v1 {
namespace platform {
namespace {

constexpr std::uint64_t frame_register = 6;  // rbp, rsp and the return address in DWARF's numbers for x86-64
constexpr std::uint64_t stack_register = 7;
constexpr std::uint64_t return_register = 16;

// How a pointer is written (DW_EH_PE_*): the format in the low half, what it is relative to in the high one.
namespace pointer {
constexpr unsigned format = 0x0F;
constexpr unsigned native = 0x00;
constexpr unsigned udata2 = 0x02;
constexpr unsigned udata4 = 0x03;
constexpr unsigned udata8 = 0x04;
constexpr unsigned sdata2 = 0x0A;
constexpr unsigned sdata4 = 0x0B;
constexpr unsigned sdata8 = 0x0C;
constexpr unsigned relative_to = 0xF0;
constexpr unsigned to_nothing = 0x00;
constexpr unsigned to_itself = 0x10;
constexpr unsigned table_of_sdata4 = 0x3B;  // relative to the header: what every linker writes
}  // namespace pointer

// Reads forwards within [at, end) of an image. What lies outside reads as 0 and makes the reader fail for good.
class image_reader {
public:
    image_reader(const unwind_image& image, std::uint64_t at) noexcept : image_(image) {
        position_ = at - image.address;
        end_ = image.size;
        has_failed_ = at < image.address || position_ > end_;
    }

    [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }
    [[nodiscard]] bool is_at_end() const noexcept { return has_failed_ || position_ == end_; }
    [[nodiscard]] std::uint64_t address() const noexcept { return image_.address + position_; }
    [[nodiscard]] std::uint64_t remaining() const noexcept { return has_failed_ ? 0 : end_ - position_; }

    void fail() noexcept { has_failed_ = true; }
    void skip(std::uint64_t bytes) noexcept {
        if (has(bytes)) { position_ += bytes; }
    }
    // From here on, only `bytes` more.
    void limit(std::uint64_t bytes) noexcept {
        if (has(bytes)) { end_ = position_ + bytes; }
    }
    template <class Number>
    Number read() noexcept {
        Number value{};
        if (has(sizeof value)) {
            std::memcpy(&value, image_.bytes + position_, sizeof value);
            position_ += sizeof value;
        }
        return value;
    }
    std::uint64_t read_uleb() noexcept {
        unsigned shift = 0;
        return read_leb(shift);
    }
    std::int64_t read_sleb() noexcept {
        unsigned shift = 0;
        std::uint64_t value = read_leb(shift);
        const bool is_negative = shift > 0 && shift < 64 && (value >> (shift - 1) & 1U) != 0;
        if (is_negative) { value |= ~std::uint64_t{0} << shift; }
        return static_cast<std::int64_t>(value);
    }
    std::uint64_t read_pointer(unsigned encoding) noexcept {
        const std::uint64_t place = address();
        std::uint64_t value = read_format(encoding & pointer::format);
        switch (encoding & pointer::relative_to) {
            case pointer::to_nothing:
                break;
            case pointer::to_itself:
                value += place;
                break;
            default:
                fail();
        }
        return value;
    }

private:
    bool has(std::uint64_t bytes) noexcept {
        if (bytes > remaining()) { has_failed_ = true; }
        return !has_failed_;
    }
    std::uint64_t read_leb(unsigned& shift) noexcept {
        std::uint64_t value = 0;
        for (;; shift += 7) {
            const auto byte = read<std::uint8_t>();
            if (has_failed_ || shift > 63) {
                fail();
                return 0;
            }
            value |= std::uint64_t{byte & 0x7FU} << shift;
            if ((byte & 0x80U) == 0) { break; }
        }
        shift += 7;
        return value;
    }
    template <class Number>
    std::uint64_t read_signed() noexcept {
        return static_cast<std::uint64_t>(std::int64_t{read<Number>()});
    }
    std::uint64_t read_format(unsigned format) noexcept {
        switch (format) {
            case pointer::native:
            case pointer::udata8:
            case pointer::sdata8:
                return read<std::uint64_t>();
            case pointer::udata2:
                return read<std::uint16_t>();
            case pointer::udata4:
                return read<std::uint32_t>();
            case pointer::sdata2:
                return read_signed<std::int16_t>();
            case pointer::sdata4:
                return read_signed<std::int32_t>();
            default:
                fail();
                return 0;
        }
    }

    const unwind_image& image_;
    std::uint64_t position_{};
    std::uint64_t end_{};
    bool has_failed_{};
};

// Where a value of the caller is: 24 bytes, because rows are remembered on a hook's stack.
struct place {
    enum class kind : std::uint8_t { unspecified, at_cfa, undefined, expression, elsewhere };
    kind what = kind::unspecified;
    std::uint32_t size = 0;  // expression: bytes
    std::int64_t value = 0;  // at_cfa: offset from the CFA; expression: its address
};

// One row of the table that a program builds: only the columns that matter for walking.
struct row {
    place cfa;  // unspecified: cfa_register + value
    std::uint64_t cfa_register{};
    place fp;
    place return_address;

    place* column(std::uint64_t number) noexcept {
        if (number == frame_register) { return &fp; }
        return number == return_register ? &return_address : nullptr;
    }
};

// A common information entry: what the functions of an object file share.
struct common_entry {
    std::uint64_t code_factor{};
    std::int64_t data_factor{};
    unsigned encoding = pointer::native;
    bool has_augmentation_size{};
    bool is_signal_frame{};
};

// The length in front of an entry; 64-bit entries (more than 4 GiB of unwind tables) count as broken.
void enter_entry(image_reader& reader) noexcept {
    const auto length = reader.read<std::uint32_t>();
    if (length == 0 || length >= 0xFFFFFFF0U) { reader.fail(); }
    reader.limit(length);
}

// "zPLR": 'z' goes first, then what follows in the augmentation's data.
void read_augmentation(image_reader letters, image_reader& reader, common_entry& entry) noexcept {
    if (letters.read<char>() != 'z') { return; }
    entry.has_augmentation_size = true;
    const std::uint64_t size = reader.read_uleb();
    image_reader data = reader;
    data.limit(size);
    reader.skip(size);
    for (char letter = 0; (letter = letters.read<char>()) != 0 && !letters.has_failed();) {
        switch (letter) {
            case 'R':
                entry.encoding = data.read<std::uint8_t>();
                break;
            case 'P': {
                const unsigned encoding = data.read<std::uint8_t>();
                static_cast<void>(data.read_pointer(encoding & pointer::format));
                break;
            }
            case 'L':
                static_cast<void>(data.read<std::uint8_t>());
                break;
            case 'S':
                entry.is_signal_frame = true;
                break;
            case 'B':
                break;
            default:
                reader.fail();
        }
    }
    if (data.has_failed()) { reader.fail(); }
}

// Leaves the reader at the entry's first instruction.
common_entry read_common_entry(image_reader& reader) noexcept {
    common_entry entry;
    enter_entry(reader);
    if (reader.read<std::uint32_t>() != 0) { reader.fail(); }  // the mark of a common entry
    const auto version = reader.read<std::uint8_t>();
    if (version != 1 && version != 3) { reader.fail(); }
    const image_reader letters = reader;
    bool is_known = true;
    for (bool is_first = true;; is_first = false) {
        const char letter = reader.read<char>();
        if (letter == 0) { break; }
        if (is_first && letter != 'z') { is_known = false; }
    }
    entry.code_factor = reader.read_uleb();
    entry.data_factor = reader.read_sleb();
    const std::uint64_t column = version == 1 ? reader.read<std::uint8_t>() : reader.read_uleb();
    if (!is_known || column != return_register) { reader.fail(); }
    read_augmentation(letters, reader, entry);
    return entry;
}

// Runs a program up to the row that covers `pc`.
class program {
public:
    program(const common_entry& common, std::uint64_t location, std::uint64_t pc) noexcept
        : common_(common), location_(location), pc_(pc) {}

    // False: the program is broken or says what can't be followed.
    bool run(image_reader& reader) noexcept {
        while (!reader.is_at_end() && location_ <= pc_) {
            if (!step(reader)) { return false; }
        }
        return !reader.has_failed();
    }
    // What the common entry says is what "restore" goes back to.
    void keep_as_initial() noexcept { initial_ = current_; }
    [[nodiscard]] const row& result() const noexcept { return current_; }

private:
    bool step(image_reader& reader) noexcept {
        const auto instruction = reader.read<std::uint8_t>();
        const std::uint64_t operand = instruction & 0x3FU;
        switch (instruction >> 6U) {
            case 1:  // DW_CFA_advance_loc
                return advance(operand);
            case 2:  // DW_CFA_offset
                return set(operand, place::kind::at_cfa, factored(reader.read_uleb()));
            case 3:  // DW_CFA_restore
                return restore(operand);
            default:
                return extended_step(instruction, reader);
        }
    }

    bool extended_step(std::uint8_t instruction, image_reader& reader) noexcept {
        switch (instruction) {
            case 0x00:  // DW_CFA_nop
                return true;
            case 0x01:  // DW_CFA_set_loc
                location_ = reader.read_pointer(common_.encoding);
                return true;
            case 0x02:  // DW_CFA_advance_loc1, 2, 4
                return advance(reader.read<std::uint8_t>());
            case 0x03:
                return advance(reader.read<std::uint16_t>());
            case 0x04:
                return advance(reader.read<std::uint32_t>());
            case 0x0A:  // DW_CFA_remember_state
                if (depth_ == most_remembered) { return false; }
                remembered_[depth_++] = current_;
                return true;
            case 0x0B:  // DW_CFA_restore_state
                if (depth_ == 0) { return false; }
                current_ = remembered_[--depth_];
                return true;
            case 0x2E:  // DW_CFA_GNU_args_size: matters to landing pads only
                static_cast<void>(reader.read_uleb());
                return true;
            default:
                return instruction >= 0x0C && instruction <= 0x13 && instruction != 0x10 && instruction != 0x11
                           ? define_cfa(instruction, reader)
                           : define_register(instruction, reader);
        }
    }

    bool define_cfa(std::uint8_t instruction, image_reader& reader) noexcept {
        switch (instruction) {
            case 0x0C:  // DW_CFA_def_cfa
                current_.cfa_register = reader.read_uleb();
                return set_cfa_offset(static_cast<std::int64_t>(reader.read_uleb()));
            case 0x0D:  // DW_CFA_def_cfa_register
                current_.cfa_register = reader.read_uleb();
                return current_.cfa.what == place::kind::unspecified;
            case 0x0E:  // DW_CFA_def_cfa_offset
                return current_.cfa.what == place::kind::unspecified &&
                       set_cfa_offset(static_cast<std::int64_t>(reader.read_uleb()));
            case 0x0F:  // DW_CFA_def_cfa_expression
                current_.cfa = read_expression(reader);
                return true;
            case 0x12:  // DW_CFA_def_cfa_sf
                current_.cfa_register = reader.read_uleb();
                return set_cfa_offset(factored(reader.read_sleb()));
            default:  // 0x13, DW_CFA_def_cfa_offset_sf
                return current_.cfa.what == place::kind::unspecified && set_cfa_offset(factored(reader.read_sleb()));
        }
    }

    bool define_register(std::uint8_t instruction, image_reader& reader) noexcept {
        const std::uint64_t number = reader.read_uleb();
        switch (instruction) {
            case 0x05:  // DW_CFA_offset_extended
                return set(number, place::kind::at_cfa, factored(reader.read_uleb()));
            case 0x06:  // DW_CFA_restore_extended
                return restore(number);
            case 0x07:  // DW_CFA_undefined
                return set(number, place::kind::undefined, 0);
            case 0x08:  // DW_CFA_same_value
                return set(number, place::kind::unspecified, 0);
            case 0x09:  // DW_CFA_register
            case 0x14:  // DW_CFA_val_offset
            case 0x15:  // DW_CFA_val_offset_sf: all three one number more
                static_cast<void>(reader.read_uleb());
                return set(number, place::kind::elsewhere, 0);
            case 0x10: {  // DW_CFA_expression
                const place expression = read_expression(reader);
                if (place* const column = current_.column(number); column != nullptr) { *column = expression; }
                return true;
            }
            case 0x11:  // DW_CFA_offset_extended_sf
                return set(number, place::kind::at_cfa, factored(reader.read_sleb()));
            case 0x16:  // DW_CFA_val_expression
                static_cast<void>(read_expression(reader));
                return set(number, place::kind::elsewhere, 0);
            case 0x2F:  // DW_CFA_GNU_negative_offset_extended
                return set(number, place::kind::at_cfa, factored(std::uint64_t{0} - reader.read_uleb()));
            default:
                return false;
        }
    }

    bool advance(std::uint64_t delta) noexcept {
        const std::uint64_t bytes = delta * common_.code_factor;
        if (location_ + bytes < location_) { return false; }
        location_ += bytes;
        return true;
    }
    bool set(std::uint64_t number, place::kind what, std::int64_t value) noexcept {
        if (place* const column = current_.column(number); column != nullptr) { *column = {what, 0, value}; }
        return true;
    }
    bool restore(std::uint64_t number) noexcept {
        if (place* const column = current_.column(number); column != nullptr) { *column = *initial_.column(number); }
        return true;
    }
    bool set_cfa_offset(std::int64_t offset) noexcept {
        current_.cfa = {place::kind::unspecified, 0, offset};
        return true;
    }
    // Unsigned, because the bytes may say anything and signed numbers must not overflow.
    [[nodiscard]] std::int64_t factored(std::uint64_t n) const noexcept {
        return static_cast<std::int64_t>(n * static_cast<std::uint64_t>(common_.data_factor));
    }
    [[nodiscard]] std::int64_t factored(std::int64_t n) const noexcept { return factored(static_cast<std::uint64_t>(n)); }
    static place read_expression(image_reader& reader) noexcept {
        const std::uint64_t size = reader.read_uleb();
        const place expression{place::kind::expression, static_cast<std::uint32_t>(size),
                               static_cast<std::int64_t>(reader.address())};
        reader.skip(size);  // fails when it is longer than what there is
        return expression;
    }

    static constexpr unsigned most_remembered = 4;  // compilers nest one deep
    const common_entry& common_;
    std::uint64_t location_;
    std::uint64_t pc_;
    row current_;
    row initial_;
    row remembered_[most_remembered];
    unsigned depth_{};
};

// The few expressions that compilers and libc write.
class expression {
public:
    expression(const unwind_image& image, const place& where) noexcept
        : reader_(image, static_cast<std::uint64_t>(where.value)), is_one_(where.what == place::kind::expression) {
        reader_.limit(where.size);
    }
    // "register + value", and nothing more or only a load from there.
    bool is_register(std::uint64_t number, bool is_loaded, std::int64_t& value) noexcept {
        constexpr unsigned breg0 = 0x70;
        constexpr unsigned deref = 0x06;
        if (!is_one_ || reader_.read<std::uint8_t>() != breg0 + number) { return false; }
        value = reader_.read_sleb();
        if (is_loaded && reader_.read<std::uint8_t>() != deref) { return false; }
        return reader_.is_at_end() && !reader_.has_failed();
    }
    bool is_register_plus(std::uint64_t number, bool is_loaded, std::int64_t wanted) noexcept {
        std::int64_t value = 0;
        return is_register(number, is_loaded, value) && value == wanted;
    }
    // Entries of a procedure linkage table push one word after `boundary` bytes of 16: sp + 8 + ((pc & 15) >= boundary) * 8.
    bool is_linkage_table(std::uint64_t& boundary) noexcept {
        constexpr std::uint8_t before[] = {0x77, 8, 0x80, 0, 0x3F, 0x1A};
        constexpr std::uint8_t after[] = {0x2A, 0x33, 0x24, 0x22};
        bool is_same = is_one_;
        for (const std::uint8_t byte : before) { is_same = reader_.read<std::uint8_t>() == byte && is_same; }
        boundary = std::uint64_t{reader_.read<std::uint8_t>()} - 0x30U;
        for (const std::uint8_t byte : after) { is_same = reader_.read<std::uint8_t>() == byte && is_same; }
        return is_same && boundary < 16 && reader_.is_at_end() && !reader_.has_failed();
    }

private:
    image_reader reader_;
    bool is_one_;
};

bool is_signal_trampoline(const unwind_image& image, const row& r) noexcept {
    return expression(image, r.cfa).is_register_plus(stack_register, true, ucontext_sp) &&
           expression(image, r.fp).is_register_plus(stack_register, false, ucontext_fp) &&
           expression(image, r.return_address).is_register_plus(stack_register, false, ucontext_pc);
}

bool place_fp(const unwind_image& image, const place& fp, unwind_rule& rule) noexcept {
    switch (fp.what) {
        case place::kind::unspecified:
        case place::kind::undefined:
            rule.fp_place = unwind_rule::fp_unchanged;
            return true;
        case place::kind::at_cfa:
            if (fp.value % 8 != 0 || fp.value > -8 || fp.value <= -8 * std::int64_t{unwind_rule::fp_at_fp}) { return false; }
            rule.fp_place = static_cast<std::uint8_t>(fp.value / -8);
            return true;
        case place::kind::expression:
            rule.fp_place = unwind_rule::fp_at_fp;
            return expression(image, fp).is_register_plus(frame_register, false, 0);
        default:
            return false;
    }
}

bool place_cfa(const unwind_image& image, const row& r, std::uint64_t pc, unwind_rule& rule) noexcept {
    std::int64_t offset = r.cfa.value;
    if (r.cfa.what == place::kind::unspecified) {
        if (r.cfa_register != stack_register && r.cfa_register != frame_register) { return false; }
        rule.how = r.cfa_register == stack_register ? unwind_rule::way::stack_pointer : unwind_rule::way::frame_pointer;
        if (offset < 8) { return false; }
    } else if (std::uint64_t boundary = 0; expression(image, r.cfa).is_linkage_table(boundary)) {
        rule.how = unwind_rule::way::stack_pointer;
        offset = pc % 16 >= boundary ? 16 : 8;
    } else if (expression(image, r.cfa).is_register(frame_register, true, offset)) {
        rule.how = unwind_rule::way::saved_by_frame;
        if (offset > 0 || offset < -std::int64_t{unwind_rule::most_offset}) { return false; }
        offset = -offset;
    } else {
        return false;
    }
    if (offset % 8 != 0 || offset > std::int64_t{unwind_rule::most_offset}) { return false; }
    rule.offset = static_cast<std::uint32_t>(offset);
    // A saved register lies between the stack pointer and the CFA.
    return rule.how != unwind_rule::way::stack_pointer || rule.fp_place == unwind_rule::fp_at_fp ||
           rule.fp_place * 8U <= rule.offset;
}

unwind_rule as_rule(const unwind_image& image, const common_entry& common, const row& r, std::uint64_t pc) noexcept {
    unwind_rule rule;
    if (common.is_signal_frame) {
        if (is_signal_trampoline(image, r)) { rule.how = unwind_rule::way::signal_frame; }
        return rule;
    }
    if (r.return_address.what == place::kind::undefined) {
        rule.how = unwind_rule::way::end_of_stack;
        return rule;
    }
    const bool is_where_calls_leave_it = r.return_address.what == place::kind::at_cfa && r.return_address.value == -8;
    if (!is_where_calls_leave_it || !place_fp(image, r.fp, rule) || !place_cfa(image, r, pc, rule)) { return {}; }
    return rule;
}

constexpr unwind_rule no_function{unwind_rule::way::no_function};

// The address of the entry whose function may hold `pc`: the last of the sorted table that begins at or below it. False: the
// table can't be read. `entry` = 0: there is none.
bool find_entry(const unwind_image& image, std::uint64_t header, std::uint64_t pc, std::uint64_t& entry) noexcept {
    image_reader reader(image, header);
    const auto version = reader.read<std::uint8_t>();
    const unsigned frames_encoding = reader.read<std::uint8_t>();
    const unsigned count_encoding = reader.read<std::uint8_t>();
    const unsigned table_encoding = reader.read<std::uint8_t>();
    if (version != 1 || count_encoding != pointer::udata4 || table_encoding != pointer::table_of_sdata4) { return false; }
    static_cast<void>(reader.read_pointer(frames_encoding & pointer::format));
    const std::uint64_t count = reader.read<std::uint32_t>();
    if (reader.has_failed() || count > reader.remaining() / 8) { return false; }
    const std::uint8_t* const table = image.bytes + (reader.address() - image.address);
    const auto number_at = [&](std::uint64_t i, std::size_t half) {
        std::int32_t value = 0;
        std::memcpy(&value, table + i * 8 + half * 4, sizeof value);
        return header + static_cast<std::uint64_t>(std::int64_t{value});
    };
    std::uint64_t low = 0;
    std::uint64_t high = count;
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        if (number_at(middle, 0) <= pc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    entry = low == 0 ? 0 : number_at(low - 1, 1);
    return true;
}

}  // namespace

unwind_rule find_unwind_rule(const unwind_image& image, std::uint64_t header, std::uint64_t pc) noexcept {
    std::uint64_t entry = 0;
    if (!find_entry(image, header, pc, entry)) { return {}; }
    if (entry == 0) { return no_function; }
    image_reader reader(image, entry);
    enter_entry(reader);
    const std::uint64_t id_place = reader.address();
    const std::uint64_t distance = reader.read<std::uint32_t>();
    if (reader.has_failed() || distance == 0) { return {}; }
    image_reader common_reader(image, id_place - distance);
    const common_entry common = read_common_entry(common_reader);
    const std::uint64_t begin = reader.read_pointer(common.encoding);
    const std::uint64_t size = reader.read_pointer(common.encoding & pointer::format);
    if (common.has_augmentation_size) { reader.skip(reader.read_uleb()); }
    if (common_reader.has_failed() || reader.has_failed()) { return {}; }
    if (pc - begin >= size) { return no_function; }
    program p(common, begin, pc);
    if (!p.run(common_reader)) { return {}; }
    p.keep_as_initial();
    if (!p.run(reader)) { return {}; }
    return as_rule(image, common, p.result(), pc);
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
