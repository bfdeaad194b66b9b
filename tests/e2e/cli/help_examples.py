#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The examples in --help work: every command has some, and each is run as a reader would, before a service that leaks.

    help_examples.py MEMWATCH LEAKY PRELOAD

Walks the parser's own tree, so a command that comes later is tried, too. What an example names is put there first: dumps of the
running service under the names it reads, folders and globs of them, programs to run. Its port and pid are the service's. An example
that cannot run here is listed with the reason. 0 and 1 (something grew) are fine; anything else has rotted.
"""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

MEMWATCH, LEAKY, PRELOAD = map(os.path.abspath, sys.argv[1:4])
WIDTH = 100
LIMIT_SECONDS = 90

# What is not run, and why. A reason that no example needs any more is a complaint.
NOT_RUN = [
    (r"nginx", "nginx is not among the packages; tests/e2e/run serves the metrics of programs it has"),
    (r"memwatch (attach|detach) ", "stops a process with gdb; tests/e2e/attach does it, with what can go wrong"),
    (r"--alertmanager", "needs an Alertmanager; tests/e2e/gate starts one"),
    (r"flamegraph\.pl", "flamegraph.pl is no Debian package; tests/e2e/formats reads the folded stacks"),
    (r"heaptrack\.", "a recording of heaptrack; tests/e2e/formats makes one and reads it"),
]


def help_of(*command):
    done = subprocess.run([MEMWATCH, *command, "--help"], capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True)
    assert not done.stderr, done.stderr
    return done.stdout


def examples_in(text):
    """The indented lines below "Examples:"; one that ends in a backslash goes on in the next."""
    found, is_inside = [], False
    for line in text.splitlines():
        if line.startswith("Examples:"):
            is_inside = True
        elif is_inside and line.startswith("  "):
            if found and found[-1].endswith("\\"):
                found[-1] = found[-1][:-1] + line.strip()
            else:
                found.append(line.strip())
        elif is_inside:
            is_inside = False
    return found


class Folder:
    """Where the examples are run, and the service they talk about."""

    def __init__(self, path, address, pid):
        self.path, self.address, self.pid = path, address, pid
        self.before, self.after = (os.path.join(path, "." + name) for name in ("before", "after"))
        for name, text in (("server", "#!/bin/sh\nexec sort big.txt\n"), ("tests", "#!/bin/sh\nexec true\n")):
            with open(os.path.join(path, name), "w", encoding="ascii") as file:
                file.write(text)
            os.chmod(os.path.join(path, name), 0o755)
        with open(os.path.join(path, "big.txt"), "w", encoding="ascii") as file:
            file.writelines(f"{i * 7919 % 10007}\n" for i in range(20000))
        with open(os.path.join(path, "lsan.supp"), "w", encoding="ascii") as file:
            file.write("leak:no_such_function\n")
        for folder in ("dumps", "series", "debug", ".zfunc", ".config/fish/completions"):
            os.makedirs(os.path.join(path, folder))
        if shutil.which("git"):
            self.run("git init -q")  # a baseline lives in a repository
        self.run(f"memwatch snapshot --url {address} -o {self.before}")
        self.run(f"memwatch snapshot --url {address} -o {self.after}")
        self.run("MEMWATCH_STATE_DIR=state memwatch run -- env sleep 3")  # its black box
        for moment in range(3):
            self.run(f"memwatch snapshot --url {address} -o series/{moment}.memtrace")

    def run(self, command):
        variables = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")}
        variables.update(PATH=os.path.dirname(MEMWATCH) + ":" + os.environ["PATH"], HOME=self.path, MEMWATCH_PRELOAD_LIBRARY=PRELOAD, TERM="dumb")
        for _ in range(60):
            done = self.run_once(command, variables)
            if "the server answered 429" not in done.stderr:  # a reader is not as fast as this test
                break
            time.sleep(1)
        return done

    def run_once(self, command, variables):
        # sleep: the examples wait for a minute of a service's life; nothing here depends on it.
        return subprocess.run(["bash", "-o", "pipefail", "-c", "sleep() { :; }\n" + command], cwd=self.path, env=variables, capture_output=True,
                              text=True, errors="replace", timeout=LIMIT_SECONDS, check=False, stdin=subprocess.DEVNULL)

    def put(self, name):
        target = os.path.join(self.path, name)
        if not os.path.exists(target):
            is_old = re.search(r"before|base|yesterday|old|-a\.", name)
            shutil.copyfile(self.before if is_old else self.after, target)

    def prepare(self, command):
        """What it reads, and is not there."""
        words = shlex.split(command.replace("<(", " ").replace(")", " "))
        for i, word in enumerate(words):
            is_output = i > 0 and words[i - 1] in ("-o", "--output", ">")
            if is_output:
                continue
            if word.startswith("series/"):
                continue
            if word.endswith(".memtrace") and "*" in word:
                for each in ("a", "b"):
                    self.put(word.replace("*", each))
            elif word.endswith(".memtrace"):
                self.put(word)
            elif word.startswith("@"):
                for each in ("host-a.memtrace", "host-b.memtrace"):
                    self.put(each)
                with open(os.path.join(self.path, word[1:]), "w", encoding="ascii") as file:
                    file.write("host-a.memtrace\nhost-b.memtrace\n")
            elif words[i - 1] == "--from-dir":
                for each in ("a", "b"):
                    self.put(os.path.join(word, f"host-{each}.memtrace"))
            elif word.endswith(".baseline") and words[i - 1] != "--update-baseline" and not os.path.exists(os.path.join(self.path, word)):
                self.put("base.memtrace")
                self.run(f"memwatch gate --update-baseline {word} base.memtrace")

    def translate(self, command):
        command = re.sub(r"--metrics 127\.0\.0\.1:9467", "--metrics 127.0.0.1:0", command)
        command = re.sub(r"(127\.0\.0\.1|localhost):9467", self.address, command)
        command = command.replace("--since 2h", "--since 0s")  # it has just begun
        command = command.replace("/srv/debug", "debug").replace("4711", str(self.pid))
        if re.search(r"memwatch top ", command) and "--count" not in command:
            command += " --count 1"  # on a terminal it runs until q: tests/e2e/top
        return command


def reason_not_to_run(command):
    for number, (pattern, why) in enumerate(NOT_RUN):
        if re.search(pattern, command):
            return number, why
    for program in ("go", "git"):
        if re.search(rf"(^|&& |\| ){program} ", command) and shutil.which(program) is None:
            return None, f"{program} is not installed"
    return None, None


def refused_words(tree, name, folder, example):
    """Words that help and completion offer and the command does not know; each is tried in front of an example's own words."""
    refused = []
    command = next(each for each in tree["commands"] if each["name"] == name)
    for option in command["options"]:
        for word in option["words"]:
            tried = folder.translate(example).replace(f"memwatch {name} ", f"memwatch {name} {option['names'][-1]} {word} ", 1)
            folder.prepare(tried)
            done = folder.run(tried)
            if f"{option['names'][-1]} {word}: use " in done.stderr or " not in {" in done.stderr or done.returncode > 128:
                refused.append(f"offered and refused: {tried}: {done.stderr[-300:]}")
    return refused


