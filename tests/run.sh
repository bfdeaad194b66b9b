#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The one test command. Installs what is missing (Debian 12), builds, and runs every suite in four builds:
#
#   release   build/        g++, -O3, no assertions: what ships      contract headers unit fuzz concurrency e2e install
#   asan      build-asan/   g++, ASan + UBSan, assertions on         unit fuzz e2e
#   tsan      build-tsan/   g++, TSan, assertions on                 threads concurrency
#   clang     build-clang/  clang++, ASan + UBSan, libFuzzer         unit fuzz
#
#   tests/run.sh [--quick] [--no-install] [--stage STAGE]... [SUITE]...
#
#   --quick        unit and contract in build/ only: the loop while working
#   --no-install   do not install packages; stop if one is missing
#   --stage STAGE  only this build (may be repeated)
#   SUITE          only these suites, in the builds that have them
#
# The last line is the sum over all builds: `N passed, N failed, N skipped`. A build that does not compile counts as one failure.
# Tests in suite `release_only` stay out of the other builds. Exit status: 0 only if nothing failed.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

stage_names=(release asan tsan clang)
declare -A stage_folder=([release]=build [asan]=build-asan [tsan]=build-tsan [clang]=build-clang)
declare -A stage_suites=(
    [release]="contract headers unit fuzz concurrency e2e install"
    [asan]="unit fuzz e2e"
    [tsan]="threads concurrency"  # threads: the unit programs of rooms that more than one thread enters
    [clang]="unit fuzz"
)
declare -A stage_compiler=([release]=g++ [asan]=g++ [tsan]=g++ [clang]=clang++)
declare -A stage_options=(
    [release]="--buildtype=release"
    # -O1 -g1: instrumented code compiles three times as fast as with -O2 -g, and its reports still name lines.
    [asan]="-Ddebug=true -Doptimization=1 -Dcpp_args=-g1 -Db_sanitize=address,undefined"
    [tsan]="-Ddebug=true -Doptimization=1 -Dcpp_args=-g1 -Db_sanitize=thread -Dexamples=false"
    # clang's sanitizer runtime is in no shared library, hence b_lundef.
    [clang]="-Ddebug=true -Doptimization=1 -Dcpp_args=-g1 -Dexamples=false -Dfuzzers=true -Db_sanitize=address,undefined -Db_lundef=false"
)
declare -A stage_slowdown=([release]=1 [asan]=4 [tsan]=8 [clang]=4)  # of the tests' time limits

# What the instrumented programs do when they find something: stop, loudly. (Not detect_stack_use_after_return: it moves locals off
# the stack that memwatch walks.)
export ASAN_OPTIONS=${ASAN_OPTIONS:-halt_on_error=1:abort_on_error=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1:suppressions=$root/tests/concurrency/tsan.supp}

usage() { sed -n '3,19s/^# \{0,1\}//p' "$root/tests/run.sh"; exit 2; }

quick=0
install_flag=
stages=()
suites=()
while (($#)); do
    case $1 in
        --quick) quick=1 ;;
        --no-install) install_flag=--no-install ;;
        --stage) [[ -n ${2:-} && -n ${stage_folder[$2]:-} ]] || usage; stages+=("$2"); shift ;;
        -*) usage ;;
        *) suites+=("$1") ;;
    esac
    shift
done
for suite in "${suites[@]}"; do
    [[ " ${stage_suites[*]} " == *" $suite "* ]] || { echo "no suite '$suite'; there are: ${stage_suites[release]}"; exit 2; }
