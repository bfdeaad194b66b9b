# SPDX-License-Identifier: Apache-2.0
"""What the gate's tests share: two builds of one program run under memwatch, and the command."""

import glob
import json
import os
import shutil
import subprocess

FINE, BREACHED, USAGE, UNREADABLE, UNREACHABLE = range(5)
LIMIT_SECONDS = 60


class Gate:
    def __init__(self, memwatch, preload, folder):
        self.memwatch, self.folder = memwatch, folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MEMWATCH_", "GITHUB_", "CI_", "BUILD_URL")) and k != "LD_PRELOAD"}
        self.environment = {**kept, "MEMWATCH_PRELOAD_LIBRARY": preload, "NO_COLOR": "1"}

    def dump(self, program, name, *words):
        """A dump of a whole run of `program`, every block recorded."""
        dumps = os.path.join(self.folder, name + ".d")
        os.makedirs(dumps)
        subprocess.run([self.memwatch, "run", "--preset", "full", "--quiet", "--dump-dir", dumps, "--", program, *words], check=True,
                       timeout=LIMIT_SECONDS, env=self.environment, capture_output=True)
        found = glob.glob(os.path.join(dumps, "*.memtrace"))
        assert len(found) == 1, found
        path = os.path.join(self.folder, name + ".memtrace")
        shutil.move(found[0], path)
        return path

    def __call__(self, *arguments, status=None, cwd=None, **more):
        done = subprocess.run([self.memwatch, "gate", *arguments], capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
                              cwd=cwd or self.folder, env={**self.environment, **more})
        assert status is None or done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *arguments, status=None, **more):
        return json.loads(self(*arguments, "--json", status=status, **more).stdout)
