"""`trackerd migrate` as operators run it: twice, two at once, on changed, missing, newer and failing migrations."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from services import PgBouncer, Postgres  # noqa: E402

BINARY = Path(os.environ.get("TRACKERD", ROOT / "build" / "trackerd"))
LOCK = "SELECT pg_advisory_lock(hashtextextended('trackerd migrate', 0))"
NAMES = [file.stem for file in sorted((ROOT / "db" / "migrations").glob("*.sql"))]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="trackerd-migrate-"))  # not pytest's: PostgreSQL's user must reach it
    folder.chmod(0o711)
    try:
        with Postgres(folder / "postgres", durable=False, settings={"max_connections": "50"}) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Database:
    """An empty database, and trackerd against it."""

    def __init__(self, cluster: Postgres, name: str) -> None:
        self.cluster = cluster
        self.name = name

    def environment(self, login: str = "postgres", url: str = "", **settings: str) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "DATABASE_URL": url or self.cluster.url(self.name, login)} | settings

    def start(self, *args: str, login: str = "postgres", **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [BINARY, "migrate", *args],
            env=self.environment(login, **settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def migrate(
        self, *args: str, status: int = 0, login: str = "postgres", **settings: str
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(*args, login=login, **settings)
        stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == status, (stdout, stderr)
        return subprocess.CompletedProcess(args, process.returncode, stdout, stderr)

    def connect(self, login: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.cluster.url(self.name, login), autocommit=True)

    def value(self, sql: str) -> object:
        with self.connect() as connection:
            return connection.execute(sql).fetchone()[0]

    def relations(self) -> int:
        return self.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")


@pytest.fixture
def database(cluster: Postgres, request: pytest.FixtureRequest) -> Iterator[Database]:
    name = "m_" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    cluster.psql(f"CREATE DATABASE {name}")
    yield Database(cluster, name)
    cluster.psql(f"DROP DATABASE {name} WITH (FORCE)")


class Folder:
    """A folder of small migrations, for what must not be tried with the real ones."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "migrations").mkdir(parents=True)

    def write(self, name: str, sql: str) -> Path:
        file = self.path / "migrations" / f"{name}.sql"
        file.write_text(sql)
        return file

    def __str__(self) -> str:
        return str(self.path)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "db")
    made.write("0001_one", "CREATE TABLE one (id int); INSERT INTO one VALUES (1);\n")
    made.write("0002_two", "CREATE TABLE two (id int);\n")
    return made


def applied(result: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.split()[1] for line in result.stdout.splitlines() if line.startswith("applied ")]


def test_built_in_migrations_twice(database: Database):
    first = database.migrate()
    assert applied(first) == NAMES
    reason = "the server does not offer the extension timescaledb"
    last = f"schema version {len(NAMES)}, time series: native ({reason})"
    assert first.stdout.splitlines()[-1] == last
    assert database.value("SELECT value FROM schema_info WHERE key = 'timeseries_form'") == "native"

    second = database.migrate()
    assert second.stdout.splitlines() == [last]
    assert database.value("SELECT array_agg(name ORDER BY version) FROM schema_migrations") == NAMES


def test_partitions_are_made_ahead_even_when_nothing_is_pending(database: Database):
    database.migrate()
    partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'location_reports'::regclass"
    before = database.value(partitions)
    with database.connect() as connection:
        newest = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'location_reports'::regclass ORDER BY 1 DESC"
        ).fetchone()[0]
        connection.execute(f"DROP TABLE {newest}")
    database.migrate()
    assert database.value(partitions) == before


def test_two_at_once_share_the_work(database: Database):
    runs = [database.start() for _ in range(2)]
    outputs = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    lines = [line.split()[1] for stdout, _ in outputs for line in stdout.splitlines() if line.startswith("applied ")]
    assert sorted(lines) == NAMES
    assert database.value("SELECT count(*) FROM schema_migrations") == len(NAMES)


def test_waits_for_another_migrator_and_says_so(database: Database, folder: Folder):
    with database.connect() as other:
        other.execute(LOCK)
        run = database.start("--folder", str(folder))
        assert "another migrator is at work" in run.stderr.readline()
        time.sleep(0.5)
        assert run.poll() is None
        assert database.relations() == 0
    stdout, _ = run.communicate(timeout=30)
    assert run.returncode == 0
    assert stdout.count("applied ") == 2


