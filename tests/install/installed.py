# SPDX-License-Identifier: Apache-2.0
"""What `meson install` puts down, moved elsewhere: as a package, a container image or a tarball is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict


class Tree:
    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.descriptions = next(prefix.rglob("memwatch.pc")).parent
        self.libraries = next(prefix.rglob("libmemwatch.a")).parent
        self.serves = (self.descriptions / "memwatch-serve.pc").is_file()
        self.version = next(line.split()[1] for line in (self.descriptions / "memwatch.pc").read_text(encoding="utf-8").splitlines()
                            if line.startswith("Version:"))

    @property
    def environment(self) -> Dict[str, str]:
        return {**os.environ, "PKG_CONFIG_PATH": str(self.descriptions), "LD_LIBRARY_PATH": str(self.libraries)}

    def without_shared_libraries(self) -> "Tree":
        """A copy that plays an installation of the static libraries alone."""
        copy = self.prefix.with_name(self.prefix.name + "-static")
        shutil.copytree(self.prefix, copy, symlinks=True)
        for library in copy.rglob("libmemwatch*.so*"):
            library.unlink()
        return Tree(copy)


def install(build: Path, folder: Path) -> Tree:
    """`folder`/moved is the prefix afterwards, and nothing is left where it was installed."""
    root = folder / "root"
    done = subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--quiet"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "DESTDIR": str(root)}, check=False)
    if done.returncode != 0:
        print(done.stdout)
        sys.exit("meson install failed")
    found = list(root.rglob("memwatch.hpp"))
    if len(found) != 1:
        sys.exit(f"expected one memwatch.hpp under {root}, found {found}")
    prefix = found[0].parents[2]  # prefix/include/memwatch/memwatch.hpp
    moved = folder / "moved"
    shutil.move(str(prefix), str(moved))
    left = [str(path) for path in root.rglob("*") if not path.is_dir()]
    if left:
        sys.exit(f"installed outside of the prefix: {left}")
    for description in moved.rglob("*.pc"):  # a build folder of before pkgconfig.relocatable was the project's default
        text = description.read_text(encoding="utf-8")
        if text.startswith("prefix=/"):
            print(f"{description.name} is not relocatable in this build folder (meson configure -Dpkgconfig.relocatable=true)")
            way = os.path.relpath(moved, description.parent)
            description.write_text("prefix=${pcfiledir}/" + way + "\n" + text.split("\n", 1)[1], encoding="utf-8")
    return Tree(moved)
