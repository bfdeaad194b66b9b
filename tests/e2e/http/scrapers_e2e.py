# SPDX-License-Identifier: Apache-2.0
"""What pulls profiles can pull ours: the rules of Parca and of Grafana Alloy (Pyroscope), held against a service's answers.

    scrapers_e2e.py LEAKY FOLDER_OF_CONFIGURATIONS

Neither is a Debian package, so their rules are checked instead, as they stand in their sources: what Parca refuses of a profile
(pkg/normalizer/validate.go), what it does with an answer (pkg/scrape/scrape.go), what Alloy refuses of one
(internal/component/pyroscope/scrape/validate.go) and takes differences of (delta_profiles.go), and which profiles both pull unless
told otherwise. `go tool pprof` reads the same profiles with the parser both use: http_e2e.py, part pprof.
"""
import gzip
import http.client
import os
import re
import subprocess
import sys
import time

LEAKY, CONFIGURATIONS = map(os.path.abspath, sys.argv[1:3])
PULLED_BY_DEFAULT = {"memory", "block", "goroutine", "mutex", "process_cpu"}
DIFFERENCES = ("alloc_objects", "alloc_space")


def check(holds, what):
    if not holds:
        raise AssertionError(what)


# --- profile.proto, as far as it is needed

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """(number, value) of a message: an int or bytes."""
    at, out = 0, []
    while at < len(data):
        key, at = varint(data, at)
        check(key & 7 in (0, 2), f"wire type {key & 7} is in no profile")
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
            check(len(value) == length, "a field goes beyond the end")
        out.append((key >> 3, value))
    return out


def numbers(values):
    """A repeated number, packed or not."""
    out = []
    for value in values:
        if isinstance(value, int):
            out.append(value)
            continue
        at = 0
        while at < len(value):
            number, at = varint(value, at)
            out.append(number)
    return [number - (1 << 64) if number >> 63 else number for number in out]


class Message:
    def __init__(self, data):
        self.all = fields(data)

    def many(self, number):
        return [value for each, value in self.all if each == number]

    def one(self, number, otherwise=0):
        found = self.many(number)
        return found[-1] if found else otherwise


class Profile:
    def __init__(self, data):
        top = Message(data)
        self.types = [Message(each) for each in top.many(1)]
        self.samples = [Message(each) for each in top.many(2)]
        self.mappings = [Message(each) for each in top.many(3)]
        self.locations = [Message(each) for each in top.many(4)]
        self.functions = [Message(each) for each in top.many(5)]
        self.strings = [each.decode() for each in top.many(6)]
        self.comments = [self.strings[each] for each in numbers(top.many(13))]
        self.top = top

    def text(self, index):
        check(0 <= index < len(self.strings), f"string {index} of {len(self.strings)}")
        return self.strings[index]

    def type_names(self):
        return [(self.text(each.one(1)), self.text(each.one(2))) for each in self.types]

    def amounts(self):
        """What Alloy takes differences by: the stack's addresses and the labels, and the values of it."""
        out = {}
        addresses = {each.one(1): each.one(3) for each in self.locations}
        for sample in self.samples:
            labels = tuple(sorted((self.text(Message(each).one(1)), self.text(Message(each).one(2)), Message(each).one(3))
                                  for each in sample.many(3)))
            key = (tuple(addresses[each] for each in numbers(sample.many(1))), labels)
            values = numbers(sample.many(2))
            out[key] = [a + b for a, b in zip(out.get(key, [0] * len(values)), values)]
        return out


def check_as_parca(profile):
    check(profile.strings[0] == "", "the first string is empty")
    for what, table in (("mapping", profile.mappings), ("function", profile.functions), ("location", profile.locations)):
        check([each.one(1) for each in table] == list(range(1, len(table) + 1)), f"{what} ids are not sequential from 1")
    for mapping in profile.mappings:
        profile.text(mapping.one(5)), profile.text(mapping.one(6))
    for function in profile.functions:
        profile.text(function.one(2)), profile.text(function.one(3)), profile.text(function.one(4))
    for location in profile.locations:
        check(location.one(2) <= len(profile.mappings), "a location's mapping is not there")
        for line in location.many(4):
            check(Message(line).one(1) <= len(profile.functions), "a line's function is not there")
    check(profile.types, "no sample types")
    for sample in profile.samples:
        check(len(numbers(sample.many(2))) == len(profile.types), "a value for each type")
        check(all(0 < each <= len(profile.locations) for each in numbers(sample.many(1))), "a sample's location is not there")
        for label in map(Message, sample.many(3)):
            check(label.one(1) != 0, "a label without a key")
            profile.text(label.one(1)), profile.text(label.one(2))
    # Would be parsed as "elfType;offset;vaddr", one for each mapping.
    check(not any(each.startswith("executableInfo=") for each in profile.comments), f"{profile.comments}")


