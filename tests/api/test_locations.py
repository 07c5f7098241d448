"""Storage and delivery locations: circles, polygons, and shapes that change over time."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import psycopg
import pytest
from helpers import changed, made, problem, refused, walk

CENTER = {"latitude": 52.52, "longitude": 13.405}
SQUARE = {"type": "Polygon", "coordinates": [[[13, 52], [13.01, 52], [13.01, 52.01], [13, 52.01], [13, 52]]]}


@pytest.fixture
def tenant(make_client: Callable[..., dict]) -> dict:
    return make_client()


@pytest.fixture(params=["storage", "delivery"])
def path(request: pytest.FixtureRequest) -> str:
    return f"/{request.param}-locations"


@pytest.fixture
def circle(admin: httpx.Client, tenant: dict) -> dict:
    return made(admin.post("/storage-locations", json={"client_id": tenant["id"], "name": "c", "center": CENTER}))


def shapes(db: psycopg.Connection, location: dict) -> list[tuple]:
    """(start, end, radius) of all shapes in their order."""
    return db.execute(
        "SELECT lower(period)::date::text, upper(period)::date::text, radius_m FROM location_shapes "
        "WHERE location_id = %s ORDER BY period",
        (location["id"],),
    ).fetchall()


def test_a_circle(admin: httpx.Client, tenant: dict, path: str) -> None:
    row = made(admin.post(path, json={"client_id": tenant["id"], "name": "c", "center": CENTER, "address": "A 1"}))
    assert row["center"] == CENTER
    assert row["radius_m"] == 200
    assert row["polygon"] is None
    assert row["hysteresis_m"] is None
    assert row["valid_from"] is None
    assert row["address"] == "A 1"
    assert "effective" not in row
    assert admin.get(f"{path}/{row['id']}").json() == row
    assert walk(admin, path, client_id=tenant["id"]) == [row]


def test_a_polygon(admin: httpx.Client, tenant: dict, path: str) -> None:
    row = made(admin.post(path, json={"client_id": tenant["id"], "name": "p", "polygon": SQUARE, "hysteresis_m": 10}))
    assert row["polygon"] == SQUARE
    assert row["center"] is None
    assert row["radius_m"] is None


def test_kinds_do_not_mix(admin: httpx.Client, circle: dict, tenant: dict) -> None:
    problem(admin.get(f"/delivery-locations/{circle['id']}"), 404, "not_found")
    problem(admin.patch(f"/delivery-locations/{circle['id']}", json={"name": "x"}), 404, "not_found")
    problem(admin.delete(f"/delivery-locations/{circle['id']}"), 404, "not_found")
    made(admin.post("/delivery-locations", json={"client_id": tenant["id"], "name": "c", "center": CENTER}))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "center"),
        ({"center": CENTER, "polygon": SQUARE}, "polygon"),
        ({"polygon": SQUARE, "radius_m": 100}, "radius_m"),
        ({"center": CENTER, "radius_m": 49.9}, "radius_m"),
        ({"center": CENTER, "radius_m": 50000.1}, "radius_m"),
        ({"center": {"latitude": 90.1, "longitude": 0}}, "center.latitude"),
        ({"center": {"latitude": 0, "longitude": 180.1}}, "center.longitude"),
        ({"center": {"latitude": 0}}, "center.longitude"),
        ({"center": CENTER, "hysteresis_m": -1}, "hysteresis_m"),
        ({"polygon": {"type": "Point", "coordinates": [1, 2]}}, "polygon"),
        # crosses itself
        ({"polygon": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}}, "polygon"),
        # the size of a table, and of a continent
        (
            {"polygon": {"type": "Polygon", "coordinates": [[[0, 0], [1e-5, 0], [1e-5, 1e-5], [0, 0]]]}},
            "polygon",
        ),
        ({"polygon": {"type": "Polygon", "coordinates": [[[0, 0], [20, 0], [20, 20], [0, 0]]]}}, "polygon"),
        ({"center": CENTER, "effective": "from"}, "effective_from"),
        ({"center": CENTER, "valid_from": "2025-01-01T00:00:00Z"}, "valid_from"),
    ],
)
def test_shapes_that_are_none(admin: httpx.Client, tenant: dict, body: dict, field: str) -> None:
    answer = admin.post("/storage-locations", json={"client_id": tenant["id"], "name": "x"} | body)
    assert field in refused(answer)


def test_a_correction_changes_the_past(admin: httpx.Client, db: psycopg.Connection, circle: dict) -> None:
    row = changed(admin.patch(f"/storage-locations/{circle['id']}", json={"radius_m": 300}))
    assert row["radius_m"] == 300
    assert row["center"] == CENTER
    assert shapes(db, circle) == [(None, None, 300)]


def test_a_new_shape_leaves_the_past(admin: httpx.Client, db: psycopg.Connection, circle: dict) -> None:
    path = f"/storage-locations/{circle['id']}"
    body = {"radius_m": 300, "effective": "from", "effective_from": "2025-03-01T00:00:00Z"}
    row = changed(admin.patch(path, json=body))
    assert (row["radius_m"], row["valid_from"]) == (300, "2025-03-01T00:00:00Z")
    assert shapes(db, circle) == [(None, "2025-03-01", 200), ("2025-03-01", None, 300)]

    # a plan for later is not what holds now
    body = {"radius_m": 400, "effective": "from", "effective_from": "2101-01-01T00:00:00Z"}
    row = changed(admin.patch(path, json=body))
    assert row["radius_m"] == 300
    assert row == admin.get(path).json()
    assert shapes(db, circle)[2] == ("2101-01-01", None, 400)


def test_circle_to_polygon_and_back(admin: httpx.Client, circle: dict) -> None:
    path = f"/storage-locations/{circle['id']}"
    row = changed(admin.patch(path, json={"polygon": SQUARE}))
    assert (row["polygon"], row["center"], row["radius_m"]) == (SQUARE, None, None)
    row = changed(admin.patch(path, json={"center": CENTER}))
    assert (row["polygon"], row["center"], row["radius_m"]) == (None, CENTER, 200)
    assert "center" in refused(admin.patch(path, json={"center": None}))
    assert admin.get(path).json()["center"] == CENTER


def test_every_edit_has_a_new_version(admin: httpx.Client, circle: dict) -> None:
    path = f"/storage-locations/{circle['id']}"
    tags = [admin.get(path).headers["etag"]]
    for body in ({"radius_m": 60}, {"name": "d"}, {"polygon": SQUARE}, {"center": CENTER}):
        tags.append(admin.patch(path, json=body, headers={"If-Match": tags[-1]}).headers["etag"])
    assert len(set(tags)) == len(tags)


def test_the_audit_log_has_positions(admin: httpx.Client, circle: dict) -> None:
    entry = walk(admin, "/audit-log", resource="storage-locations", resource_id=circle["id"])[0]
    assert entry["after"]["center"] == CENTER
    assert "center.latitude" not in entry["after"]
