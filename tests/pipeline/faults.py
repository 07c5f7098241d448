"""Breaks every part of a working system at random moments, and looks whether anything was lost, doubled or left behind.

Reports come in two ways while it goes on: from the simulator, whose time runs fast, through Apple accounts and fetchers; and by direct
import. Places are edited, trackers refreshed on demand, lists read. Meanwhile PostgreSQL, Redis, workers, the API and the simulator are
killed, stopped, stalled and started again. Afterwards everything is let come to rest, and the invariants must hold (invariants.py); judging
all reports from scratch must change nothing.

    var/venv/bin/python tests/pipeline/faults.py --minutes 5 [--seed N]       # the long form; tests/pipeline/test_faults.py is the short one
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
from invariants import Expected, Stored, assert_consistent, assert_reports, missing, open_work
from system import ServiceError, Simulator, System, Worker, until

SEEN_TAGS, IMPORTED_TRACKERS = 24, 30
WORKERS = 3
QUEUES = "fetch,judge,geocode,history,notify,default"
ACCOUNT, ACCOUNT_PASSWORD = "faults@example.com", "secret"
# What the simulated time runs through: less than the seven days that Apple keeps reports, so that all can be fetched at the end.
DAYS_BACK, DAYS_LONG = 6, 5
DENSITY = 0.2  # some 5 reports a tag and day
IMPORT_BATCH = 40


class Feed:
    """A simulator that can be killed and goes on where it was: same tags, same seed, same ports, same time."""

    def __init__(self, folder: Path, chance: random.Random, seconds: float) -> None:
        self.began = datetime.now(UTC) - timedelta(days=DAYS_BACK)
        self.speed = DAYS_LONG * 86400 / seconds
        self.seed = str(chance.random())
        self.file = folder / "tags.jsonl"
        self.places = [
            {"latitude": 50 + chance.random() * 3, "longitude": 8 + chance.random() * 4, "radius": 80, "kind": kind}
            for kind in ["storage"] * 2 + ["delivery"] * 4
        ]
        self.tags = []
        for n in range(SEEN_TAGS):
            key = base64.b64encode(b"\x01" + chance.randbytes(27)).decode()
            mine = [self.places[n % 2], *chance.sample(self.places[2:], 2)]
            tag = {"id": f"seen-{n}", "name": f"seen-{n}", "private_key": key, "start": self.began.isoformat()}
            self.tags.append(tag | {"places": mine, "pace": 0.05})
        self.file.write_text("".join(json.dumps(tag) + "\n" for tag in self.tags))
        self.ports: tuple[int, int] | None = None
        self.now = self.began
        self.sim = self.launch(speed=0)

    def launch(self, speed: float) -> Simulator:
        options = [
            "--tags-file",
            str(self.file),
            "--seed",
            self.seed,
            "--density",
            str(DENSITY),
            "--limits",
            "generous",
        ]
        options += [
            "--account",
            f"{ACCOUNT}:{ACCOUNT_PASSWORD}:none",
            "--start",
            self.now.isoformat(),
            "--speed",
            str(speed),
        ]
        if self.ports:
            options += ["--anisette-port", str(self.ports[0]), "--apple-port", str(self.ports[1])]
        sim = Simulator(*options)
        self.ports = sim.anisette_port, sim.apple_port
        return sim

    def clock(self, **change: float) -> None:
        answer = self.sim.call("PUT", "/clock", **change) if change else self.sim.call("GET", "/clock")
        self.now = datetime.fromtimestamp(answer["now_unix"], UTC)

    def crash(self) -> None:
        self.clock()
        self.sim.process.kill()
        self.sim.process.wait()
        time.sleep(0.2)
        self.sim = self.launch(self.speed)

    def reports(self, trackers: dict[str, int]) -> Expected:
        """What the report server holds at this moment, and what it ever will."""

        def read(items: list[dict]) -> set[Stored]:
            return {(trackers[r["tag"]], r["timestamp_unix"], r["lat_e7"], r["lon_e7"]) for r in items}

        certain, possible = set(), set()
        for tag in self.tags:
            certain |= read(self.sim.call("GET", f"/tags/{tag['id']}/visible")["items"])
            possible |= read(self.sim.call("GET", f"/tags/{tag['id']}/truth?from=-8d")["items"])
        return Expected(certain, possible)


class Load:
    """What goes on while things break: each part is a thread that tries again until it gets through."""

    def __init__(
        self, system: System, feed: Feed, imported: list[int], seen: list[int], locations: list[str], seed: int
    ) -> None:
        self.system, self.feed, self.imported, self.seen, self.locations = system, feed, imported, seen, locations
        self.seed = seed
        self.attempted: set[Stored] = set()
        self.acknowledged: set[Stored] = set()
        self.counts: Counter[str] = Counter()
        self.trouble: list[BaseException] = []
        self.over = threading.Event()
        self.threads = [
            threading.Thread(target=self.guard, args=(work,)) for work in (self.import_reports, self.edit, self.read)
        ]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(60)

    def guard(self, work: Callable[[random.Random], None]) -> None:
        try:
            work(random.Random(f"{self.seed} {work.__name__}"))
        except BaseException as error:
            self.trouble.append(error)

    def batch(self, chance: random.Random) -> list[Stored]:
        """Near the places and between them, of any time of the past days: late, out of order, now and then twice."""
        reports = []
        for _ in range(IMPORT_BATCH):
            place = chance.choice(self.feed.places)
            off = chance.choice([0, 0, 0.001, 0.003, 0.5])
            at = self.feed.began + timedelta(seconds=chance.randrange(DAYS_LONG * 86400))
            latitude, longitude = (
                round((place[k] + off * chance.uniform(-1, 1)) * 1e7) for k in ("latitude", "longitude")
            )
            reports.append((chance.choice(self.imported), int(at.timestamp()), latitude, longitude))
        return reports

    def import_reports(self, chance: random.Random) -> None:
        url = self.system.stack.postgres.url("tracker", user="worker_login")
        while not self.over.is_set():
            reports = self.batch(chance)
            self.attempted |= set(reports)
            # A batch is not given up: whether the last try took effect is unknown, and another one does no harm.
            while not self.store(url, reports):
                self.counts["imports tried again"] += 1
                if self.over.wait(0.1):
                    return
            self.acknowledged |= set(reports)
            self.counts["batches imported"] += 1
            time.sleep(0.2)

    @staticmethod
    def store(url: str, reports: list[Stored]) -> bool:
        try:
            with psycopg.connect(url, connect_timeout=5) as db:
                db.execute(STORE, tuple(map(list, zip(*reports, strict=True))))
            return True
        except psycopg.Error:
            return False

    def request(self, method: str, path: str, **options: object) -> httpx.Response | None:
        try:
            answer = self.system.api.request(method, path, timeout=10, **options)
        except httpx.HTTPError:
            self.counts["requests without an answer"] += 1
            return None
        assert answer.status_code < 500 or answer.status_code == 503, (
            f"{method} {path}: {answer.status_code} {answer.text}"
        )
        self.counts[f"{method} {'unavailable' if answer.status_code == 503 else answer.status_code}"] += 1
        return answer

    def edit(self, chance: random.Random) -> None:
        """Fences grow and shrink, which replays what they concern; trackers are asked for at once."""
        while not self.over.is_set():
            self.request("PATCH", chance.choice(self.locations), json={"radius_m": chance.choice([100, 250, 400])})
            time.sleep(0.5)
            self.request("POST", f"/trackers/{chance.choice(self.seen)}/refresh")
            time.sleep(0.5)

    def read(self, chance: random.Random) -> None:
        while not self.over.is_set():
            answer = self.request(
                "GET", chance.choice(["/trackers?limit=100", "/search?q=seen", "/geocoding/search?q=Berlin"])
            )
            if answer is not None and answer.status_code == 200:
                answer.json()
            time.sleep(0.1)


STORE = """
    WITH r AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::integer[], %s::integer[]) AS r (tracker, at, lat, lon))
    SELECT store_reports(array_agg(tracker), array_agg(to_timestamp(at)), array_agg(lat / 1e7::float8), array_agg(lon / 1e7::float8),
                         array_agg(20::real), array_agg(2::smallint), array_agg(0::smallint), array_agg(NULL::bigint),
                         array_agg(false), true) FROM r"""


class FaultRun:
    """One run: a system, its load, and what breaks it. `told` are the faults in their order."""

    def __init__(self, folder: Path, seed: int, seconds: float) -> None:
        self.seed, self.seconds = seed, seconds
        self.chance = random.Random(seed)
        self.feed = Feed(folder, self.chance, seconds)
        settings = {
            "FETCH_CYCLE": "2s",
            "FETCH_INTERVAL": "2s",
            "LOG_LEVEL": "info",
            "WORKER_STOP": "8s",
            "FETCH_LEASE": "8s",
        }
        self.system = System(folder, self.feed.sim, settings)
        # Killing the server is no crash of the machine, but must not forget what it acknowledged.
        self.system.stack.postgres.settings["synchronous_commit"] = "on"
        self.told: list[str] = []

    @contextlib.contextmanager
    def running(self) -> Iterator[FaultRun]:
        try:
            with self.system:
                self.prepare()
                yield self
        finally:
            self.feed.sim.__exit__()

    def prepare(self) -> None:
        system = self.system
        system.stack.add_town()
        client, run = system.add_run("faults")
        self.locations = []
        ids = []
        for n, place in enumerate(self.feed.places):
            path = f"/{place['kind']}-locations"
            center = {"latitude": place["latitude"], "longitude": place["longitude"]}
            made = system.call(
                "POST", path, 201, json={"client_id": client, "name": f"place {n}", "center": center, "radius_m": 250}
            )
            ids.append(made["id"])
            self.locations.append(f"{path}/{made['id']}")
        system.call("PUT", f"/production-runs/{run}/locations", json={"location_ids": ids})
        names = [
            {"name": f"imported-{n}", "private_key": base64.b64encode(b"\x02" + os.urandom(27)).decode()}
            for n in range(IMPORTED_TRACKERS)
        ]
        trackers = system.import_tags(client, run, self.feed.tags + names)
        self.seen = {name: id for name, id in trackers.items() if name.startswith("seen-")}
        self.imported = [id for name, id in trackers.items() if name.startswith("imported-")]
        for _ in range(WORKERS):
            system.start_worker(QUEUES)
        body = {"name": ACCOUNT, "username": ACCOUNT, "password": ACCOUNT_PASSWORD}
        account = system.call("POST", "/apple-accounts", 201, json=body)["id"]
        result = system.task(system.start_task(f"/apple-accounts/{account}/sign-in"))
        assert result["status"] == "ready", result

    # ---- what breaks

    def some_worker(self) -> int:
        return self.chance.randrange(len(self.system.workers))

    def replace_worker(self, index: int) -> None:
        self.system.workers[index] = Worker(self.system.stack, QUEUES, index)

    def worker_crash(self) -> None:
        index = self.some_worker()
        self.system.workers[index].kill()
        self.replace_worker(index)

    def all_workers_crash(self) -> None:
        for worker in self.system.workers:
            worker.process.kill()
        for index, worker in enumerate(self.system.workers):
            worker.process.wait()
            self.replace_worker(index)

    def worker_stop(self) -> None:
        index = self.some_worker()
        # 1: what it did could not be brought to an end within WORKER_STOP, because what it needs is away; the rest is found again.
        status = self.system.workers[index].stop()
        assert status in (0, 1), f"a worker that was asked to stop ended with {status}"
        self.told[-1] += "" if status == 0 else " (cut off)"
        self.replace_worker(index)

    def worker_stall(self) -> None:
        process = self.system.workers[self.some_worker()].process
        process.send_signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.5, 3))
        process.send_signal(signal.SIGCONT)

    def postgres_crash(self) -> None:
        postgres = self.system.stack.postgres
        postgres.kill()
        for attempt in range(10):
            # A process that was born while its parent was killed keeps the shared memory for a moment.
            try:
                postgres.start()
                return
            except ServiceError:
                if attempt == 9:
                    raise
                time.sleep(0.5)

    def postgres_restart(self) -> None:
        self.system.stack.postgres.stop()
        time.sleep(self.chance.uniform(0, 1))
        self.system.stack.postgres.start()

    def connections_cut(self) -> None:
        self.system.stack.postgres.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE '%_login'"
        )

    def redis_crash(self) -> None:
        self.system.stack.redis.kill()
        time.sleep(self.chance.uniform(0, 1))
        self.system.stack.redis.start()

    def redis_flush(self) -> None:
        self.system.stack.redis.command("FLUSHALL")

    def simulator_crash(self) -> None:
        self.feed.crash()

    def api_crash(self) -> None:
        self.system.stack.kill_api()
        self.system.stack.start_api()

    FAULTS = (
        worker_crash, all_workers_crash, worker_stop, worker_stall, postgres_crash, postgres_restart, connections_cut, redis_crash,
        redis_flush, simulator_crash, api_crash,
    )  # fmt: skip

    def break_things(self) -> Load:
        """Every fault once, in a random order, then again, until the time is up."""
        deadline = time.monotonic() + self.seconds
        self.feed.clock(speed=self.feed.speed)
        with Load(self.system, self.feed, self.imported, list(self.seen.values()), self.locations, self.seed) as load:
            while time.monotonic() < deadline:
                for fault in self.chance.sample(self.FAULTS, len(self.FAULTS)):
                    if time.monotonic() > deadline and len(self.told) >= len(self.FAULTS):
                        break
                    time.sleep(self.chance.uniform(0.1, min(2.0, self.seconds / 30)))
                    self.told.append(fault.__name__)
                    fault(self)
        if load.trouble:
            raise load.trouble[0]
        return load

    # ---- afterwards

    def settle(self, expected: Expected, seconds: float) -> None:
        """Let what is due be done. Trackers and the account that were pushed back by failures are let in again."""
        with psycopg.connect(self.system.stack.postgres.url("tracker"), autocommit=True) as db:
            db.execute("UPDATE trackers SET next_fetch_at = now() WHERE next_fetch_at IS NOT NULL")
            db.execute("UPDATE apple_accounts SET next_allowed_at = now()")
            until(
                "all reports are stored and nothing is left to do",
                lambda: not missing(db, expected.certain) and not open_work(db),
                seconds,
                0.3,
            )

    def export(self) -> str:
        run = self.system.stack.run
        return "".join(run("export", what, login="worker_login").stdout for what in ("status-history", "events"))

    def check(self) -> dict[str, int]:
        """All invariants; what there was of everything."""
        with psycopg.connect(self.system.stack.postgres.url("tracker"), autocommit=True) as db:
            assert_reports(db, self.expected)
            assert_consistent(db)
            for worker in self.system.workers:
                worker.stop()  # a request to the simulator may take longer than WORKER_STOP
            assert "Sanitizer" not in self.system.logs(), "a process of ours did what it must not"
            derived = self.export()
            self.system.stack.run("judge", "--replay", "--all", login="worker_login")
            assert self.export() == derived, "judging all reports from scratch gives another history"
            assert_consistent(db)
            lines = derived.count("\n")
            assert lines > len(self.seen), "nothing happened to speak of"
            fetched = len({r for r in self.expected.certain if r[0] in self.seen.values()})
            assert fetched > 0, "the simulator had nothing to fetch"
            return {
                "fetched reports": fetched,
                "imported reports": len(self.expected.certain) - fetched,
                "derived rows": lines,
            }

    def run(self, settle_seconds: float) -> dict[str, int]:
        load = self.break_things()
        self.feed.clock(speed=0)
        self.expected = self.feed.reports(self.seen)
        self.expected.certain |= load.acknowledged
        self.expected.possible |= load.attempted
        try:
            self.settle(self.expected, settle_seconds)
            return dict(Counter(self.told)) | dict(load.counts) | self.check()
        except AssertionError as error:
            with psycopg.connect(self.system.stack.postgres.url("tracker"), autocommit=True) as db:
                left = {"missing reports": len(missing(db, self.expected.certain))} | open_work(db)
            raise AssertionError(f"{error}\nseed {self.seed}, faults {self.told}\nleft: {left}") from error


@contextlib.contextmanager
def fault_run(seed: int, seconds: float) -> Iterator[FaultRun]:
    # Not pytest's own folder: another pytest that starts takes the database user's right to enter it away.
    folder = Path(tempfile.mkdtemp(prefix="tracker-"))
    folder.chmod(0o711)
    try:
        with FaultRun(folder, seed, seconds).running() as run:
            yield run
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with fault_run(options.seed, options.minutes * 60) as run:
        for what, count in run.run(settle_seconds=300).items():
            print(f"{count:>8} {what}")
    print("nothing lost, nothing double, nothing left")
    return 0


if __name__ == "__main__":
    sys.exit(main())
