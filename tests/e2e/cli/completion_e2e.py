#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Completion in the real shells: a person types, presses TAB, and reads what stands there.

    completion_e2e.py MEMWATCH bash|zsh|fish

bash and zsh run on a pseudo-terminal; fish has `complete -C`, which answers what TAB would. The words are compared with the
parser's tree (`memwatch manual --format json`), so every command and every option with words is tried, also those added later.
"""
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

LIMIT_SECONDS = 20
PROMPT = "ready> "
MOVES = re.compile(rb"\x1b\[[0-9;?]*[A-HJK]")
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\][^\x07]*\x07|\r")


def need(program):
    if shutil.which(program) is None:
        print(f"SKIP: {program} is not installed")
        sys.exit(77)


class Terminal:
    """A shell on a pseudo-terminal."""

    def __init__(self, command, folder, environment):
        self.process, self.leader = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environment)
        self.seen = b""

    def until(self, what):
        """What came up to the first match of `what` (a regular expression), without escape sequences."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while True:
            text = ESCAPES.sub(b"", MOVES.sub(b" ", self.seen)).decode(errors="replace")
            found = re.search(what, text)
            if found:
                self.seen = b""
                return text
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.leader], [], [], left)[0]:
                raise AssertionError(f"no {what!r} in {text!r}")
            self.seen += os.read(self.leader, 65536)

    def send(self, text):
        os.write(self.leader, text.encode())

    def close(self):
        os.close(self.leader)
        os.waitpid(self.process, 0)


class Bash:
    """The function that TAB calls, in a bash without bash-completion; and TAB itself for a few."""
    program = "bash"

    def __init__(self, memwatch, folder, environment):
        self.folder, self.environment = folder, environment
        self.script = subprocess.run([memwatch, "completion", "bash"], capture_output=True, text=True, check=True).stdout
        self.terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], folder, {**environment, "PS1": PROMPT})
        self.terminal.until(re.escape(PROMPT))
        self.terminal.send("bind 'set bell-style none'; bind 'set completion-query-items 1000'; bind 'set page-completions off'\r")
        self.terminal.until(r"page-completions off'\n(.*\n)*" + re.escape(PROMPT))
        self.terminal.send("source <(memwatch completion bash) && echo lo''aded\r")
        self.terminal.until(r"loaded\n" + re.escape(PROMPT))

    def offers(self, line):
        words = re.split(r"[ ]+", line.replace("=", " = "))
        array = " ".join("'" + word + "'" for word in words)
        asked = f"{self.script}\nCOMP_WORDS=({array}) COMP_CWORD={len(words) - 1}\n_memwatch\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
        done = subprocess.run(["bash", "--norc", "--noprofile", "-u", "-c", asked], capture_output=True, text=True, check=True, cwd=self.folder,
                              env=self.environment)
        assert not done.stderr, done.stderr
        return set(done.stdout.split("\n")) - {""}

    def types(self, line, expected):
        self.terminal.send(line + "\t")
        self.terminal.until(re.escape(expected))
        self.terminal.send("\x15\r")
        self.terminal.until(re.escape(PROMPT))

    def lists(self, line, expected):
        self.terminal.send(line + "\t\t")
        shown = self.terminal.until(r"(?s)\n.*" + re.escape(expected[-1]) + r".*\n.*" + re.escape(PROMPT))
        assert all(word in shown for word in expected), shown
        self.terminal.send("\x15\r")
        self.terminal.until(re.escape(PROMPT))


class Zsh:
    program = "zsh"
    BEGIN, END = "<<", ">>"

    def __init__(self, memwatch, folder, environment):
        self.terminal = Terminal(["zsh", "-f", "-i"], folder, {**environment, "PS1": PROMPT, "ZDOTDIR": folder})
        self.terminal.until(re.escape(PROMPT))
        # Long lists are shown at once, one word a line, between marks; words that are inserted are seen on the line itself.
        for command in ("unset zle_bracketed_paste; unsetopt prompt_cr prompt_sp beep; LISTMAX=0; autoload -Uz compinit && compinit -u -D",
                        "source <(memwatch completion zsh)",
                        "zstyle ':completion:*' list-separator '#'; zstyle ':completion:*' menu no; bindkey '^D' list-choices"):
            self.terminal.send(command + " && echo do''ne\r")
            self.terminal.until(r"done\s+" + re.escape(PROMPT))

    def offers(self, line):
        """What list-choices (^D) shows below the line."""
        self.terminal.send(line + "\x04\x15echo en''d\r")
        shown = self.terminal.until(r"end\n.*" + re.escape(PROMPT))
        return set(re.findall(r"(?<![\w-])[\w-][\w.-]*", shown))

    def types(self, line, expected):
        self.terminal.send(line + "\t")
        self.terminal.until(re.escape(expected))
        self.terminal.send("\x15echo en''d\r")
        self.terminal.until(r"end\n.*" + re.escape(PROMPT))

    def lists(self, line, expected):
        offered = self.offers(line)
        assert set(expected) <= offered, offered


