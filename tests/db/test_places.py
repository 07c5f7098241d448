"""storage_locations and delivery_locations: one row in, one row out, though two tables stand behind them."""

from __future__ import annotations

import psycopg
import pytest

INSERT = "INSERT INTO storage_locations (client_id, name, latitude, longitude, radius_m, polygon) VALUES (1, 'depot', %s, %s, %s, %s) RETURNING id"
TRIANGLE = '{"type": "Polygon", "coordinates": [[[13, 52], [13.01, 52], [13.01, 52.01], [13, 52]]]}'


@pytest.fixture
def depot(tx) -> int:
    return tx.execute(INSERT, (52.5, 13.4, None, None)).fetchone()[0]


def shapes(connection: psycopg.Connection, place: int) -> list[tuple]:
    """(from, until, radius, is a polygon) in the order of time."""
    return connection.execute(
        "SELECT lower(period)::date::text, upper(period)::date::text, radius_m, polygon IS NOT NULL FROM location_shapes"
        " WHERE location_id = %s ORDER BY lower(period) NULLS FIRST",
        (place,),
    ).fetchall()


def test_insert_defaults(tx, depot):
    row = tx.execute(
        "SELECT latitude, longitude, radius_m, polygon, valid_from, version, description FROM storage_locations WHERE id = %s",
        (depot,),
    ).fetchone()
    assert row == (52.5, 13.4, 200, None, None, 1, "")
    assert tx.execute("SELECT kind::text FROM locations WHERE id = %s", (depot,)).fetchone() == ("storage",)
    assert not tx.execute("SELECT FROM delivery_locations WHERE id = %s", (depot,)).fetchall()


def test_insert_polygon(tx):
    place = tx.execute(INSERT, (None, None, None, TRIANGLE)).fetchone()[0]
    row = tx.execute("SELECT latitude, radius_m, polygon FROM storage_locations WHERE id = %s", (place,)).fetchone()
    assert row[:2] == (None, None)
    assert row[2]["coordinates"] == [[[13, 52], [13.01, 52], [13.01, 52.01], [13, 52]]]


@pytest.mark.parametrize(("latitude", "longitude"), [(90.1, 0), (-90.1, 0), (0, 180.1), (0, -180.1)])
def test_positions_off_the_globe_are_refused(tx, latitude, longitude):
    with pytest.raises(psycopg.errors.CheckViolation), tx.transaction():
        tx.execute(INSERT, (latitude, longitude, None, None))


def test_update_corrects_the_past(tx, depot):
    version = tx.execute(
        "UPDATE storage_locations SET radius_m = 300 WHERE id = %s RETURNING version", (depot,)
    ).fetchone()[0]
    assert version == 2
    assert shapes(tx, depot) == [(None, None, 300, False)]


def test_update_with_valid_from_starts_a_new_shape(tx, depot):
    tx.execute("UPDATE storage_locations SET radius_m = 300, valid_from = '2026-03-01Z' WHERE id = %s", (depot,))
    assert shapes(tx, depot) == [(None, "2026-03-01", 200, False), ("2026-03-01", None, 300, False)]
    # An earlier start takes the place of the later shape.
    tx.execute("UPDATE storage_locations SET radius_m = 400, valid_from = '2026-02-01Z' WHERE id = %s", (depot,))
    assert shapes(tx, depot) == [(None, "2026-02-01", 200, False), ("2026-02-01", None, 400, False)]
    # NULL means always: one shape remains.
    tx.execute("UPDATE storage_locations SET valid_from = NULL WHERE id = %s", (depot,))
    assert shapes(tx, depot) == [(None, None, 400, False)]


def test_a_shape_for_later_leaves_the_present(tx, depot):
    tx.execute(
        "UPDATE storage_locations SET radius_m = 300, valid_from = now() + interval '1 year' WHERE id = %s", (depot,)
    )
    assert tx.execute("SELECT radius_m FROM storage_locations WHERE id = %s", (depot,)).fetchone() == (200,)
    assert len(shapes(tx, depot)) == 2


def test_circle_becomes_polygon_and_back(tx, depot):
    tx.execute("UPDATE storage_locations SET polygon = %s WHERE id = %s", (TRIANGLE, depot))
    assert shapes(tx, depot) == [(None, None, None, True)]
    tx.execute("UPDATE storage_locations SET latitude = 1, longitude = 2 WHERE id = %s", (depot,))
    assert shapes(tx, depot) == [(None, None, 200, False)]


def test_names_alone_leave_the_shape(tx, depot):
    before = tx.execute("SELECT id FROM location_shapes WHERE location_id = %s", (depot,)).fetchall()
    tx.execute("DELETE FROM replay_requests")
    tx.execute("UPDATE storage_locations SET name = 'renamed', archived_at = NULL WHERE id = %s", (depot,))
    assert tx.execute("SELECT id FROM location_shapes WHERE location_id = %s", (depot,)).fetchall() == before
    assert not tx.execute("SELECT FROM replay_requests").fetchall()


def test_delete(tx, depot):
    assert tx.execute("DELETE FROM storage_locations WHERE id = %s", (depot,)).rowcount == 1
    assert not tx.execute("SELECT FROM location_shapes WHERE location_id = %s", (depot,)).fetchall()


def test_fence_distances(tx, depot):
    """distance to fence less the radius is the distance to a circle's edge; to a polygon it is 0 inside."""
    place = tx.execute(INSERT.replace("'depot'", "'area'"), (None, None, None, TRIANGLE)).fetchone()[0]
    query = "SELECT ST_Distance(fence, 'POINT(%s %s)'::geography) FROM location_shapes WHERE location_id = %s"
    assert tx.execute(query % (13.4, 52.5, depot)).fetchone()[0] == 0
    assert 1000 < tx.execute(query % (13.415, 52.5, depot)).fetchone()[0] < 1030  # 0.015 degrees at 52.5 N
    assert tx.execute(query % (13.009, 52.003, place)).fetchone()[0] == 0
    assert tx.execute(query % (13.02, 52.0, place)).fetchone()[0] > 600
