"""Exclusion areas: for admins; for everybody, one client or one run."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from helpers import changed, made, problem, refused, walk

AREA = {"type": "Polygon", "coordinates": [[[13, 52], [13.1, 52], [13.1, 52.1], [13, 52]]]}
MANY = {"type": "MultiPolygon", "coordinates": [AREA["coordinates"], [[[0, 0], [1, 0], [1, 1], [0, 0]]]]}


def test_areas(admin: httpx.Client, make_client: Callable[..., dict]) -> None:
    tenant = make_client()
    everywhere = made(admin.post("/exclusion-areas", json={"name": f"factory {tenant['id']}", "area": AREA}))
    assert everywhere["client_id"] is None
    assert everywhere["area"] == AREA
    own = made(admin.post("/exclusion-areas", json={"name": "dock", "area": MANY, "client_id": tenant["id"]}))
    assert own["area"] == MANY
    assert [row["id"] for row in walk(admin, "/exclusion-areas", client_id=tenant["id"])] == [own["id"]]
    assert everywhere["id"] in [row["id"] for row in walk(admin, "/exclusion-areas", client_id="null")]
    assert changed(admin.patch(f"/exclusion-areas/{own['id']}", json={"area": AREA}))["area"] == AREA
    assert admin.delete(f"/exclusion-areas/{own['id']}").status_code == 204
    assert admin.delete(f"/exclusion-areas/{everywhere['id']}").status_code == 204


def test_areas_that_are_none(admin: httpx.Client, make_client: Callable[..., dict]) -> None:
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    assert refused(admin.post("/exclusion-areas", json={"name": "x", "area": bow})) == {"area": "invalid_geometry"}
    assert refused(admin.post("/exclusion-areas", json={"name": "x"})) == {"area": "required"}
    body = {"name": "x", "area": AREA, "client_id": 999999999}
    assert refused(admin.post("/exclusion-areas", json=body)) == {"client_id": "not_found"}
    body = {"name": "x", "area": AREA, "production_run_id": 999999999}
    assert "production_run_id" in refused(
        admin.post("/exclusion-areas", json=body | {"client_id": make_client()["id"]})
    )
    assert "client_id" in refused(admin.post("/exclusion-areas", json=body))


def test_areas_are_for_admins(make_user: Callable[..., httpx.Client], make_client: Callable[..., dict]) -> None:
    manager = make_user("manager", clients=[make_client()["id"]])
    problem(manager.get("/exclusion-areas"), 403, "forbidden")
    problem(manager.post("/exclusion-areas", json={"name": "x", "area": AREA}), 403, "forbidden")
