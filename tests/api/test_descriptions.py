"""The descriptions in src/api agree with the database: names of constraints, dependants, bounds, columns to sort by."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg

SOURCES = Path(__file__).resolve().parents[2] / "src" / "api"

# raised by triggers, which no catalogue lists
RAISED = {"task_schedules_time_zone", "location_shapes_center_range"}

TABLES = {
    "clients": "clients",
    "brands": "brands",
    "production-runs": "production_runs",
    "storage-locations": "locations",
    "delivery-locations": "locations",
    "trackers": "trackers",
    "exclusion-areas": "exclusion_areas",
}


def test_every_named_constraint_exists(db: psycopg.Connection) -> None:
    named = set()
    for source in SOURCES.glob("*.c"):
        text = source.read_text()
        for block in re.findall(r"static const struct constraint \w+\[\] = \{(.*?)\n\};", text, re.DOTALL):
            named |= set(re.findall(r'\{ "(\w+)",\s', block))
    assert len(named) > 20
    known = {row[0] for row in db.execute("SELECT conname FROM pg_constraint UNION SELECT relname FROM pg_class")}
    assert named - RAISED - known == set()


def test_every_reference_that_stops_a_deletion_is_a_dependant(db: psycopg.Connection) -> None:
    """A foreign key without a cascade must be explained by the 409 that it causes."""
    text = "\n".join(source.read_text() for source in sorted(SOURCES.glob("*.c")))
    blocking = db.execute(
        "SELECT DISTINCT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint "
        "WHERE contype = 'f' AND confdeltype IN ('a', 'r') AND confrelid::regclass::text = ANY (%s) "
        "AND conparentid = 0",
        (sorted(set(TABLES.values())),),
    ).fetchall()
    assert len(blocking) > 5
    missing = []
    for child, parent in blocking:
        named = rf"FROM {child} WHERE [^\"]*\$1::bigint"
        if not re.search(named, text):
            missing.append((child, parent))
    assert missing == [], missing


def test_bounds_of_names(db: psycopg.Connection) -> None:
    """What the validator lets through, the database takes: the longest name and description fit its checks."""
    for table in sorted(set(TABLES.values())):
        for column, length in (("name", 200), ("description", 4000)):
            (check,) = db.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", (f"{table}_{column}_length",)
            ).fetchone() or ("",)
            assert str(length) in check, (table, column, check)
