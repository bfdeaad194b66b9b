// SPDX-License-Identifier: Apache-2.0
#include "interpose/server_loader.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>

#include <cstdlib>
#include <string>

#include <memwatch/base/log.hpp>
#include "capture/own_work.hpp"
#include "platform/module_walk.hpp"
#include "runtime/lifecycle.hpp"

namespace memwatch::interpose {
namespace {

void complain(const char* what) {
    write_log(log_level::warning, std::string("memwatch level=warning event=serve detail=\"no server: ") + what + "\"");
}

// Found beside the preload object (its runpath), or where the loader looks.
void* load_and_serve(void*) {
    detail::own_work::keep_for_thread();
    void* library = nullptr;
    platform::use_loader(
        [](void* opened) { *static_cast<void**>(opened) = dlopen("libmemwatch-serve.so.0", RTLD_NOW | RTLD_LOCAL); }, &library);
    auto* const serve =
        library == nullptr ? nullptr : reinterpret_cast<void (*)() noexcept>(dlsym(library, "memwatch_serve_from_environment"));
    serve != nullptr ? serve() : complain(dlerror());
    // The server's thread is the process' second, and the worker comes with that; but start() may not be through yet, and then
    // nobody who sees a thread made may call it (process_life.cpp).
    ensure_worker();
    return nullptr;
}

}  // namespace

void serve_if_asked() noexcept {
    if (std::getenv("MEMWATCH_LISTEN") == nullptr) { return; }
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // the program's signals go to the program's threads
    pthread_t loader{};
    if (pthread_create(&loader, nullptr, &load_and_serve, nullptr) == 0) {
        pthread_detach(loader);
    } else {
        complain("the system gives no thread");
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace memwatch::interpose
