# SPDX-License-Identifier: Apache-2.0
"""Who may include whom: the floor plan as data. layering.py reads every #include against it; docs/architecture.md explains it.

A room includes itself and what its row names, nothing else. Only `runtime` and the doors (cli, interpose, face) join rooms.
"""

BASE = {"base"}
VALUES = {"base", "model"}
HOST = {"base", "model", "platform"}

# Each room of the plan, also those that are not built yet: a new folder under src/ that is missing here is a complaint.
ROOMS = {
    "base": set(),
    "platform": BASE,
    "model": BASE,
    "settings": VALUES,
    "capture": HOST,
    "sites": HOST,
    "ledger": HOST | {"sites"},
    "live": HOST | {"sites", "ledger"},
    "alloc": VALUES | {"capture"},
    "interpose": {"base", "platform", "capture"},  # and what starts a session: an exception below
    "snapshot": VALUES,
    "diff": VALUES,
    "verdict": VALUES,
    "scan": HOST,
    "footprint": HOST,
    "blackbox": HOST,
    "history": HOST | {"snapshot"},
    "control": HOST,
    "symbols": HOST | {"snapshot"},  # what was looked up once is kept as a dump
    "exchange": VALUES | {"snapshot"},  # foreign formats, for the command alone; snapshot: folded lines of two dumps
    "attribution": VALUES | {"diff"},
    "report": VALUES | {"diff", "attribution", "verdict"},  # of diff plain values: clusters, key metrics; of verdict its sentence
    "gate": VALUES | {"diff", "report"},  # the patterns of --focus; the words that people read
    "fleet": VALUES | {"snapshot", "report"},  # many dumps into one; its words are made of report's
    "notify": VALUES | {"http"},  # of http what an address is
    "http": BASE,
    "serve": VALUES | {"http", "notify"},  # renderers and the source of snapshots are handed in by runtime
    "testing": HOST | {"capture", "face"},  # the window it opens is runtime's (exact_window.hpp)
    "adapters": VALUES | {"capture", "alloc"},  # header-only, each header alone; nothing of ours includes them
    "cli": HOST | {"snapshot", "diff", "attribution", "verdict", "report", "symbols", "exchange", "fleet", "control", "footprint", "blackbox", "history", "gate", "notify", "http", "serve", "settings"},
    # The headers at the top of include/memwatch: the promise an application sees. runtime keeps it. (PLACED names the others.)
    "face": VALUES | {"snapshot"},
    # memwatch.hpp alone: gathers the public headers for applications. Nothing of ours includes it.
    "umbrella": VALUES | {"capture", "alloc", "snapshot", "face"},
    "runtime": HOST
    | {"http", "notify", "capture", "sites", "ledger", "live", "alloc", "snapshot", "diff", "verdict", "scan", "footprint", "blackbox", "history", "control", "testing", "report", "serve", "settings", "face"},
}

# Headers at the top of include/memwatch that are plain values, wherever the reader of a public header expects to find them.
PLACED = {"testing.hpp": "testing", "testing_catch2.hpp": "testing", "memwatch.hpp": "umbrella", "options.hpp": "model", "none.hpp": "model", "options.def": "model", "server_options.def": "model", "version.hpp.in": "base"}

# The prefix of a third-party include -> the name used in the columns below. The longest prefix wins.
THIRD_PARTY = {
    "tl/": "expected",
    "fmt/": "fmt",
    "boost/": "boost (other)",
    "boost/lockfree/": "boost.lockfree",
    "boost/stacktrace": "boost.stacktrace",
    "boost/beast": "boost.beast",
    "boost/asio": "boost.asio",
    "boost/config.hpp": "boost.config",
    "prometheus/": "prometheus-cpp",
    "protozero/": "protozero",
    "rapidjson/": "rapidjson",
    "zlib.h": "zlib",
    "libdeflate.h": "libdeflate",
    "zstd.h": "zstd",
    "CLI/": "cli11",
    "ncurses.h": "ncurses",
    "term.h": "ncurses",
    "yaml-cpp/": "yaml-cpp",
    "elfutils/": "libdw",
    "dwarf.h": "libdw",
    "libelf.h": "libdw",
    "gelf.h": "libdw",
    "catch2/": "catch2",
}

# Third-party walls, decision by decision: who may name which library.
BEAST = {"boost.beast", "boost.asio", "boost.config"}
WALLS = {
    "base": {"expected", "boost.lockfree"},
    "platform": {"boost.stacktrace"},
    "snapshot": {"protozero", "zlib", "rapidjson", "libdeflate"},
    "exchange": {"protozero", "zlib", "zstd"},
    "attribution": {"fmt"},
    "report": {"fmt"},
    "fleet": {"fmt"},
    "runtime": {"fmt"},
    "symbols": {"libdw"},
    "serve": {"prometheus-cpp"} | BEAST,
    "gate": {"fmt", "rapidjson", "yaml-cpp"},
    "notify": {"rapidjson"},
    "http": BEAST,
    "cli": {"fmt", "cli11", "ncurses"} | BEAST,
    "testing": {"catch2"},
    "adapters": {"boost.asio", "boost.config"},
}

# "Talks to the kernel or to libc's internals: platform." The same for headers that are POSIX or Linux rather than C++.
# (cli/ is a program, not a guest in one. control/ is about one socket: owners, peers and descriptors are its subject.)
OPERATING_SYSTEM = {"platform", "interpose", "control", "cli"}

# (file, what it includes, why). `file` and `what` are paths relative to the root or fnmatch patterns of them; a header of a third
# party or of the system is written with its angles, "<zlib.h>" or "<*>". A line nobody needs any more is a complaint.
EXCEPTIONS = [
    ("src/interpose/*.cpp", "src/runtime/lifecycle.hpp",
     "what a process does at its fork and its end; only the preload object sees both"),
    ("src/cli/children_server.cpp", "src/runtime/service_renderers.hpp",
     "diff, report and snapshot joined with serve's requests, once for both servers; functions of finished snapshots"),
    ("src/interpose/start.cpp", "include/memwatch/session.hpp",
     "a program that was preloaded calls nothing: the door starts the session itself"),
    ("src/interpose/attach.cpp", "include/memwatch/session.hpp",
     "so does the library that comes to a program which runs"),
    ("include/memwatch/serve/*.hpp", "include/memwatch/session.hpp",
     "the doors out are called with a session; they see its promise (face), never what is behind it"),
    ("src/alloc/pool_state.cpp", "src/platform/platform.hpp",
     "object_pool::shrink gives pages back to the system; nothing else in the room asks it for anything"),
    ("src/symbols/private_folder.cpp", "<*>",
     "whose a cached file is and who may write it: O_NOFOLLOW, owner, mode; platform/ would carry it into every service"),
    ("src/snapshot/file.cpp", "<*>",
     "opening a foreign dump and replacing a file atomically are the room's own business with the OS: O_NOFOLLOW, fsync, rename"),
    ("src/http/client.cpp", "<*>",
     "a socket that is close-on-exec from birth, which Asio's are not"),
    ("src/serve/unix_listener.cpp", "<*>",
     "a socket's name in the file system: its mode, its owner, what is left over from a dead process, who connects"),
    ("src/serve/descriptors.cpp", "<*>",
     "sockets that are close-on-exec and closed in a forked child, which Asio's are not; wants to move to platform/ when a second room listens"),
]
