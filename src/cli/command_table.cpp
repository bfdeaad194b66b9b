// SPDX-License-Identifier: Apache-2.0
#include "cli/command.hpp"

#include "cli/commands/commands.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr command_entry entries[] = {
    {"show", "Show one snapshot: what is alive, where, for whom",
     "Examples:\n"
     "  memwatch show after.memtrace\n"
     "  memwatch show http://127.0.0.1:9467 --by route --top 5\n"
     "  memwatch show after.memtrace --by tag --json\n"
     "  memwatch show --pid 4711 --survivors 6 --min-depth 5 --by route\n"
     "  memwatch show --by process dumps/*.memtrace\n",
     make_show},
    {"diff", "Compare two snapshots: what grew, where, for which route, how sure",
     "Examples:\n"
     "  memwatch diff before.memtrace after.memtrace\n"
     "  memwatch diff before.memtrace http://127.0.0.1:9467 --threshold 10MB --focus '*api/v2/*'\n"
     "  memwatch diff before.memtrace after.memtrace --by tag --format md\n"
     "  memwatch diff --since 2h http://127.0.0.1:9467\n"
     "  memwatch diff base.memtrace head.memtrace --threshold 128KiB --exit-code\n",
     make_diff},
    {"report", "Say what leaks, since when, how fast, how sure, and what probably fixes it",
     "Examples:\n"
     "  memwatch report before.memtrace after.memtrace -o report\n"
     "  memwatch report before.memtrace during.memtrace after.memtrace -o report --limit 2GiB\n"
     "  memwatch report before.memtrace http://127.0.0.1:9467 --format md --threshold 1MiB\n"
     "  memwatch report before.memtrace after.memtrace --format html -o leak.html --focus '*api/v2/*'\n",
     make_report},
    {"verdicts", "Say which sites and pools leak, how sure that is, and what would change it",
     "Examples:\n"
     "  memwatch verdicts http://127.0.0.1:9467\n"
     "  memwatch verdicts --pid 4711 --all\n"
     "  memwatch verdicts after.memtrace --level leak --json\n"
     "  memwatch verdicts series/*.memtrace --baseline before.memtrace --suppressions lsan.supp\n\n"
     "One source shows what its process came to; three dumps or more of one process, taken at any distance, are judged here.\n"
     "1 is a leak (0 with --exit-zero); a suspect is none.\n",
     make_verdicts},
    {"footprint", "Say where the memory of a process is: rows that add up to VmRSS, and to its cgroup's figure",
     "Examples:\n"
     "  memwatch footprint http://127.0.0.1:9467\n"
     "  memwatch footprint --pid 4711 --modules 0\n"
     "  memwatch footprint --pid 4711 --json > now.json && memwatch footprint now.json --format md\n\n"
     "Looking through mappings holds the lock of the address space for some 22 ms a GiB; from 8 GiB on it is left out unless\n"
     "--full asks for it.\n",
     make_footprint},
    {"symbolize", "Write a dump with the names of its frames in it",
     "Examples:\n"
     "  memwatch symbolize prod.memtrace -o named.memtrace --debug-dir /srv/debug\n"
     "  memwatch symbolize http://127.0.0.1:9467 -o named.memtrace\n\n"
     "What has no names is listed with the build id that would have been needed; the exit code stays 0.\n",
     make_symbolize},
    {"merge", "Merge the dumps of a fleet into one, and name the hosts that stand out",
     "Examples:\n"
     "  memwatch merge host-*.memtrace -o fleet.memtrace\n"
     "  memwatch merge --from-dir dumps -o fleet.memtrace --report json\n"
     "  memwatch merge @dumps.txt -o today.memtrace && memwatch diff yesterday.memtrace today.memtrace\n\n"
     "A dump that is damaged is named and left out, and the exit code is 3, though the others are merged.\n",
     make_merge},
    {"top", "Watch a running service: which sites grow, how fast, for which route",
     "Examples:\n"
     "  memwatch top http://127.0.0.1:9467\n"
     "  memwatch top pid:4711 --by tag --interval 5s\n"
     "  memwatch top localhost:9467 --plain --count 3 --sort live\n"
     "  memwatch top localhost:9467 --json --count 10 > looks.jsonl\n\n"
     "On the terminal: ? lists the keys. Growth counts from the first look, or from b on.\n",
     make_top},
    {"gate", "Fail a build when memory grew beyond its budget",
     "Examples:\n"
     "  memwatch gate base.memtrace head.memtrace\n"
     "  memwatch gate --update-baseline memory.baseline head.memtrace\n"
     "  memwatch gate memory.baseline head.memtrace --max-growth 1MiB --tag-budget order-cache=10MiB\n"
     "  memwatch gate memory.baseline head.memtrace --github --sarif memory.sarif --junit memory.xml\n"
     "  memwatch gate memory.baseline pid:4711 --alertmanager http://127.0.0.1:9093 --slo-id checkout\n\n"
     "1 is a breached limit (0 with --exit-zero), whatever else goes wrong. 3 is also an output that\n"
     "cannot be written, 4 also an alert that no Alertmanager takes.\n",
     make_gate},
    {"snapshot", "Take a snapshot of a running service",
     "Examples:\n"
     "  memwatch snapshot --url http://127.0.0.1:9467 --label before -o before.memtrace\n"
     "  memwatch snapshot --pid 4711 --label after -o after.memtrace\n"
     "  memwatch snapshot --pid 4711 --duration 5s -o window.memtrace && memwatch show window.memtrace\n"
     "  memwatch snapshot --url localhost:9467 --format pprof -o h.pb.gz && go tool pprof -top h.pb.gz\n",
     make_snapshot},
    {"export", "Write a dump in another tool's format: pprof, speedscope, folded, DHAT, CSV ...",
     "Examples:\n"
     "  memwatch export after.memtrace -o after.speedscope.json\n"
     "  memwatch export http://127.0.0.1:9467 --format pprof -o h.pb.gz && go tool pprof -top h.pb.gz\n"
     "  memwatch export before.memtrace after.memtrace --format folded | flamegraph.pl > diff.svg\n"
     "  memwatch export heaptrack.orders.4711.zst --format csv -o sites.csv\n"
     "  memwatch export dumps/*.memtrace --format clickhouse --top 200 > dumps/rows.jsonl\n",
     make_export},
    {"run", "Run a program with memwatch in it, and say what is live at its end",
     "memwatch run [OPTIONS] [--] PROGRAM [ARGUMENTS...]\n\n"
     "Runs PROGRAM with memwatch in it, unchanged, and in what it starts. When it has ended, what is still live is printed to\n"
     "stderr, site by site. Not for static, set-user-ID and sanitizer-built programs: these are refused, with the reason.\n\n"
     "Examples:\n"
     "  memwatch run -- ./server --port 8080\n"
     "  memwatch run --preset full --report report.json -- sort big.txt\n"
     "  memwatch run --metrics 127.0.0.1:9467 -- nginx -g 'daemon off;'\n"
     "  memwatch run --preset full --fail-on-leak --threshold 64KiB -- ./tests\n\n"
     "Exit codes: PROGRAM's own, 128 + N when signal N ended it; 125 memwatch failed, 126 PROGRAM cannot be executed, 127 "
     "there\n"
     "            is no such program; 1 with --fail-on-leak when it ended with 0 and a site is above the threshold.\n",
     make_run, true},
    {"control", "Ask and steer a running process by its control socket",
     "Examples:\n"
     "  memwatch control --pid 4711 status\n"
     "  memwatch control --pid 4711 set preset=full for=5m\n"
     "  memwatch control --pid 4711 set interval=512KiB stack_depth=32\n"
     "  memwatch control --pid 4711 set preset=investigate\n"
     "  memwatch control --pid 4711 baseline && sleep 60 && memwatch show --pid 4711 --since-baseline\n"
     "  memwatch control --pid 4711 stop && memwatch control --pid 4711 resume\n",
     make_control},
    {"blackbox", "Show what a process that was killed left behind",
     "Examples:\n"
     "  memwatch blackbox list state\n"
     "  memwatch blackbox show state\n"
     "  memwatch blackbox show state --json\n"
     "  memwatch blackbox extract state -o last.memtrace && memwatch show last.memtrace\n"
     "  memwatch blackbox extract state --before 1s -o before.memtrace\n\n"
     "A process writes one where MEMWATCH_STATE_DIR names a folder. Of a folder, show and extract take the newest\n"
     "file whose process has ended. What is extracted is a dump of the largest and the accused sites.\n",
     make_blackbox},
    {"attach", "Put memwatch into a process that runs",
     "Examples:\n"
     "  memwatch attach --pid 4711 && sleep 60 && memwatch show --pid 4711\n"
     "  memwatch attach --pid 4711 --preset full\n"
     "  memwatch detach --pid 4711\n\n"
     "Needs gdb, and the right to trace the process. It stops for about a second; a system call it sleeps in may end with\n"
     "EINTR. Blocks from before are not seen. Not for static, set-user-ID and sanitizer-built programs.\n",
     make_attach},
    {"detach", "Take memwatch out of a process it was attached to",
     "Examples:\n"
     "  memwatch detach --pid 4711\n\n"
     "Takes out what 'memwatch attach' put in and stops sampling; the library stays mapped, idle. Take a snapshot first: what\n"
     "is known of live blocks goes.\n",
     make_detach},
    {"options", "Every option: variable, name, default, values",
     "Examples:\n"
     "  memwatch options\n"
     "  memwatch options --json\n",
     make_options},
    {"completion", "Print the completion script of a shell: bash, zsh or fish",
     "Examples:\n"
     "  source <(memwatch completion bash)\n"
     "  memwatch completion zsh > ~/.zfunc/_memwatch\n"
     "  memwatch completion fish > ~/.config/fish/completions/memwatch.fish\n\n"
     "An installed memwatch has put them where the shells look already.\n",
     make_completion},
    {"manual", "Write memwatch(1)",
     "Examples:\n"
     "  memwatch manual > memwatch.1\n",
     make_manual, false, true},
};

}  // namespace

std::span<const command_entry> command_table() { return entries; }

}  // namespace v1
}  // namespace memwatch
