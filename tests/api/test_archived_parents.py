"""Nothing new below what is archived."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import httpx
import pytest
from helpers import made, refused
from pictures import png
from stack import Stack
from tracker_files import as_csv, fresh_keys, row_of
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
        "subscriptions": {"kinds": ["delivered"]},
    } | ({"exclusion-areas": AREA} if by == "admin" else {})

    def create(resource: str) -> httpx.Response:
        body = {"client_id": goods.client} | bodies[resource]
        if resource != "subscriptions":
            body["name"] = uuid.uuid4().hex
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


def test_files_below_an_archived_client_or_run(
    server: Stack, admin: httpx.Client, make_client: Callable[..., dict]
) -> None:
    goods = make_goods(admin, make_client()["id"])
    (key,) = fresh_keys(server, 1)

    def ways(**of: object) -> dict[str, httpx.Response]:
        parameters = {"client_id": goods.client} | of
        order = parameters | {"count": 1, "name_prefix": uuid.uuid4().hex}
        csv = {"content": as_csv([row_of(uuid.uuid4().hex, key)]), "headers": {"Content-Type": "text/csv"}}
        return {
            "generate": admin.post("/trackers/generate", json=order),
            "import": admin.post("/trackers/import", params=parameters, **csv),
        }

    admin.post(f"/production-runs/{goods.run}/archive")
    for way, answer in ways(production_run_id=goods.run).items():
        assert refused(answer) == {"production_run_id": "archived"}, way
    admin.post(f"/clients/{goods.client}/archive")
    for way, answer in ways().items():
        assert refused(answer) == {"client_id": "archived"}, way
    image = admin.post("/images", params={"owner_kind": "client", "owner_id": goods.client}, content=png(4, 4))
    assert refused(image) == {"client_id": "archived"}
    admin.post(f"/clients/{goods.client}/restore")
    for way, answer in ways().items():
        assert answer.status_code in (200, 201), way


def test_a_tracker_is_not_moved_to_an_archived_run(admin: httpx.Client, make_client: Callable[..., dict]) -> None:
    goods = make_goods(admin, make_client()["id"])
    free = made(admin.post("/trackers", json={"client_id": goods.client, "name": "free"}))
    admin.post(f"/production-runs/{goods.run}/archive")
    move = {"production_run_id": goods.run}
    assert refused(admin.patch(f"/trackers/{free['id']}", json=move)) == {"production_run_id": "archived"}
    moved = admin.post("/trackers/bulk", json={"ids": [free["id"]], "action": "set_run"} | move).json()
    assert (moved["done"], moved["results"][0]["code"]) == (0, "archived")
    # Those that are in it can still be changed, and leave it.
    assert admin.patch(f"/trackers/{goods.tracker}", json={"description": "x"} | move).status_code == 200
    assert admin.patch(f"/trackers/{goods.tracker}", json={"production_run_id": None}).status_code == 200
    admin.post(f"/production-runs/{goods.run}/restore")
    assert admin.patch(f"/trackers/{free['id']}", json=move).status_code == 200
