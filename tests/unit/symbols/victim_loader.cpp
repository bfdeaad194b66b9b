// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>

#include <cstdio>

int main(int count, char** arguments) {
    void* const object = count == 2 ? dlopen(arguments[1], RTLD_NOW) : nullptr;
    if (object == nullptr) { return std::puts(dlerror()), 2; }
    const auto run = reinterpret_cast<int (*)(int)>(dlsym(object, "run_victim"));
    return run == nullptr || run(1) == 0 ? 1 : 0;
}