done
if ((quick)); then stages=(release); suites=(unit contract); fi
((${#stages[@]})) || stages=("${stage_names[@]}")

trap 'jobs -p | xargs -r kill 2>/dev/null' EXIT  # stopped half way: the compilers stop too

tests/support/packages.sh tests $install_flag

passed=0 failed=0 skipped=0
started=$SECONDS
logs=$root/build/run-logs
mkdir -p "$logs"

# The words of $1 that were asked for (all when nothing was).
wanted_suites() {
    local suite
    for suite in $1; do
        if ((${#suites[@]} == 0)) || [[ " ${suites[*]} " == *" $suite "* ]]; then echo -n "$suite "; fi
    done
}

# Runs a command with its output in a log; says how far it is every 15 s, and on failure shows the end of the log.
logged() {
    local log=$logs/$1.log begun=$SECONDS said=$SECONDS status=0
    shift
    "$@" >"$log" 2>&1 &
    local child=$!
    while kill -0 "$child" 2>/dev/null; do
        sleep 0.2
        if ((SECONDS - said >= 15)); then
            said=$SECONDS
            echo "   ... $((SECONDS - begun)) s $(grep -oE '^\[[0-9]+/[0-9]+\]' "$log" | tail -n 1)"
        fi
    done
    wait "$child" || status=$?
    if ((status != 0)); then
        echo "   FAILED: $*   (whole output: $log)"
        grep -nE 'error:|ERROR:|FAILED:|undefined reference' "$log" | head -20 || true
        tail -n 25 "$log"
        return 1
    fi
}

configure() {
    local stage=$1 folder=${stage_folder[$1]} compiler=${stage_compiler[$1]}
    if [[ -f $folder/build.ninja ]]; then
        logged "$stage-configure" meson setup --reconfigure "$folder" -Dtests=true ${stage_options[$stage]}
    else
        if command -v ccache >/dev/null; then compiler="ccache $compiler"; fi
        logged "$stage-configure" env CXX="$compiler" meson setup "$folder" -Dtests=true ${stage_options[$stage]}
    fi
}

# Builds what the chosen tests need; everything when no suite was named.
build() {
    local stage=$1 folder=${stage_folder[$1]}
    shift
    local targets
    local left_out=()
    if [[ $stage != release ]]; then left_out=(-release_only); fi
    targets=$(python3 tests/support/test_targets.py "$folder" "$@" "${left_out[@]}") || return 1
    if [[ $stage == release ]] && ((${#suites[@]} == 0)); then targets=all; fi
    if [[ -n $targets ]]; then logged "$stage-build" ninja -C "$folder" $targets; fi
}

run_tests() {
    local stage=$1 folder=${stage_folder[$1]} arguments=() suite
    shift
    for suite in "$@"; do arguments+=(--suite "$suite"); done
    if [[ $stage != release ]]; then arguments+=(--no-suite release_only); fi
    rm -f "$folder/meson-logs/testlog.json"
    # TSan of gcc 12 and kernels with many random address bits do not get along; children inherit the fixed layout.
    local plain=()
    if [[ $stage == tsan ]] && setarch "$(uname -m)" -R true 2>/dev/null; then plain=(setarch "$(uname -m)" -R); fi
    local status=0
    "${plain[@]}" meson test -C "$folder" --no-rebuild --print-errorlogs --timeout-multiplier "${stage_slowdown[$stage]}" \
        "${arguments[@]}" 2>&1 | tee "$logs/$stage-test.log" |
        { grep -vE '^(ninja:|Full log|$)|^(Ok|Expected Fail|Fail|Unexpected Pass|Skipped|Timeout): ' || true; } || status=$?
    return "$status"
}

# Adds a stage's results to the sum; the numbers come from meson's own record, not from what was printed.
count() {
    local stage=$1 status=$2 numbers p f s
    numbers=$(python3 tests/support/count_results.py "${stage_folder[$stage]}/meson-logs/testlog.json")
    read -r p f s <<<"$numbers"
    if ((status != 0 && f == 0)); then f=1; echo "   meson test ended with status $status"; fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    echo "   $stage: $p passed, $f failed, $s skipped"
}

number=0
for stage in "${stages[@]}"; do
    number=$((number + 1))
    read -ra chosen <<<"$(wanted_suites "${stage_suites[$stage]}")"
    ((${#chosen[@]})) || continue
    if ! command -v "${stage_compiler[$stage]}" >/dev/null; then
        echo "== [$number/${#stages[@]}] $stage: ${stage_compiler[$stage]} is not installed, skipped"
        skipped=$((skipped + 1))
        continue
    fi
    stage_started=$SECONDS
    echo "== [$number/${#stages[@]}] $stage (${stage_compiler[$stage]} ${stage_options[$stage]}) in ${stage_folder[$stage]}/: ${chosen[*]}"
    if configure "$stage" && build "$stage" "${chosen[@]}"; then
        echo "   built in $((SECONDS - stage_started)) s"
        status=0
        run_tests "$stage" "${chosen[@]}" || status=$?
        count "$stage" "$status"
    else
        echo "   $stage does not build: counted as one failure"
        failed=$((failed + 1))
    fi
    echo "   $stage took $((SECONDS - stage_started)) s"
done

echo "took $((SECONDS - started)) s"
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0 && passed > 0))
