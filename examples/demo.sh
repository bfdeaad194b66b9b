#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The demo in one command: an order service leaks beside seven healthy components that grow too; two snapshots and a diff name
# the guilty function, tag and route; with --verdict N the service says so itself. Installs what is missing (Debian), builds into
# build/, runs for about 50 seconds.
set -euo pipefail

usage() {
    cat <<'TXT'
usage: examples/demo.sh [--keep] [--fix] [--seconds N] [--follow N] [--verdict N] [--rate N] [--build DIR]
                        [--out DIR] [--free-ports] [--no-install] [--no-build]
  --keep        leave the service up at the end, and print how to stop it
  --fix         run the service without its leak; the demo then checks that nobody is accused
  --seconds N   time between the two snapshots (default 30)
  --follow N    time after them, in which the healthy components have levelled off (default 10, 0 leaves it out)
  --verdict N   the service's own verdict is waited for until N seconds after its start (default 0: left out; 92 is enough at
                the default epoch of 10 s as a rule, 115 by all means); with --fix that long nobody may be accused
  --rate N      requests a second (default 1000)
  --build DIR   build directory (default build)
  --out DIR     where snapshots, diffs and logs go (default BUILD/demo)
  --free-ports  take any free ports instead of 8080 and 9467
  --no-install  don't look for missing packages      --no-build  use what stands in the build directory
Exit status: 0 diff and verdict tell the truth, 1 they don't, 2 wrong usage, 5 something could not be installed, built or started.
TXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build out='' keep=0 fix=0 window=30 rate=1000 free_ports=0 install=1 compile=1
follow=10 patience=0 warmup=5  # seconds after the second snapshot, and of traffic before the first

die() { printf 'demo: %s\n' "$1" >&2; exit "${2:-5}"; }
number() { [[ $2 =~ ^[0-9]{1,5}$ ]] && ((10#$2 >= $3)) || die "$1 wants a number from $3 to 99999, not '$2'" 2; }

while (($#)); do
    case $1 in
        --keep) keep=1 ;;
        --fix) fix=1 ;;
        --free-ports) free_ports=1 ;;
        --no-install) install=0 ;;
        --no-build) compile=0 ;;
        --seconds | --follow | --verdict | --rate | --build | --out)
            (($# > 1)) || die "$1 wants a value" 2
            case $1 in
                --seconds) number "$1" "$2" 1; window=$2 ;;
                --follow) number "$1" "$2" 0; follow=$2 ;;
                --verdict) number "$1" "$2" 0; patience=$2 ;;
                --rate) number "$1" "$2" 8; rate=$2 ;;
                --build) build=$2 ;;
                --out) out=$2 ;;
            esac
            shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; die "unknown option $1" 2 ;;
    esac
    shift
done

step() { printf '\n\033[1m[%s/8] %s\033[0m\n' "$1" "$2"; }
[[ -t 1 ]] || step() { printf '\n[%s/8] %s\n' "$1" "$2"; }

# --- 1, 2: packages and build -----------------------------------------------------------------------------------------------
if ((install)); then
    step 1 "Packages"
    "$root/tests/support/packages.sh" demo || die "packages are missing; see above"
fi
if ((compile)); then
    step 2 "Release build in $build"
    [[ -f $build/build.ninja ]] || meson setup "$build" "$root" --buildtype=release -Dtests=false >"$build.setup.log" 2>&1 ||
        { cat "$build.setup.log" >&2; die "meson setup failed"; }
    rm -f "$build.setup.log"
    meson compile -C "$build" src/memwatch:shared_library src/memwatch:static_library src/cli/memwatch:executable \
        examples/orders/orders examples/orders/orders-load examples/quickstart/leaky || die "the build failed"
fi

orders=$build/examples/orders/orders load=$build/examples/orders/orders-load memwatch=$build/src/cli/memwatch
for program in "$orders" "$load" "$memwatch"; do [[ -x $program ]] || die "$program is missing; run without --no-build"; done
out=${out:-$build/demo}
mkdir -p "$out"
started=$(date +%s%N)
seconds_since() { echo $((($(date +%s%N) - $1) / 1000000000)); }

# --- only what this script started is stopped, by process id ------------------------------------------------------------------
service_pid='' load_pid=''
stop_process() {  # PID
    [[ -n $1 ]] && kill -TERM "$1" 2>/dev/null || return 0
    for _ in {1..50}; do kill -0 "$1" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}
