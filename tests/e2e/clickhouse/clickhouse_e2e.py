# SPDX-License-Identifier: Apache-2.0
"""`memwatch export --format clickhouse` against a real server, with the queries a fleet's owner asks.

    clickhouse_e2e.py LEAKY MEMWATCH FOLDER_OF_QUERIES [size PRELOAD]

A fleet is made of one real service: its dump, with a leak that was judged, is the template of 40 replicas on two builds over three
hours. On the new build the leak grows, on the old one it is there and does not; a cache grows alike on both. Amounts have the noise
that their standard errors say. Which row each query must give is known, and nothing else may come.

size    prints what docs/fleet.md says of bytes: the 200 largest sites of a real program, from 50 replicas, 24 times.
"""
import contextlib
import copy
import glob
import gzip
import http.client
import json
import math
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

LEAKY, MEMWATCH, QUERIES = map(os.path.abspath, sys.argv[1:4])
IS_SIZE = sys.argv[4:5] == ["size"]
PATIENCE_SECONDS = 60
MIB = 1 << 20
HOUR = 3600
START = 1_795_348_800  # 2026-11-22 12:00:00 UTC
NEW, OLD = "a" * 40, "b" * 40
REPLICAS = 20
LEAK_PER_HOUR, CACHE_PER_HOUR = 24 * MIB, 40 * MIB
FROM, UNTIL = "2026-11-22 12:00:00", "2026-11-22 15:30:00"


def check(holds, what):
    if not holds:
        raise AssertionError(what)


def need(program):
    if shutil.which(program) is None:
        print(f"SKIP: {program} is not installed")
        sys.exit(77)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def clickhouse(folder):
    http_port, tcp_port = free_port(), free_port()
    for name in ("data", "tmp", "format"):
        os.makedirs(os.path.join(folder, name))
    with open(os.path.join(folder, "config.xml"), "w", encoding="ascii") as file:
        file.write(f"""<yandex>
<logger><level>error</level><log>{folder}/log</log><errorlog>{folder}/errors</errorlog></logger>
<http_port>{http_port}</http_port><tcp_port>{tcp_port}</tcp_port><listen_host>127.0.0.1</listen_host>
<path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path><format_schema_path>{folder}/format/</format_schema_path>
<users_config>{folder}/users.xml</users_config><mark_cache_size>67108864</mark_cache_size><timezone>UTC</timezone>
<default_profile>default</default_profile><default_database>default</default_database>
</yandex>""")
    with open(os.path.join(folder, "users.xml"), "w", encoding="ascii") as file:
        file.write("""<yandex><profiles><default><max_memory_usage>6000000000</max_memory_usage></default></profiles>
<users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
<quotas><default/></quotas></yandex>""")
    with open(os.path.join(folder, "out"), "w", encoding="ascii") as out:
        server = subprocess.Popen(["clickhouse-server", f"--config-file={folder}/config.xml"], stdout=out, stderr=out, cwd=folder)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                ask(http_port, "SELECT version()")
                break
            except OSError:
                check(server.poll() is None and time.monotonic() < until, "the server did not come up: " + open(f"{folder}/out", encoding="utf-8").read())
                time.sleep(0.2)
        yield http_port, tcp_port
    finally:
        end(server)


def tell(port, query):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/", body=query)
    answer = connection.getresponse()
    body = answer.read().decode()
    check(answer.status == 200, f"{query}\n{body}")
    return body


def ask(port, query):
    """The rows of the answer, by column."""
    return json.loads(tell(port, query.rstrip() + "\nFORMAT JSON\n"))["data"]


def named_query(name, **words):
    words = {"FROM": FROM, "UNTIL": UNTIL, **words}
    with open(os.path.join(QUERIES, name), encoding="ascii") as file:
        text = "".join(line for line in file if not line.startswith("--"))
    for word, value in words.items():
        text = text.replace(f"'{word}'", f"'{value}'")
    left = re.findall(r"'[A-Z_]{4,}'", text)
    check(not left, f"{name}: nobody said what {left} is")
    return text


