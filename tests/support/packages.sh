#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The one list of Debian 12 packages that memwatch needs, and their installation.
#
#   tests/support/packages.sh demo|tests [--no-install]
#
# demo: what building the libraries, the CLI and the examples takes. tests: that and what tests/run.sh takes.
# Installs only what is missing, says so first, and leaves no daemon running or enabled. Exit 1: something is missing still.
set -euo pipefail

demo_packages=(
    g++ meson ninja-build pkg-config          # the build
    libboost-dev libfmt-dev libexpected-dev   # the core; libexpected is tl::expected
    zlib1g-dev libprotozero-dev rapidjson-dev # dumps: native, pprof, JSON
    prometheus-cpp-dev                        # libmemwatch-serve
    libdeflate-dev                            # the CLI: reads many dumps twice as fast (optional)
    libcli11-dev libdw-dev libelf-dev         # the CLI: options, symbolization
    libzstd-dev                               # the CLI: heaptrack's files
    libyaml-cpp-dev                           # memwatch gate: its policy file
    systemtap-sdt-dev                         # static tracepoints (optional)
    libncurses-dev                            # memwatch top on a terminal (optional)
    curl python3                              # the demo's traffic and printing
)
tests_packages=(
    catch2                                    # every C++ test
    clang libclang-rt-14-dev                  # the second compiler; its sanitizer and fuzzer runtimes
    clang-format clang-tidy                   # format and naming
    binutils                                  # nm: exported symbols
    doxygen                                   # the API reference
    libjemalloc2 libtcmalloc-minimal4 libgoogle-perftools4 libmimalloc2.0  # allocators to interpose
    redis-server                              # a program nobody prepared: its footprint
    prometheus                                # promtool, and a real server to scrape us
    systemd                                   # systemd-analyze: unit files
    jsonnet                                   # alerts, rules and dashboard from their one source
    golang-go                                 # go tool pprof; a Go program's heap profiles
    heaptrack libjemalloc-dev                 # other profilers' files: heaptrack, heaptrack_print, jeprof
    python3-yaml libxml2-utils                # a report's front matter and page
    nodejs npm python3-jsonschema             # speedscope's importer, DHAT's viewer
    clickhouse-server clickhouse-client       # a fleet's dumps in an existing engine
    prometheus-alertmanager                   # memwatch gate: an alert that fires and resolves
    libxml2-utils                             # xmllint: JUnit files
    libcpp-httplib-dev                        # a server that is not memwatch's own, to be mounted in
    gdb                                       # memwatch attach
    cmake make                                # consumers of what is installed
    valgrind                                  # instruction counts in tests/bench
    bash zsh fish                             # completion, in the shells themselves
    man-db mandoc                             # memwatch(1)
    python3-pyte                              # what a terminal shows, for memwatch top
)

usage() { sed -n '5,8s/^# \{0,1\}//p' "$0"; exit 2; }

may_install=1
group=
for argument in "$@"; do
    case $argument in
        --no-install) may_install=0 ;;
        demo|tests) group=$argument ;;
        *) usage ;;
    esac
done
[[ -n $group ]] || usage
wanted=("${demo_packages[@]}")
if [[ $group == tests ]]; then wanted+=("${tests_packages[@]}"); fi

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "packages: not a Debian system; these Debian packages' contents are needed: ${wanted[*]}"
    exit 0
fi

missing=()
for package in "${wanted[@]}"; do
    case $package in  # also from elsewhere, as packages that conflict with Debian's
        nodejs) if command -v node >/dev/null; then continue; fi ;;
        npm) if command -v npm >/dev/null; then continue; fi ;;
    esac
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed* ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
    echo "packages: all ${#wanted[@]} present"
    exit 0
fi
echo "packages: missing: ${missing[*]}"
((may_install)) || exit 1

as_root=()
if ((EUID != 0)); then
    command -v sudo >/dev/null || { echo "packages: neither root nor sudo; run as root: apt-get install ${missing[*]}"; exit 1; }
    as_root=(sudo)
fi

# Debian starts and enables services as it installs them (prometheus). A policy that forbids it stands only while we install.
policy=/usr/sbin/policy-rc.d
our_policy=0
remove_policy() { if ((our_policy)); then "${as_root[@]}" rm -f "$policy"; fi; }
trap remove_policy EXIT
if [[ ! -e $policy ]]; then
    our_policy=1
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi

echo "packages: apt-get update"
"${as_root[@]}" apt-get -qq update
echo "packages: apt-get install --no-install-recommends ${missing[*]}"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}" >/dev/null

for package in "${missing[@]}"; do
    if [[ $package == prometheus || $package == prometheus-alertmanager || $package == clickhouse-server ]] && command -v systemctl >/dev/null; then
        "${as_root[@]}" systemctl --quiet disable "$package.service" || true  # we want the program, not the service
    fi
done
echo "packages: done"
