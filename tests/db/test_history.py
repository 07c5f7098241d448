"""Hourly and daily history: the same rows as a plain Python computation, at every moment, through every race."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import world as world_rows
from reports import WIDTHS, Report, assert_same_history, history, read_history, store

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def db(fresh):
    """An autocommit connection to a database with one client and three trackers; `.trackers` has their ids."""
    connection = fresh(autocommit=True)
    client = connection.execute("INSERT INTO clients (name) VALUES ('c') RETURNING id").fetchone()[0]
    connection.trackers = [
        row[0]
        for row in connection.execute(
            "INSERT INTO trackers (client_id, name) SELECT %s, 't' || n FROM generate_series(1, 3) n RETURNING id",
            (client,),
        )
    ]
    return connection


def random_reports(trackers: list[int], n: int, seed: int) -> list[Report]:
    """Journeys with pauses, ties in time, late reports, a jump over the antimeridian and excluded ones."""
    rng = random.Random(seed)
    reports = []
    for _ in range(n):
        at = NOW - timedelta(days=rng.choice([0, 1, 2, 6, 40]), minutes=rng.randrange(0, 600, 7))
        reports.append(
            Report(
                rng.choice(trackers), at,
                round(rng.choice([52.5, 52.51, -33.9]) + rng.choice([0, 0, rng.random() / 100]), 7),
                round(rng.choice([13.4, 179.99, -179.99]) + rng.choice([0, 0, rng.random() / 100]), 7),
                accuracy=rng.choice([5, 20, 65, 200]), confidence=rng.randint(0, 3), excluded=rng.random() < 0.1,
            )
        )  # fmt: skip
    # The first of two reports that differ in nothing but unkeyed columns wins, in the database as here.
    unique = {}
    for r in reports:
        unique.setdefault((r.tracker, r.at, r.latitude, r.longitude), r)
    return list(unique.values())


def check(connection: psycopg.Connection, reports: list[Report]) -> None:
    for name, width in WIDTHS.items():
        assert_same_history(read_history(connection, f"history_{name}_now"), history(reports, width))


def test_same_rows_as_python(db):
    """In batches, with refreshes in between, before and after each."""
    reports = random_reports(db.trackers, 600, seed=1)
    stored = []
    for start in range(0, len(reports), 97):
        batch = reports[start : start + 97]
        assert len(store(db, batch)) == len(batch)
        stored += batch
        check(db, stored)  # live, without any refresh
        if start % 2:
            db.execute("CALL refresh_history()")
            check(db, stored)
    db.execute("CALL refresh_history()")
    check(db, stored)
    # Now the summaries alone must say the same.
    assert db.execute("SELECT count(*) FROM agg_dirty").fetchone() == (0,)
    for name, width in WIDTHS.items():
        assert_same_history(read_history(db, f"history_{name}"), history(stored, width))


def test_any_order_of_arrival_gives_the_same_history(db):
    reports = random_reports(db.trackers, 200, seed=2)
    seen = []
    for seed in range(3):
        db.execute("SELECT erase_reports(%s)", (db.trackers,))
        db.execute("CALL refresh_history()")
        shuffled = random.Random(seed).sample(reports, len(reports))
        for start in range(0, len(shuffled), 20 + seed * 30):
            store(db, shuffled[start : start + 20 + seed * 30])
            db.execute("CALL refresh_history()")
        seen.append({name: read_history(db, f"history_{name}") for name in WIDTHS})
    assert seen[0] == seen[1] == seen[2]


def test_a_lone_report_has_no_distance(db):
    store(db, [Report(db.trackers[0], NOW, 1, 1)])
    assert [s["distance"] for s in read_history(db, "history_hourly_now").values()] == [0]


def test_buckets_are_half_open(db):
    hour = NOW.replace(minute=0, second=0) - timedelta(hours=3)
    store(
        db,
        [
            Report(db.trackers[0], hour + d, 1, 1)
            for d in (timedelta(0), timedelta(hours=1, microseconds=-1), timedelta(hours=1))
        ],
    )
    counts = {key[1]: s["reports"] for key, s in read_history(db, "history_hourly_now").items()}
    assert counts == {hour: 2, hour + timedelta(hours=1): 1}


def test_refresh_recomputes_only_what_is_dirty(db):
    store(db, [Report(t, NOW - timedelta(days=d), 1, 1) for t in db.trackers for d in (1, 2)])
    db.execute("CALL refresh_history()")
    kept = "SELECT tracker_id, bucket, xmin::text FROM history_hourly ORDER BY 1, 2"
    before = db.execute(kept).fetchall()
    store(db, [Report(db.trackers[0], NOW - timedelta(days=1), 2, 2)])
    assert db.execute("CALL refresh_history()").fetchone() == (1,)
    changed = set(before) ^ set(db.execute(kept).fetchall())
    assert len(changed) == 2 and {c[0] for c in changed} == {db.trackers[0]}
    assert db.execute("CALL refresh_history()").fetchone() == (0,)


def test_erasing_removes_history_at_once(db):
    store(db, [Report(t, NOW, 1, 1) for t in db.trackers])
    db.execute("CALL refresh_history()")
    assert db.execute("SELECT erase_reports(%s)", (db.trackers[:1],)).fetchone() == (1,)
    for _ in range(2):
        assert {key[0] for key in read_history(db, "history_daily_now")} == set(db.trackers[1:])
        db.execute("CALL refresh_history()")
    assert db.execute("SELECT count(*) FROM history_daily").fetchone() == (2,)


# ------------------------------------------------------------------ races


def test_no_lost_update_when_the_key_is_already_dirty(db, fresh):
    """The writer finds its key dirty, the refresher takes it and computes without the writer's rows, the writer commits."""
    tracker = db.trackers[0]
    reports = [Report(tracker, NOW, 1, 1)]
    store(db, reports)  # the key is dirty
    writer = fresh()
    late = Report(tracker, NOW, 2, 2)
    store(writer, [late])  # not committed
    db.execute("CALL refresh_history()")
    check(db, reports)
    writer.commit()
    check(db, [*reports, late])  # live at once, because the writer's own log entry has survived
    db.execute("CALL refresh_history()")
    check(db, [*reports, late])
    assert db.execute("SELECT count(*) FROM agg_dirty").fetchone() == (0,)


