// SPDX-License-Identifier: Apache-2.0
#pragma once
// For coroutines of any library (C++20; empty before): contexts that survive suspension, and frames that are counted.
//
//   struct promise_type : memwatch::carried_promise, memwatch::tracked_frame<promise_type> {        // a task type of your own
//       static memwatch::tag frame_tag() { return tag_of_frames; }
//       auto initial_suspend() noexcept { return first(std::suspend_always{}); }
//       auto final_suspend() noexcept { return last(wake_the_awaiting{this}); }
//       auto yield_value(int next) { value = next; return yielded(std::suspend_always{}); }   // every generator: co_yield
//       void unhandled_exception() { rethrow(); }                    // if exceptions leave through resume(): never `throw;`
//       ...
//   };
//   memwatch::trace_scope scope{memwatch::carried, id};              // a coroutine type that cannot be changed: each co_await
//   co_await memwatch::carry(socket.read());                         // says carry, and its scopes say carried
//
// A coroutine that is suspended has left its thread: its context leaves with it and comes back where it resumes. Between the
// two the thread has its own context again (carried_promise) or none (carry, which does not know what was there before).
// Threads: a coroutine runs on one at a time. No access to thread-local memory is inlined (src/capture/README.md).

#if defined(__cpp_impl_coroutine)

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#ifdef MEMWATCH_DISABLE  // the same on top of nothing
#include <memwatch/none.hpp>
#pragma push_macro("v1")
#undef v1
#define v1 none
#else
#include <memwatch/alloc/tracked_allocator.hpp>
#include <memwatch/capture/trace_context.hpp>
#endif

