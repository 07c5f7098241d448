"""One action on many trackers, each for itself."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import httpx
import psycopg
import pytest
from helpers import made, problem, refused, walk
from tracks import START, Goods, Report, make_goods, make_tracker, store


@pytest.fixture
def goods(admin: httpx.Client, make_client: Callable[..., dict]) -> Goods:
    return make_goods(admin, make_client()["id"])


def bulk(client: httpx.Client, **body: object) -> dict[int, str | None]:
    """id -> code of what went wrong, or None."""
    answer = client.post("/trackers/bulk", json=body)
    assert answer.status_code == 200, answer.text
    result = answer.json()
    rows = result["results"]
    assert result["done"] == sum(row["done"] for row in rows)
    assert result["failed"] == len(rows) - result["done"]
    assert all(row["done"] == (row["code"] is None) == (row["message"] is None) for row in rows)
    return {row["id"]: row["code"] for row in rows}


def names(client: httpx.Client, **query: object) -> list[int]:
    return sorted(row["id"] for row in walk(client, "/trackers", **query))


def test_archive_and_restore(admin: httpx.Client, goods: Goods) -> None:
    ids = [goods.tracker, make_tracker(admin, goods.run), make_tracker(admin, goods.run)]
    mine = {"client_id": goods.client}
    assert bulk(admin, ids=ids[:2], action="archive") == dict.fromkeys(ids[:2])
    assert names(admin, **mine) == ids[2:]
    assert bulk(admin, ids=ids[:2], action="archive") == dict.fromkeys(ids[:2]), "again is harmless"
    assert bulk(admin, ids=ids[:2], action="restore") == dict.fromkeys(ids[:2])
    assert names(admin, **mine) == ids
    entries = admin.get("/audit-log", params={"resource": "trackers", "resource_id": ids[0]}).json()["items"]
    assert [entry["action"] for entry in entries][:3] == ["restore", "archive", "archive"]


def test_what_fails_leaves_the_others_done(
    admin: httpx.Client, db: psycopg.Connection, goods: Goods, make_client: Callable[..., dict]
) -> None:
    first, second, third = goods.tracker, make_tracker(admin, goods.run), make_tracker(admin, goods.run)
    store(db, second, [Report(START, 50, 10)])
    assert bulk(admin, ids=[first, second, 2**40, third], action="delete") == {
        first: None,
        second: "in_use",
        2**40: "not_found",
        third: None,
    }
    assert names(admin, client_id=goods.client) == [second]
    admin.post(f"/trackers/{second}/archive")
    name = admin.get(f"/trackers/{second}").json()["name"]
    again = made(admin.post("/trackers", json={"client_id": goods.client, "name": name}))["id"]
    assert bulk(admin, ids=[second, again], action="restore") == {second: "already_exists", again: None}


def test_set_run(admin: httpx.Client, goods: Goods, make_client: Callable[..., dict]) -> None:
    target = made(admin.post("/production-runs", json={"brand_id": goods.brand, "name": uuid.uuid4().hex}))["id"]
    elsewhere = make_goods(admin, make_client()["id"])
    ids = [goods.tracker, elsewhere.tracker]
    assert bulk(admin, ids=ids, action="set_run", production_run_id=target) == {
        goods.tracker: None,
        elsewhere.tracker: "not_found",
    }
    assert names(admin, production_run_id=target) == [goods.tracker]
    assert names(admin, production_run_id=elsewhere.run) == [elsewhere.tracker]
    assert bulk(admin, ids=[goods.tracker], action="set_run", production_run_id=None) == {goods.tracker: None}
    assert admin.get(f"/trackers/{goods.tracker}").json()["production_run_id"] is None


def test_by_filter(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    other = make_goods(admin, goods.client)
    ids = [goods.tracker, make_tracker(admin, goods.run)]
    db.execute("UPDATE trackers SET status = 'DELIVERED' WHERE id = %s", (ids[1],))
    run = {"production_run_id": goods.run}
    assert bulk(admin, filter=run | {"status": "DELIVERED"}, action="archive") == {ids[1]: None}
    assert bulk(admin, filter=run, action="archive") == {ids[0]: None}
    assert bulk(admin, filter=run, action="restore") == dict.fromkeys(ids)
    assert names(admin, client_id=goods.client) == sorted([*ids, other.tracker])
    assert bulk(admin, filter={"client_id": goods.client, "archived": True}, action="restore") == {}
    name = admin.get(f"/trackers/{other.tracker}").json()["name"]
    assert bulk(admin, filter={"client_id": goods.client, "q": name}, action="archive") == {other.tracker: None}


def test_a_filter_that_finds_too_many(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    db.execute(
        "INSERT INTO trackers (client_id, name) SELECT %s, 'many ' || n FROM generate_series(1, 1000) n",
        (goods.client,),
    )
    body = {"filter": {"client_id": goods.client}, "action": "archive"}
    assert refused(admin.post("/trackers/bulk", json=body)) == {"filter": "too_many"}
    admin.delete(f"/trackers/{goods.tracker}")
    codes = bulk(admin, **body)
    assert len(codes) == 1000 and set(codes.values()) == {None}


def test_of_others_nothing_is_touched(
    admin: httpx.Client, goods: Goods, make_client: Callable[..., dict], make_user: Callable[..., httpx.Client]
) -> None:
    stranger = make_user("manager", clients=[make_client()["id"]])
    for action in ("archive", "restore", "delete"):
        assert bulk(stranger, ids=[goods.tracker], action=action) == {goods.tracker: "not_found"}
    assert bulk(stranger, filter={"client_id": goods.client}, action="delete") == {}
    assert admin.get(f"/trackers/{goods.tracker}").json()["archived_at"] is None
    user = make_user("user", clients=[goods.client])
    problem(user.post("/trackers/bulk", json={"ids": [goods.tracker], "action": "archive"}), 403, "forbidden")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"action": "required", "ids": "required"}),
        ({"action": "paint", "ids": [1]}, {"action": "unknown_value"}),
        ({"action": "archive", "ids": []}, {"ids": "too_many"}),
        ({"action": "archive", "ids": list(range(1, 1002))}, {"ids": "too_many"}),
        ({"action": "archive", "ids": [1, "2"]}, {"ids": "wrong_type"}),
        ({"action": "archive", "ids": 1}, {"ids": "wrong_type"}),
        ({"action": "archive", "ids": [1], "filter": {"status": "DELIVERED"}}, {"ids": "conflict"}),
        ({"action": "archive", "filter": {}}, {"filter": "wrong_type"}),
        ({"action": "archive", "filter": {"colour": "red"}}, {"filter.colour": "unknown_field"}),
        ({"action": "archive", "filter": {"limit": 5}}, {"filter.limit": "unknown_field"}),
        ({"action": "archive", "filter": {"status": ["DELIVERED"]}}, {"filter.status": "wrong_type"}),
        ({"action": "archive", "filter": {"status": "lost"}}, {"status": "unknown_value"}),
        ({"action": "archive", "ids": [1], "production_run_id": 1}, {"production_run_id": "conflict"}),
        ({"action": "set_run", "ids": [1]}, {"production_run_id": "required"}),
        ({"action": "set_run", "ids": [1], "production_run_id": "x"}, {"production_run_id": "wrong_type"}),
        ({"action": "archive", "ids": [1], "names": []}, {"names": "unknown_field"}),
    ],
)
def test_bodies_out_of_bounds(admin: httpx.Client, body: dict, fields: dict) -> None:
    found = refused(admin.post("/trackers/bulk", json=body))
    assert found.keys() == fields.keys()
    assert {field: code for field, code in found.items() if field != "status"} == {
        field: code for field, code in fields.items() if field != "status"
    }
