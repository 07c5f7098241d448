"""Who can migrate: a second database of the cluster, a database owner who is no superuser, the product's own binary."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest
from conftest import ROOT, apply_migrations
from services import postgres_bin

MIGRATIONS = sorted((ROOT / "db" / "migrations").glob("*.sql"))


def catalogue(connection: psycopg.Connection) -> list[tuple]:
    """What makes up the schema, in words that two databases can be compared by."""
    return connection.execute(
        "SELECT 'column', attrelid::regclass::text, attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"
        "                    AND relname <> 'schema_migrations') AND attnum > 0 AND NOT attisdropped"
        " UNION ALL SELECT 'policy', tablename::text, policyname::text, qual FROM pg_policies"
        " UNION ALL SELECT 'index', tablename::text, indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'schema_migrations'"
        " ORDER BY 1, 2, 3"
    ).fetchall()


@pytest.fixture
def empty(cluster):
    """Makes empty databases: empty(name, owner)."""
    made = []

    def make(name: str, owner: str = "postgres") -> str:
        cluster.psql(f"CREATE DATABASE {name} OWNER {owner}")
        made.append(name)
        return name

    yield make
    for name in made:
        cluster.psql(f"DROP DATABASE {name} WITH (FORCE)")


def test_files_are_numbered_without_gaps():
    numbers = [int(re.fullmatch(r"(\d{4})_[a-z0-9_]+\.sql", file.name).group(1)) for file in MIGRATIONS]
    assert numbers == list(range(1, len(numbers) + 1))


def test_files_keep_the_owner_rule():
    """Everything is made as tracker_owner, and the books that the migrator writes afterwards are not."""
    for file in MIGRATIONS:
        text = file.read_text()
        assert "SET LOCAL ROLE tracker_owner;" in text, file.name
        assert text.rstrip().endswith("RESET ROLE;"), file.name
        assert not re.search(r"(?mi)^\s*(BEGIN|COMMIT|ROLLBACK)\s*;", text), f"{file.name} has its own transaction"


def test_markers_name_files_of_both_forms():
    for file in MIGRATIONS:
        for name in re.findall(r"(?m)^-- @timeseries (\w+)", file.read_text()):
            for form in ("timescale", "native"):
                assert (ROOT / "db" / "timeseries" / form / f"{name}.sql").exists(), (file.name, form, name)


def test_a_second_database_of_the_cluster(cluster, template, empty):
    """The roles are there already, because they belong to the cluster."""
    name = empty("second")
    with psycopg.connect(cluster.url(name), autocommit=True) as connection:
        apply_migrations(connection)
        with psycopg.connect(cluster.url(template)) as first:
            assert catalogue(connection) == catalogue(first)


def test_a_database_owner_without_superuser_migrates(cluster, template, empty):
    """Given PostGIS by an administrator and membership of the owner role."""
    cluster.psql("CREATE ROLE deployer LOGIN NOSUPERUSER; GRANT tracker_owner TO deployer")
    name = empty("deployed", "deployer")
    cluster.psql("CREATE EXTENSION postgis", name)
    with psycopg.connect(cluster.url(name, user="deployer"), autocommit=True) as connection:
        apply_migrations(connection)
        assert connection.execute("SELECT count(*) FROM trackers").fetchone() == (0,)
    with psycopg.connect(cluster.url(template)) as first, psycopg.connect(cluster.url(name)) as connection:
        assert catalogue(connection) == catalogue(first)


def test_dump_and_restore(cluster, template, world, empty, tmp_path):
    """pg_dump sets an empty search path: whatever a restore computes (generated columns, checks) must do without."""
    name = empty("restored")
    dump = tmp_path / "world.sql"
    subprocess.run(
        [postgres_bin() / "pg_dump", "--dbname", cluster.url(world), "--file", dump], check=True, capture_output=True
    )
    result = subprocess.run(
        [postgres_bin() / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "--dbname", cluster.url(name), "--file", dump],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    rows = (
        "SELECT (SELECT array_agg(t::text ORDER BY id) FROM trackers t), (SELECT count(*) FROM location_reports),"
        " (SELECT array_agg(h::text ORDER BY h::text) FROM history_hourly_now h), (SELECT array_agg(s::text ORDER BY id) FROM location_shapes s)"
    )
    with psycopg.connect(cluster.url(world)) as before, psycopg.connect(cluster.url(name)) as after:
        assert catalogue(after) == catalogue(before)
        assert after.execute(rows).fetchone() == before.execute(rows).fetchone()
        assert after.execute("SELECT ensure_partitions()").fetchone() == (0,)


def test_a_role_that_bypasses_row_security_is_refused(cluster, template, empty):
    cluster.psql("ALTER ROLE tracker_api BYPASSRLS")
    try:
        with psycopg.connect(cluster.url(empty("careless")), autocommit=True) as connection:
            with pytest.raises(psycopg.errors.RaiseException, match="tracker_api can bypass row security"):
                apply_migrations(connection)
    finally:
        cluster.psql("ALTER ROLE tracker_api NOBYPASSRLS")


def test_the_binary_migrates_twice(cluster, template, empty):
    binary = Path(os.environ.get("TRACKERD", ROOT / "build" / "trackerd"))
    if not binary.exists():
        pytest.skip("trackerd is not built")
    name = empty("by_binary")
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": cluster.url(name)}
    for _ in range(2):
        result = subprocess.run([binary, "migrate"], env=environment, capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, result.stderr
    with psycopg.connect(cluster.url(name)) as connection:
        applied = connection.execute("SELECT count(*) FROM schema_migrations").fetchone()[0]
        assert applied == len(MIGRATIONS)
        with psycopg.connect(cluster.url(template)) as first:
            assert catalogue(connection) == catalogue(first)
