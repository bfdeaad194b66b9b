// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker.hpp"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "capture/own_work.hpp"
#include "control/endpoint.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// Address space, touched as far as needed: most of it by a snapshot, and by demangling, whose recursion is bounded at some 300
// KiB.
constexpr std::size_t stack_bytes = 1U << 20U;
constexpr std::uint64_t bind_again_ns = 10'000'000'000;
constexpr std::uint64_t longest_stop_ns = 2'000'000'000;
// A host that closed our descriptors took the means to wake us: then a wake is this late.
constexpr std::uint64_t longest_sleep_ns = 10'000'000'000;

}  // namespace

void worker::bind(worker_task which, task_function function, void* context) noexcept {
    task& t = tasks_[static_cast<std::size_t>(which)];
    t.context.store(context, std::memory_order_relaxed);  // relaxed: published by the store below
    // release: pairs with the acquire in run_tasks().
    t.run.store(function, std::memory_order_release);
    wake(which);
}

void worker::wake(worker_task which) noexcept {
    task& t = tasks_[static_cast<std::size_t>(which)];
    // acq_rel: pairs with the exchange in run_tasks(): what was done before waking is seen by the turn that follows.
    if (!t.is_asked.exchange(true, std::memory_order_acq_rel)) { wake_.send(); }
}

bool worker::is_running() const noexcept {
    // acquire: pairs with the release in ensure_running(). Another pid: a copy of memory made behind fork handlers' backs.
    // Without a worker no system call is made: the host may have locked itself in.
    const auto owner = owner_pid_.load(std::memory_order_acquire);
    return owner != 0 && owner == platform::process_id();
}

bool worker::is_this_thread() const noexcept {
    // relaxed: only ever equal on the thread that wrote it.
    return is_running() && thread_id_.load(std::memory_order_relaxed) == platform::thread_id();
}

result<void> worker::ensure_running(control_setup setup) {
    // A door may be told of each new thread, ours included, and call here from inside our own pthread_create.
    // relaxed, all of them: only ever equal on the thread that wrote it.
    if (starting_thread_.load(std::memory_order_relaxed) == platform::thread_id()) { return {}; }
    const std::lock_guard lifecycle(lifecycle_);
    if (is_running()) { return {}; }
    if (is_abandoned_) { return fail(error_code::unavailable, "memwatch's last thread has not ended yet"); }
    const detail::own_work ours;  // strings, and pthread_create allocates
    const std::lock_guard guard(mutex_);
    is_serving_ = static_cast<bool>(setup.answer);
    server_.set_answer(std::move(setup.answer));
    runtime_directory_ = std::move(setup.runtime_directory);
    const result<void> bound = is_serving_ ? server_.open(runtime_directory_) : result<void>{};
    next_open_ns_ = bound ? 0 : platform::monotonic_ns() + bind_again_ns;
    must_stop_.store(false, std::memory_order_relaxed);                        // relaxed: the thread does not exist yet
    starting_thread_.store(platform::thread_id(), std::memory_order_relaxed);  // relaxed: as above
    const bool has_started = wake_.open() && thread_.start("memwatch", stack_bytes, &worker::enter, this);
    starting_thread_.store(0, std::memory_order_relaxed);  // relaxed: as above
    if (!has_started) {
        wake_.close();
        server_.close();
        return fail(error_code::unavailable, "no thread for memwatch: no control socket, no telemetry");
    }
    // release: pairs with the acquire in is_running().
    owner_pid_.store(platform::process_id(), std::memory_order_release);
    return bound;
}

void worker::stop() noexcept {
    const std::lock_guard lifecycle(lifecycle_);
    stop_locked(longest_stop_ns);
}

void worker::stop_at_exit() noexcept {
    if (!is_running() || is_this_thread() || !lifecycle_.try_lock()) { return; }
    stop_locked(longest_stop_ns / 4);
    lifecycle_.unlock();
}

