#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The next release of a source file, for stripped_story.py: an edit that has nothing to do with the leak, above it.

    edited_source.py IN OUT
"""
import sys

EDIT = """namespace orders {
// Grew with the second release; moves every line and every address below it.
int second_release(int releases) {
    int sum = 0;
    for (int i = 0; i < releases; ++i) { sum += i * releases ^ (sum >> 3); }
    return sum;
}
int (*const keep_second_release)(int) = second_release;
}  // namespace orders
"""
with open(sys.argv[1]) as source, open(sys.argv[2], "w") as out:
    lines = source.readlines()
    after_includes = max(i for i, line in enumerate(lines) if line.startswith("#include")) + 1
    out.writelines(lines[:after_includes] + [EDIT] + lines[after_includes:])
