"""src/store/db.h against a real PostgreSQL, directly and through PgBouncer in transaction mode (db_probe.c has the scenarios)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from services import PgBouncer, Postgres  # noqa: E402

PROBE = Path(os.environ.get("TRACKERD", ROOT / "build" / "trackerd")).parent / "tests" / "store" / "db_probe"
# A role whose settings differ from what the client reads, and one table for each kind of constraint
SCHEMA = """
ALTER ROLE postgres SET timezone = 'Asia/Tokyo';
ALTER ROLE postgres SET datestyle = 'SQL, DMY';
ALTER ROLE postgres SET bytea_output = 'escape';
CREATE EXTENSION btree_gist;
CREATE TABLE parent (id int PRIMARY KEY, name text NOT NULL, size int CHECK (size > 0), span int4range,
    EXCLUDE USING gist (span WITH &&));
CREATE TABLE child (id int, parent_id int REFERENCES parent);
CREATE TABLE deferred_child (id int, parent_id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE copied (id int, name text);
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="trackerd-db-"))  # not pytest's: PostgreSQL's user must reach it
    folder.chmod(0o711)
    try:
        with Postgres(folder / "postgres", durable=False, settings={"max_connections": "50"}) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(cluster: Postgres, request: pytest.FixtureRequest) -> Iterator[str]:
    name = "probe"
    cluster.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    cluster.create_database(name)
    cluster.psql(SCHEMA, name)
    yield name


@pytest.fixture(scope="module")
def bouncer(cluster: Postgres) -> Iterator[PgBouncer]:
    with PgBouncer(cluster.folder.parent / "pgbouncer", cluster) as server:
        yield server


class Probe:
    def __init__(self, url: str, pooler: str, scenario: str) -> None:
        self.process = subprocess.Popen(
            [str(PROBE), url, pooler, scenario], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def act(self, action: Callable[[], object]) -> None:
        """Do something to the server where the scenario asks for it."""
        assert self.process.stdin and self.process.stdout
        line = self.process.stdout.readline().strip()
        assert line == "ready", line
        action()
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def finish(self) -> str:
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, out
        return out


@pytest.mark.parametrize("scenario", ["contexts", "statuses", "types", "arrays", "transactions", "copy", "plans"])
def test_scenario(cluster: Postgres, database: str, scenario: str) -> None:
    assert Probe(cluster.url(database), "none", scenario).finish() == "done\n"


@pytest.mark.parametrize("scenario", ["contexts", "statuses", "types", "arrays", "transactions", "copy", "plans"])
def test_scenario_behind_pgbouncer(cluster: Postgres, bouncer: PgBouncer, database: str, scenario: str) -> None:
    bouncer.stop()  # its pool holds connections to the database that was dropped
    bouncer.start()
    assert Probe(bouncer.url(database), "transaction", scenario).finish() == "done\n"


def test_options_of_the_address_are_kept(cluster: Postgres, database: str) -> None:
    url = cluster.url(database) + "&options=-c%20probe.of_url%3Dkept"
    assert "kept UTC" in Probe(url, "none", "options").finish()


def test_restart_in_mid_use(cluster: Postgres, database: str) -> None:
    def restart() -> None:
        cluster.stop()
        cluster.start()

    probe = Probe(cluster.url(database), "none", "restart")
    probe.act(restart)
    probe.act(restart)
    probe.act(cluster.stop)
    probe.act(cluster.start)
    assert probe.finish() == "done\n"


def test_a_server_that_hangs_counts_as_away(cluster: Postgres, database: str) -> None:
    probe = Probe(cluster.url(database), "none", "hang")
    pids: list[int] = []

    def freeze() -> None:
        sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'trackerd'"
        pids.extend(int(pid) for pid in cluster.psql(sql).split())
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

    try:
        probe.act(freeze)
        assert len(pids) == 1
        assert probe.finish() == "done\n"
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("login", "prepare", "expected"),
    [
        ("probe_plain", "", "confined"),
        ("probe_super", "ALTER ROLE probe_super SUPERUSER", "superuser"),
        ("probe_bypass", "ALTER ROLE probe_bypass BYPASSRLS", "BYPASSRLS"),
        ("probe_worker", "GRANT tracker_worker TO probe_worker", "tracker_worker"),
        (
            "probe_noinherit",
            "ALTER ROLE probe_noinherit NOINHERIT; GRANT tracker_owner TO probe_noinherit",
            "tracker_owner",
        ),
        (
            "probe_owner",
            "ALTER TABLE parent OWNER TO probe_owner; ALTER TABLE parent ENABLE ROW LEVEL SECURITY",
            "owns the table parent",
        ),
    ],
)
def test_unconfined_logins_are_refused(
    cluster: Postgres, database: str, login: str, prepare: str, expected: str
) -> None:
    for role in ("tracker_owner", "tracker_worker"):
        cluster.psql(f"DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN END $$")
    cluster.psql(f"CREATE ROLE {login} LOGIN; {prepare}", database)
    assert expected in Probe(cluster.url(database, login), "none", "confined").finish()
