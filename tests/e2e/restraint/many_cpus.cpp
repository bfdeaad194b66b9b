// SPDX-License-Identifier: Apache-2.0
// A machine of 256 CPUs, as far as a program can ask: affinity mask and sysconf say so. Preloaded before memwatch. The kernel's
// own answer, by system call, is not reached this way; memwatch asks through libc as everybody does.
#include <dlfcn.h>
#include <sched.h>
#include <unistd.h>

#include <cstddef>

namespace {
constexpr int cpus = 256;
}

extern "C" int sched_getaffinity(pid_t, std::size_t bytes, cpu_set_t* set) noexcept {
    CPU_ZERO_S(bytes, set);
    for (int cpu = 0; cpu < cpus; ++cpu) { CPU_SET_S(static_cast<std::size_t>(cpu), bytes, set); }
    return 0;
}

extern "C" long sysconf(int name) noexcept {
    if (name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF) { return cpus; }
    using function = long (*)(int);
    static const auto real = reinterpret_cast<function>(dlsym(RTLD_NEXT, "sysconf"));
    return real(name);
}
