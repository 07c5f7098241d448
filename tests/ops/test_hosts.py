"""Two hosts share one database and one Redis over a network that fails one of them: nothing is done twice, and nothing waits for the lost host.

Hosts are network namespaces: `core` has the servers, the API, the simulator and this test; `a` and `b` have workers and a cable to it.
Addresses, routes and links exist in the namespaces only. Needs root. HOSTS_ROUNDS says how many cuts to make (1); a round takes some twenty seconds.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
for folder in ("tests", "tests/pipeline"):
    sys.path.insert(0, str(ROOT / folder))

from invariants import all_judged, assert_consistent, open_work  # noqa: E402
from processes import Process  # noqa: E402
from system import Simulator, System, report, until  # noqa: E402

CLONE_NEWNET = 0x40000000
CORE_ADDRESS = "10.77.0.1"
HOSTS = ("a", "b")
QUEUES = "fetch,judge,geocode,history,notify,default"
INTERVAL, LEASE = 2, 8  # seconds
# What a session of a lost host may live: src/store/db_connect.c has the server notice within 20 s.
SESSION_SECONDS = 20
SLACK = 40.0  # seconds that a busy machine may add
# A host has two requests under way at most, each for 16 trackers and, as Apple is slow, for most of the interval: whoever comes first leaves the
# third batch, and an account for it, to the other. So both hosts work, however the processors are shared out.
KEYS, SLOW = 16, 1.5
TAGS, ACCOUNTS = 3 * KEYS, 4
ROUNDS = int(os.environ.get("HOSTS_ROUNDS", "1"))

# Every moment at which a tracker was fetched, as the database saw it.
FETCH_LOG = """
    CREATE TABLE fetch_log (tracker_id bigint, at timestamptz);
    CREATE FUNCTION log_fetch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS
        $$ BEGIN INSERT INTO fetch_log VALUES (NEW.id, NEW.last_fetched_at); RETURN NULL; END $$;
    CREATE TRIGGER log_fetch AFTER UPDATE OF last_fetched_at ON trackers FOR EACH ROW
        WHEN (NEW.last_fetched_at IS DISTINCT FROM OLD.last_fetched_at) EXECUTE FUNCTION log_fetch()"""


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def enter(namespace: int) -> None:
    """Move this thread, and whatever it starts from now on, into the network namespace of an open file."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns: " + os.strerror(ctypes.get_errno()))


class Network:
    """The namespaces and the cables between them. Use as a context manager; within it this thread is in `core`."""

    def __init__(self) -> None:
        self.names = {name: f"tracker-{os.getpid()}-{name}" for name in ("core", *HOSTS)}

    def __enter__(self) -> Network:
        self.home = open("/proc/thread-self/ns/net")
        try:
            for name in self.names.values():
                ip("netns", "add", name)
                ip("-n", name, "link", "set", "lo", "up")
            core = self.names["core"]
            ip("-n", core, "address", "add", f"{CORE_ADDRESS}/32", "dev", "lo")
            for number, host in enumerate(HOSTS, 1):
                far = self.names[host]
                ip("-n", core, "link", "add", f"to-{host}", "type", "veth", "peer", "name", "cable", "netns", far)
                ip("-n", core, "address", "add", f"10.77.{number}.1/30", "dev", f"to-{host}")
                ip("-n", far, "address", "add", f"{self.address(host)}/30", "dev", "cable")
                ip("-n", core, "link", "set", f"to-{host}", "up")
                ip("-n", far, "link", "set", "cable", "up")
                ip("-n", far, "route", "add", "default", "via", f"10.77.{number}.1")
            with open(f"/run/netns/{core}") as namespace:
                enter(namespace.fileno())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        enter(self.home.fileno())
        self.home.close()
        for name in self.names.values():
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)

    @staticmethod
    def address(host: str) -> str:
        return f"10.77.{HOSTS.index(host) + 1}.2"

    def prefix(self, host: str) -> tuple[str, ...]:
        """What a command is put behind to run on the host."""
        return ("ip", "netns", "exec", self.names[host])

    def cable(self, host: str, state: str) -> None:
        ip("-n", self.names["core"], "link", "set", f"to-{host}", state)


