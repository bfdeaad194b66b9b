# SPDX-License-Identifier: Apache-2.0
"""What can be checked of docs/packaging without vcpkg and Conan: the files parse, and say what meson.build says.

    recipes.py ROOT
"""

import json
import re
import sys
from pathlib import Path
from typing import List

# What meson.build asks for -> (vcpkg port, Conan package); None: comes with the system, or belongs to the command, which they leave out.
DEPENDENCIES = {
    "boost": ("boost-lockfree", "boost"), "fmt": ("fmt", "fmt"), "zlib": ("zlib", "zlib"), "tl/expected.hpp": ("tl-expected", "tl-expected"),
    "protozero/pbf_writer.hpp": ("protozero", "protozero"), "rapidjson/reader.h": ("rapidjson", "rapidjson"),
    "prometheus-cpp-core": ("prometheus-cpp", "prometheus-cpp"),
    "threads": None, "CLI11": None, "libdw": None, "libzstd": None, "yaml-cpp": None, "libdeflate": None, "sys/sdt.h": None, "RapidJSON": None,
}
# Meson's own.
BUILT_IN = {"cpp_std", "default_library"}


def meson_facts(root: Path):
    text = (root / "meson.build").read_text(encoding="utf-8")
    code = re.sub(r"#.*", "", text)
    version = re.search(r"version: '([^']+)'", code).group(1)
    wanted = set(re.findall(r"\bdependency\('([^']+)'", code)) | set(re.findall(r"has_header\('([^']+)'", code))
    options = set(re.findall(r"^option\('([^']+)'", (root / "meson_options.txt").read_text(encoding="utf-8"), re.MULTILINE))
    return version, wanted, options


def check(root: Path) -> List[str]:
    version, wanted, options = meson_facts(root)
    complaints = [f"meson.build asks for {name}, of which tests/install/recipes.py does not know where it comes from" for name in sorted(wanted - set(DEPENDENCIES))]
    manifest = json.loads((root / "docs/packaging/vcpkg/memwatch/vcpkg.json").read_text(encoding="utf-8"))
    portfile = (root / "docs/packaging/vcpkg/memwatch/portfile.cmake").read_text(encoding="utf-8")
    recipe = (root / "docs/packaging/conan/conanfile.py").read_text(encoding="utf-8")
    compile(recipe, "conanfile.py", "exec")
    if manifest["version"] != version:
        complaints.append(f"vcpkg.json says version {manifest['version']}, meson.build {version}")
    if f'version = "{version}"' not in recipe:
        complaints.append(f"conanfile.py does not say version {version}")
    ports = manifest["dependencies"] + manifest["features"]["serve"]["dependencies"]
    ports = {port if isinstance(port, str) else port["name"] for port in ports}
    packages = set(re.findall(r'requires\("([^/"]+)/', recipe))
    for name, known in DEPENDENCIES.items():
        if known is not None and known[0] not in ports:
            complaints.append(f"vcpkg.json does not depend on {known[0]}, which meson.build asks for as {name}")
        if known is not None and known[1] not in packages:
            complaints.append(f"conanfile.py does not require {known[1]}, which meson.build asks for as {name}")
    used = set(re.findall(r"-D(\w+)=", portfile))
    used |= set(re.findall(r"(\w+)=", re.search(r"project_options\.update\((.*?)\)\n", recipe, re.DOTALL).group(1).replace("==", "")))
    complaints += [f"docs/packaging sets the option {name}, which meson_options.txt does not have" for name in sorted(used - options - BUILT_IN)]
    if re.findall(r"\(", portfile) and portfile.count("(") != portfile.count(")"):
        complaints.append("portfile.cmake: parentheses do not match")
    return complaints


if __name__ == "__main__":
    found = check(Path(sys.argv[1]))
    print("\n".join(found) or "ok")
    sys.exit(1 if found else 0)
