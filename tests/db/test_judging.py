"""Edits ask for replays in their own transaction, from the first moment that they touch; distances to places are geodesic."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest
import world as world_rows

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def a(tx) -> world_rows.Tenant:
    tenant = world_rows.read(tx, 1)
    tx.execute("DELETE FROM replay_requests")
    tx.execute("DELETE FROM report_inbox")
    return tenant


def requests(connection: psycopg.Connection) -> list[tuple]:
    """(tracker, run, place, from, reason), each once."""
    return connection.execute(
        "SELECT DISTINCT tracker_id, production_run_id, location_id, from_time, reason FROM replay_requests ORDER BY 4"
    ).fetchall()


def test_a_corrected_shape_replays_from_its_start(tx, a):
    tx.execute("UPDATE storage_locations SET radius_m = 400 WHERE id = %s", (a.storage,))
    assert requests(tx) == [(None, None, a.storage, None, "shape")]
    tx.execute("UPDATE storage_locations SET radius_m = 500, valid_from = %s WHERE id = %s", (MARCH, a.storage))
    tx.execute("DELETE FROM replay_requests")
    tx.execute("UPDATE storage_locations SET radius_m = 600 WHERE id = %s", (a.storage,))
    assert requests(tx) == [(None, None, a.storage, MARCH, "shape")]


def test_a_new_shape_replays_from_its_time_only(tx, a):
    tx.execute("UPDATE storage_locations SET radius_m = 400, valid_from = %s WHERE id = %s", (MARCH, a.storage))
    assert requests(tx) == [(None, None, a.storage, MARCH, "shape")]
    # An earlier beginning of the newer shape touches what lies between both.
    tx.execute("DELETE FROM replay_requests")
    tx.execute("UPDATE storage_locations SET radius_m = 400, valid_from = %s WHERE id = %s", (FEBRUARY, a.storage))
    assert requests(tx)[0] == (None, None, a.storage, FEBRUARY, "shape")


def test_moves_between_runs_replay_from_the_move(tx, a):
    now = tx.execute("SELECT now()").fetchone()[0]
    tx.execute("UPDATE trackers SET production_run_id = NULL WHERE id = %s", (a.tracker,))
    assert requests(tx) == [(a.tracker, None, None, now, "run")]
    tx.execute("DELETE FROM replay_requests")
    tx.execute("UPDATE tracker_runs SET period = tstzrange(NULL, %s) WHERE tracker_id = %s", (FEBRUARY, a.tracker))
    assert requests(tx) == [(a.tracker, None, None, FEBRUARY, "run")]
    tx.execute("DELETE FROM replay_requests")
    tx.execute("DELETE FROM tracker_runs WHERE tracker_id = %s", (a.tracker,))
    assert requests(tx) == [(a.tracker, None, None, None, "run")]


def test_new_trackers_replay_nothing(tx, a):
    tx.execute("INSERT INTO trackers (client_id, production_run_id, name) VALUES (1, %s, 'new')", (a.run,))
    assert requests(tx) == []


def test_changed_places_of_a_run_replay_its_trackers(tx, a):
    tx.execute("DELETE FROM production_run_locations WHERE location_id = %s", (a.delivery,))
    assert requests(tx) == [(None, a.run, None, None, "place")]
    tx.execute("DELETE FROM replay_requests")
    tx.execute("UPDATE production_runs SET confirm_reports = 2 WHERE id = %s", (a.run,))
    assert requests(tx) == [(None, a.run, None, None, "place")]
    tx.execute("DELETE FROM replay_requests")
    tx.execute("UPDATE production_runs SET name = 'renamed', ends_at = now() WHERE id = %s", (a.run,))
    assert requests(tx) == []


def test_archived_places_replay_and_renamed_do_not(tx, a):
    tx.execute("UPDATE locations SET name = 'renamed' WHERE id = %s", (a.storage,))
    assert requests(tx) == []
    tx.execute("UPDATE locations SET archived_at = now() WHERE id = %s", (a.storage,))
    assert requests(tx) == [(None, None, a.storage, None, "place")]


def test_overrides_replay_from_their_time(tx, a):
    tx.execute(
        "INSERT INTO status_overrides (client_id, tracker_id, at, status, reason) VALUES (1, %s, %s, 'DELIVERED', 'x')",
        (a.tracker, MARCH),
    )
    assert requests(tx) == [(a.tracker, None, None, MARCH, "override")]
    tx.execute("DELETE FROM replay_requests")
    tx.execute("UPDATE status_overrides SET at = %s WHERE at = %s", (FEBRUARY, MARCH))
    assert requests(tx) == [(a.tracker, None, None, FEBRUARY, "override")]


def test_requests_become_inbox_rows(tx, acting, a):
    """Each subject reaches the trackers with reports that it concerns, past members of a run included, and no others."""
    tx.execute("INSERT INTO trackers (client_id, production_run_id, name) VALUES (1, %s, 'without reports')", (a.run,))
    tx.execute("UPDATE trackers SET production_run_id = NULL WHERE id = %s", (a.tracker,))
    tx.execute("DELETE FROM replay_requests")
    for column, value in (("tracker_id", a.tracker), ("production_run_id", a.run), ("location_id", a.storage)):
        tx.execute(
            f"INSERT INTO replay_requests (client_id, {column}, from_time, reason) VALUES (1, %s, %s, 'request')",
            (value, MARCH),
        )
        acting.become("tracker_worker")
        assert tx.execute("SELECT expand_replays()").fetchone() == (1,)
        assert tx.execute("DELETE FROM report_inbox RETURNING tracker_id, reported_at, reason, reports").fetchall() == [
            (a.tracker, MARCH, "request", 0)
        ]
        acting.become(None)
    assert tx.execute("SELECT count(*) FROM replay_requests").fetchone() == (0,)


def test_a_place_that_only_an_override_names_replays_too(tx, acting, a):
    """The way to its edge is told when the tracker leaves it, so its shape is part of the history."""
    place = tx.execute(
        "INSERT INTO storage_locations (client_id, name, latitude, longitude, radius_m)"
        " VALUES (1, 'of no run', 1, 1, 100) RETURNING id"
    ).fetchone()[0]
    tx.execute(
        "INSERT INTO status_overrides (client_id, tracker_id, at, status, location_id, reason)"
        " VALUES (1, %s, %s, 'IN_STORAGE', %s, 'seen there')",
        (a.tracker, MARCH, place),
    )
    tx.execute("DELETE FROM replay_requests")
    tx.execute("UPDATE storage_locations SET radius_m = 175 WHERE id = %s", (place,))
    acting.become("tracker_worker")
    assert tx.execute("SELECT expand_replays()").fetchone() == (1,)
    assert tx.execute("SELECT tracker_id, reason FROM report_inbox").fetchall() == [(a.tracker, "shape")]


def test_status_periods(tx, a):
    tx.execute("DELETE FROM status_history")
    for since, status in ((FEBRUARY, "IN_TRANSIT"), (MARCH, "DELIVERED")):
        tx.execute(
            "INSERT INTO status_history (client_id, tracker_id, status, since, previous_status, rule, reported_at, latitude, longitude, accuracy_m)"
            " VALUES (1, %s, %s, %s, 'CREATED', 'r', %s, 1, 1, 1)",
            (a.tracker, status, since, since),
        )
    rows = tx.execute(
        "SELECT status::text, since, until FROM status_periods WHERE tracker_id = %s ORDER BY since", (a.tracker,)
    ).fetchall()
    assert rows == [("IN_TRANSIT", FEBRUARY, MARCH), ("DELIVERED", MARCH, None)]


# ---- distances ----

CIRCLE = "fence_distance(ST_MakePoint(%s, %s)::geography, 200, NULL, ST_MakePoint(%s, %s)::geography)"
RING = "POLYGON((10 50, 10.01 50, 10.01 50.01, 10 50.01, 10 50), (10.004 50.004, 10.006 50.004, 10.006 50.006, 10.004 50.006, 10.004 50.004))"
POLYGON = "fence_distance(NULL, NULL, %s::geography, ST_MakePoint(%s, %s)::geography)"


def test_distance_to_a_circle(tx):
    def distance(*points: float) -> float:
        return tx.execute(f"SELECT {CIRCLE}", points).fetchone()[0]

    assert distance(13.4, 52.5, 13.4, 52.5) == -200
    # a degree of longitude on the equator
    assert distance(0, 0, 1, 0) == pytest.approx(111319.491 - 200, abs=0.001)
    # across the antimeridian, and over the pole
    assert distance(179.9995, 0, -179.9995, 0) == pytest.approx(111.319 - 200, abs=0.001)
    assert distance(0, 89.999, 180, 89.999) == pytest.approx(223.388 - 200, abs=0.001)


def test_distance_to_a_polygon_with_a_hole(tx):
    def distance(longitude: float, latitude: float) -> float:
        return tx.execute(f"SELECT {POLYGON}", (RING, longitude, latitude)).fetchone()[0]

    assert distance(10.002, 50.002) == pytest.approx(-143.4, abs=0.1)  # inside, to the western edge
    assert distance(10.0039, 50.005) == pytest.approx(-7.2, abs=0.1)  # inside, near the hole
    assert distance(10.005, 50.005) == pytest.approx(71.7, abs=0.1)  # in the hole
    assert distance(10.011, 50.005) == pytest.approx(71.7, abs=0.1)  # outside
    assert distance(10, 50.005) == pytest.approx(0, abs=1e-6)


def test_distance_to_the_shape_of_a_time(tx, a):
    tx.execute("UPDATE storage_locations SET radius_m = 500, valid_from = %s WHERE id = %s", (MARCH, a.storage))
    for at, distance in ((FEBRUARY, -200), (MARCH, -500)):
        assert tx.execute("SELECT place_distance(%s, %s, 52.5, 13.4)", (a.storage, at)).fetchone() == (distance,)
    assert tx.execute("SELECT place_distance(0, now(), 52.5, 13.4)").fetchone() == (None,)


@pytest.mark.parametrize(("latitude", "longitude"), [(52.5, 13.4), (0, 180), (89.9999, 0)])
def test_reach_holds_all_that_is_not_outside(tx, a, latitude, longitude):
    """A report whose box does not meet the reach of a place is outside of it."""
    tx.execute(
        "UPDATE delivery_locations SET latitude = %s, longitude = %s, radius_m = 1000, hysteresis_m = 60 WHERE id = %s",
        (latitude, longitude, a.delivery),
    )
    rows = tx.execute(
        "SELECT s.reach && _ST_Expand(p.point, 40), fence_distance(s.center, s.radius_m, s.polygon, p.point) <= 40 + 60"
        " FROM location_shapes s, LATERAL (SELECT ST_Project(s.center, d, radians(b)) AS point"
        "  FROM generate_series(900, 1300, 20) d, generate_series(0, 350, 10) b) p WHERE s.location_id = %s",
        (a.delivery,),
    ).fetchall()
    assert {near for near, not_outside in rows if not_outside} == {True}
    assert (False, False) in rows


def test_a_changed_release_replays_the_run(tx, a):
    tx.execute("DELETE FROM replay_requests")
    tx.execute("UPDATE production_runs SET release_at = now() WHERE id = %s", (a.run,))
    assert requests(tx) == [(None, a.run, None, None, "place")]
