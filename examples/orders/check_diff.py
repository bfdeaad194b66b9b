#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does a diff, or a verdict, say what the orders demo knows to be true? Reads the output of `memwatch diff --json` and of
`memwatch verdicts --json`.

  check_diff.py culprit DIFF.json FUNCTION TAG ROUTE   row 1 must be this function, under this tag, for this route
  check_diff.py healthy DIFF.json TAG MAX_BYTES        no row of this tag may have grown by more than MAX_BYTES, beyond what
                                                       sampling explains (4 standard errors: 1 false alarm in 30,000)
  check_diff.py neighbours TAGS.json TAG               of a diff --by tag: at least five other tags grew, in sum by more than TAG
  check_diff.py accused VERDICT.json FUNCTION TAG ROUTE  a leak, of this function, under this tag, for this route, with trace ids;
                                                       and nobody else is leak or suspect
  check_diff.py silent VERDICT.json                    nobody is leak or suspect

Prints one line; exit status 0 when it is true, 1 when it isn't, 3 when the file is not a delta.
"""
import json
import sys

MIB = 1048576


def read_rows(path):
    try:
        with open(path, encoding="utf-8") as file:
            delta = json.load(file)
        return delta["rows"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{path}: not a delta: {error!r}", file=sys.stderr)
        sys.exit(3)


def main_route(row):
    routes = [share for share in row.get("shares", []) if share["by"] == "route"]
    return max(routes, key=lambda share: share["bytes"])["name"] if routes else "(none)"


def describe(row):
    return (f"{row['name']}, tag {row['tag']}, route {main_route(row)}, "
            f"{row['bytes'] / MIB:+.1f} MiB +- {row['bytes_standard_error'] / MIB:.1f}")


def check_culprit(path, function, tag, route):
    rows = read_rows(path)
    if not rows:
        return f"the diff has no rows; expected {function}"
    first = rows[0]
    wrong = [f"{what} is {found!r}, expected {expected!r}"
             for what, found, expected in (("tag", first["tag"], tag), ("route", main_route(first), route))
             if found != expected]
    if function not in first["name"]:
        wrong.insert(0, f"function is {first['name']!r}, expected {function!r}")
    if not first["significant"]:
        wrong.append("its growth is not significant")
    if wrong:
        return "row 1 is not the culprit: " + "; ".join(wrong)
    print("row 1 is the culprit: " + describe(first))
    return None


def check_healthy(path, tag, max_bytes):
    rows = [row for row in read_rows(path) if tag in (row.get("tag"), row["name"])]
    for row in rows:
        if row["bytes"] > int(max_bytes) + 4 * row["bytes_standard_error"]:
            return f"{tag} grew: " + describe(row)
    print(f"{tag} did not grow: " + ("; ".join(describe(row) for row in rows) or "no row"))
    return None


def check_neighbours(path, tag):
    grown = {row["name"]: row["bytes"] for row in read_rows(path) if row["bytes"] > 0}
    leak = grown.pop(tag, 0.0)
    line = (f"exact counters: {tag} {leak / MIB:+.1f} MiB, {len(grown)} others {sum(grown.values()) / MIB:+.1f} MiB, "
            f"the largest of them {max(grown.values(), default=0) / MIB:+.1f} MiB")
    if len(grown) < 5 or sum(grown.values()) <= leak:
        return "too easy: " + line
    print(line)
    return None


def describe_verdict(row):
    return f"{row['level']} {row['name']}, tag {row['tag']}, {row['class']}, {row['retained_bytes'] / MIB:.1f} MiB kept"


def is_of_culprit(row, function, tag, route):
    routes = row.get("routes") or [{"route": "(none)"}]
    return function in row["name"] and row["tag"] == tag and routes[0]["route"] == route


def check_accused(path, function, tag, route):
    rows = read_rows(path)
    leaks = [row for row in rows if row["level"] == "leak"]
    others = [row for row in rows if not is_of_culprit(row, function, tag, route)]
    if not leaks:
        return "nobody leaks, says the verdict; known: " + ("; ".join(map(describe_verdict, rows)) or "no suspect either")
    if others:
        return "accused without cause: " + "; ".join(map(describe_verdict, others))
    if not all(row.get("trace_ids") for row in leaks):
        return "a leak without trace ids: " + describe_verdict(leaks[0])
    print("the verdict is on the culprit, and on nobody else: " + describe_verdict(leaks[0]))
    return None


def check_silent(path):
    rows = read_rows(path)
    if rows:
        return "accused without cause: " + "; ".join(map(describe_verdict, rows))
    print("nobody is accused")
    return None


def main(arguments):
    checks = {("culprit", 5): check_culprit, ("healthy", 4): check_healthy, ("neighbours", 3): check_neighbours,
              ("accused", 5): check_accused, ("silent", 2): check_silent}
    check = checks.get((arguments[0] if arguments else "", len(arguments)))
    if check is None:
        print(__doc__, file=sys.stderr)
        return 2
    problem = check(*arguments[1:])
    if problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