def check_as_alloy(status, headers, body):
    check(status == 200 and body, f"{status} {body[:200]}")
    check(headers.get("Content-Type", "").startswith("application/octet-stream"), f"{headers}")
    check(body[:2] == b"\x1f\x8b", "gzip, and neither HTML nor JSON")


class Service:
    def __init__(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")}
        environment.update(MEMWATCH_LISTEN="127.0.0.1:0", MEMWATCH_INTERVAL="64KiB")
        self.process = subprocess.Popen([LEAKY, "--leak-mib-per-s=8", "--seconds=300"], stdout=subprocess.PIPE, text=True, env=environment)
        self.address = self.process.stdout.readline().strip().removeprefix("http://").removesuffix("/debug/memtrace")

    def pull(self, target):
        while True:
            connection = http.client.HTTPConnection(self.address, timeout=30)
            connection.request("GET", target, headers={"User-Agent": "conprof/1", "Accept-Encoding": "gzip"})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 429:
                return answer.status, dict(answer.getheaders()), body
            time.sleep(float(answer.headers["Retry-After"]))


def check_profile(service, target):
    status, headers, body = service.pull(target)
    check_as_alloy(status, headers, body)
    profile = Profile(gzip.decompress(body))
    check_as_parca(profile)
    return profile


def paths_in(name):
    """Which profiles are pulled, and from where."""
    with open(os.path.join(CONFIGURATIONS, name), encoding="ascii") as file:
        text = file.read()
    if name.endswith(".yaml"):
        import yaml  # pylint: disable=import-outside-toplevel
        job, = yaml.safe_load(text)["scrape_configs"]
        seconds = [int(job[each].removesuffix("s")) for each in ("scrape_interval", "scrape_timeout")]
        check(seconds[1] > seconds[0], "Parca wants a timeout above the interval")
        profiles = job["profiling_config"]["pprof_config"]
        kept = {(each["type"], each["unit"]) for each in profiles["memory"]["keep_sample_type"]}
        check(kept == {("inuse_space", "bytes"), ("inuse_objects", "count")}, f"{kept}")
        return {each: how.get("path") if how["enabled"] else None for each, how in profiles.items()}
    blocks = re.findall(r"profile\.(\w+) \{([^}]*)\}", text)
    check(text.count("{") == text.count("}"), "braces")
    return {each: re.search(r'path\s+= "([^"]+)"', body).group(1) if "enabled = true" in body else None for each, body in blocks}


def wait_for_samples(service):
    """The service has just begun: with R = 1 MiB the first sample comes by chance."""
    deadline = time.monotonic() + 20
    while not check_profile(service, "/debug/pprof/heap").samples:
        check(time.monotonic() < deadline, "a service that allocates has samples")
        time.sleep(0.1)


def main():
    service = Service()
    try:
        wait_for_samples(service)
        for name in ("parca.yaml", "pyroscope.alloy"):
            paths = paths_in(name)
            check(set(paths) == PULLED_BY_DEFAULT, f"{name}: what it does not name is pulled all the same: {PULLED_BY_DEFAULT - set(paths)}")
            pulled = {each: path for each, path in paths.items() if path}
            check(set(pulled) == {"memory"}, f"{name}: {pulled}")
            for path in pulled.values():
                check_profile(service, path)
        for target in ("/debug/pprof/heap", "/debug/pprof/allocs", "/debug/pprof/heap?debug=0", "/debug/pprof/allocs?gc=1"):
            profile = check_profile(service, target)
            check(profile.type_names() == [("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes")],
                  f"Go's types in Go's order: {profile.type_names()}")
            check(profile.samples and all(v >= 0 for values in profile.amounts().values() for v in values), "amounts of a whole profile")
        window = check_profile(service, "/debug/pprof/allocs?seconds=1")
        check(window.top.one(10) >= 900_000_000, "a window says how long it was")
        before = check_profile(service, "/debug/pprof/allocs")
        time.sleep(1)
        after = check_profile(service, "/debug/pprof/allocs")
        names = [name for name, _ in after.type_names()]
        grown = 0
        for key, old in before.amounts().items():
            new = after.amounts().get(key)
            for name in DIFFERENCES:
                i = names.index(name)
                if old[i] == 0:
                    continue  # what is in use only: an example may give way to another
                check(new is not None and new[i] >= old[i], f"{name} of {key} went down: a difference would be nonsense")
                grown += new[i] - old[i]
        check(grown > 0, "a leak allocates")
        check(service.pull("/debug/pprof/goroutine")[0] == 404, "what is not there is said to be so, not answered with a page")
    finally:
        service.process.terminate()
        service.process.wait()
        service.process.stdout.close()
    print("Parca and Alloy would take each of these")


main()