def test_a_changed_migration_is_refused(database: Database, folder: Folder):
    database.migrate("--folder", str(folder))
    folder.write("0001_one", "CREATE TABLE one (id bigint);\n")
    folder.write("0003_three", "CREATE TABLE three (id int);\n")
    for args in (["--folder", str(folder)], ["--folder", str(folder), "--dry-run"]):
        result = database.migrate(*args, status=1)
        assert "0001_one was changed after it had been applied" in result.stderr
    assert database.value("SELECT to_regclass('three')") is None


def test_a_changed_form_file_is_refused(database: Database, folder: Folder):
    native = folder.path / "timeseries" / "native"
    native.mkdir(parents=True)
    (native / "part.sql").write_text("CREATE TABLE part (id int);\n")
    folder.write("0003_three", "-- @timeseries part\n")
    database.migrate("--folder", str(folder))
    assert database.value("SELECT to_regclass('part')") == "part"
    (native / "part.sql").write_text("CREATE TABLE part (id bigint);\n")
    assert "0003_three was changed" in database.migrate("--folder", str(folder), status=1).stderr


def test_gaps_are_refused(database: Database, folder: Folder):
    folder.write("0004_four", "CREATE TABLE four (id int);\n")
    assert "0003 is missing before 0004_four" in database.migrate("--folder", str(folder), status=1).stderr
    assert database.relations() == 0
    folder.write("0003_three", "CREATE TABLE three (id int);\n")
    database.migrate("--folder", str(folder))
    with database.connect() as connection:
        connection.execute("DELETE FROM schema_migrations WHERE version = 2")
    assert "0003_three but not number 0002" in database.migrate("--folder", str(folder), status=1).stderr


def test_a_newer_database_is_refused(database: Database, folder: Folder):
    newest = folder.write("0003_three", "CREATE TABLE three (id int);\n")
    database.migrate("--folder", str(folder))
    newest.unlink()
    result = database.migrate("--folder", str(folder), status=1)
    assert "the database is newer than this program: it has migration 0003_three" in result.stderr


def test_a_failing_migration_leaves_nothing(database: Database, folder: Folder):
    broken = folder.write("0002_two", "CREATE TABLE two (id int); INSERT INTO two VALUES (1 / 0);\n")
    result = database.migrate("--folder", str(folder), status=1)
    assert applied(result) == ["0001_one"]
    assert "0002_two failed, nothing of it was kept: division by zero (22012)" in result.stderr
    assert database.value("SELECT to_regclass('two')") is None
    assert database.value("SELECT count(*) FROM schema_migrations") == 1

    broken.write_text("CREATE TABLE two (id int);\n")
    assert applied(database.migrate("--folder", str(folder))) == ["0002_two"]


def test_a_failing_first_migration_leaves_not_even_the_books(database: Database, folder: Folder):
    folder.write("0001_one", "CREATE TABLE one (id int);\nnonsense;\n")
    assert "0001_one failed" in database.migrate("--folder", str(folder), status=1).stderr
    assert database.relations() == 0


def test_a_killed_migrator_leaves_nothing_and_no_lock(database: Database, folder: Folder):
    slow = folder.write("0002_two", "CREATE TABLE two (id int); SELECT pg_sleep(60);\n")
    run = database.start("--folder", str(folder))
    assert run.stdout.readline().startswith("applied 0001_one")
    time.sleep(0.3)
    run.kill()
    run.communicate()
    with database.connect() as connection:  # the server notices a dead client when the statement ends
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'trackerd migrate'"
        )
    slow.write_text("CREATE TABLE two (id int);\n")
    assert applied(database.migrate("--folder", str(folder))) == ["0002_two"]


def test_dry_run_changes_nothing(database: Database):
    result = database.migrate("--dry-run")
    *pending, last = result.stdout.splitlines()
    assert pending == [f"would apply {name}" for name in NAMES]
    assert last.startswith(f"schema version 0, {len(NAMES)} to apply, time series: native (")
    assert database.relations() == 0
    database.migrate()
    assert database.migrate("--dry-run").stdout.startswith(f"schema version {len(NAMES)}, 0 to apply")


def test_check_under_the_logins_of_servers(cluster: Postgres, database: Database):
    assert "run `trackerd migrate`" in database.migrate("--check", status=1).stderr
    database.migrate()
    cluster.grant_logins()
    for login in ("postgres", "api_login", "worker_login"):
        database.migrate("--check", login=login)
    with database.connect() as connection:
        connection.execute("CREATE ROLE stranger LOGIN")
        connection.execute("INSERT INTO schema_migrations VALUES (%s, 'newer', repeat('0', 64))", (len(NAMES) + 1,))
        assert "tracker_api" in database.migrate("--check", login="stranger", status=1).stderr
        # The previous binary works on the next schema: expand, migrate, contract.
        database.migrate("--check", login="api_login")
        connection.execute("DELETE FROM schema_migrations WHERE version >= %s", (len(NAMES),))
    result = database.migrate("--check", login="api_login", status=1)
    assert (
        f"has schema version {len(NAMES) - 1}, this program needs {len(NAMES)}: run `trackerd migrate`" in result.stderr
    )


