"""An upgrade without a pause: the previous program goes on working, under load, while and after the next schema is put under it.

The short form takes the program under test for the previous one and makes up migrations beyond its newest. The long form is the real
upgrade from another build: TRACKERD_PREVIOUS=/path/to/the/previous/trackerd.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
for folder in ("tests", "tests/pipeline"):
    sys.path.insert(0, str(ROOT / folder))

from invariants import all_judged, assert_consistent, open_work  # noqa: E402
from processes import Process  # noqa: E402
from stack import free_port  # noqa: E402
from system import Simulator, System, report, until  # noqa: E402

NEXT = os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd"))
PREVIOUS = os.environ.get("TRACKERD_PREVIOUS", NEXT)
QUEUES = "fetch,judge,geocode,history,notify,default"
SETTINGS = {"FETCH_INTERVAL": "1s", "LOG_LEVEL": "info"}
TAGS = 6
THREADS = 4

# What an expanding release does to the tables that everything uses; each of these is a migration, and so a transaction, of its own.
EXPANSIONS = {
    "upgrade_notes": """
        CREATE TABLE upgrade_notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                                    tracker_id bigint NOT NULL REFERENCES trackers, note text);""",
    "upgrade_trackers": "ALTER TABLE trackers ADD COLUMN upgrade_grade smallint NOT NULL DEFAULT 0;",
    "upgrade_brands": "ALTER TABLE brands ADD COLUMN upgrade_colour text NOT NULL DEFAULT 'none';",
    "upgrade_reports": "ALTER TABLE location_reports ADD COLUMN upgrade_source smallint NOT NULL DEFAULT 0;",
}


class Load:
    """People who read and write. Every request that is not answered as it should be is in `failures`."""

    def __init__(self, system: System, client: int) -> None:
        self.system, self.client = system, client
        self.failures: list[str] = []
        self.written: list[str] = []
        self.requests = 0
        self.slowest = 0.0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(THREADS)]

    def work(self, number: int) -> None:
        with httpx.Client(base_url=self.system.api.base_url, headers=self.system.api.headers, timeout=60) as api:
            turn = 0
            while not self.over.is_set():
                name = f"{number}-{turn}"
                brand = self.call(api, "POST", "/brands", 201, {"client_id": self.client, "name": name})
                if brand:
                    self.written.append(name)
                    self.call(api, "PATCH", f"/brands/{brand['id']}", 200, {"description": "changed"})
                for path in ("/trackers?limit=50", f"/trackers?client_id={self.client}&status=CREATED", "/dashboard"):
                    self.call(api, "GET", path, 200)
                turn += 1

    def call(self, api: httpx.Client, method: str, path: str, status: int, body: dict | None = None) -> dict | None:
        began = time.monotonic()
        try:
            answer = api.request(method, path, json=body)
        except httpx.HTTPError as error:
            self.failures.append(f"{method} {path}: {error!r}")
            return None
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.requests += 1
        if answer.status_code != status:
            self.failures.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
            return None
        return answer.json()

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(70)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    # Not pytest's own folder: another pytest that starts takes the database user's right to enter it away.
    folder = Path(tempfile.mkdtemp(prefix="tracker-"))
    folder.chmod(0o711)
    try:
        with Simulator("--limits", "generous", "--seed", "upgrade", "--density", "0") as sim:
            made = System(folder, sim, SETTINGS)
            made.stack.binary = PREVIOUS
            with made:
                yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class NextSchema:
    """What is to be migrated to: what NEXT has built in, or made-up migrations beyond it. `arguments` are for `trackerd migrate`."""

    def __init__(self, folder: Path) -> None:
        self.migrations = folder / "migrations"
        self.arguments: list[str] = []
        if PREVIOUS == NEXT:
            shutil.copytree(ROOT / "db", folder)
            self.arguments = ["--folder", str(folder)]

    def add(self, name: str, sql: str) -> None:
        number = 1 + max(int(file.name[:4]) for file in self.migrations.glob("[0-9]*.sql"))
        text = f"SET LOCAL ROLE tracker_owner;\n{sql}\nRESET ROLE;\n"
        (self.migrations / f"{number:04}_{name}.sql").write_text(text)


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> NextSchema:
    return NextSchema(tmp_path_factory.mktemp("schema") / "next")


def migrate(system: System, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    command = [NEXT, "migrate", *arguments]
    return subprocess.run(command, env=system.stack.env("postgres"), capture_output=True, text=True, timeout=120)


def upgrade(system: System, arguments: list[str]) -> None:
    before = version(system)
    done = migrate(system, arguments)
    assert done.returncode == 0, done.stderr
    assert version(system) > before


def version(system: System) -> int:
    return system.one("SELECT max(version) FROM schema_migrations")


def pass_by(system: System, minutes_ago: float) -> Callable[[], bool]:
    """Every tag is seen; what tells whether the reports have been fetched and judged."""
    known = system.one("SELECT count(*) FROM location_reports")
    for tag in range(TAGS):
        report(system.sim, f"tag-{tag}", minutes_ago)
    return lambda: system.one("SELECT count(*) FROM location_reports") == known + TAGS and all_judged(system.db)


def test_the_previous_program_works_on_the_next_schema(system: System, schema: NextSchema) -> None:
    system.stack.add_town()
    client, run = system.add_run("upgrade")
    place = {"client_id": client, "name": "depot", "center": {"latitude": 52.5, "longitude": 13.4}, "radius_m": 200}
    depot = system.call("POST", "/storage-locations", 201, json=place)["id"]
    system.call("PUT", f"/production-runs/{run}/locations", json={"location_ids": [depot]})
    tags = [system.sim.tag(id=f"tag-{n}") | {"name": f"tag-{n}"} for n in range(TAGS)]
    system.import_tags(client, run, tags)
    system.start_worker(QUEUES)
    system.add_account("upgrade@example.com")
    if PREVIOUS == NEXT:
        for name, sql in EXPANSIONS.items():
            schema.add(name, sql)

    with Process(system.stack, "scheduler", "scheduler") as scheduler, Load(system, client) as load:
        until("reports are judged before the upgrade", pass_by(system, 60))
        until("the load has begun", lambda: load.requests > 50)
        upgrade(system, schema.arguments)
        served = load.requests
        until("reports are judged after the upgrade", pass_by(system, 30))
        until("requests are answered after the upgrade", lambda: load.requests > served + 50)
        check_a_start_on_the_next_schema(system)
        assert scheduler.alive()
    assert load.failures == [], f"{len(load.failures)} of {load.requests} requests failed"
    assert load.slowest < 30, "requests waited for the migration longer than any person would"
    check_rest(system, client, load.written)


def check_a_start_on_the_next_schema(system: System) -> None:
    """A process of the previous program that is started anew (a crash in the midst of the upgrade) comes up and works."""
    port = str(free_port())
    with Process(system.stack, "late", "api", settings={"HTTP_PORT": port}) as late:
        url = f"http://127.0.0.1:{port}/api/v1/trackers?limit=1"

        def answers() -> bool:
            assert late.alive(), late.log.read_text()[-2000:]
            try:
                return httpx.get(url, headers=system.api.headers).status_code == 200
            except httpx.HTTPError:
                return False

        until("the previous program starts on the next schema", answers)
        assert late.stop() == 0


def check_rest(system: System, client: int, written: list[str]) -> None:
    until("nothing is left to do", lambda: not open_work(system.db))
    found = {name for (name,) in system.rows("SELECT name FROM brands WHERE client_id = %s", client)}
    assert set(written) <= found
    assert system.one("SELECT count(*) FROM fetch_batches WHERE result NOT IN ('ok', 'empty')") == 0
    assert system.one("SELECT count(*) FROM trackers WHERE status = 'IN_STORAGE'") == TAGS
    assert_consistent(system.db)
    system.stop_workers()
    assert '"level":"error"' not in system.logs()


made_up = pytest.mark.skipif(PREVIOUS != NEXT, reason="about the made-up migrations of the short form")


@made_up
def test_an_older_program_changes_nothing_in_a_newer_schema(system: System, schema: NextSchema) -> None:
    """Going back is starting the previous program, not migrating with it."""
    schema.add("upgrade_newer", "CREATE TABLE upgrade_newer (id bigint);")
    upgrade(system, schema.arguments)
    newest = version(system)
    refused = system.stack.run("migrate", check=False)
    assert refused.returncode == 1 and "newer" in refused.stderr
    assert version(system) == newest
    assert system.stack.run("migrate", "--check", login="api_login").returncode == 0


@made_up
def test_a_table_in_use_is_waited_for_and_nobody_waits_behind(system: System, schema: NextSchema) -> None:
    """Somebody's long transaction holds a table that a migration changes: everybody else is let through again and again."""
    command = ["migrate", *schema.arguments]
    owner = system.stack.postgres.url()
    schema.add("upgrade_waits", "ALTER TABLE trackers ADD COLUMN upgrade_late smallint;")
    with psycopg.connect(owner) as somebody:
        somebody.execute("SELECT count(*) FROM trackers")  # and does not end the transaction
        with Process(system.stack, "migrate", *command, settings={"DATABASE_URL": owner}) as migrator:
            until("the migration has given way", lambda: migrator.log.read_text().count("trying again") >= 2)
            for _ in range(20):
                began = time.monotonic()
                system.call("GET", "/trackers?limit=1")
                assert time.monotonic() - began < 30, "a reader waited for the whole transaction"
            assert migrator.alive()
            somebody.rollback()
            assert migrator.process.wait(60) == 0, migrator.log.read_text()
    assert system.rows("SELECT FROM information_schema.columns WHERE column_name = 'upgrade_late'")
