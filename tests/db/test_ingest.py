"""ingest_reports() and count_rejected_once(): exclusion areas, dropping, and counting each unusable report once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import world as world_rows

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BERLIN, MUNICH = (52.52, 13.4), (48.14, 11.57)


@pytest.fixture
def a(tx) -> world_rows.Tenant:
    tx.execute("DELETE FROM exclusion_areas")
    tx.execute("DELETE FROM report_inbox")
    return world_rows.read(tx, 1)


def area(tx, place, client=None, run=None, archived=False) -> None:
    latitude, longitude = place
    tx.execute(
        "INSERT INTO exclusion_areas (client_id, production_run_id, name, area, archived_at)"
        " VALUES (%s, %s, gen_random_uuid()::text, ST_MakeEnvelope(%s, %s, %s, %s, 4326), CASE WHEN %s THEN now() END)",
        (client, run, longitude - 0.1, latitude - 0.1, longitude + 0.1, latitude + 0.1, archived),
    )


def ingest(tx, tracker: int, places: list, digests: list | None = None, start: datetime = NOW) -> tuple[int, int]:
    """(new, of them excluded) of reports at these places, a minute apart."""
    n = len(places)
    rows = tx.execute(
        "SELECT tracker_id, stored, excluded FROM ingest_reports(%s::bigint[], %s::timestamptz[], %s::float8[], %s::float8[],"
        " %s::real[], %s::smallint[], %s::smallint[], %s::bigint[], %s::text[])",
        (
            [tracker] * n,
            [start + timedelta(minutes=i) for i in range(n)],
            [p[0] for p in places],
            [p[1] for p in places],
            [10] * n,
            [2] * n,
            [0] * n,
            [None] * n,
            digests,
        ),
    ).fetchall()
    assert len(rows) <= 1
    return (rows[0][1], rows[0][2]) if rows else (0, 0)


def rejected(tx, tracker: int) -> dict[str, int]:
    rows = tx.execute(
        "SELECT reason, sum(reports)::int FROM rejected_reports WHERE tracker_id = %s GROUP BY 1", (tracker,)
    )
    return {reason: n for reason, n in rows.fetchall() if reason != "bad_tag"}


def test_without_areas_everything_is_stored_once(tx, a):
    assert ingest(tx, a.tracker, [BERLIN, MUNICH]) == (2, 0)
    assert ingest(tx, a.tracker, [BERLIN, MUNICH, MUNICH]) == (1, 0)
    assert rejected(tx, a.tracker) == {}


def test_reports_in_an_area_are_flagged_and_counted_once(tx, a):
    area(tx, BERLIN)
    assert ingest(tx, a.tracker, [BERLIN, MUNICH]) == (2, 1)
    assert ingest(tx, a.tracker, [BERLIN, MUNICH]) == (0, 0)
    assert rejected(tx, a.tracker) == {"excluded": 1}
    inbox = tx.execute("SELECT sum(reports) FROM report_inbox WHERE tracker_id = %s", (a.tracker,))
    assert inbox.fetchone()[0] == 1


def test_a_report_on_the_edge_is_inside(tx, a):
    area(tx, BERLIN)
    edge, beyond = (BERLIN[0] + 0.1, BERLIN[1]), (BERLIN[0] + 0.1000002, BERLIN[1])
    assert ingest(tx, a.tracker, [edge, beyond]) == (2, 1)


@pytest.mark.parametrize(
    ("whose", "counts"), [("own", 1), ("other", 0), ("archived", 0), ("own run", 1), ("other run", 0)]
)
def test_whose_areas_count(tx, a, whose, counts):
    b = world_rows.read(tx, 2)
    other_run = tx.execute(
        "INSERT INTO production_runs (client_id, brand_id, name) VALUES (%s, %s, 'another') RETURNING id",
        (a.client, a.brand),
    ).fetchone()[0]
    match whose:
        case "own":
            area(tx, BERLIN, a.client)
        case "other":
            area(tx, BERLIN, b.client)
        case "archived":
            area(tx, BERLIN, archived=True)
        case "own run":
            area(tx, BERLIN, a.client, a.run)
        case "other run":
            area(tx, BERLIN, a.client, other_run)
    assert ingest(tx, a.tracker, [BERLIN]) == (1, counts)


def test_the_run_is_that_of_the_reports_time(tx, a):
    area(tx, BERLIN, a.client, a.run)
    tx.execute(
        "UPDATE tracker_runs SET period = tstzrange(%s, NULL) WHERE tracker_id = %s",
        (NOW + timedelta(seconds=30), a.tracker),
    )
    assert ingest(tx, a.tracker, [BERLIN, BERLIN]) == (2, 1)


def test_dropped_reports_leave_a_count_and_nothing_else(tx, a):
    area(tx, BERLIN)
    digests = ["01" * 16, "02" * 16, "03" * 16]
    assert ingest(tx, a.tracker, [BERLIN, MUNICH, BERLIN], digests) == (1, 0)
    assert ingest(tx, a.tracker, [BERLIN, MUNICH, BERLIN], digests) == (0, 0)
    assert rejected(tx, a.tracker) == {"excluded": 2}


def test_dropping_all_of_a_batch(tx, a):
    area(tx, BERLIN)
    assert ingest(tx, a.tracker, [BERLIN], ["01" * 16]) == (0, 0)
    assert rejected(tx, a.tracker) == {"excluded": 1}


def test_unusable_reports_count_once(tx, a):
    digests = ["0a" * 16, "0b" * 16, "0a" * 16]
    count = "SELECT count_rejected_once(%s::bigint[], %s::text[], %s::text[])"
    assert tx.execute(count, ([a.tracker] * 3, ["length", "future", "length"], digests)).fetchone()[0] == 2
    assert tx.execute(count, ([a.tracker] * 3, ["length", "future", "length"], digests)).fetchone()[0] == 0
    assert tx.execute(count, ([999999], ["length"], ["0c" * 16])).fetchone()[0] == 0
    assert rejected(tx, a.tracker) == {"length": 1, "future": 1}


def test_old_digests_are_forgotten(tx, a):
    count = "SELECT count_rejected_once(ARRAY[%s::bigint], '{length}', ARRAY[%s])"
    tx.execute(count, (a.tracker, "0a" * 16))
    tx.execute("UPDATE rejected_payloads SET seen_at = now() - interval '10 days'")
    tx.execute(count, (a.tracker, "0b" * 16))
    rows = tx.execute("SELECT digest FROM rejected_payloads WHERE tracker_id = %s", (a.tracker,)).fetchall()
    assert rows == [("0b" * 16,)]


def test_workers_may_and_the_api_may_not(tx, acting, a):
    tx.execute("SET ROLE tracker_worker")
    assert ingest(tx, a.tracker, [BERLIN]) == (1, 0)
    tx.execute("RESET ROLE")
    acting("admin")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ingest(tx, a.tracker, [BERLIN])
