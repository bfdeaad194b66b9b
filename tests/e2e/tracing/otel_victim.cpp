// SPDX-License-Identifier: Apache-2.0
// Programs whose tracing library publishes OpenTelemetry's thread context: linked with it, or loading it while they run. Each
// mode exits with 0 when memwatch saw what it should.
#include <dlfcn.h>
#include <sys/time.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include "e2e/tracing/publisher.hpp"

namespace {

using memwatch::tag;
using buffer = std::vector<char, memwatch::tracked_allocator<char>>;

decltype(&publish) publish_here;
decltype(&write_record) write_here;

int check(bool holds, const char* what) {
    if (!holds) { std::fprintf(stderr, "FAILED: %s\n", what); }
    return holds ? 0 : 1;
}

memwatch::session start_full() {
    memwatch::options wanted;
    wanted.preset = memwatch::preset_option::full;
    return memwatch::session::start(wanted);
}

buffer make(const char* owner) { return buffer(100, 'x', memwatch::tracked_allocator<char>{tag(owner)}); }

// Traces of the live blocks of a tag, and how many blocks each has.
std::map<std::string, int> traces_of(const memwatch::session& session, const char* owner) {
    const auto frozen = session.snapshot();
    std::map<std::string, int> traces;
    for (const memwatch::live_record& r : frozen->live) {
        if (frozen->sites[r.site].tag == tag(owner).id()) { ++traces[r.trace.is_valid() ? to_string(r.trace) : "none"]; }
    }
    return traces;
}

[[maybe_unused]] std::uint64_t degradation_of(const memwatch::session& session, const std::string& name) {
    const auto frozen = session.summary();
    for (const memwatch::named_value& step : frozen->degradations) {
        if (step.name == name) { return step.value; }
    }
    return 0;
}

const std::string trace_a(32, 'a');
const std::string trace_b(32, 'b');

int is_read(const memwatch::session& session) {
    static otel_record record{};
    write_here(&record, 0xAA);
    publish_here(&record);
    const buffer published = make("published");
    record.valid = 0;
    const buffer invalid = make("invalid");
    record.valid = 2;
    const buffer reserved = make("reserved");
    record.valid = 1;
    buffer own;
    {
        const memwatch::trace_scope scope("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "/orders");
        own = make("own");
    }
    buffer elsewhere;
    std::thread([&] { elsewhere = make("elsewhere"); }).join();
    publish_here(nullptr);
    const buffer detached = make("detached");
    const auto only = [&](const char* owner, const std::string& trace) {
        return traces_of(session, owner) == std::map<std::string, int>{{trace, 1}};
    };
    return check(only("published", trace_a), "a published trace labels the record, its digits in order") +
           check(only("invalid", "none"), "a record that is being written is not read") +
           check(only("reserved", "none"), "nor one whose valid byte is neither 0 nor 1") +
           check(only("own", "4bf92f3577b34da6a3ce929d0e0e4736"), "memwatch's own context wins") +
           check(only("elsewhere", "none"), "a thread that publishes nothing has none") +
           check(only("detached", "none"), "nor one that published and stopped");
}

std::map<std::string, int> traces_of_size(const memwatch::session& session, std::size_t bytes) {
    const auto frozen = session.snapshot();
    std::map<std::string, int> traces;
    for (const memwatch::live_record& r : frozen->live) {
        if (r.size_bytes == bytes) { ++traces[r.trace.is_valid() ? to_string(r.trace) : "none"]; }
    }
    return traces;
}

// Full mode's ledger records what malloc hands out; it reads the same context. (With the library that replaces malloc.)
[[maybe_unused]] int is_read_by_the_ledger() {
    const memwatch::session session = start_full();
    static otel_record record{};
    constexpr int count = 100;
    const auto allocate = [](std::size_t bytes) {
        std::vector<void*> blocks;
        for (int i = 0; i < count; ++i) { blocks.push_back(std::malloc(bytes)); }
        return blocks;
    };
    write_here(&record, 0xAA);
    publish_here(&record);
    const auto published = allocate(12'345);
    std::vector<void*> own;
    {
        const memwatch::trace_scope scope(std::string_view(trace_b), "/orders");
        own = allocate(12'346);
    }
    std::memset(record.span_id, 0, sizeof record.span_id);
    const auto malformed = allocate(12'347);
    publish_here(nullptr);
    const auto detached = allocate(12'348);
    const auto only = [&](std::size_t bytes, const std::string& trace) {
        return traces_of_size(session, bytes) == std::map<std::string, int>{{trace, count}};
    };
    const int failures = check(only(12'345, trace_a), "the ledger labels with the published trace") +
                         check(only(12'346, trace_b), "memwatch's own context wins there, too") +
                         check(only(12'347, "none"), "a trace without a span is no trace") +
                         check(only(12'348, "none"), "and a thread that stopped publishing has none");
    for (const auto& blocks : {published, own, malformed, detached}) {
        for (void* const block : blocks) { std::free(block); }
    }
    return failures;
}

otel_record changing{};
volatile sig_atomic_t changes = 0;

void change_record(int) {
    changes = changes + 1;
    write_here(&changing, changes % 2 != 0 ? 0xBB : 0xAA);
}

// A signal handler rewrites the record while samples read it: what is seen is one of the two, or nothing, never a mixture.
int is_never_torn(const memwatch::session& session) {
    write_here(&changing, 0xAA);
    publish_here(&changing);
    struct sigaction action {};
    action.sa_handler = &change_record;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, nullptr);
    const itimerval often{{0, 50}, {0, 50}};
    setitimer(ITIMER_REAL, &often, nullptr);
    std::vector<buffer> blocks;
    while (changes < 4000) {
        if (blocks.size() == 5000) { blocks.clear(); }
        blocks.push_back(make("changing"));
    }
    const itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    publish_here(nullptr);
    int mixtures = 0;
    for (const auto& [trace, count] : traces_of(session, "changing")) {
        mixtures += trace != trace_a && trace != trace_b && trace != "none" ? count : 0;
    }
    return check(mixtures == 0, "no trace is a mixture of two");
}

#if !defined(LINKED_WITH_PUBLISHER)
bool load(const char* path) {
    void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        std::fprintf(stderr, "%s\n", dlerror());
        return false;
    }
    publish_here = reinterpret_cast<decltype(&publish)>(dlsym(library, "publish"));
    write_here = reinterpret_cast<decltype(&write_record)>(dlsym(library, "write_record"));
    dlclose(library);                                        // whoever reads it keeps it
    static_cast<void>(dlopen(path, RTLD_NOW | RTLD_LOCAL));  // and so does the program, while it publishes
    return true;
}

int loaded_static(const char* path) {
    const memwatch::session session = start_full();
    if (!load(path)) { return 1; }
    int failures = check(degradation_of(session, "otel_context_unsupported") == 0, "a snapshot notices it, and can read it");
    return failures + is_read(session) + is_never_torn(session);
}

int loaded_dynamic(const char* path) {
    const memwatch::session session = start_full();
    if (!load(path)) { return 1; }
    int failures = check(degradation_of(session, "otel_context_unsupported") == 1, "dynamic TLS is reported as unsupported");
    otel_record record{};
    write_here(&record, 0xAA);
    publish_here(&record);
    const buffer block = make("dynamic");
    publish_here(nullptr);
    failures += check(traces_of(session, "dynamic") == std::map<std::string, int>{{"none", 1}}, "and not read");
    return failures + check(degradation_of(session, "otel_context_unsupported") == 1, "and reported once");
}

#else
int linked() {
    publish_here = &publish;
    write_here = &write_record;
    const memwatch::session session = start_full();
    return is_read(session) + is_never_torn(session);
}
#endif

}  // namespace

int main(int count, char** arguments) {
    const std::string mode = count > 1 ? arguments[1] : "";
#if defined(LINKED_WITH_PUBLISHER)
    if (mode == "linked") { return linked(); }
    if (mode == "heap") {
        publish_here = &publish;
        write_here = &write_record;
        return is_read_by_the_ledger();
    }
#else
    if (mode == "loaded-static" && count > 2) { return loaded_static(arguments[2]); }
    if (mode == "loaded-dynamic" && count > 2) { return loaded_dynamic(arguments[2]); }
#endif
    std::fprintf(stderr, "no such mode\n");
    return 2;
}