bool worker::stop_locked(std::uint64_t timeout_ns) noexcept {
    if (!is_running() || is_this_thread()) { return false; }
    // release: pairs with the acquire in loop().
    must_stop_.store(true, std::memory_order_release);
    wake_.send();
    // release: pairs with the acquire in is_running().
    owner_pid_.store(0, std::memory_order_release);
    const bool has_ended = thread_.join(timeout_ns);
    is_abandoned_ = !has_ended;
    const std::lock_guard guard(mutex_);
    if (has_ended) {  // else the thread still uses them
        wake_.close();
        server_.close();
    }
    return has_ended;
}

void worker::enter_child() noexcept {
    wake_.close();
    server_.enter_child();
    new (&runtime_directory_) std::string();
    thread_.forget();
    starting_thread_.store(0, std::memory_order_relaxed);  // relaxed: the child has one thread
    is_abandoned_ = false;
    awaited_count_ = 0;
    owner_pid_.store(0, std::memory_order_relaxed);   // relaxed: the child has one thread
    call_.store(nullptr, std::memory_order_relaxed);  // relaxed: as above
    suspended_.store(0, std::memory_order_relaxed);   // relaxed: as above
    for (task& t : tasks_) {
        t.is_asked.store(false, std::memory_order_relaxed);  // relaxed: as above
        t.due_ns = never;
    }
    new (&lifecycle_) std::mutex();  // a lost thread may have held it
}

