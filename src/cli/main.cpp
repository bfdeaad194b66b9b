// SPDX-License-Identifier: Apache-2.0
// memwatch: a file or an address -> a snapshot -> a report.

#include <malloc.h>

#include <exception>

#include "cli/command_line.hpp"
#include "cli/terminal.hpp"

namespace {

// Buffers of megabytes come and go with every chunk of every dump: giving each back to the kernel at once made one page fault
// in seven of what merging a thousand dumps takes.
void keep_freed_memory() {
    ::mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that glibc takes
    ::mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

}  // namespace

int main(int count, char** arguments) {
    using namespace memwatch;
    keep_freed_memory();
    try {
        return command_line().run(count, arguments);
    } catch (const std::exception& e) {  // std::bad_alloc: an input too large for this machine
        print_error({error_code::limit, e.what(), {}});
        return static_cast<int>(exit_status::unreadable);
    }
}