namespace memwatch {
inline namespace v1 {
namespace detail {

template <class Awaitable>
decltype(auto) awaiter_of(Awaitable&& awaitable) {
    if constexpr (requires { std::forward<Awaitable>(awaitable).operator co_await(); }) {
        return std::forward<Awaitable>(awaitable).operator co_await();
    } else if constexpr (requires { operator co_await(std::forward<Awaitable>(awaitable)); }) {
        return operator co_await(std::forward<Awaitable>(awaitable));
    } else {
        return std::forward<Awaitable>(awaitable);
    }
}

// Around another awaiter: `keeper` leaves before the coroutine can be resumed elsewhere, and enters where it was.
template <class Awaiter, class Keeper>
class carried_awaiter {
public:
    template <class Awaitable>
    carried_awaiter(Awaitable&& awaitable, Keeper keeper)
        : awaiter_(awaiter_of(std::forward<Awaitable>(awaitable))), keeper_(std::move(keeper)) {}

    decltype(auto) await_ready() { return awaiter_.await_ready(); }

    template <class Promise>
    decltype(auto) await_suspend(std::coroutine_handle<Promise> suspended) {
        keeper_.leave();
        has_left_ = true;
        try {
            return awaiter_.await_suspend(suspended);  // nothing of us may be touched behind this
        } catch (...) {
            keeper_.enter();
            throw;
        }
    }

    decltype(auto) await_resume() {
        if (has_left_) { keeper_.enter(); }
        return awaiter_.await_resume();
    }

private:
    Awaiter awaiter_;
    Keeper keeper_;
    bool has_left_{false};
};

class lone_keeper {
public:
    void leave() noexcept { context_ = exchange_context(trace_context{}); }
    void enter() noexcept { exchange_context(context_); }

private:
    trace_context context_;
};

template <class Awaitable>
class carried_awaitable {
public:
    explicit carried_awaitable(Awaitable&& awaitable) : awaitable_(std::forward<Awaitable>(awaitable)) {}
    auto operator co_await() && {
        using awaiter = decltype(awaiter_of(std::forward<Awaitable>(awaitable_)));
        return carried_awaiter<awaiter, lone_keeper>(std::forward<Awaitable>(awaitable_), {});
    }

private:
    Awaitable awaitable_;  // a reference for an lvalue
};

}  // namespace detail

// `co_await carry(x)` gives what `co_await x` gives, in the context of before.
template <class Awaitable>
[[nodiscard]] auto carry(Awaitable&& awaitable) {
    return detail::carried_awaitable<Awaitable>(std::forward<Awaitable>(awaitable));
}

// Base of a promise type: carries the context over every co_await of the coroutine, which begins in that of its caller.
// A promise with an await_transform of its own passes what that returns on to this one. The language asks nobody about the
// other ways out of a coroutine; the promise has to say something at each that it has, or the context stays on the thread:
//
//   initial_suspend       return first(awaiter)
//   final_suspend         return last(awaiter)
//   yield_value           return yielded(awaiter)      co_yield does not pass by await_transform
//   unhandled_exception   rethrow()                    instead of `throw;`, behind which final_suspend is never asked
class carried_promise {
public:
    template <class Awaitable>
    auto await_transform(Awaitable&& awaitable) {
        using awaiter = decltype(detail::awaiter_of(std::forward<Awaitable>(awaitable)));
        return detail::carried_awaiter<awaiter, keeper>(std::forward<Awaitable>(awaitable), keeper{this});
    }

protected:
    template <class Awaiter>
    struct first_awaiter {
        Awaiter awaiter;
        carried_promise* promise;
        bool await_ready() noexcept { return awaiter.await_ready(); }
        template <class Promise>
        decltype(auto) await_suspend(std::coroutine_handle<Promise> suspended) noexcept {
            return awaiter.await_suspend(suspended);
        }
        void await_resume() noexcept {
            promise->enter();
            awaiter.await_resume();
        }
    };

    template <class Awaiter>
    struct last_awaiter {
        Awaiter awaiter;
        carried_promise* promise;
        bool await_ready() noexcept {
            promise->leave();
            return awaiter.await_ready();
        }
        template <class Promise>
        decltype(auto) await_suspend(std::coroutine_handle<Promise> suspended) noexcept {
            return awaiter.await_suspend(suspended);
        }
        void await_resume() noexcept { awaiter.await_resume(); }
    };

    struct keeper {
        carried_promise* promise;
        void leave() noexcept { promise->leave(); }
        void enter() noexcept { promise->enter(); }
    };

    template <class Awaiter>
    [[nodiscard]] first_awaiter<Awaiter> first(Awaiter awaiter) noexcept {
        return {std::move(awaiter), this};
    }
    template <class Awaiter>
    [[nodiscard]] last_awaiter<Awaiter> last(Awaiter awaiter) noexcept {
        return {std::move(awaiter), this};
    }
    // By value: what yield_value() returns outlives its locals.
    template <class Awaiter>
    [[nodiscard]] detail::carried_awaiter<Awaiter, keeper> yielded(Awaiter awaiter) {
        return {std::move(awaiter), keeper{this}};
    }
    // The exception being handled goes on to whoever resumed the coroutine, which has ended then.
    [[noreturn]] void rethrow() {
        leave();
        throw;
    }

private:
    void enter() noexcept { outside_ = detail::exchange_context(detail::thread_context{inside_, true}); }
    void leave() noexcept { inside_ = detail::exchange_context(outside_).context; }

    trace_context inside_{trace_context::current()};  // the coroutine's, while it does not run
    detail::thread_context outside_;                  // its thread's, while it does
};

// What frames are counted in: their bytes and a word on how they go back, rounded up.
template <class Promise>
struct coroutine_frame {
    alignas(__STDCPP_DEFAULT_NEW_ALIGNMENT__) unsigned char bytes[__STDCPP_DEFAULT_NEW_ALIGNMENT__];
};

// Base of a promise type: its coroutine frames are allocated and counted exactly under Promise::frame_tag(), asked for each
// frame and written down behind it, so that a frame is freed under the tag it was allocated with. A sample shows the function
// that called the coroutine. A coroutine whose parameters begin with (std::allocator_arg, allocator) gets its frame from there;
// counted alike, but not sampled. (A compiler that proves a frame needs no allocation makes none.)
//
//   | frame, n bytes | pad to 16 | tag, release function | allocator |        one block; n is what sized delete gives back
template <class Promise>
class tracked_frame {
public:
    static void* operator new(std::size_t bytes) {
        const tag owner = Promise::frame_tag();
        void* const frame = tracked_allocator<unit>(owner).allocate(units(bytes));
        ::new (behind(frame, bytes)) trailer{owner, &release_own};
        return frame;
    }

    template <class Allocator, class... Parameters>
    static void* operator new(std::size_t bytes, std::allocator_arg_t, const Allocator& allocator, const Parameters&...) {
        return allocate_with(bytes, allocator);
    }
    template <class Object, class Allocator, class... Parameters>  // of a member function or a lambda
    static void* operator new(std::size_t bytes, const Object&, std::allocator_arg_t, const Allocator& allocator,
                              const Parameters&...) {
        return allocate_with(bytes, allocator);
    }

    static void operator delete(void* frame, std::size_t bytes) noexcept {
        const trailer* const how = std::launder(static_cast<const trailer*>(behind(frame, bytes)));
        how->release(frame, bytes, how->owner);
    }

private:
    using unit = coroutine_frame<Promise>;
    using release_function = void (*)(void* frame, std::size_t bytes, tag owner) noexcept;
    struct trailer {
        tag owner;
        release_function release;
    };

    static constexpr std::size_t in_units(std::size_t bytes) noexcept { return (bytes + sizeof(unit) - 1) / sizeof(unit); }
    static constexpr std::size_t units(std::size_t bytes) noexcept { return in_units(bytes) + in_units(sizeof(trailer)); }
    static void* behind(void* frame, std::size_t bytes) noexcept {
        return static_cast<unsigned char*>(frame) + in_units(bytes) * sizeof(unit);
    }

    static void release_own(void* frame, std::size_t bytes, tag owner) noexcept {
        tracked_allocator<unit>(owner).deallocate(static_cast<unit*>(frame), units(bytes));
    }

    template <class Allocator>
    using unit_allocator = typename std::allocator_traits<Allocator>::template rebind_alloc<unit>;
    template <class Allocator>
    static constexpr std::size_t units_with(std::size_t bytes) noexcept {
        return units(bytes) + in_units(sizeof(unit_allocator<Allocator>));
    }
    template <class Allocator>
    static auto allocator_behind(void* frame, std::size_t bytes) noexcept {
        return reinterpret_cast<unit_allocator<Allocator>*>(static_cast<unsigned char*>(frame) + units(bytes) * sizeof(unit));
    }

    template <class Allocator>
    static void* allocate_with(std::size_t bytes, const Allocator& allocator) {
        using own = unit_allocator<Allocator>;
        static_assert(alignof(own) <= sizeof(unit), "an allocator with more alignment than operator new gives");
        const tag owner = Promise::frame_tag();
        own units_from(allocator);
        void* const frame = std::to_address(std::allocator_traits<own>::allocate(units_from, units_with<Allocator>(bytes)));
        detail::count_allocation(owner.id(), units_with<Allocator>(bytes) * sizeof(unit));
        ::new (behind(frame, bytes)) trailer{owner, &release_with<Allocator>};
        ::new (static_cast<void*>(allocator_behind<Allocator>(frame, bytes))) own(std::move(units_from));
        return frame;
    }

    template <class Allocator>
    static void release_with(void* frame, std::size_t bytes, tag owner) noexcept {
        using own = unit_allocator<Allocator>;
        own* const kept = std::launder(allocator_behind<Allocator>(frame, bytes));
        own units_to(std::move(*kept));
        kept->~own();
        detail::count_free(owner.id(), units_with<Allocator>(bytes) * sizeof(unit));
        using pointer = typename std::allocator_traits<own>::pointer;
        units_to.deallocate(std::pointer_traits<pointer>::pointer_to(*static_cast<unit*>(frame)), units_with<Allocator>(bytes));
    }
};

}  // namespace v1
}  // namespace memwatch

#ifdef MEMWATCH_DISABLE
#pragma pop_macro("v1")
#endif

#endif
