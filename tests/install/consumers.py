# SPDX-License-Identifier: Apache-2.0
"""Installs memwatch into a temporary folder, moves what was installed, and builds examples/consumers against it, the ways users do.

    consumers.py pkg-config|cmake|meson|subproject|first-hour --source ROOT --build BUILD

pkg-config: the Makefile, shared and static, each standard and compiler. cmake: one project with all four targets, and the static ones by
memwatch_USE_STATIC_LIBS; other versions are refused. meson: dependency() of what is installed, shared and static. subproject: the same
project with a copy of the tree in subprojects/. first-hour: the lines of the story "my project is CMake", as they stand there.
Every program is run. Exit 77: a tool or this build's libmemwatch-serve is missing.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

import installed

COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]


def must(command: List[str], fails_with: str = "", **options) -> str:
    """The command's output. With `fails_with` it has to fail, and say that."""
    print("+ " + " ".join(command), flush=True)
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if (done.returncode != 0) != bool(fails_with) or fails_with not in done.stdout:
        print(done.stdout)
        sys.exit(f"status {done.returncode}" + (f", and was to fail with '{fails_with}'" if fails_with else ""))
    return done.stdout.strip()


def run_program(program: Path, environment: Dict[str, str], is_shared: bool) -> None:
    print(must([str(program)], env=environment))
    linked = must(["ldd", str(program)], env=environment)
    if ("libmemwatch" in linked) != is_shared:
        sys.exit(f"{program.name} links the wrong kind of library:\n{linked}")


def with_pkg_config(tree: installed.Tree, consumers: Path) -> None:
    for compiler in COMPILERS:
        for standard in ("c++17", "c++20"):
            for static in ([], ["STATIC=1"]):
                make = ["make", "-s", "-C", str(consumers / "pkg-config"), f"CXX={compiler}",
                        f"CXXFLAGS=-std={standard} -Wall -Wextra -Werror", *static]
                programs = ["tracked"] + (["service"] if tree.serves and standard == "c++17" else [])
                must([*make, "clean"], env=tree.environment)
                must([*make, *programs], env=tree.environment)
                for program in programs:
                    run_program(consumers / "pkg-config" / program, tree.environment, not static)


def with_cmake(tree: installed.Tree, consumers: Path) -> None:
    project, build = consumers / "cmake", consumers / "cmake-build"
    configure = ["cmake", "-S", str(project), "-B", str(build), f"-DCMAKE_PREFIX_PATH={tree.prefix}"]
    if not tree.serves:
        must(configure, fails_with="This installation of memwatch has no 'serve'")
        sys.exit(77)
    for compiler in COMPILERS:
        for static in ("OFF", "ON"):
            shutil.rmtree(build, ignore_errors=True)
            must([*configure, f"-DCMAKE_CXX_COMPILER={compiler}", f"-Dmemwatch_USE_STATIC_LIBS={static}"])
            wanted = ["tracked", "service"] + (["tracked_static", "service_static"] if static == "OFF" else [])
            must(["cmake", "--build", str(build), "--target", *wanted])
            for program in wanted:
                run_program(build / program, tree.environment, static == "OFF" and "static" not in program)
    for version, is_found in {"0": True, "0.1": True, "0.1.0": True, "0.0": False, "0.2": False, "0.1.99": False, "1": False, "2": False}.items():
        find_version(tree, consumers / f"asks-for-{version}", version, is_found)


def find_version(tree: installed.Tree, project: Path, version: str, is_found: bool) -> None:
    project.mkdir()
    (project / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.16)\nproject(asks CXX)\n"
                                            f"find_package(memwatch {version} CONFIG REQUIRED)\n", encoding="utf-8")
    said = must(["cmake", "-S", str(project), "-B", str(project / "build"), f"-DCMAKE_PREFIX_PATH={tree.prefix}"],
                fails_with="" if is_found else f'compatible with requested version "{version}"')
    if not is_found and f"version: {tree.version}" not in " ".join(said.split()):
        sys.exit(f"CMake does not say which version there is:\n{said}")