bool worker::call(void (*function)(void*), void* argument, std::uint64_t timeout_ns) noexcept {
    if (!is_running() || is_this_thread() || !wake_.is_ours()) { return false; }
    // relaxed: compared with itself only.
    const std::uint32_t before = calls_done_.load(std::memory_order_relaxed);
    call_argument_ = argument;
    // release: pairs with the acq_rel in run_call(): the argument.
    call_.store(function, std::memory_order_release);
    wake_.send();
    const std::uint64_t until = platform::monotonic_ns() + timeout_ns;
    // acquire: pairs with the release in run_call(): what the function wrote.
    while (calls_done_.load(std::memory_order_acquire) == before) {
        if (platform::monotonic_ns() >= until) { return false; }
        platform::sleep_ns(200'000);
    }
    return true;
}

void worker::run_call() noexcept {
    // acq_rel: pairs with the release in call(); taken once.
    auto* const function = call_.exchange(nullptr, std::memory_order_acq_rel);
    if (function == nullptr) { return; }
    function(call_argument_);
    // release: pairs with the acquire in call().
    calls_done_.fetch_add(1, std::memory_order_release);
}

void worker::enter(void* self) {
    const detail::own_work ours;
    static_cast<worker*>(self)->loop();
}

void worker::loop() noexcept {
    try {
        const std::string& path = server_.path();
        if (!path.empty()) { control::remove_leftovers(path.substr(0, path.rfind('/'))); }
    } catch (...) {}                                                               // no memory: the next process removes them
    thread_id_.store(platform::thread_id(), std::memory_order_relaxed);            // relaxed: see is_this_thread()
    for (task& t : tasks_) { t.is_asked.store(true, std::memory_order_relaxed); }  // relaxed: a turn each to begin with
    // acquire: pairs with the release in stop_locked().
    while (!must_stop_.load(std::memory_order_acquire)) {
        run_call();
        wait_until(run_tasks());
    }
}

void worker::suspend(std::uint64_t tasks) noexcept {
    // relaxed: a setting; whoever runs again is woken.
    const std::uint64_t resumed = suspended_.exchange(tasks, std::memory_order_relaxed) & ~tasks;
    for (std::size_t i = 0; i < std::size(tasks_); ++i) {
        if ((resumed >> i & 1U) != 0) { wake(static_cast<worker_task>(i)); }
    }
}

namespace {

// Of the CPUs, what a task that reads everything may take in the mean; 0: it is light, and comes when it wants. Together well
// below what makes restraint step in.
constexpr double paced_share(worker_task which) noexcept {
    return which == worker_task::verdicts ? 0.01 : which == worker_task::history ? 0.005 : 0;
}

}  // namespace

// In how many ns the task wants the next turn.
std::uint64_t worker::take_turn(task& of, std::size_t which, std::uint64_t now_ns) noexcept {
    const std::uint64_t before_ns = platform::thread_cpu_ns();
    // acquire: pairs with the release in bind(): the context.
    const task_function function = of.run.load(std::memory_order_acquire);
    const std::uint64_t wanted = function(of.context.load(std::memory_order_relaxed), now_ns);  // relaxed: as run
    const std::uint64_t took_ns = platform::thread_cpu_ns() - before_ns;
    of.spent_ns.fetch_add(took_ns, std::memory_order_relaxed);  // relaxed: a figure
    const auto this_task = static_cast<worker_task>(which);
    double share = paced_share(this_task) * paced_cpus_.load(std::memory_order_relaxed);  // relaxed: a setting
    if (share == 0) { return wanted; }
    // relaxed: a setting.
    if (this_task == worker_task::verdicts && are_verdicts_asked_for_.load(std::memory_order_relaxed)) { share = 0.05; }
    const double rest_ns = static_cast<double>(took_ns) / share;
    return wanted == never ? never : std::max(wanted, static_cast<std::uint64_t>(std::min(rest_ns, 3600e9)));
}

std::uint64_t worker::run_tasks() noexcept {
    std::uint64_t next = never;
    const std::uint64_t suspended = suspended_.load(std::memory_order_relaxed);  // relaxed: a setting
    for (std::size_t i = 0; i < std::size(tasks_); ++i) {
        task& t = tasks_[i];
        if ((suspended >> i & 1U) != 0) { continue; }
        // acquire: pairs with the release in bind().
        if (t.run.load(std::memory_order_acquire) == nullptr) { continue; }
        const std::uint64_t now = platform::monotonic_ns();
        // acq_rel: pairs with the exchange in wake().
        if (t.is_asked.exchange(false, std::memory_order_acq_rel) || t.due_ns <= now) {
            const std::uint64_t wanted = take_turn(t, i, now);
            t.due_ns = wanted == never ? never : platform::monotonic_ns() + wanted;
            t.rest_ns.store(wanted == never ? 0 : wanted, std::memory_order_relaxed);  // relaxed: a figure
        }
        if (t.due_ns < next) { next = t.due_ns; }
    }
    return next;
}

// A host may have closed any of them since the last time.
void worker::open_descriptors(std::uint64_t now_ns) noexcept {
    const std::lock_guard guard(mutex_);
    wake_.open();
    if (!is_serving_ || now_ns < next_open_ns_) { return; }
    try {
        next_open_ns_ = server_.open(runtime_directory_) ? 0 : now_ns + bind_again_ns;
    } catch (...) { next_open_ns_ = now_ns + bind_again_ns; }
    server_.take_client(now_ns);
}

void worker::wait_until(std::uint64_t due_ns) noexcept {
    open_descriptors(platform::monotonic_ns());
    server_.advance(platform::monotonic_ns());
    const std::uint64_t now = platform::monotonic_ns();  // a snapshot takes its time
    due_ns = std::min(due_ns, server_.due_ns());
    platform::awaited_descriptor waited[2 + most_awaited];
    waited[0].number = wake_.reader();
    waited[1] = server_.awaited();
    std::copy_n(awaited_, awaited_count_, waited + 2);
    platform::wait_for(waited, 2 + awaited_count_, std::min(due_ns > now ? due_ns - now : 0, longest_sleep_ns));
    if (waited[0].is_ready && wake_.is_ours()) { wake_.drain(); }
    ask_for_turn_of_awaited(waited + 2);
}

void worker::wait_also_for(worker_task which, const platform::awaited_descriptor* list, std::size_t count) noexcept {
    awaited_by_ = which;
    awaited_count_ = std::min(count, most_awaited);
    std::copy_n(list, awaited_count_, awaited_);
}

// A task that is suspended does not come to read: what is ready would stay so, and be waited for in vain.
void worker::ask_for_turn_of_awaited(const platform::awaited_descriptor* waited) noexcept {
    const auto is_ready = [](const platform::awaited_descriptor& each) { return each.is_ready; };
    if (!std::any_of(waited, waited + awaited_count_, is_ready)) { return; }
    awaited_count_ = 0;
    // relaxed: this thread asks itself.
    tasks_[static_cast<std::size_t>(awaited_by_)].is_asked.store(true, std::memory_order_relaxed);
}

}  // namespace v1
}  // namespace memwatch
