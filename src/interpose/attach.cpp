// SPDX-License-Identifier: Apache-2.0
// libmemwatch-attach's life: nothing happens when it is loaded. memwatch_attach() finds the allocator, starts or joins the
// session and patches all modules; memwatch_detach() undoes that. Either may come again. Loaded by `memwatch attach`, from a
// debugger's call on one of the program's threads, or by the program itself with dlopen.
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <mutex>
#include <new>
#include <string_view>

#include <memwatch/base/log.hpp>
#include <memwatch/base/units.hpp>
#include <memwatch/session.hpp>
#include "capture/heap_block.hpp"
#include "capture/heap_door.hpp"
#include "capture/own_work.hpp"
#include "interpose/conflicts.hpp"
#include "interpose/exact_heap.hpp"
#include "interpose/function_patches.hpp"
#include "interpose/module_loads.hpp"
#include "interpose/targets.hpp"
#include "platform/module_walk.hpp"
#include "runtime/lifecycle.hpp"

#define MEMWATCH_ENTRY extern "C" [[gnu::visibility("default")]]

namespace memwatch::interpose {
namespace {

enum class attach_error : std::uint8_t { none, settings, not_here, allocator, nothing_to_patch, busy, no_memory };

constexpr std::uint64_t never = ~std::uint64_t{0};
constexpr std::uint64_t look_every_ns = 1'000'000'000;
constexpr std::uint64_t look_often_ns =
    100'000'000;                          // where a module that is not patched yet may tell an allocator wrong sizes
constexpr std::uint64_t cost_limit = 20;  // a twentieth of a thread for looking, in a storm of dlopen

struct attach_settings {
    std::string preset;  // empty: as the session says
    std::string interval;
    preset_option wanted_preset{preset_option::on};
    std::uint64_t interval_bytes{};
};

struct attach_state {
    std::mutex mutex;  // guards the rest; a holder calls the dynamic linker
    function_patches patches;
    session held;
    function_patches::load_counts seen;
    int looks_left{};  // at modules whose slots a thread may have been binding while they were patched
    bool is_attached{};
    bool is_registered{};
    bool is_lost{};  // a fork copied us in the middle of a change: nothing is touched any more
};

attach_state& state() noexcept {
    static attach_state& made = *new attach_state;  // as long as the process
    return made;
}

char error_text[512];

attach_error fail_with(attach_error code, std::string_view sentence) noexcept {
    const std::size_t length = std::min(sentence.size(), sizeof error_text - 1);
    std::memcpy(error_text, sentence.data(), length);
    error_text[length] = '\0';
    return code;
}

void follow_preset(preset_option now) noexcept { now == preset_option::full ? enter_full_mode() : leave_full_mode(); }
bool detach() noexcept;
heap_door door{"attached", "", &follow_preset, &detach, &exact_self_bytes};

// --- settings: "preset=on interval=512KiB", as the command line has them

attach_error read_setting(std::string_view word, attach_settings& into) {
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string_view name = word.substr(0, equals);
    const std::string value(word.substr(std::min(equals + 1, word.size())));
    if (name == "preset" && (value == "off" || value == "on" || value == "full")) {
        into.preset = value;
        into.wanted_preset = value == "off" ? preset_option::off : value == "on" ? preset_option::on : preset_option::full;
        return attach_error::none;
    }
    const result<std::uint64_t> bytes = parse_bytes(value);
    if (name == "interval" && bytes && *bytes > 0) {
        into.interval = value;
        into.interval_bytes = *bytes;
        return attach_error::none;
    }
    if (name == "control" && value == "on") { return attach_error::none; }  // always: how else would it be asked
    return fail_with(attach_error::settings,
                     "not understood: " + std::string(word) + "; use preset=off|on|full, interval=SIZE");
}

attach_error read_settings(std::string_view text, attach_settings& into) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        if (!word.empty()) {
            if (const attach_error wrong = read_setting(word, into); wrong != attach_error::none) { return wrong; }
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return attach_error::none;
}

// --- whether we may

bool is_preloaded() noexcept {
    bool found = false;
    platform::walk_modules(
        [](dl_phdr_info* info, std::size_t, void* into) {
            *static_cast<bool*>(into) |= std::strstr(info->dlpi_name, "libmemwatch-preload.so") != nullptr;
            return 0;
        },
        &found);
    return found;
}

attach_error check_surroundings() {
    if (getauxval(AT_SECURE) != 0) { return fail_with(attach_error::not_here, "the process is set-user-ID (AT_SECURE)"); }
    if (is_preloaded()) {
        return fail_with(attach_error::not_here,
                         "memwatch was preloaded and catches malloc already; 'memwatch control' steers it");
    }
    resolve();
    const conflicts others = find_conflicts();
    for (const std::string& sentence : others.sentences) {
        if (others.must_stand_aside) { return fail_with(attach_error::not_here, sentence); }
        write_log(log_level::warning, "memwatch level=warning event=attach detail=\"" + sentence + "\"");
    }
    const heap_functions& heap = real.heap;
    if (heap.allocate == nullptr || heap.release == nullptr || heap.allocate_zeroed == nullptr || heap.reallocate == nullptr) {
        return fail_with(attach_error::allocator,
                         std::string("the malloc of ") + real.path +
                             " has no free, calloc or realloc beside it: blocks of two allocators would mix");
    }
    return attach_error::none;
}

// --- doing it

void enter_child() {
    attach_state& s = state();
    if (s.mutex.try_lock()) {
        s.mutex.unlock();
    } else {
        s.is_lost = true;
        new (&s.mutex) std::mutex();
    }
    ensure_worker();
}

function_patches::which wanted_patches(const attach_state& s) noexcept {
    return s.is_attached ? function_patches::which::all : function_patches::which::sized;
}

void look_at_modules_locked(attach_state& s) {
    const function_patches::load_counts now = function_patches::count_loads();
    if (now == s.seen && s.looks_left == 0) { return; }
    if (now == s.seen) { --s.looks_left; }
    s.seen = now;  // before looking: what comes meanwhile is looked at again
    s.patches.put(wanted_patches(s));
}

std::uint64_t clock_ns() noexcept {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

// On the worker.
std::uint64_t keep_up(std::uint64_t begun) noexcept {
    attach_state& s = state();
    const std::unique_lock guard(s.mutex, std::try_to_lock);
    if (!guard) { return look_every_ns; }
    if (s.is_lost || (!s.is_attached && !real.believes_sizes)) { return never; }
    if (!platform::can_walk_modules()) { return look_every_ns; }  // a forked child: the worker's other turns find out
    try {
        look_at_modules_locked(s);
    } catch (...) {}  // no memory: at the next turn
    return std::max(real.believes_sizes ? look_often_ns : look_every_ns, (clock_ns() - begun) * cost_limit);
}

// What was asked for holds, also in a session that somebody else began or where the environment says otherwise.
void start_session(attach_state& s, const attach_settings& wanted) {
    options chosen;
    chosen.control = control_option::on;
    chosen.preset = wanted.wanted_preset;
    if (wanted.interval_bytes != 0) { chosen.interval_bytes = wanted.interval_bytes; }
    s.held = session::start(chosen);
}

void steer_session(attach_state& s, const attach_settings& wanted) {
    if (!wanted.interval.empty()) { static_cast<void>(s.held.set_interval(wanted.interval_bytes)); }
    if (!wanted.preset.empty()) { static_cast<void>(s.held.set_preset(wanted.wanted_preset)); }
}

attach_error patch_modules(attach_state& s) {
    s.seen = function_patches::count_loads();
    s.looks_left = 2;
    s.is_attached = true;
    if (s.patches.put(function_patches::which::all) != 0) { return attach_error::none; }
    s.is_attached = false;
    s.held.stop();
    return fail_with(attach_error::nothing_to_patch, "no loaded module calls malloc through a table that could be changed");
}

void register_once(attach_state& s) {
    door.allocator = real.name;
    if (s.is_registered) { return; }
    s.is_registered = register_heap_door(door);
    pthread_atfork(nullptr, nullptr, &enter_child);
}

attach_error attach(std::string_view text) {
    attach_settings wanted;
    if (const attach_error wrong = read_settings(text, wanted); wrong != attach_error::none) { return wrong; }
    attach_state& s = state();
    const std::unique_lock guard(s.mutex, std::try_to_lock);
    if (!guard || s.is_lost) { return fail_with(attach_error::busy, "it is being attached or detached already"); }
    if (s.is_attached) {
        steer_session(s, wanted);
        return attach_error::none;
    }
    if (const attach_error wrong = check_surroundings(); wrong != attach_error::none) { return wrong; }
    start_session(s, wanted);
    const detail::own_work still_ours;  // a session that begins draws for its thread at once
    steer_session(s, wanted);
    register_once(s);
    if (const attach_error wrong = patch_modules(s); wrong != attach_error::none) { return wrong; }
    run_on_worker(&keep_up);
    return attach_error::none;
}

bool detach() noexcept {
    const detail::own_work ours;
    attach_state& s = state();
    const std::lock_guard guard(s.mutex);
    if (!s.is_attached || s.is_lost) { return false; }
    try {
        s.patches.take_back(real.believes_sizes);
    } catch (...) { return false; }  // no memory: still attached, and as right as before
    s.is_attached = false;
    s.held.stop();
    abandon_heap_samples(real.believes_sizes);
    return true;
}

}  // namespace

void patch_loaded_modules() noexcept {
    const detail::own_work ours;
    attach_state& s = state();
    const std::unique_lock guard(s.mutex, std::try_to_lock);
    if (!guard || s.is_lost || (!s.is_attached && !real.believes_sizes)) { return; }
    try {
        look_at_modules_locked(s);
    } catch (...) {}  // no memory: the worker tries again
    dlerror();        // who loaded a module finds no error of ours
}

}  // namespace memwatch::interpose

// 0: done, also when it was attached already (then the settings are applied). Else memwatch_attach_error() says why not.
MEMWATCH_ENTRY int memwatch_attach(const char* settings) noexcept {
    using namespace memwatch::interpose;  // NOLINT(google-build-using-namespace)
    const memwatch::detail::own_work ours;
    error_text[0] = '\0';
    try {
        return static_cast<int>(attach(settings == nullptr ? "" : settings));
    } catch (...) { return static_cast<int>(fail_with(attach_error::no_memory, "not enough memory")); }
}

// 0: done. 1: it was not attached.
MEMWATCH_ENTRY int memwatch_detach() noexcept { return memwatch::interpose::detach() ? 0 : 1; }

// The last refusal of memwatch_attach(), for a person; empty: there was none.
MEMWATCH_ENTRY const char* memwatch_attach_error() noexcept { return memwatch::interpose::error_text; }
