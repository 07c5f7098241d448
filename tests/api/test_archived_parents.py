"""Nothing new below what is archived."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import httpx
import pytest
from helpers import made, refused
from tracks import make_goods

PLACE = {"center": {"latitude": 1, "longitude": 2}}
AREA = {"area": {"type": "Polygon", "coordinates": [[[10, 50], [11, 50], [11, 51], [10, 50]]]}}


@pytest.mark.parametrize("by", ["admin", "manager"])
def test_below_an_archived_client(
    admin: httpx.Client, make_client: Callable[..., dict], make_user: Callable[..., httpx.Client], by: str
) -> None:
    goods = make_goods(admin, make_client()["id"])
    caller = admin if by == "admin" else make_user("manager", clients=[goods.client])
    assert admin.post(f"/clients/{goods.client}/archive").status_code == 200
    bodies = {
        "brands": {},
        "production-runs": {"brand_id": goods.brand},
        "storage-locations": PLACE,
        "delivery-locations": PLACE,
        "trackers": {},
        "share-links": {"tracker_id": goods.tracker},
    } | ({"exclusion-areas": AREA} if by == "admin" else {})

    def create(resource: str) -> httpx.Response:
        body = {"client_id": goods.client, "name": uuid.uuid4().hex} | bodies[resource]
        return caller.post(f"/{resource}", json=body)

    for resource in bodies:
        assert refused(create(resource)) == {"client_id": "archived"}, resource
    assert admin.post(f"/clients/{goods.client}/restore").status_code == 200
    for resource in bodies:
        made(create(resource))


def test_below_an_archived_brand_or_run(admin: httpx.Client, make_client: Callable[..., dict]) -> None:
    goods = make_goods(admin, make_client()["id"])
    admin.post(f"/production-runs/{goods.run}/archive")
    tracker = {"production_run_id": goods.run, "name": "t"}
    assert refused(admin.post("/trackers", json=tracker)) == {"production_run_id": "archived"}
    admin.post(f"/brands/{goods.brand}/archive")
    run = {"brand_id": goods.brand, "name": "r"}
    assert refused(admin.post("/production-runs", json=run)) == {"brand_id": "archived"}
