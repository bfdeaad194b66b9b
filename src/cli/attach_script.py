# SPDX-License-Identifier: Apache-2.0
"""Runs inside gdb, in the process's stead: calls dlopen and memwatch_attach there, on a thread that may be interrupted for it.

In: MEMWATCH_GDB_PID, _LIBRARY, _SETTINGS, _SECONDS (how long to look for such a thread), _CALL_SECONDS (for each call). The process
is told nothing by way of a shell. Out: one line, "memwatch-ok" or "memwatch-failed WHY". Whatever happens, gdb detaches at the end.

A call on a thread that is inside malloc, the dynamic linker or another place that holds a lock of libc would wait for itself. So:
a thread that sleeps in a system call, or whose innermost frame is the program's own code, and none of whose frames is in such a place.
"""
import os
import re
import signal
import subprocess
import time

import gdb

PID = int(os.environ["MEMWATCH_GDB_PID"])
LIBRARY = os.environ["MEMWATCH_GDB_LIBRARY"]
SETTINGS = os.environ["MEMWATCH_GDB_SETTINGS"]
LOOK_SECONDS = float(os.environ["MEMWATCH_GDB_SECONDS"])
CALL_SECONDS = float(os.environ["MEMWATCH_GDB_CALL_SECONDS"])
MOST_FRAMES = 256
MOST_THREADS = 64

# Functions that hold, or may hold, what loading a library and starting a thread need.
HOLDING = re.compile(
    r"^(__libc_|__GI_+|__|_|je_|tc_|mi_|do_)?("
    r"(malloc|free|calloc|realloc|reallocarray|memalign|aligned_alloc|posix_memalign|valloc|pvalloc|cfree)\b.*"
    r"|(int_)?(malloc|free|realloc|memalign)\w*|malloc_\w+|mallopt|mallinfo\w*|sdallocx|[rmxs]allocx|dallocx|nallocx"
    r"|tcache_\w*|arena_\w*|sysmalloc\w*|systrim\w*|unlink_chunk\w*|free_\w+|new_heap|heap_trim\w*"
    r"|dl[a-z_]+|dl_\w+|tls_get_addr\w*|tls_\w+|rtld_\w+"
    r"|fork|vfork|register_atfork|run_fork_handlers|exit|run_exit_handlers|cxa_\w+|on_exit|atexit|quick_exit"
    r"|pthread_(create|exit|atfork|getattr_np|key_\w+)|nptl_\w+|allocate_stack\w*|start_thread_cleanup|clone\w*_internal"
    r")$|^operator (new|delete)|^std::.*(allocator|terminate)|^memwatch")
HOLDING_FILES = re.compile(r"/(ld-linux[^/]*|ld-[0-9.]+\.so|ld\.so[^/]*|libjemalloc[^/]*|libtcmalloc[^/]*|libmimalloc[^/]*|libmemwatch[^/]*)$")
LIBC_FILES = re.compile(r"/(libc\.so\.6|libc-2\.[^/]*\.so|libpthread[^/]*)$")
SYSTEM_CALLS = {"x86-64": (b"\x0f\x05", 2), "aarch64": (b"\x01\x00\x00\xd4", 4)}


class Refusal(Exception):
    pass


def say(line):
    print(line.replace("\n", " "), flush=True)


def run(command):
    return gdb.execute(command, to_string=True)


def file_at(address):
    return gdb.solib_name(address) or ""


def is_in_system_call(frame):
    for part, (code, size) in SYSTEM_CALLS.items():
        if part in frame.architecture().name():
            return bytes(gdb.selected_inferior().read_memory(frame.pc() - size, size)) == code
    return False


def why_not(thread):
    """None: a call may be made on this thread."""
    thread.switch()
    frame = gdb.newest_frame()
    if LIBC_FILES.search(file_at(frame.pc())) and not is_in_system_call(frame):
        return "is busy in libc"
    count = 0
    while frame is not None:
        count += 1
        name = frame.name() or ""
        if HOLDING_FILES.search(file_at(frame.pc())):
            return "is in " + (name or os.path.basename(file_at(frame.pc())))
        if frame.type() == gdb.SIGTRAMP_FRAME:
            return "handles a signal"
        if HOLDING.match(name):
            return "is in " + name
        if count > MOST_FRAMES:
            return "is too deep in calls to tell"
        if frame.older() is None and frame.unwind_stop_reason() not in (gdb.FRAME_UNWIND_NO_REASON, gdb.FRAME_UNWIND_OUTERMOST):
            return "has a stack that cannot be followed"
        frame = frame.older()
    return None


def threads():
    everyone = [t for t in gdb.selected_inferior().threads() if t.is_valid() and t.is_stopped()]
    return sorted(everyone, key=lambda t: t.num)[:MOST_THREADS]


