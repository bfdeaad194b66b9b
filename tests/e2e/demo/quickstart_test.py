#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The first five minutes: start the quickstart, scrape it twice, read the summary."""
import os
import re
import subprocess
import sys
import time
import urllib.request

LEAK_BYTES_PER_S = 16 * 1048576
LIVE = re.compile(r'^memwatch_live_bytes\{tag="leaky/cache"\} (\S+)$', re.M)


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def live_bytes(base):
    found = LIVE.search(get(base + "/metrics"))
    assert found, "memwatch_live_bytes{tag=\"leaky/cache\"} is not on /metrics"
    return float(found.group(1))


def main(program):
    environment = dict(os.environ, MEMWATCH_LISTEN="127.0.0.1:0")
    command = [program, "--leak-mib-per-s=16", "--seconds=20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as leaky:
        try:
            base = leaky.stdout.readline().strip().removesuffix("/debug/memtrace")
            begin, first = time.monotonic(), live_bytes(base)
            time.sleep(2)
            end, second = time.monotonic(), live_bytes(base)
            rate = (second - first) / (end - begin)
            assert 0.7 < rate / LEAK_BYTES_PER_S < 1.3, f"the tag grows by {rate / 1048576:.1f} MiB/s instead of 16"
            summary = get(base + "/debug/memtrace?top=3")
            for expected in ("leaky::handle", "leaky/cache", "/answers"):
                assert expected in summary, f"{expected} is missing in:\n{summary}"
        finally:
            leaky.kill()


if __name__ == "__main__":
    main(sys.argv[1])
