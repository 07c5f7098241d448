"""A private PostgreSQL with the migrated schema, shared by the database tests of a run.

cluster   the server (tools/services.py)
template  name of the migrated database; never written to
world     a database with one row in every table for each of two tenants (world.py); tests roll back
tx        superuser connection to world in a transaction that is rolled back
acting    acting("manager", clients=[1], user=2): switch tx to the API's role with this session context
fresh     fresh() -> connection factory of a new, empty copy of the schema, for tests that commit
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(Path(__file__).parent))

import world as world_rows  # noqa: E402
from services import Postgres  # noqa: E402

MARKER = re.compile(r"(?m)^-- @timeseries (\w+)[ \t]*$")


def apply_migrations(connection: psycopg.Connection, form: str = "native") -> list[str]:
    """Do what `trackerd migrate` does, without its books: each file in a transaction, split at the time-series markers."""
    applied = []
    for file in sorted((ROOT / "db" / "migrations").glob("*.sql")):
        parts = MARKER.split(file.read_text())
        with connection.transaction():
            for number, part in enumerate(parts):
                # re.split with one group alternates between text and marker names
                text = part if number % 2 == 0 else (ROOT / "db" / "timeseries" / form / f"{part}.sql").read_text()
                connection.execute(text.encode())
        applied.append(file.name)
    return applied


def migrate(cluster: Postgres, database: str) -> None:
    """Migrate with the product's own binary when it is built, so that these tests cover what operators run."""
    binary = Path(os.environ.get("TRACKERD", ROOT / "build" / "trackerd"))
    if binary.exists():
        environment = {"PATH": os.environ["PATH"], "DATABASE_URL": cluster.url(database)}
        result = subprocess.run([binary, "migrate"], env=environment, capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, f"trackerd migrate: {result.stderr}"
        return
    with psycopg.connect(cluster.url(database), autocommit=True) as connection:
        apply_migrations(connection)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Postgres]:
    # Not a folder of pytest: every pytest that starts closes those to other users again, and when root runs the
    # tests, PostgreSQL is another user.
    folder = Path(tempfile.mkdtemp(prefix="trackerd-db-"))
    folder.chmod(0o711)
    try:
        with Postgres(folder / "postgres", durable=False, settings={"max_connections": "50"}) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template(cluster: Postgres) -> str:
    cluster.create_database("schema_template")
    migrate(cluster, "schema_template")
    return "schema_template"


@pytest.fixture(scope="session")
def world(cluster: Postgres, template: str) -> str:
    cluster.psql(f"CREATE DATABASE world TEMPLATE {template}")
    with psycopg.connect(cluster.url("world")) as connection:
        world_rows.fill(connection)
    return "world"


@pytest.fixture
def tx(cluster: Postgres, world: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(cluster.url(world)) as connection:
        yield connection
        connection.rollback()


class Acting:
    """Switches a connection between the roles of the product, within its transaction."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    def __call__(self, role: str, clients: list[int] | None = None, user: int | None = None) -> psycopg.Connection:
        self.become("tracker_api")
        listed = "{" + ",".join(map(str, clients or [])) + "}"
        self.connection.execute(
            "SELECT set_config('tracker.role', %s, true), set_config('tracker.clients', %s, true), set_config('tracker.user', %s, true)",
            (role, listed, "" if user is None else str(user)),
        )
        return self.connection

    def become(self, database_role: str | None) -> psycopg.Connection:
        self.connection.execute("RESET ROLE")
        if database_role:
            self.connection.execute(f"SET LOCAL ROLE {database_role}")
        return self.connection


@pytest.fixture
def acting(tx: psycopg.Connection) -> Acting:
    return Acting(tx)


@pytest.fixture
def fresh(cluster: Postgres, template: str) -> Iterator[Callable[..., psycopg.Connection]]:
    """A new database; each call opens another connection to it."""
    name = f"fresh_{next(fresh_numbers)}"
    cluster.psql(f"CREATE DATABASE {name} TEMPLATE {template}")
    opened: list[psycopg.Connection] = []

    def connect(**options) -> psycopg.Connection:
        opened.append(psycopg.connect(cluster.url(name), **options))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()
    cluster.psql(f"DROP DATABASE {name} WITH (FORCE)")


fresh_numbers = itertools.count(1)
