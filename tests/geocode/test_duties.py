"""The duties geocode.due and history.refresh, done by real workers: every cell gets its name once, whatever fails on the way."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from conftest import eventually, on_web

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(autouse=True)
def nothing_known(db):
    """Each test begins without answers, and with a history of its own."""
    db.execute("TRUNCATE geocoding_cache, geocoding_providers")
    db.execute("UPDATE trackers SET place_due = false")


@pytest.fixture
def trackers(db) -> list[int]:
    client = db.execute("INSERT INTO clients (name) VALUES (%s) RETURNING id", (uuid.uuid4().hex,)).fetchone()[0]
    rows = db.execute(
        "INSERT INTO trackers (client_id, name) SELECT %s, 't' || n FROM generate_series(1, 3) n RETURNING id",
        (client,),
    )
    return [row[0] for row in rows]


def store(db, tracker: int, positions: list[tuple[float, float]], at: datetime = NOW) -> None:
    n = len(positions)
    db.execute(
        "SELECT store_reports(%s::bigint[], %s::timestamptz[], %s::float8[], %s::float8[], %s::real[], %s::smallint[],"
        " %s::smallint[], %s::bigint[], %s::boolean[])",
        (
            [tracker] * n, [at - timedelta(minutes=i) for i in range(n)], [p[0] for p in positions], [p[1] for p in positions],
            [20.0] * n, [2] * n, [0] * n, [None] * n, [False] * n,
        ),
    )  # fmt: skip


def move(db, tracker: int, latitude: float, longitude: float) -> None:
    """What the judge does to a tracker."""
    db.execute(
        "UPDATE trackers SET last_latitude = %s, last_longitude = %s WHERE id = %s", (latitude, longitude, tracker)
    )


def place(db, tracker: int) -> tuple[str | None, bool]:
    return db.execute("SELECT last_place, place_due FROM trackers WHERE id = %s", (tracker,)).fetchone()


def unanswered(db) -> int:
    return db.execute("SELECT count(*) FROM geocoding_cache WHERE fetched_at IS NULL").fetchone()[0]


def cells(db, n: int) -> list[tuple[float, float]]:
    """Positions in n cells around Hamburg."""
    return [(53.4 + 0.02 * (i % 10), 9.9 + 0.02 * (i // 10)) for i in range(n)]


def test_history_has_a_report_at_once_and_its_place_soon(db, trackers, worker):
    store(db, trackers[0], [(53.551, 9.993), (48.137, 11.575)])
    history = "SELECT bucket, reports, last_at, best_latitude, place FROM location_history_daily WHERE tracker_id = %s ORDER BY 1"
    before = db.execute(history, (trackers[0],)).fetchall()
    assert sum(row[1] for row in before) == 2
    assert db.execute("SELECT count(*) FROM agg_dirty WHERE tracker_id = %s", (trackers[0],)).fetchone()[0] >= 1
    worker()
    eventually(lambda: db.execute("SELECT count(*) FROM agg_dirty").fetchone()[0] == 0, "the history is refreshed")
    eventually(lambda: unanswered(db) == 0, "the cells are named")
    after = db.execute(history, (trackers[0],)).fetchall()
    assert [row[:4] for row in after] == [row[:4] for row in before]
    assert {row[4] for row in after} <= {"Hamburg", "Munich"}
    reports = db.execute("SELECT place FROM tracker_reports WHERE tracker_id = %s ORDER BY reported_at", (trackers[0],))
    assert reports.fetchall() == [("Munich",), ("Hamburg",)]


def test_trackers_are_named_where_they_stand(db, trackers, worker):
    generation = "SELECT generation FROM cache_generations g JOIN trackers t USING (client_id) WHERE t.id = %s"
    move(db, trackers[0], 53.551, 9.993)
    move(db, trackers[1], 0, 0)  # the sea
    assert place(db, trackers[0]) == (None, True)
    version = db.execute("SELECT version FROM trackers WHERE id = %s", (trackers[0],)).fetchone()[0]
    worker()
    eventually(lambda: place(db, trackers[0]) == ("Hamburg", False), "the tracker is named")
    eventually(lambda: place(db, trackers[1]) == (None, False), "the sea has no name, and that is known")
    # Caches are told, and so are readers that hold an ETag.
    assert db.execute(generation, (trackers[0],)).fetchone() is not None
    assert db.execute("SELECT version FROM trackers WHERE id = %s", (trackers[0],)).fetchone()[0] > version
    # A known cell names at once, an unknown one leaves no wrong name behind.
    move(db, trackers[2], 53.5512, 9.9931)
    assert place(db, trackers[2]) == ("Hamburg", False)
    move(db, trackers[0], 48.24, 11.65)
    assert place(db, trackers[0])[0] in (None, "Garching")
    eventually(lambda: place(db, trackers[0]) == ("Garching", False), "the new place is named")
    db.execute("UPDATE trackers SET last_latitude = NULL, last_longitude = NULL WHERE id = %s", (trackers[0],))
    assert place(db, trackers[0]) == (None, False)


def test_no_cell_is_asked_for_twice(db, trackers, worker, stand_in):
    """Four workers, of which one is killed, on a server that allows ten requests a second."""
    settings = on_web(stand_in, "nominatim", GEOCODER_EMAIL="ops@example.com")
    store(db, trackers[0], cells(db, 24))
    store(db, trackers[1], cells(db, 24))
    workers = [worker(settings) for _ in range(4)]
    eventually(lambda: len(stand_in.requests) >= 8, "the workers ask")
    workers[0].kill()
    eventually(lambda: unanswered(db) <= 1, "all are answered, but perhaps the one that the killed worker had")
    asked = [(q["lat"], q["lon"]) for q in stand_in.asked("/nominatim/reverse")]
    assert len(asked) == len(set(asked)) >= 23
    assert stand_in.too_often == 0
    assert {q["email"] for _, _, q in stand_in.requests} == {"ops@example.com"}
    named = db.execute(
        "SELECT DISTINCT name, region, country_code, provider FROM geocoding_cache WHERE fetched_at IS NOT NULL"
    )
    assert named.fetchall() == [("Hamburg", "Hamburg", "DE", "nominatim")]
    # The lease of the dead runs out, and the rest is done as well.
    db.execute("UPDATE geocoding_cache SET lease_until = now() WHERE fetched_at IS NULL")
    eventually(lambda: unanswered(db) == 0, "the killed worker's cell is answered")


def test_trackers_come_before_history(db, trackers, worker, stand_in):
    store(db, trackers[0], cells(db, 10))
    db.execute("CALL refresh_history()")
    move(db, trackers[1], 48.137, 11.575)
    worker(on_web(stand_in, "photon", GEOCODER_INTERVAL="300ms"))
    eventually(lambda: place(db, trackers[1]) == ("Munich", False), "the tracker is named")
    first = stand_in.asked("/photon/reverse")[0]
    assert (first["lat"], first["lon"]) == ("48.140000", "11.580000")


def test_failures_pause_and_refusals_are_passed_over(db, trackers, worker, stand_in):
    stand_in.faults += [(400, {}, b""), (429, {"Retry-After": "2"}, b""), (200, {}, b"no JSON"), (503, {}, b"")]
    store(db, trackers[0], cells(db, 8))
    worker(on_web(stand_in, "nominatim", GEOCODER_TIMEOUT="1s"))
    blamed = "SELECT count(*) FROM geocoding_cache WHERE fetched_at IS NULL AND failures = 1 AND next_try_at > now()"
    eventually(
        lambda: unanswered(db) == 3 == db.execute(blamed).fetchone()[0],
        "all but those that failed on their own account",
    )
    times = [at for at, _, _ in stand_in.requests]
    assert times[2] - times[1] >= 1.9, "Retry-After was not kept"
    db.execute("UPDATE geocoding_cache SET next_try_at = now()")
    eventually(lambda: unanswered(db) == 0, "the others are tried again")
    assert stand_in.too_often == 0


def test_the_precision_is_a_setting(db, trackers, worker):
    store(db, trackers[0], [(53.551, 9.993), (53.5512, 9.9932), (53.58, 9.993)])
    move(db, trackers[0], 53.551, 9.993)
    first = worker()
    count = "SELECT count(*) FROM geocoding_cache WHERE places_precision = %s AND fetched_at IS NOT NULL"
    eventually(lambda: unanswered(db) == 0 and db.execute(count, (2,)).fetchone()[0] >= 2, "named by 1 km")
    eventually(lambda: place(db, trackers[0]) == ("Hamburg", False), "the tracker as well")
    first.terminate()
    assert first.wait(60) == 0
    try:
        worker({"GEOCODE_PRECISION": "4"})
        eventually(lambda: db.execute(count, (4,)).fetchone()[0] >= 1 and unanswered(db) == 0, "named by 10 m")
        history = "SELECT place FROM location_history_hourly WHERE tracker_id = %s"
        assert set(db.execute(history, (trackers[0],)).fetchall()) == {("Hamburg",)}
        assert place(db, trackers[0])[0] == "Hamburg"
    finally:
        db.execute("UPDATE schema_info SET value = '2' WHERE key = 'geocode_precision'")


def test_no_geocoder_and_no_towns_leave_the_work(db, trackers, worker, server):
    """Nothing is marked as nameless because nobody could tell."""
    move(db, trackers[0], 53.551, 9.993)
    store(db, trackers[0], [(53.551, 9.993)])
    db.execute("DELETE FROM places")
    try:
        worker()
        worker({"GEOCODER": "none"})
        eventually(lambda: unanswered(db) > 0, "the cell is wanted")
        eventually(lambda: "no towns are loaded" in (server.folder / "worker.log").read_text(), "somebody is told")
        assert place(db, trackers[0]) == (None, True)
    finally:
        server.run("places", "load", "--default", login="worker_login")
    eventually(lambda: place(db, trackers[0]) == ("Hamburg", False), "named as soon as there are towns")


def test_old_reports_go_and_their_summaries_stay(db, trackers, worker):
    """The history's upkeep, with a retention: whole months only, and not before their summaries are made."""
    old, kept = NOW - timedelta(days=200), NOW - timedelta(days=30)
    store(db, trackers[0], [(53.551, 9.993)], at=old)
    store(db, trackers[0], [(53.551, 9.993)], at=kept)
    reports = "SELECT reported_at FROM location_reports WHERE tracker_id = %s ORDER BY 1"
    worker()
    eventually(lambda: db.execute("SELECT count(*) FROM agg_dirty").fetchone()[0] == 0, "the history is refreshed")
    assert db.execute(reports, (trackers[0],)).fetchall() == [(old,), (kept,)]
    try:
        worker({"HISTORY_RETENTION": "90d"})
        eventually(lambda: db.execute(reports, (trackers[0],)).fetchall() == [(kept,)], "the old month is dropped")
        days = db.execute("SELECT reports FROM location_history_daily WHERE tracker_id = %s", (trackers[0],)).fetchall()
        assert days == [(1,), (1,)]
        store(db, trackers[0], [(53.551, 9.993)], at=old)
        assert db.execute(reports, (trackers[0],)).fetchall() == [(kept,)], "a report from before the horizon came back"
    finally:
        db.execute("DELETE FROM schema_info WHERE key = 'report_horizon'")
