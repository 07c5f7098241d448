"""Any process is killed and comes back by itself, and nothing is lost; reads go to a streaming replica, and back when it lags or dies."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
for folder in ("tests", "tests/pipeline"):
    sys.path.insert(0, str(ROOT / folder))

from invariants import all_judged, assert_consistent, open_work  # noqa: E402
from processes import Process, Supervisor  # noqa: E402
from stack import free_port  # noqa: E402
from standby import Standby  # noqa: E402
from system import Simulator, System, report, until  # noqa: E402

QUEUES = "fetch,judge,geocode,history,notify,default"
RECOVERY = 30.0  # seconds; the promise
TAGS = 4
LAG = 1  # seconds that the replica may be behind


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    # Not pytest's own folder: another pytest that starts takes the database user's right to enter it away.
    folder = Path(tempfile.mkdtemp(prefix="tracker-"))
    folder.chmod(0o711)
    settings = {"FETCH_INTERVAL": "1s", "FETCH_LEASE": "8s", "TASK_LEASE": "5s", "LOG_LEVEL": "info"}
    try:
        with Simulator("--limits", "generous", "--seed", "recovery", "--density", "0") as sim:
            with System(folder, sim, settings) as made:
                made.stack.add_town()
                made.start_worker(QUEUES)
                made.add_account("recovery@example.com")
                made.stop_workers()
                client, run = made.add_run("recovery")
                made.import_tags(client, run, [sim.tag(id=f"tag-{n}") | {"name": f"tag-{n}"} for n in range(TAGS)])
                yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Site:
    """API, worker, scheduler and Redis, each started again by a supervisor when it ends."""

    def __init__(self, system: System) -> None:
        self.system = system
        stack = system.stack
        self.port = free_port()
        self.api = Process(stack, "supervised-api", "api", settings={"HTTP_PORT": str(self.port)})
        self.worker = Process(stack, "supervised-worker", "worker", f"--queues={QUEUES}")
        self.scheduler = Process(stack, "supervised-scheduler", "scheduler")
        processes = [self.api, self.worker, self.scheduler]
        self.supervisor = Supervisor([(process.alive, process.start) for process in processes])
        self.supervisor.watched.append((lambda: stack.redis.process is not None, stack.redis.start))
        self.reports = 0

    def __enter__(self) -> Site:
        self.supervisor.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.__exit__()
        for process in (self.scheduler, self.worker, self.api):
            process.kill()

    def answers(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/api/v1/trackers?limit=1"
        try:
            return httpx.get(url, headers=self.system.api.headers, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def passers_by(self, minutes_ago: float) -> None:
        for tag in range(TAGS):
            report(self.system.sim, f"tag-{tag}", minutes_ago)
        self.reports += TAGS

    def judged(self) -> bool:
        stored = self.system.one("SELECT count(*) FROM location_reports")
        return stored == self.reports and all_judged(self.system.db)

    def schedules(self) -> bool:
        return (
            self.system.one("SELECT count(*) FROM task_schedules WHERE next_run_at < now() - interval '1 second'") == 0
        )

    def make_a_schedule_due(self) -> None:
        self.system.db.execute("UPDATE task_schedules SET next_run_at = now() - interval '1 minute'")


@pytest.fixture(scope="module")
def site(system: System) -> Iterator[Site]:
    with Site(system) as made:
        until("the API answers", made.answers)
        made.passers_by(300)
        until("reports are judged", made.judged)
        until("the scheduler has made its schedules", lambda: system.one("SELECT count(*) FROM task_schedules"))
        yield made


@pytest.mark.parametrize(("number", "victim"), list(enumerate(["api", "worker", "scheduler", "redis"])))
def test_it_comes_back_and_nothing_is_lost(site: Site, number: int, victim: str) -> None:
    restarts = site.supervisor.restarts
    if victim == "redis":
        site.system.stack.redis.kill()
    else:
        getattr(site, victim).process.kill()
    began = time.monotonic()
    if victim == "scheduler":
        site.make_a_schedule_due()
    site.passers_by(200 - 10 * number)
    until("it is started again", lambda: site.supervisor.restarts == restarts + 1)
    until("the API answers", site.answers)
    until("schedules are kept", site.schedules)
    until("what was seen meanwhile is stored and judged", site.judged)
    taken = time.monotonic() - began
    assert taken < RECOVERY, f"recovered after {taken:.1f} s only"


def test_what_was_made_meanwhile_is_consistent(site: Site) -> None:
    until("nothing is left to do", lambda: not open_work(site.system.db))
    assert_consistent(site.system.db)


class ReadingApi:
    """An API process with a replica for its reads."""

    def __init__(self, system: System, standby: Standby) -> None:
        self.standby = standby
        self.url = f"http://127.0.0.1:{free_port()}"
        settings = {
            "HTTP_PORT": self.url.rpartition(":")[2],
            "DATABASE_REPLICA_URL": standby.url(user="api_login"),
            "DATABASE_REPLICA_MAX_LAG": f"{LAG}s",
        }
        self.process = Process(system.stack, "reading-api", "api", settings=settings)
        self.headers = dict(system.api.headers)

    def ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/health/ready").status_code == 200
        return False

    def names(self) -> set[str]:
        """Of the clients. Any answer but a good one is a failure: a lost replica must not be seen by callers."""
        answer = httpx.get(f"{self.url}/api/v1/clients?limit=500", headers=self.headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return {item["name"] for item in answer.json()["items"]}


@pytest.fixture
def reading(system: System) -> Iterator[ReadingApi]:
    with Standby(system.stack.folder / "standby", system.stack.postgres) as standby:
        api = ReadingApi(system, standby)
        with api.process:
            until("the API is ready", api.ready)
            yield api


def test_a_replica_takes_the_reads_while_it_is_close_behind(system: System, reading: ReadingApi) -> None:
    """What only the primary knows tells who has answered."""
    standby = reading.standby
    pause_until(reading, "an answer of the replica", lambda n: old_answer(system, reading, f"paused {n}"))
    add_client(system, "behind the replica")
    until("the lagging replica is not asked", lambda: "behind the replica" in reading.names(), LAG + 60)
    assert standby.psql("SELECT pg_is_wal_replay_paused()") == "t"
    standby.psql("SELECT pg_wal_replay_resume()")
    until("the replica has caught up and answers", lambda: asked(reading))

    standby.kill()
    add_client(system, "without a replica")
    assert all("without a replica" in reading.names() for _ in range(10)), "reads fall back at once"
    standby.start()
    until("the replica answers again", lambda: asked(reading))


def pause_until(reading: ReadingApi, what: str, seen: Callable[[int], bool]) -> None:
    """Hold the replica back for a moment, again and again, until it is caught answering."""
    for number in range(10):
        until("the replica is in use", lambda: asked(reading))
        reading.standby.psql("SELECT pg_wal_replay_pause()")
        if seen(number):
            return
        reading.standby.psql("SELECT pg_wal_replay_resume()")
    raise AssertionError(f"not seen: {what}")


def add_client(system: System, name: str) -> None:
    """Not through the API: who has written there reads from the primary for a while, whatever the replica does."""
    client = system.one("INSERT INTO clients (name) VALUES (%s) RETURNING id", name)
    system.db.execute("SELECT bump_generations(ARRAY[%s]::bigint[])", (client,))


def old_answer(system: System, reading: ReadingApi, name: str) -> bool:
    """Does an answer lack what has just been written?"""
    add_client(system, name)
    return name not in reading.names()


def asked(reading: ReadingApi) -> bool:
    """Was the replica the one to be asked for this answer? Its last statement of the API is then no look at the lag."""
    statements = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'api_login' AND query LIKE '%clients%'"
    before = reading.standby.psql("SELECT clock_timestamp()")
    reading.names()
    return reading.standby.psql(f"{statements} AND query_start >= '{before}'") != "0"
