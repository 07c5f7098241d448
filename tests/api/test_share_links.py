"""Share links: made once, shown once, opened by anybody, and they end."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable

import httpx
import psycopg
import pytest
from helpers import made, problem, refused, walk
from stack import Stack
from tracks import Goods, Report, at, make_goods, make_tracker, rfc3339, show_position, store


@pytest.fixture
def goods(admin: httpx.Client, make_client: Callable[..., dict]) -> Goods:
    return make_goods(admin, make_client()["id"])


def share(client: httpx.Client, **body: object) -> dict:
    return made(client.post("/share-links", json=body))


def test_a_tracker(admin: httpx.Client, anonymous: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    show_position(db, goods.tracker, Report(at(1), 50.5, 10.5), status="IN_STORAGE", location_id=goods.storage)
    link = share(admin, tracker_id=goods.tracker, name="For the carrier")
    assert (link["client_id"], link["created_by"], link["expires_at"]) == (goods.client, admin.user["id"], None)
    body = anonymous.get(f"/shared/{link['token']}").json()
    tracker = admin.get(f"/trackers/{goods.tracker}").json()
    assert (body["kind"], body["name"]) == ("tracker", "For the carrier")
    assert body["tracker"] == {
        "id": goods.tracker,
        "name": tracker["name"],
        "status": "IN_STORAGE",
        "status_since": tracker["status_since"],
        "location": {"name": admin.get(f"/storage-locations/{goods.storage}").json()["name"], "kind": "storage"},
        "position": {"latitude": 50.5, "longitude": 10.5},
        "accuracy_m": 20,
        "reported_at": rfc3339(at(1)),
        "place": tracker["last_place"],
        "battery": None,
    }
    assert body["production_run"]["name"] == admin.get(f"/production-runs/{goods.run}").json()["name"]
    assert body["production_run"]["brand"] == admin.get(f"/brands/{goods.brand}").json()["name"]


def test_a_run(admin: httpx.Client, anonymous: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    second, gone = make_tracker(admin, goods.run), make_tracker(admin, goods.run)
    elsewhere = make_goods(admin, goods.client)
    admin.post(f"/trackers/{gone}/archive")
    db.execute("UPDATE trackers SET status = 'DELIVERED' WHERE id = %s", (second,))
    body = anonymous.get(f"/shared/{share(admin, production_run_id=goods.run)['token']}").json()
    assert (body["kind"], body["tracker"]) == ("production_run", None)
    assert body["progress"] == {
        "trackers": 2,
        "by_status": {"CREATED": 1, "IN_TRANSIT": 0, "IN_STORAGE": 0, "DELIVERED": 1},
    }
    shown = [tracker["id"] for tracker in body["trackers"]]
    assert shown == [goods.tracker, second]
    assert elsewhere.tracker not in shown


def test_its_history(admin: httpx.Client, anonymous: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    other = make_tracker(admin, goods.run)
    for tracker in (goods.tracker, other):
        store(db, tracker, [Report(at(h), 50, 10 + h / 100) for h in range(3)])
    store(db, goods.tracker, [Report(at(1), 51, 11, excluded=True)])
    period = {"from": rfc3339(at(0)), "to": rfc3339(at(24)), "resolution": "raw"}
    one = share(admin, tracker_id=goods.tracker)["token"]
    rows = walk(anonymous, f"/shared/{one}/history", limit=2, **period)
    assert [row["at"] for row in rows] == [rfc3339(at(h)) for h in range(3)]
    both = share(admin, production_run_id=goods.run)["token"]
    rows = walk(anonymous, f"/shared/{both}/history", limit=2, **period)
    assert [row["tracker_id"] for row in rows] == [goods.tracker] * 3 + [other] * 3
    assert "from" in refused(anonymous.get(f"/shared/{one}/history", params={"from": "soon"}))


def test_the_token_is_shown_once_and_not_kept(
    admin: httpx.Client, db: psycopg.Connection, server: Stack, goods: Goods
) -> None:
    link = share(admin, tracker_id=goods.tracker)
    token = link.pop("token")
    assert len(token) == 43
    assert admin.get(f"/share-links/{link['id']}").json() == link
    row = db.execute("SELECT token_hash FROM share_links WHERE id = %s", (link["id"],)).fetchone()
    assert row[0] == hashlib.sha256(token.encode()).digest()
    entries = admin.get("/audit-log", params={"resource": "share-links", "resource_id": link["id"]}).text
    assert str(link["id"]) in entries and token not in entries
    httpx.get(f"{server.url}/api/v1/shared/{token}")
    assert token not in server.api_log.read_text()


@pytest.mark.parametrize("end", ["delete", "expire"])
def test_links_end(
    admin: httpx.Client, anonymous: httpx.Client, db: psycopg.Connection, goods: Goods, end: str
) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    link = share(admin, tracker_id=goods.tracker, expires_at=rfc3339(soon))
    other = share(admin, tracker_id=goods.tracker)
    path = f"/shared/{link['token']}"
    assert anonymous.get(path).json()["expires_at"] == rfc3339(soon)
    if end == "delete":
        assert admin.delete(f"/share-links/{link['id']}").status_code == 204
    else:
        past = {"expires_at": rfc3339(soon - dt.timedelta(hours=2))}
        assert admin.patch(f"/share-links/{link['id']}", json=past).status_code == 200
    problem(anonymous.get(path), 404, "not_found")
    problem(anonymous.get(path + "/history"), 404, "not_found")
    assert anonymous.get(f"/shared/{other['token']}").status_code == 200


@pytest.mark.parametrize("token", ["x", "a" * 43, "%00", "..", "a" * 2000])
def test_tokens_of_nobody(anonymous: httpx.Client, token: str) -> None:
    assert anonymous.get(f"/shared/{token}").status_code in (400, 404)


def test_its_use_is_noted_to_the_minute(
    admin: httpx.Client, anonymous: httpx.Client, db: psycopg.Connection, goods: Goods
) -> None:
    link = share(admin, tracker_id=goods.tracker)
    path = f"/share-links/{link['id']}"
    assert admin.get(path).json()["last_used_at"] is None
    anonymous.get(f"/shared/{link['token']}")
    used = admin.get(path, headers={"Cache-Control": "no-cache"}).json()["last_used_at"]
    assert used is not None
    anonymous.get(f"/shared/{link['token']}")
    assert admin.get(path, headers={"Cache-Control": "no-cache"}).json()["last_used_at"] == used
    db.execute("UPDATE share_links SET last_used_at = now() - interval '2 minutes' WHERE id = %s", (link["id"],))
    anonymous.get(f"/shared/{link['token']}")
    assert admin.get(path, headers={"Cache-Control": "no-cache"}).json()["last_used_at"] >= used


def test_answers_keep_the_address_private(admin: httpx.Client, anonymous: httpx.Client, goods: Goods) -> None:
    answer = anonymous.get(f"/shared/{share(admin, tracker_id=goods.tracker)['token']}")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in answer.headers["x-robots-tag"]
    assert "private" in answer.headers["cache-control"]


def test_a_link_shows_one_thing(admin: httpx.Client, goods: Goods) -> None:
    assert refused(admin.post("/share-links", json={"client_id": goods.client})) == {"tracker_id": "required"}
    both = {"tracker_id": goods.tracker, "production_run_id": goods.run}
    assert refused(admin.post("/share-links", json=both)) == {"production_run_id": "conflict"}
    link = share(admin, tracker_id=goods.tracker)
    change = admin.patch(f"/share-links/{link['id']}", json={"production_run_id": goods.run})
    assert "production_run_id" in refused(change)


def test_of_others_nothing_can_be_shared(
    goods: Goods, admin: httpx.Client, make_client: Callable[..., dict], make_user: Callable[..., httpx.Client]
) -> None:
    theirs = make_client()["id"]
    stranger = make_user("manager", clients=[theirs])
    for body in (
        {"tracker_id": goods.tracker},
        {"production_run_id": goods.run},
        {"tracker_id": goods.tracker, "client_id": theirs},
        {"tracker_id": goods.tracker, "client_id": goods.client},
    ):
        assert set(refused(stranger.post("/share-links", json=body)).values()) == {"not_found"}, body
    link = share(admin, tracker_id=goods.tracker)
    problem(stranger.get(f"/share-links/{link['id']}"), 404, "not_found")
    problem(stranger.delete(f"/share-links/{link['id']}"), 404, "not_found")
    reader = make_user("user", clients=[goods.client])
    assert reader.get(f"/share-links/{link['id']}").status_code == 200
    problem(reader.post("/share-links", json={"tracker_id": goods.tracker}), 403, "forbidden")
