"""Production runs, their period, and the places that count for them."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import httpx
import psycopg
import pytest
from helpers import changed, made, problem, refused, walk


@pytest.fixture
def tenant(make_client: Callable[..., dict]) -> dict:
    return make_client()


@pytest.fixture
def brand(admin: httpx.Client, tenant: dict) -> dict:
    return made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}))


@pytest.fixture
def run(admin: httpx.Client, brand: dict) -> dict:
    return made(admin.post("/production-runs", json={"brand_id": brand["id"], "name": "r"}))


def place(admin: httpx.Client, tenant: dict, kind: str, name: str) -> dict:
    body = {"client_id": tenant["id"], "name": name, "center": {"latitude": 52.5, "longitude": 13.4}}
    return made(admin.post(f"/{kind}-locations", json=body))


def test_the_client_follows_from_the_brand(admin: httpx.Client, tenant: dict, run: dict) -> None:
    assert run["client_id"] == tenant["id"]
    assert run["starts_at"] is not None
    assert run["ends_at"] is None
    assert run["location_ids"] == []


def test_the_brand_must_be_of_the_client(admin: httpx.Client, make_client: Callable[..., dict], brand: dict) -> None:
    body = {"client_id": make_client()["id"], "brand_id": brand["id"], "name": "x"}
    assert refused(admin.post("/production-runs", json=body)) == {"brand_id": "not_found"}
    assert refused(admin.post("/production-runs", json={"brand_id": 999999999, "name": "x"})) == {
        "brand_id": "not_found"
    }


def test_the_end_is_not_before_the_start(admin: httpx.Client, brand: dict, run: dict) -> None:
    body = {
        "brand_id": brand["id"],
        "name": "x",
        "starts_at": "2025-01-02T00:00:00Z",
        "ends_at": "2025-01-01T23:59:59.999Z",
    }
    assert refused(admin.post("/production-runs", json=body)) == {"ends_at": "out_of_range"}
    assert made(admin.post("/production-runs", json=body | {"ends_at": body["starts_at"]}))
    path = f"/production-runs/{run['id']}"
    assert refused(admin.patch(path, json={"ends_at": "2001-01-01T00:00:00Z"})) == {"ends_at": "out_of_range"}
    assert changed(admin.patch(path, json={"ends_at": "2101-01-01T01:00:00+01:00"}))["ends_at"] == (
        "2101-01-01T00:00:00Z"
    )
    assert changed(admin.patch(path, json={"ends_at": None}))["ends_at"] is None


@pytest.mark.parametrize(("confirm", "status"), [(1, 200), (20, 200), (0, 422), (21, 422), (1.5, 422), (None, 200)])
def test_confirm_reports(admin: httpx.Client, run: dict, confirm: object, status: int) -> None:
    answer = admin.patch(f"/production-runs/{run['id']}", json={"confirm_reports": confirm})
    assert answer.status_code == status, answer.text


def test_places_of_a_run(admin: httpx.Client, tenant: dict, run: dict) -> None:
    store, shop = place(admin, tenant, "storage", "store"), place(admin, tenant, "delivery", "shop")
    path = f"/production-runs/{run['id']}"
    answer = admin.put(f"{path}/locations", json={"location_ids": [shop["id"], store["id"], shop["id"]]})
    items = changed(answer)["items"]
    assert [(item["kind"], item["name"]) for item in items] == [("storage", "store"), ("delivery", "shop")]
    assert items[0]["center"] == {"latitude": 52.5, "longitude": 13.4}
    assert items[0]["radius_m"] == 200
    now = admin.get(path)
    assert now.json()["location_ids"] == sorted([store["id"], shop["id"]])
    assert now.headers["etag"].startswith(answer.headers["etag"][:-1] + "-") and answer.headers["etag"] != '"1"'
    assert admin.get(f"{path}/locations").json()["items"] == items
    assert admin.get(f"{path}/locations", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304

    assert changed(admin.put(f"{path}/locations", json={"location_ids": [shop["id"]]}))["items"] == [items[1]]
    problem(admin.delete(f"/delivery-locations/{shop['id']}"), 409, "in_use")
    assert changed(admin.put(f"{path}/locations", json={"location_ids": []}))["items"] == []
    assert admin.delete(f"/delivery-locations/{shop['id']}").status_code == 204

    log = walk(admin, "/audit-log", resource="production-runs", resource_id=run["id"], action="set-locations")
    assert [len(row["after"]["location_ids"]) for row in log] == [0, 1, 2]


def test_places_of_a_run_are_checked(
    admin: httpx.Client, make_client: Callable[..., dict], tenant: dict, run: dict
) -> None:
    foreign = place(admin, make_client(), "storage", "foreign")
    own = place(admin, tenant, "storage", "own")
    path = f"/production-runs/{run['id']}/locations"
    assert refused(admin.put(path, json={"location_ids": [own["id"], foreign["id"]]})) == {"location_ids": "not_found"}
    assert admin.get(path).json()["items"] == []
    for ids in ("x", [0], [1.5], ["1"], [None], None, list(range(1, 1002))):
        assert "location_ids" in refused(admin.put(path, json={"location_ids": ids}))
    assert refused(admin.put(path, json={"locations": []})).keys() == {"locations", "location_ids"}
    problem(admin.put(path, json={"location_ids": []}, headers={"If-Match": '"999"'}), 412, "stale")
    problem(admin.put("/production-runs/999999999/locations", json={"location_ids": []}), 404, "not_found")


def test_other_tenants_see_no_places(
    admin: httpx.Client,
    make_client: Callable[..., dict],
    make_user: Callable[..., httpx.Client],
    run: dict,
) -> None:
    stranger = make_user("manager", clients=[make_client()["id"]])
    problem(stranger.get(f"/production-runs/{run['id']}/locations"), 404, "not_found")
    problem(stranger.put(f"/production-runs/{run['id']}/locations", json={"location_ids": []}), 404, "not_found")


def test_new_places_judge_again(admin: httpx.Client, db: psycopg.Connection, tenant: dict, run: dict) -> None:
    made(admin.post("/trackers", json={"production_run_id": run["id"], "name": "t"}))
    db.execute("DELETE FROM replay_requests")
    shop = place(admin, tenant, "delivery", "shop")
    admin.put(f"/production-runs/{run['id']}/locations", json={"location_ids": [shop["id"]]})
    assert db.execute("SELECT count(*) FROM replay_requests").fetchone() != (0,)


def test_progress(admin: httpx.Client, db: psycopg.Connection, run: dict) -> None:
    path = f"/production-runs/{run['id']}"
    assert (run["tracker_count"], run["delivered_count"]) == (0, 0)
    trackers = [
        made(admin.post("/trackers", json={"production_run_id": run["id"], "name": uuid.uuid4().hex}))["id"]
        for _ in range(3)
    ]
    admin.post(f"/trackers/{trackers[0]}/archive")
    before = admin.get(path)
    assert (before.json()["tracker_count"], before.json()["delivered_count"]) == (2, 0)
    db.execute("UPDATE trackers SET status = 'DELIVERED' WHERE id = %s", (trackers[1],))
    db.execute("SELECT bump_generations(ARRAY[%s::bigint])", (run["client_id"],))
    after = admin.get(path, headers={"Cache-Control": "no-cache", "If-None-Match": before.headers["etag"]})
    assert after.status_code == 200, "the figures changed, though the row did not"
    assert (after.json()["tracker_count"], after.json()["delivered_count"]) == (2, 1)
    (row,) = [row for row in walk(admin, "/production-runs", brand_id=run["brand_id"]) if row["id"] == run["id"]]
    assert (row["tracker_count"], row["delivered_count"]) == (2, 1)
    # What is written is the row's version: figures that changed meanwhile are no conflict.
    renamed = admin.patch(path, json={"name": uuid.uuid4().hex}, headers={"If-Match": before.headers["etag"]})
    assert renamed.status_code == 200
    stale = admin.patch(path, json={"name": "x"}, headers={"If-Match": after.headers["etag"]})
    assert stale.status_code == 412