def test_a_unique_log_would_lose_it(db, fresh):
    """The same with a unique log: shows that the test above can fail."""
    db.execute("CREATE UNIQUE INDEX would_lose ON agg_dirty (tracker_id, day)")
    source = db.execute("SELECT pg_get_functiondef('store_reports'::regproc)").fetchone()[0]
    unique = source.replace(
        "    )\n    SELECT s.tracker_id, s.reported_at",
        "        ON CONFLICT DO NOTHING\n    )\n    SELECT s.tracker_id, s.reported_at",
    )
    assert unique != source
    db.execute(unique)
    store(db, [Report(db.trackers[0], NOW, 1, 1)])
    writer = fresh()
    store(writer, [Report(db.trackers[0], NOW, 2, 2)])
    db.execute("CALL refresh_history()")
    writer.commit()
    db.execute("CALL refresh_history()")
    assert [s["reports"] for s in read_history(db, "history_hourly_now").values()] == [1]  # wrong, for ever


def test_one_refresher_at_a_time(db, fresh):
    store(db, [Report(db.trackers[0], NOW, 1, 1)])
    busy = fresh()
    assert busy.execute("SELECT refresh_history_batch()").fetchone() == (1,)
    assert db.execute("SELECT refresh_history_batch()").fetchone() == (0,)
    busy.rollback()  # it died: nothing is lost
    assert db.execute("SELECT refresh_history_batch()").fetchone() == (1,)


def test_refresh_refuses_an_old_snapshot(fresh):
    connection = fresh()
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with pytest.raises(psycopg.errors.RaiseException, match="READ COMMITTED"):
        connection.execute("SELECT refresh_history_batch()")


def test_a_worker_refreshes(db):
    store(db, [Report(db.trackers[0], NOW, 1, 1)])
    db.execute("SET ROLE tracker_worker")
    assert db.execute("CALL refresh_history()").fetchone() == (1,)
    assert len(read_history(db, "history_daily_now")) == 1


# ------------------------------------------------------------------ the view and the other form


def test_place_names_come_from_the_cache(tx, acting):
    """world.py has Berlin in the cache and reports there; the cell of 13.5 is not known."""
    acting("user", [world_rows.A_ID])
    places = tx.execute("SELECT place, place_country FROM tracker_reports ORDER BY reported_at").fetchall()
    assert places == [("Berlin", "DE"), (None, None)]
    assert ("Berlin",) in tx.execute("SELECT place FROM location_history_hourly").fetchall()


def test_geocode_cells(tx):
    """Whole numbers, the same rule on both sides of zero: the middle of cell n is n / 100 degrees."""
    for e7, cell in [
        (0, 0),
        (49999, 0),
        (50000, 1),
        (-50000, 0),
        (-50001, -1),
        (525049999, 5250),
        (525050000, 5251),
        (-1800000000, -18000),
        (1800000000, 18000),
    ]:
        assert tx.execute("SELECT geocode_cell(%s, 2)", (e7,)).fetchone() == (cell,), e7


def timescale_selects() -> dict[str, str]:
    """The queries of the continuous aggregates, as the TimescaleDB form has them."""
    text = (ROOT / "db/timeseries/timescale/reports.sql").read_text()
    pattern = r"CREATE MATERIALIZED VIEW history_(\w+) WITH \(.*?\) AS\s+(SELECT .*?)\s+WITH NO DATA;"
    return dict(re.findall(pattern, text, re.S))


def test_timescale_form_computes_the_same(db):
    """Without the extension: its queries, run by PostgreSQL over the same reports, give the same rows."""
    db.execute(
        "CREATE FUNCTION time_bucket(width interval, at timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE"
        " RETURN date_bin(width, at, '2000-01-03Z')"  # TimescaleDB's origin
    )
    reports = random_reports(db.trackers, 300, seed=3)
    store(db, reports)
    db.execute("CALL refresh_history()")
    selects = timescale_selects()
    assert selects.keys() == WIDTHS.keys()
    for name, select in selects.items():
        other = db.execute(f"SELECT * FROM ({select}) t ORDER BY 1, 2").fetchall()
        assert other == db.execute(f"SELECT * FROM history_{name} ORDER BY 1, 2").fetchall()
        assert len(other) == len(history(reports, WIDTHS[name]))


def test_both_forms_have_the_same_interface():
    """Every function and table that one form makes, the other makes too, with the same arguments and columns."""

    def interface(form: str) -> tuple[set[str], str]:
        text = (ROOT / f"db/timeseries/{form}/reports.sql").read_text()
        routines = set(re.findall(r"CREATE (?:FUNCTION|PROCEDURE) (\w+\(.*?\))(?: RETURNS \w+)?\s", text))
        table = re.search(r"CREATE TABLE location_reports \((.*?)\n\)", text, re.S).group(1)
        return routines - {"refresh_history_batch(batch integer DEFAULT 500)"}, table

    assert interface("native") == interface("timescale")


def test_select_lists_are_one_text(tx):
    columns = " ".join(tx.execute("SELECT history_columns()").fetchone()[0].split())
    for select in timescale_selects().values():
        assert columns in " ".join(select.split())