class Fish:
    program = "fish"

    def __init__(self, memwatch, folder, environment):
        self.folder, self.environment = folder, environment

    def offers(self, line):
        asked = "memwatch completion fish | source; complete -C '" + line + "'"
        done = subprocess.run(["fish", "--no-config", "-c", asked], capture_output=True, text=True, check=True, cwd=self.folder,
                              env=self.environment)
        assert not done.stderr, done.stderr
        return {re.sub("^--[a-z-]+=", "", each.split("\t")[0]) for each in done.stdout.splitlines()}

    def types(self, line, expected):
        assert expected.split()[-1] in self.offers(line), self.offers(line)

    def lists(self, line, expected):
        assert set(expected) <= self.offers(line), self.offers(line)


def check(shell, tree, folder):
    commands = {each["name"]: each for each in tree["commands"]}
    names = {name for name in commands if name}

    shell.types("memwatch di", "memwatch diff ")
    shell.lists("memwatch diff --fo", ["--focus", "--format"])
    shell.lists("memwatch show --by ", next(each["words"] for each in commands["show"]["options"] if "--by" in each["names"]))
    shell.types("memwatch diff bef", "memwatch diff before.memtrace")
    shell.types("memwatch diff before.memtrace aft", "memwatch diff before.memtrace after.memtrace")

    assert names <= shell.offers("memwatch "), shell.offers("memwatch ")
    tried = 0
    for name in sorted(names):
        options = {each for option in commands[name]["options"] for each in option["names"] if each.startswith("--")}
        offered = shell.offers(f"memwatch {name} --")
        assert options <= offered, (name, options - offered)
        for option in commands[name]["options"]:
            if option["kind"] == "words":
                offered = shell.offers(f"memwatch {name} {option['names'][-1]} ")
                assert set(option["words"]) <= offered, (name, option["names"], offered)
                assert "before.memtrace" not in offered, (name, option["names"], offered)
                tried += 1
            if option["kind"] == "anything":
                assert "before.memtrace" not in shell.offers(f"memwatch {name} {option['names'][-1]} "), (name, option["names"])
            if option["kind"] == "file":
                assert "before.memtrace" in shell.offers(f"memwatch {name} {option['names'][-1]} "), (name, option["names"])
        for first in commands[name]["positionals"][:1]:
            offered = shell.offers(f"memwatch {name} ")
            expected = set(first["words"]) if first["kind"] == "words" else {"before.memtrace"} if first["kind"] == "file" else set()
            assert expected <= offered, (name, first["name"], offered)
    assert tried >= 8, tried
    assert "before.memtrace" in shell.offers("memwatch diff --all "), "a flag takes no value"
    assert {"site", "tag"} <= shell.offers("memwatch show --by="), shell.offers("memwatch show --by=")
    assert "before.memtrace" in shell.offers("memwatch diff --format md "), "a value is no positional"
    assert "--format" not in shell.offers("memwatch control --pid 1 --for"), "another command's option"
    print(f"{shell.program}: {len(names)} commands, {tried} options with words")


def main(memwatch, shell):
    need(shell)
    with tempfile.TemporaryDirectory(prefix="memwatch-completion-") as folder:
        for name in ("before.memtrace", "after.memtrace"):
            open(os.path.join(folder, name), "wb").close()
        os.mkdir(os.path.join(folder, "dumps"))
        environment = {"PATH": os.path.dirname(memwatch) + ":" + os.environ["PATH"], "HOME": folder, "TERM": "xterm", "LC_ALL": "C.UTF-8",
                       "COLUMNS": "120", "LINES": "60"}
        tree = json.loads(subprocess.run([memwatch, "manual", "--format", "json"], capture_output=True, check=True).stdout)
        check({"bash": Bash, "zsh": Zsh, "fish": Fish}[shell](memwatch, folder, environment), tree, folder)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), sys.argv[2])