def refusal() -> str:
    """Why there can be no namespaces here; empty when there can."""
    if os.getuid() != 0:
        return "network namespaces can be made by root only"
    probe = f"tracker-{os.getpid()}-probe"
    try:
        ip("netns", "add", probe)
        ip("-n", probe, "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", probe)
    except OSError as refused:
        return f"network namespaces cannot be made here: {refused}"
    finally:
        subprocess.run(["ip", "netns", "delete", probe], capture_output=True)
    return ""


@pytest.fixture
def network() -> Iterator[Network]:
    why = refusal()
    if why:
        pytest.skip(why)
    with Network() as made:
        yield made


@pytest.fixture
def system(network: Network) -> Iterator[System]:
    # Not pytest's own folder: another pytest that starts takes the database user's right to enter it away.
    folder = Path(tempfile.mkdtemp(prefix="tracker-"))
    folder.chmod(0o711)
    try:
        with Simulator("--host", "0.0.0.0", "--limits", "generous", "--seed", "hosts", "--density", "0") as sim:
            sim.apple = f"http://{CORE_ADDRESS}:{sim.apple_port}"
            sim.anisette = f"http://{CORE_ADDRESS}:{sim.anisette_port}"
            made = System(
                folder,
                sim,
                {
                    "FETCH_INTERVAL": f"{INTERVAL}s",
                    "FETCH_LEASE": f"{LEASE}s",
                    "FETCH_KEYS_PER_REQUEST": str(KEYS),
                    "TASK_LEASE": "5s",
                    "LOG_LEVEL": "info",
                },
            )
            plain = json.loads(made.profile_file.read_text()) | {"allow_plain_http": True}
            made.profile_file.write_text(json.dumps(plain))
            access = folder / "pg_hba.conf"
            access.write_text("local all all trust\nhost all all 10.77.0.0/16 trust\n")
            made.stack.postgres.settings |= {"listen_addresses": CORE_ADDRESS, "hba_file": str(access)}
            with made:
                redis = made.stack.redis
                for words in (("protected-mode", "no"), ("bind", CORE_ADDRESS), ("port", "6379")):
                    assert redis.command("CONFIG", "SET", *words) == "OK"
                made.stack.add_town()
                made.db.execute(FETCH_LOG)
                yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start_worker(system: System, network: Network, host: str) -> Process:
    remote = {
        "DATABASE_URL": f"postgresql://worker_login@{CORE_ADDRESS}/tracker",
        "REDIS_URL": f"redis://{CORE_ADDRESS}:6379/0",
    }
    name = f"worker-{host}"
    return Process(system.stack, name, "worker", f"--queues={QUEUES}", settings=remote, prefix=network.prefix(host))


def prepare(system: System) -> None:
    client, run = system.add_run("hosts")
    places = {"storage": (52.5, 13.4), "delivery": (48.1, 11.6)}
    ids = []
    for kind, (latitude, longitude) in places.items():
        center = {"latitude": latitude, "longitude": longitude}
        place = {"client_id": client, "name": kind, "center": center, "radius_m": 200}
        ids.append(system.call("POST", f"/{kind}-locations", 201, json=place)["id"])
    system.call("PUT", f"/production-runs/{run}/locations", json={"location_ids": ids})
    tags = [system.sim.tag(id=f"tag-{n}") | {"name": f"tag-{n}"} for n in range(TAGS)]
    system.import_tags(client, run, tags)


def working(system: System, process: Process, since: object) -> bool:
    """Has this worker asked Apple with success since then?"""
    assert process.alive(), process.log.read_text()[-2000:]
    return system.one(
        "SELECT count(*) FROM fetch_batches WHERE result = 'ok' AND started_at > %s AND worker LIKE %s",
        since,
        f"%:{process.process.pid}:%",
    )


