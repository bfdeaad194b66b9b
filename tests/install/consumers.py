# SPDX-License-Identifier: Apache-2.0
"""Installs memwatch into a temporary folder and builds consumer.cpp against it, the ways applications do.

    consumers.py shared|static|serve|subproject --source ROOT --build BUILD --consumer consumer.cpp

shared, static, serve: DESTDIR install, then pkg-config finds it (memwatch, memwatch --static, memwatch-serve); compiled as C++17 and
C++20 with each compiler that is installed. subproject: a copy of the tree inside a Meson project that asks for dependency('memwatch').
The consumer is run each time. Exit 77: this build has no such library.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

MESON = """project('consumer', 'cpp', default_options: ['cpp_std=c++17'])
memwatch = dependency('memwatch', default_options: ['tests=false', 'examples=false', 'serve=disabled', 'cli=disabled'])
executable('consumer', 'consumer.cpp', dependencies: memwatch)
"""


def say(command: List[str]) -> None:
    print("+ " + " ".join(command), flush=True)


def must(command: List[str], **options) -> str:
    say(command)
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        print(done.stdout)
        sys.exit(f"failed with status {done.returncode}")
    return done.stdout.strip()


def install(build: Path, into: Path) -> Path:
    """The folder that plays the prefix."""
    must(["meson", "install", "-C", str(build), "--no-rebuild", "--quiet", "--tags", "devel,runtime"],
         env={**os.environ, "DESTDIR": str(into)})
    descriptions = list(into.rglob("memwatch.pc"))
    if len(descriptions) != 1:
        sys.exit(f"expected one memwatch.pc under {into}, found {descriptions}")
    prefix = next(line.split("=", 1)[1] for line in descriptions[0].read_text(encoding="utf-8").splitlines() if line.startswith("prefix="))
    return into / prefix.lstrip("/")


def environment_of(prefix: Path) -> Dict[str, str]:
    libraries = next(prefix.rglob("libmemwatch.a")).parent
    return {**os.environ, "PKG_CONFIG_PATH": str(next(prefix.rglob("memwatch.pc")).parent), "LD_LIBRARY_PATH": str(libraries),
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")}


def flags(prefix: Path, package: str, *options: str) -> List[str]:
    command = ["pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs", *options, package]
    return must(command, env=environment_of(prefix)).split()


def with_pkg_config(kind: str, build: Path, consumer: Path, folder: Path) -> None:
    prefix = install(build, folder / "root")
    package = "memwatch-serve" if kind == "serve" else "memwatch"
    if not list(prefix.rglob(f"{package}.pc")):
        print(f"{package}.pc is not installed by this build")
        sys.exit(77)
    options = ["--static"] if kind == "static" else []
    if kind == "static":  # the linker prefers a shared library that lies beside it
        for library in prefix.rglob("libmemwatch*.so*"):
            library.unlink()
    wanted = flags(prefix, package, *options) + (["-DCONSUMER_SERVES"] if kind == "serve" else [])
    for compiler in filter(shutil.which, ["g++", "clang++"]):
        for standard in ("c++17", "c++20"):
            program = folder / "consumer"
            must([compiler, f"-std={standard}", "-Wall", "-Wextra", "-Werror", str(consumer), "-o", str(program), *wanted])
            print(must([str(program)], env=environment_of(prefix)))
            linked = must(["ldd", str(program)], env=environment_of(prefix))
            if ("libmemwatch" in linked) != (kind != "static"):
                sys.exit(f"wrong kind of library linked:\n{linked}")


def as_subproject(source: Path, consumer: Path, folder: Path) -> None:
    project = folder / "project"
    copy = project / "subprojects" / "memwatch"
    copy.mkdir(parents=True)
    for part in ("include", "src", "meson.build", "meson_options.txt"):
        (shutil.copytree if (source / part).is_dir() else shutil.copy)(source / part, copy / part)
    for part in ("tests", "examples"):  # only what meson reads to skip them
        (copy / part).mkdir()
        shutil.copy(source / part / "meson.build", copy / part)
    shutil.copytree(source / "tests" / "support", copy / "tests" / "support")
    shutil.copytree(source / "tests" / "fuzz", copy / "tests" / "fuzz")
    shutil.copy(consumer, project / "consumer.cpp")
    (project / "meson.build").write_text(MESON, encoding="utf-8")
    must(["meson", "setup", str(project / "build"), str(project), "--buildtype=plain"])
    must(["ninja", "-C", str(project / "build"), "consumer"])
    print(must([str(project / "build" / "consumer")]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["shared", "static", "serve", "subproject"])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--consumer", type=Path, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memwatch-install-") as folder:
        if arguments.kind == "subproject":
            as_subproject(arguments.source, arguments.consumer, Path(folder))
        else:
            with_pkg_config(arguments.kind, arguments.build, arguments.consumer, Path(folder))


main()