def test_logins_are_made_from_the_addresses_of_the_processes(database: Database, tmp_path: Path):
    addresses = {"api": "postgresql://Api%20one:it%27s%20secret@db/tracker", "worker": "user=w2 password=x host=db"}
    options = []
    for kind, address in addresses.items():
        (tmp_path / kind).write_text(address + "\n")
        options += [f"--{kind}-login", str(tmp_path / kind)]
    for _ in range(2):  # the second run finds them
        said = database.migrate(*options).stdout
        assert "login Api one is a member of tracker_api" in said
        assert "login w2 is a member of tracker_worker" in said
        assert "secret" not in said
    rights = (
        "SELECT r.rolcanlogin AND NOT r.rolsuper AND a.rolpassword LIKE 'SCRAM-SHA-256$%%'"
        " AND pg_has_role(r.oid, '{}', 'member') FROM pg_roles r JOIN pg_authid a USING (oid) WHERE r.rolname = '{}'"
    )
    assert database.value(rights.format("tracker_api", "Api one").replace("%%", "%"))
    assert database.value(rights.format("tracker_worker", "w2").replace("%%", "%"))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("postgresql://nobody:hidden@[broken", "malformed"),
        ("postgresql://db/tracker", "names no user"),
        (None, "cannot be read"),
    ],
)
def test_a_login_that_cannot_be_made(database: Database, tmp_path: Path, address: str | None, message: str):
    path = tmp_path / "address"
    if address is not None:
        path.write_text(address)
    said = database.migrate("--api-login", str(path), status=1).stderr
    assert message in said
    assert "hidden" not in said


def test_an_owner_without_superuser(cluster: Postgres, database: Database):
    cluster.psql(
        "CREATE ROLE owner_login LOGIN NOSUPERUSER CREATEROLE;"
        f"ALTER DATABASE {database.name} OWNER TO owner_login; GRANT tracker_owner TO owner_login"
    )
    cluster.psql("CREATE EXTENSION postgis", database.name)
    assert applied(database.migrate(login="owner_login")) == NAMES
    # Whoever is a member of the owner may go on with the books of another.
    cluster.psql("CREATE ROLE next_login LOGIN NOSUPERUSER; GRANT tracker_owner TO next_login")
    assert applied(database.migrate(login="next_login")) == []


def test_settings_of_the_login_do_not_matter(cluster: Postgres, database: Database, folder: Folder):
    folder.write("0003_three", "SELECT pg_sleep(0.3); CREATE TABLE three (id int);\n")
    with database.connect() as connection:
        connection.execute("CREATE SCHEMA elsewhere")
        connection.execute(f"ALTER DATABASE {database.name} SET search_path = elsewhere")
        connection.execute(f"ALTER DATABASE {database.name} SET statement_timeout = '100ms'")
        connection.execute(f"ALTER DATABASE {database.name} SET default_transaction_isolation = 'repeatable read'")
    database.migrate("--folder", str(folder))
    assert database.value("SELECT to_regclass('public.three')::text") == "public.three"


def test_through_pgbouncer(cluster: Postgres, database: Database):
    with PgBouncer(cluster.folder.parent / "pgbouncer", cluster) as bouncer:
        url = bouncer.url(database.name)
        assert applied(database.migrate(url=url, DATABASE_POOLER="transaction")) == NAMES
        assert applied(database.migrate(url=url, DATABASE_POOLER="transaction")) == []


def test_a_server_that_is_away(database: Database):
    result = database.migrate(status=1, url="postgresql://postgres@127.0.0.1:9/x", DATABASE_CONNECT_TIMEOUT="1s")
    assert "reached" in result.stderr
    assert "is not reached" in database.migrate("--check", status=1, url="postgresql://postgres@127.0.0.1:9/x").stderr


@pytest.mark.parametrize("args", [["x"], ["--folder"], ["--nonsense"], ["--check", "--dry-run"]])
def test_wrong_usage(database: Database, args: list[str]):
    assert "--help" in database.migrate(*args, status=2).stderr


def test_no_url(database: Database):
    result = subprocess.run([BINARY, "migrate"], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert result.returncode == 1
    assert "DATABASE_URL is not set" in result.stderr