class StopLater:
    """Stops the process after a while, from another process: gdb's Python has no say while gdb waits. SIGSTOP, which no program can
    block; gdb takes it and does not hand it on. Numbers only go through the shell."""

    def __init__(self, tid, seconds):
        self.until = time.monotonic() + seconds
        self.timer = subprocess.Popen(["/bin/sh", "-c", "sleep %.3f; kill -STOP %d" % (seconds, tid)], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def is_over(self):
        return time.monotonic() >= self.until

    def cancel(self):
        try:
            os.killpg(self.timer.pid, signal.SIGKILL)  # the sleep, too
        except OSError:
            pass
        self.timer.wait()


def let_it_run(seconds):
    timer = StopLater(PID, seconds)
    try:
        run("continue")
    finally:
        timer.cancel()


def choose_thread():
    until = time.monotonic() + LOOK_SECONDS
    reasons = []
    pause = 0.005
    while True:
        if not threads():
            raise Refusal("it ended meanwhile")
        reasons = []
        for thread in threads():
            try:
                reason = why_not(thread)
            except gdb.error as problem:
                reason = "cannot be looked at: " + str(problem)
            if reason is None:
                return
            reasons.append("thread %d %s" % (thread.ptid[1], reason))
        if time.monotonic() > until:
            raise Refusal("none of its threads could be interrupted safely for %g s (%s); try again" % (LOOK_SECONDS, "; ".join(reasons[:3])))
        let_it_run(pause)
        pause = min(pause * 1.5, 0.2)


def take_back(thread):
    """The call did not end, and another thread was stopped first: this one goes on where it was, too."""
    thread.switch()
    frame = gdb.newest_frame()
    while frame is not None:
        if frame.type() == gdb.DUMMY_FRAME:
            frame.select()
            run("return")
            return
        frame = frame.older()


def call(expression):
    """On the chosen thread; the others run meanwhile. Too long: it is taken back and the thread goes on where it was."""
    thread = gdb.selected_thread()
    timer = StopLater(thread.ptid[1], CALL_SECONDS)
    try:
        return int(gdb.parse_and_eval(expression))
    except gdb.error as problem:
        if not timer.is_over():
            raise Refusal("calling a function there failed: " + str(problem))
        if thread.is_valid():
            take_back(thread)
        raise Refusal("loading did not end within %g s and was taken back; its threads go on, but its dynamic linker may stay locked: "
                      "restart it before it loads anything or ends" % CALL_SECONDS)
    finally:
        timer.cancel()


def function(name, result, parameters):
    for candidate in (name, "__" + name, "__libc_" + name):
        try:
            address = int(gdb.parse_and_eval("(unsigned long)&" + candidate))
        except gdb.error:
            continue
        return "((%s (*)(%s))%d)" % (result, parameters, address)
    raise Refusal("its C library has no %s" % name)


def text_at(address):
    return gdb.Value(address).cast(gdb.lookup_type("char").pointer()).string(errors="replace") if address else "no reason given"


def attach():
    # Memory for the words: not malloc's.
    size = 8192
    page = call(function("mmap", "unsigned long", "unsigned long,unsigned long,int,int,int,long") + "(0,%d,3,0x22,-1,0)" % size)
    if page in (0, -1, 2**64 - 1):
        raise Refusal("it has no memory left for a call")
    memory = gdb.selected_inferior()
    library = LIBRARY.encode() + b"\0"
    settings = SETTINGS.encode() + b"\0"
    memory.write_memory(page, library)
    memory.write_memory(page + 4096, settings)
    memory.write_memory(page + 5000, b"memwatch_attach\0")
    memory.write_memory(page + 5100, b"memwatch_attach_error\0")
    try:
        handle = call(function("dlopen", "unsigned long", "unsigned long,int") + "(%d,2)" % page)
        if handle == 0:
            why = text_at(call(function("dlerror", "unsigned long", "void") + "()"))
            hint = ""
            if "static TLS" in why:
                hint = "; start the program with GLIBC_TUNABLES=glibc.rtld.optional_static_tls=2048, or with 'memwatch run'"
            raise Refusal("the library cannot be loaded there: " + why + hint)
        symbol = function("dlsym", "unsigned long", "unsigned long,unsigned long")
        entry = call(symbol + "(%d,%d)" % (handle, page + 5000))
        status = call("((int (*)(unsigned long))%d)(%d)" % (entry, page + 4096))
        if status != 0:
            reader = call(symbol + "(%d,%d)" % (handle, page + 5100))
            raise Refusal(text_at(call("((unsigned long (*)(void))%d)()" % reader)))
    finally:
        call(function("munmap", "int", "unsigned long,unsigned long") + "(%d,%d)" % (page, size))


def main():
    for setting in ("pagination off", "confirm off", "language c", "unwindonsignal on",
                    "print thread-events off", "print inferior-events off", "debuginfod enabled off", "auto-load no",
                    "backtrace past-main on", "stop-on-solib-events 0"):
        run("set " + setting)
    run("attach %d" % PID)
    try:
        run("set scheduler-locking off")  # who holds a lock that the call needs must go on
        run("handle all nostop noprint pass")
        run("handle SIGSTOP stop print nopass")
        run("handle SIGTRAP stop print nopass")
        choose_thread()
        attach()
        say("memwatch-ok")
    except Refusal as why:
        say("memwatch-failed " + str(why))
    except (gdb.error, KeyboardInterrupt) as problem:
        say("memwatch-failed gdb: " + str(problem))
    finally:
        try:
            run("detach")
        except gdb.error:
            pass


try:
    main()
except gdb.error as problem:
    say("memwatch-failed gdb cannot trace it: " + str(problem))