def main():
    tree = json.loads(subprocess.run([MEMWATCH, "manual", "--format", "json"], capture_output=True, check=True).stdout)
    commands = [each["name"] for each in tree["commands"]]
    failed, used, ran = [], set(), 0
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")}
    environment.update(MEMWATCH_LISTEN="127.0.0.1:0", MEMWATCH_INTERVAL="64KiB", MEMWATCH_HISTORY_EVERY="1s")
    leaky = subprocess.Popen([LEAKY, "--leak-mib-per-s=8", "--seconds=600"], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        address = leaky.stdout.readline().strip().removeprefix("http://").removesuffix("/debug/memtrace")
        for name in commands:
            text = help_of(name) if name else help_of()
            failed += [f"{name}: wider than {WIDTH} columns: {line}" for line in text.splitlines() if len(line) > WIDTH]
            found = examples_in(text)
            mine = [line for line in found if not name or re.search(rf"\bmemwatch {name}\b", line)]
            if not mine:
                failed.append(f"{name}: no example in --help")
            with tempfile.TemporaryDirectory(prefix="memwatch-examples-") as path:
                folder = Folder(path, address, leaky.pid)
                first = next((line for line in found if re.match(rf"memwatch {name} [^&|>]*$", line) and reason_not_to_run(line)[1] is None), None)
                for line in found:
                    number, why = reason_not_to_run(line)
                    if why is not None:
                        used.add(number)
                        print(f"not run: {line}\n         {why}")
                        continue
                    command = folder.translate(line)
                    folder.prepare(command)
                    done = folder.run(command)
                    ran += 1
                    if done.returncode not in (0, 1):
                        failed.append(f"{line}\n  as: {command}\n  status {done.returncode}, stderr: {done.stderr[-600:]}")
                failed += refused_words(tree, name, folder, first) if name and first else []
        leftover = [pattern for number, (pattern, _) in enumerate(NOT_RUN) if number not in used and pattern != "--alertmanager"]
        failed += [f"nothing needs the exception {pattern} any more" for pattern in leftover]
    finally:
        leaky.kill()
        leaky.wait()
        leaky.stdout.close()
    print(f"{len(commands) - 1} commands, {ran} examples run")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