def all_seen(system: System, minutes_ago: float, latitude: float, longitude: float) -> int:
    """Every tag is seen once more; how many reports there will then be."""
    known = system.one("SELECT count(*) FROM location_reports")
    for tag in range(TAGS):
        report(system.sim, f"tag-{tag}", minutes_ago, latitude, longitude)
    return known + TAGS


def judged(system: System, reports: int) -> bool:
    return system.one("SELECT count(*) FROM location_reports") == reports and all_judged(system.db)


def lose_a_host(system: System, network: Network, lost: Process, other: Process, minutes_ago: float) -> None:
    cut = system.one("SELECT clock_timestamp()")
    held = system.rows("SELECT id FROM trackers WHERE lease_owner LIKE %s", f"%:{lost.process.pid}:%")
    network.cable("a", "down")
    reports = all_seen(system, minutes_ago, 48.1, 11.6)
    until(
        f"the other host takes over all trackers, {len(held)} of them leased by the lost one",
        lambda: system.one("SELECT min(last_fetched_at) FROM trackers") > cut,
        LEASE + INTERVAL + SLACK,
    )
    until("what was seen meanwhile is judged", lambda: judged(system, reports), LEASE + SESSION_SECONDS + SLACK)
    assert working(system, other, cut) and not working(system, lost, cut)
    until(
        "the database ends the sessions of the lost host, and so lets its locks go",
        lambda: not system.rows("SELECT FROM pg_stat_activity WHERE client_addr = %s::inet", network.address("a")),
        SESSION_SECONDS + SLACK,
    )
    back = system.one("SELECT clock_timestamp()")
    network.cable("a", "up")
    until("the host that was lost works again", lambda: working(system, lost, back), SLACK + 60)


def test_a_host_that_is_cut_off_costs_nothing(system: System, network: Network) -> None:
    prepare(system)
    with start_worker(system, network, "a") as lost, start_worker(system, network, "b") as other:
        for number in range(ACCOUNTS):
            system.add_account(f"hosts{number}@example.com")
        system.sim.fault("slow", endpoint="fetch", params={"seconds": SLOW})
        start = system.one("SELECT clock_timestamp()")
        reports = all_seen(system, 300, 52.5, 13.4)
        until("both hosts fetch", lambda: working(system, lost, start) and working(system, other, start))
        until("what was seen is judged", lambda: judged(system, reports))
        for number in range(ROUNDS):
            lose_a_host(system, network, lost, other, 200 - 10 * number)
        reports = all_seen(system, 30, 52.5, 13.4)
        until("what was seen last is judged", lambda: judged(system, reports))
        until("nothing is left to do", lambda: not open_work(system.db))
        assert lost.stop() == 0 and other.stop() == 0
    check(system)


def check(system: System) -> None:
    assert_consistent(system.db)
    # First and last all were in the storage, and at the delivery location between: three entries, whoever judged them.
    entries = system.rows("SELECT tracker_id, count(*) FROM geofence_events WHERE kind = 'entry' GROUP BY 1")
    assert [n for _, n in entries] == [3] * TAGS, f"judged twice, or not at all: {entries}"
    pauses = defaultdict(list)
    for tracker, at in system.rows("SELECT tracker_id, at FROM fetch_log ORDER BY tracker_id, at"):
        pauses[tracker].append(at.timestamp())
    assert len(pauses) == TAGS
    assert shortest(pauses) >= INTERVAL, "a tracker was fetched twice in its interval"
    asked = defaultdict(list)
    for request in system.sim.call("GET", "/requests?endpoint=fetch"):
        asked[request["account"]].append(request["at"])
    assert shortest(asked) >= INTERVAL, "an account was used more often than it may be"


def shortest(moments: dict[object, list[float]]) -> float:
    return min(b - a for times in moments.values() for a, b in itertools.pairwise(sorted(times)))
