# SPDX-License-Identifier: Apache-2.0
"""The library's static tracepoints, as a tracer finds them: usdt_test.py READELF LIBRARY"""

import re
import subprocess
import sys

EXPECTED = {"alloc": 3, "free": 1}  # arguments


def main() -> int:
    readelf, library = sys.argv[1:]
    notes = subprocess.run([readelf, "--wide", "--notes", library], check=True, capture_output=True, text=True).stdout
    found = re.findall(r"Provider: otel_memory\s+Name: (\w+)\s.*?Arguments: ([^\n]*)", notes, re.DOTALL)
    failures = []
    for name, count in EXPECTED.items():
        places = [arguments for probe, arguments in found if probe == name]
        if not places:
            failures.append(f"no probe otel_memory:{name}")
        # "-8@%rax 8@-16(%rbp) -4@$5": one word an argument, with its size before the @
        failures += [f"{name}: {place!r} has not {count} arguments" for place in places if len(place.split()) != count]
    failures += [f"unexpected probe {name}" for name, _ in found if name not in EXPECTED]
    print("\n".join(failures) or f"{len(found)} probes in {library}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