cleanup() {
    local status=$?
    trap - EXIT INT TERM
    stop_process "$load_pid"
    ((keep && status == 0)) || stop_process "$service_pid"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

pause() {  # SECONDS WHY: waits, but not for a service that has gone
    local end=$((SECONDS + $1))
    while ((SECONDS < end)); do
        kill -0 "$service_pid" 2>/dev/null || { cat "$out/service.log" >&2; die "the service ended: see above"; }
        [[ -t 1 ]] && printf '\r  %s: %d s ' "$2" $((end - SECONDS))
        sleep 0.25
    done
    if [[ -t 1 ]]; then printf '\r\033[K'; fi
    echo "  $2: $1 s"
}
# The usual port, or any free one (0) when something answers there already.
port_or_any() { if ((free_ports)) || (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then echo 0; else echo "$1"; fi; }

# --- 3: service and load ------------------------------------------------------------------------------------------------------
: >"$out/service.log"
rm -f "$out"/{before,after,later}.memtrace "$out"/{diff,tags,verdict}.json "$out"/{diff,later,metrics,memtrace,verdict}.txt
step 3 "Start the order service and its customers"
arguments=(--port "$(port_or_any 8080)" --memwatch-port "$(port_or_any 9467)")
((fix)) && arguments+=(--fix)
if ((keep)); then
    setsid "$orders" "${arguments[@]}" >"$out/service.log" 2>&1 </dev/null &  # outlives this terminal
else
    "$orders" "${arguments[@]}" >"$out/service.log" 2>&1 </dev/null &
fi
service_pid=$!
service_started=$(date +%s%N)
for _ in {1..100}; do grep -q '^memwatch:' "$out/service.log" && break; kill -0 "$service_pid" 2>/dev/null || break; sleep 0.1; done
port=$(sed -n 's#^orders: http://127.0.0.1:\([0-9]*\).*#\1#p' "$out/service.log")
url=$(sed -n 's#^memwatch: \(http://[0-9.:]*\)/metrics.*#\1#p' "$out/service.log")
[[ -n $port && -n $url ]] || { cat "$out/service.log" >&2; die "the service did not start"; }
"$load" --port "$port" --rate "$rate" --seconds $((warmup + window + follow + patience + 60)) >"$out/load.log" 2>&1 </dev/null &
load_pid=$!
echo "  service pid $service_pid on http://127.0.0.1:$port, $rate requests/s"
echo "  open while it runs: $url/metrics and $url/debug/memtrace"
pause $warmup "traffic before the first snapshot"

# --- 4, 5: before, wait, after ------------------------------------------------------------------------------------------------
snapshot() { "$memwatch" snapshot --url "$url" --label "$1" -o "$out/$1.memtrace" || die "snapshot '$1' failed"; }
step 4 "Snapshot 'before', and a look at the endpoints"
snapshot before
first_lines() { sed -n "1,$1p" | sed 's/^/    /'; }  # reads to the end: no broken pipe
echo "  \$ curl -s $url/metrics | grep memwatch_live_bytes"
curl -sS --max-time 10 "$url/metrics" >"$out/metrics.txt" || die "$url/metrics does not answer"
grep '^memwatch_live_bytes' "$out/metrics.txt" | first_lines 12
echo "  \$ curl -s '$url/debug/memtrace?top=3'"
curl -sS --max-time 10 "$url/debug/memtrace?top=3" >"$out/memtrace.txt" || die "$url/debug/memtrace does not answer"
first_lines 24 <"$out/memtrace.txt"

step 5 "Snapshot 'after', $window s later"
pause "$window" "waiting"
snapshot after

# --- 6: the answer ------------------------------------------------------------------------------------------------------------
step 6 "What grew?   memwatch diff before after --threshold 10MB"
"$memwatch" diff "$out/before.memtrace" "$out/after.memtrace" --threshold 10MB | tee "$out/diff.txt"
"$memwatch" diff "$out/before.memtrace" "$out/after.memtrace" --threshold 1MB --json >"$out/diff.json"
"$memwatch" diff "$out/before.memtrace" "$out/after.memtrace" --by tag --json >"$out/tags.json"
named=$(seconds_since "$started")

check=$root/examples/orders/check_diff.py
if ((fix)); then
    python3 "$check" healthy "$out/diff.json" order-cache 1000000 || die "a service without the leak is accused" 1
    python3 "$check" healthy "$out/tags.json" order-cache 2000000 || die "the exact counter of order-cache grew" 1
else
    python3 "$check" culprit "$out/diff.json" order_cache::remember order-cache /api/v2/orders || die "the demo failed: see above" 1
    # A longer wait than the healthy ones need to level off leaves the leak alone in the field.
    python3 "$check" neighbours "$out/tags.json" order-cache || ((window > 30)) || die "the demo proved little: see above" 1
fi

# --- 7: time tells the healthy ones apart ---------------------------------------------------------------------------------------
if ((follow)); then
    step 7 "And $follow s later?   memwatch diff after later --by tag --threshold 1MB"
    pause "$follow" "waiting"
    snapshot later
    "$memwatch" diff "$out/after.memtrace" "$out/later.memtrace" --by tag --threshold 1MB |
        tee "$out/later.txt"
fi

# --- 8: the service says it itself ----------------------------------------------------------------------------------------------
accused=''
if ((patience)); then
    step 8 "And without any diff?   memwatch verdicts $url"
    # 0: nobody leaks, so far; 1: somebody does.
    ask() { "$memwatch" verdicts "$url" --json >"$out/verdict.json" 2>"$out/verdict.log"; }
    while (($(seconds_since "$service_started") < patience)); do
        answer=0
        ask || answer=$?
        if ((answer == 1)); then accused=$(seconds_since "$service_started"); break; fi
        ((answer == 0)) || { cat "$out/verdict.log" >&2; die "memwatch verdicts ended with $answer"; }
        sleep 1
    done
    "$memwatch" verdicts "$url" --exit-zero | tee "$out/verdict.txt"
    if ((fix)); then
        python3 "$check" silent "$out/verdict.json" || die "a service without the leak is accused" 1
    else
        python3 "$check" accused "$out/verdict.json" order_cache::remember order-cache /api/v2/orders ||
            die "the verdict is not the truth: see above" 1
    fi
fi

stop_process "$load_pid"
load_pid=''
sed 's/^/  /' "$out/load.log"
if ((fix)); then
    printf '\norder-cache is clean, and nobody is accused. '
elif [[ -n $accused ]]; then
    printf '\nCulprit named %s s after the service started by a diff, after %s s by its own verdict. ' "$named" "$accused"
else
    printf '\nCulprit named %s s after the service started. ' "$named"
fi
printf 'Demo: %s s without packages and build.\nFiles: %s\n' "$(seconds_since "$started")" "$out"
if ((keep)); then
    printf 'The service stays up: %s/debug/memtrace   more traffic: %s --port %s   stop it: kill %s\n' "$url" "$load" "$port" "$service_pid"
fi