def template(folder):
    """A real service's dump, with its verdict, symbolized, without records."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")}
    environment.update(MEMWATCH_LISTEN="127.0.0.1:0", MEMWATCH_INTERVAL="16KiB", MEMWATCH_EPOCH="100ms")
    service = subprocess.Popen([LEAKY, "--leak-mib-per-s=8", "--seconds=300"], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        address = service.stdout.readline().strip().removeprefix("http://").removesuffix("/debug/memtrace")
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            check(time.monotonic() < until, "the leak was never judged")
            connection = http.client.HTTPConnection(address, timeout=20)
            connection.request("GET", "/debug/memtrace/snapshot?format=json&records=0")
            dump = json.loads(connection.getresponse().read())
            if any(each["class"] == "leak_retained" for each in dump["verdicts"]):
                break
            time.sleep(0.1)
    finally:
        end(service)
        service.stdout.close()
    path = os.path.join(folder, "template.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(dump, file)
    named = subprocess.run([MEMWATCH, "export", path, "--format", "json"], capture_output=True, text=True, check=True).stdout
    return json.loads(named)


def set_amount(site, level, draw):
    """A level as sampling shows it: R = 1 MiB, so the variance is about R times the bytes."""
    level = max(level, 1.0)
    error = math.sqrt(level * MIB)
    seen = max(draw.gauss(level, error), 0.0)
    site["live"].update(bytes=seen, objects=seen / 4096, bytes_variance=level * MIB, samples=max(int(seen / MIB), 1))
    site["allocated"].update(site["live"])
    return seen


def fleet(base, folder):
    draw = random.Random(22)
    leak = next(i for i, site in enumerate(base["sites"]) if base["tags"][site["tag"]]["name"] == "leaky/cache")
    cache_tag = len(base["tags"])
    base["tags"].append({**base["tags"][base["sites"][leak]["tag"]], "name": "order-cache"})
    base["sites"] = [base["sites"][leak], copy.deepcopy(base["sites"][leak])]
    base["sites"][1]["tag"] = cache_tag
    base["survivals"], base["examples"] = [], []
    said = next(each for each in base["verdicts"] if each["class"] == "leak_retained")
    for replica in range(2 * REPLICAS):
        build = NEW if replica % 2 == 0 else OLD
        for moment in range(4):
            dump = copy.deepcopy(base)
            info = dump["info"]
            info.update(host=f"host-{replica:03}", pid=1, session=f"{replica:032x}", started_unix_ns=START * 10**9,
                        taken_ns=(moment * HOUR + replica) * 10**9)
            for module in dump["modules"]:
                if module["path"] == info["executable"]:
                    module["build_id"] = build
            leaked = 100 * MIB + (LEAK_PER_HOUR * moment if build == NEW else 0)
            kept = 200 * MIB + CACHE_PER_HOUR * moment
            set_amount(dump["sites"][0], leaked, draw)
            set_amount(dump["sites"][1], kept, draw)
            for tag in dump["tags"]:
                amount = {"leaky/cache": leaked, "order-cache": kept}.get(tag["name"], 0)
                tag.update(allocated_bytes=amount, allocations=amount // 4096, freed_bytes=0, frees=0)
            # Replica 8 was accused, and acquitted since.
            is_accused = build == NEW and moment == (2 if replica == 8 else 3)
            dump["verdicts"] = [{**said, "index": 0}] if is_accused else []
            limit = 400 * MIB if replica == 6 else 4096 * MIB
            dump["activity"] = [{"name": "cgroup_limit_bytes", "value": limit}, {"name": "cgroup_bytes", "value": leaked + kept},
                                {"name": "cgroup_unreclaimable_bytes", "value": leaked + kept}]
            if replica == 4 and moment == 0:  # began with nothing of it
                del dump["sites"][0]
                dump["verdicts"] = []
            with open(os.path.join(folder, f"{replica:03}-{moment}.json"), "w", encoding="utf-8") as file:
                json.dump(dump, file)


def client(port, query, feed=None):
    done = subprocess.run(["clickhouse-client", "--port", str(port), "--multiquery", "--query", query], input=feed, capture_output=True,
                          text=True, check=False)
    check(done.returncode == 0, done.stderr)
    return done.stdout


def memwatch(*arguments, status=0):
    done = subprocess.run([MEMWATCH, *arguments], capture_output=True, text=True, check=False)
    check(done.returncode == status, f"{arguments} -> {done.returncode} {done.stderr}")
    return done.stdout


def near(value, wanted, tolerance):
    return abs(float(value) - wanted) <= tolerance * wanted


def check_answers(port):
    grows = ask(port, named_query("grows_in_build.sql", SERVICE="leaky", NEW_BUILD=NEW, OLD_BUILD=OLD))
    check([row["tag"] for row in grows] == ["leaky/cache"], f"not the leak alone: {grows}")
    check(grows[0]["function"] == "leaky::handle" and float(grows[0]["percent_growing"]) >= 80, str(grows))
    check(near(grows[0]["bytes_per_hour"], LEAK_PER_HOUR * (1 + 100 / 24 / 3 / REPLICAS), 0.25), f"{grows} is not {LEAK_PER_HOUR}")
    backwards = ask(port, named_query("grows_in_build.sql", SERVICE="leaky", NEW_BUILD=OLD, OLD_BUILD=NEW))
    check(backwards == [], f"the old build grows more: {backwards}")

    # One replica of the new build: no spread, and found all the same.
    tell(port, "CREATE TABLE memwatch.few AS memwatch.rows")
    tell(port, f"INSERT INTO memwatch.few SELECT * FROM memwatch.rows WHERE build != '{NEW}' OR session IN "
               f"(SELECT min(session) FROM memwatch.rows WHERE build = '{NEW}')")
    alone = ask(port, named_query("grows_in_build.sql", SERVICE="leaky", NEW_BUILD=NEW, OLD_BUILD=OLD).replace("memwatch.rows", "memwatch.few"))
    check([row["tag"] for row in alone] == ["leaky/cache"], f"one replica: {alone}")
    tell(port, "DROP TABLE memwatch.few")

    tags = ask(port, named_query("growth_by_tag.sql"))
    check([row["tag"] for row in tags] == ["order-cache", "leaky/cache"], str(tags))
    check(int(tags[0]["grew_bytes"]) == 2 * REPLICAS * 3 * CACHE_PER_HOUR, f"exact to the byte: {tags}")
    check(int(tags[1]["grew_bytes"]) == REPLICAS * 3 * LEAK_PER_HOUR, f"exact to the byte: {tags}")
    check(int(tags[0]["lives"]) == 2 * REPLICAS, str(tags))

    limits = ask(port, named_query("near_the_limit.sql"))
    check([row["host"] for row in limits] == ["host-006"], str(limits))
    check(float(limits[0]["percent_used"]) == round(100 * (172 + 320) / 400), str(limits))
    check(limits[0]["top_tag"] == "order-cache" and limits[0]["leaks"] == "leaky::handle", str(limits))

    leaks = ask(port, named_query("leaks.sql"))
    check([(row["function"], row["said"], int(row["replicas"])) for row in leaks] == [("leaky::handle", "leak_retained", REPLICAS - 1)], str(leaks))
    check(leaks[0]["first_since"].startswith("2026-11-22 12:"), str(leaks))


def rows_of_a_real_program(folder):
    environment = {**os.environ, "MEMWATCH_PRELOAD_LIBRARY": os.path.abspath(sys.argv[5])}
    program = [sys.executable, "-c", "import asyncio, decimal, http.client, json, sqlite3, unittest, xml.dom.minidom"]
    subprocess.run([MEMWATCH, "run", "-q", "--preset", "full", "--dump-dir", folder, "--", *program], env=environment, check=True,
                   stdin=subprocess.DEVNULL)
    dump = sorted(glob.glob(os.path.join(folder, "*.memtrace")), key=os.path.getsize)[-1]
    print(f"a dump of {os.path.getsize(dump):,} bytes")
    return [json.loads(line) for line in memwatch("export", dump, "--format", "clickhouse", "--top", "200").splitlines()]


def size():
    draw = random.Random(22)
    with tempfile.TemporaryDirectory(prefix="memwatch-clickhouse-") as folder:
        rows = rows_of_a_real_program(folder)
        text = "".join(json.dumps(row) + "\n" for row in rows).encode()
        print(f"{len(rows)} rows a dump, {len(text) / len(rows):,.0f} bytes a row as JSON, {len(gzip.compress(text, 1)) / len(rows):,.0f} gzipped")
        with clickhouse(os.path.join(folder, "server")) as (http_port, tcp_port):
            client(tcp_port, memwatch("export", "--format", "clickhouse", "--schema"))
            feed = subprocess.Popen(["clickhouse-client", "--port", str(tcp_port), "--max_insert_block_size", "65536", "--query", "INSERT INTO memwatch.rows FORMAT JSONEachRow"],
                                    stdin=subprocess.PIPE, text=True)
            begun = time.monotonic()
            for replica in range(50):
                session = f"{draw.getrandbits(128):032x}"
                for moment in range(24):
                    for row in rows:
                        row.update(host=f"host-{replica}", session=session, taken=START + moment * 300,
                                   taken_ns=(START + moment * 300) * 10**9, up_s=moment * 300.0)
                        for amount in ("live_bytes", "live_objects", "allocated_bytes", "freed_bytes", "samples"):
                            if amount in row:
                                row[amount] = max(1, int(row[amount] * draw.uniform(0.99, 1.02)))
                        feed.stdin.write(json.dumps(row) + "\n")
            feed.stdin.close()
            check(feed.wait() == 0, "the client failed")
            took = time.monotonic() - begun
            client(tcp_port, "OPTIMIZE TABLE memwatch.rows FINAL")
            parts = ask(http_port, "SELECT sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND table = 'rows'")[0]
            print(f"{int(parts['rows']):,} rows, {int(parts['bytes']) / int(parts['rows']):.1f} bytes a row on disk, "
                  f"{int(parts['bytes']) / 1200:,.0f} a dump; {took:.0f} s to make and insert")
            for name in sorted(os.listdir(QUERIES)):
                query = named_query(name, **({"SERVICE": rows[0]["service"], "NEW_BUILD": rows[0]["build"], "OLD_BUILD": OLD} if "build" in name else {}))
                begun = time.monotonic()
                ask(http_port, query)
                print(f"{name}: {time.monotonic() - begun:.2f} s")


def main():
    need("clickhouse-server")
    need("clickhouse-client")
    if IS_SIZE:
        return size()
    with tempfile.TemporaryDirectory(prefix="memwatch-clickhouse-") as folder:
        dumps = os.path.join(folder, "dumps")
        os.makedirs(dumps)
        fleet(template(folder), dumps)
        files = sorted(glob.glob(os.path.join(dumps, "*.json")))
        rows = memwatch("export", *files, "--format", "clickhouse", "--no-symbols")
        damaged = os.path.join(folder, "damaged.memtrace")
        with open(damaged, "w", encoding="ascii") as file:
            file.write("MWTR and nothing more")
        check(memwatch("export", files[0], damaged, "--format", "clickhouse", status=3).count('"kind": "dump"') == 1, "one is whole, one is not")
        with clickhouse(os.path.join(folder, "server")) as (http_port, tcp_port):
            for _ in range(2):  # again changes nothing
                client(tcp_port, memwatch("export", "--format", "clickhouse", "--schema"))
                client(tcp_port, "INSERT INTO memwatch.rows FORMAT JSONEachRow", rows)
                check_answers(http_port)
            known = {os.path.basename(path) for path in glob.glob(os.path.join(QUERIES, "*.sql"))}
            check(known == {"grows_in_build.sql", "growth_by_tag.sql", "near_the_limit.sql", "leaks.sql"}, f"untested queries: {known}")
            ask(http_port, "SELECT 1 AS one")
            client(tcp_port, "OPTIMIZE TABLE memwatch.rows FINAL")
            left = ask(http_port, "SELECT count() AS rows FROM memwatch.rows")[0]
            check(int(left["rows"]) == len(rows.splitlines()), f"{left} after merging, {len(rows.splitlines())} exported")
    print(f"{len(files)} dumps, {len(rows.splitlines())} rows: each query gave what it must")
    return None


main()