def with_meson(tree: installed.Tree, consumers: Path) -> None:
    project = consumers / "meson"
    for static in ("false", "true"):
        build = consumers / f"meson-{static}"
        must(["meson", "setup", str(build), str(project), f"-Dstatic={static}", "--wrap-mode=nofallback"], env=tree.environment)
        must(["ninja", "-C", str(build)])
        for program in ["tracked"] + (["service"] if tree.serves else []):
            run_program(build / program, tree.environment, static == "false")


def as_subproject(source: Path, consumers: Path) -> None:
    """Statically: what is compiled is the same, and the program needs no library path."""
    project = consumers / "meson"
    copy = project / "subprojects" / "memwatch"
    copy.mkdir(parents=True)
    for part in ("include", "src", "meson.build", "meson_options.txt", "LICENSE"):
        (shutil.copytree if (source / part).is_dir() else shutil.copy)(source / part, copy / part)
    build = project / "build"
    nothing_installed = {**os.environ, "PKG_CONFIG_LIBDIR": "/usr/lib/pkgconfig", "PKG_CONFIG_PATH": ""}
    for name in ("zlib", "fmt", "prometheus-cpp-core"):  # as found, without a memwatch that might be installed
        nothing_installed["PKG_CONFIG_PATH"] += ":" + must(["pkg-config", "--variable=pcfiledir", name])
    must(["meson", "setup", str(build), str(project), "-Dstatic=true", "--buildtype=plain"], env=nothing_installed)
    must(["ninja", "-C", str(build), "tracked"])
    # Read rather than run: the serve half takes minutes to compile, and how it is linked is the point.
    link = must(["ninja", "-C", str(build), "-t", "commands", "-s", "service"])
    if "libmemwatch-serve.a" not in link or "libmemwatch.so" in link:
        sys.exit(f"static was asked for: {link}")
    run_program(build / "tracked", dict(os.environ), False)


def first_hour(tree: installed.Tree, consumers: Path) -> None:
    """Story S2: two lines of CMake, one of shell, no extra flags; only memwatch's names leave the library; version 2 is refused."""
    svc = consumers / "svc"
    svc.mkdir()
    shutil.copy(consumers / "tracked.cpp", svc / "a.cc")
    (svc / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.16)\nproject(svc CXX)\nadd_executable(svc a.cc)\n"
                                        "find_package(memwatch 0.1 CONFIG REQUIRED)\n"
                                        "target_link_libraries(svc PRIVATE memwatch::memwatch)\n", encoding="utf-8")
    for kind in (["-DCMAKE_BUILD_TYPE=Release"], ["-Dmemwatch_USE_STATIC_LIBS=ON"]):
        shutil.rmtree(svc / "build", ignore_errors=True)
        must(["cmake", "-S", str(svc), "-B", str(svc / "build"), f"-DCMAKE_PREFIX_PATH={tree.prefix}", *kind])
        must(["cmake", "--build", str(svc / "build")])
        run_program(svc / "build" / "svc", tree.environment, "STATIC" not in kind[0])
    must(["sh", "-c", "c++ a.cc $(pkg-config --cflags --libs memwatch)"], env=tree.environment, cwd=svc)
    run_program(svc / "a.out", tree.environment, True)
    alone = tree.without_shared_libraries()
    must(["sh", "-c", "c++ a.cc $(pkg-config --static --cflags --libs memwatch)"], env=alone.environment, cwd=svc)
    run_program(svc / "a.out", alone.environment, False)
    find_version(tree, consumers / "asks-for-2", "2", False)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["pkg-config", "cmake", "meson", "subproject", "first-hour"])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--build", type=Path, required=True)
    arguments = parser.parse_args()
    for tool in {"cmake": ["cmake", "make"], "first-hour": ["cmake", "make"], "pkg-config": ["make"]}.get(arguments.kind, []):
        if shutil.which(tool) is None:
            print(f"{tool} is not installed")
            sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="memwatch-install-") as folder:
        consumers = Path(folder) / "consumers"
        shutil.copytree(arguments.source / "examples" / "consumers", consumers)
        if arguments.kind == "subproject":
            as_subproject(arguments.source, consumers)
            return
        tree = installed.install(arguments.build, Path(folder))
        {"pkg-config": with_pkg_config, "cmake": with_cmake, "meson": with_meson, "first-hour": first_hour}[arguments.kind](tree, consumers)


main()
