"""Events, status history, exceptions and latest positions: of all, of a tracker, of a run."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import psycopg
import pytest
from helpers import problem, refused, walk
from tracks import (
    START,
    Goods,
    Report,
    add_event,
    add_exception,
    add_status,
    at,
    make_goods,
    make_tracker,
    rfc3339,
    show_position,
)


@pytest.fixture
def goods(admin: httpx.Client, make_client: Callable[..., dict]) -> Goods:
    return make_goods(admin, make_client()["id"])


def ids(rows: list[dict]) -> list[int]:
    return [row["id"] for row in rows]


def test_what_an_event_shows(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    event = add_event(db, goods, "entry", goods.storage, START)
    (row,) = admin.get(f"/trackers/{goods.tracker}/events").json()["items"]
    names = row.pop("tracker_name"), row.pop("location_name")
    assert names == (
        admin.get(f"/trackers/{goods.tracker}").json()["name"],
        admin.get(f"/storage-locations/{goods.storage}").json()["name"],
    )
    assert row == {
        "id": event,
        "client_id": goods.client,
        "tracker_id": goods.tracker,
        "production_run_id": goods.run,
        "location_id": goods.storage,
        "location_kind": "storage",
        "kind": "entry",
        "occurred_at": rfc3339(START),
        "position": {"latitude": 50, "longitude": 10},
        "accuracy_m": 20,
        "distance_m": -12.5,
    }


def test_events_of_a_tracker_a_run_and_all(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    other = make_goods(admin, goods.client)
    first = [add_event(db, goods, kind, goods.storage, at(h)) for h, kind in enumerate(("entry", "dwell", "exit"))]
    second = [add_event(db, other, "entry", other.delivery, at(1))]
    for limit in (1, 2, 50):
        assert ids(walk(admin, f"/trackers/{goods.tracker}/events", limit=limit)) == first[::-1]
        assert ids(walk(admin, f"/production-runs/{other.run}/events", limit=limit)) == second
        everything = walk(admin, "/events", client_id=goods.client, limit=limit)
        assert ids(everything) == [first[2], second[0], first[1], first[0]]
    path = f"/trackers/{goods.tracker}/events"
    assert ids(walk(admin, path, sort="occurred_at")) == first
    assert ids(walk(admin, path, kind="exit,entry")) == [first[2], first[0]]
    assert ids(walk(admin, path, **{"from": rfc3339(at(1)), "to": rfc3339(at(2))})) == [first[1]]
    assert ids(walk(admin, "/events", location_id=other.delivery)) == second
    assert admin.get(path, params={"count": "true"}).json()["total"] == 3


@pytest.mark.parametrize("what", ["events", "status-history"])
def test_the_row_above_is_no_parameter(admin: httpx.Client, goods: Goods, what: str) -> None:
    for field in ("tracker_id", "client_id"):
        assert field in refused(admin.get(f"/trackers/{goods.tracker}/{what}", params={field: 1}))
    assert "production_run_id" in refused(
        admin.get(f"/production-runs/{goods.run}/{what}", params={"production_run_id": 1})
    )


def test_others_see_neither_the_list_nor_its_rows(
    admin: httpx.Client,
    db: psycopg.Connection,
    goods: Goods,
    make_client: Callable[..., dict],
    make_user: Callable[..., httpx.Client],
) -> None:
    event = add_event(db, goods, "entry", goods.storage, START)
    change = add_status(db, goods, "IN_STORAGE", START, goods.storage)
    exception = add_exception(db, goods, "silent", START)
    show_position(db, goods.tracker, Report(START, 50, 10))
    theirs = make_client()["id"]
    own = make_goods(admin, theirs)
    shown = add_event(db, own, "entry", own.storage, START)
    stranger = make_user("user", clients=[theirs])
    member = make_user("user", clients=[goods.client, theirs])
    assert ids(walk(stranger, "/events")) == [shown]
    assert set(ids(walk(member, "/events"))) == {shown, event}
    for path, row in (("/status-history", change), ("/exceptions", exception)):
        assert ids(walk(stranger, path)) == []
        assert ids(walk(member, path)) == [row]
    assert walk(stranger, "/trackers/positions/latest", ids=goods.tracker) == []
    assert len(walk(member, "/trackers/positions/latest", ids=goods.tracker)) == 1
    for what in ("events", "status-history", "trackers/positions", "history"):
        problem(stranger.get(f"/production-runs/{goods.run}/{what}"), 404, "not_found")


def test_status_history_says_why(
    admin: httpx.Client, db: psycopg.Connection, goods: Goods, make_user: Callable[..., httpx.Client]
) -> None:
    stored = add_status(db, goods, "IN_STORAGE", START, goods.storage)
    override = db.execute(
        "INSERT INTO status_overrides (client_id, tracker_id, at, status, reason, user_id) VALUES (%s, %s, %s, 'DELIVERED',"
        " 'seen on site', %s) RETURNING id",
        (goods.client, goods.tracker, at(5), admin.user["id"]),
    ).fetchone()[0]
    by_hand = add_status(db, goods, "DELIVERED", at(5), previous="IN_STORAGE", override=override)

    second, first = admin.get(f"/trackers/{goods.tracker}/status-history").json()["items"]
    assert (first["id"], first["since"], first["until"]) == (stored, rfc3339(START), rfc3339(at(5)))
    assert first["why"] == {
        "rule": "a_rule",
        "reported_at": rfc3339(START),
        "position": {"latitude": 50, "longitude": 10},
        "accuracy_m": 20,
        "distance_m": None,
        "override": None,
    }
    assert (second["id"], second["until"], second["previous_status"]) == (by_hand, None, "IN_STORAGE")
    assert second["why"]["position"] is None
    assert second["why"]["override"] == {
        "id": override,
        "at": rfc3339(at(5)),
        "user_id": admin.user["id"],
        "user_name": admin.user["name"],
        "reason": "seen on site",
    }
    user = make_user("user", clients=[goods.client])
    seen = user.get(f"/trackers/{goods.tracker}/status-history").json()["items"][0]["why"]["override"]
    assert (seen["reason"], seen["user_name"]) == ("seen on site", None)


def test_exceptions_that_last(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    past = add_exception(db, goods, "silent", START, at(1))
    lasting = add_exception(db, goods, "wrong_place", at(1))
    mine = {"client_id": goods.client}
    assert ids(walk(admin, "/exceptions", **mine)) == [lasting]
    assert ids(walk(admin, "/exceptions", ended="true", **mine)) == [past]
    assert ids(walk(admin, "/exceptions", ended="all", **mine)) == [lasting, past]
    assert ids(walk(admin, "/exceptions", kind="silent", **mine)) == []
    assert ids(walk(admin, "/exceptions", production_run_id=goods.run)) == [lasting]
    assert ids(walk(admin, f"/trackers/{goods.tracker}/exceptions", ended="all")) == [lasting, past]
    assert "archived" in refused(admin.get("/exceptions", params={"archived": "all"}))


# ---- latest positions


def test_latest_positions(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    silent = make_tracker(admin, goods.run)
    archived = make_tracker(admin, goods.run)
    for tracker in (goods.tracker, archived):
        show_position(db, tracker, Report(at(3), 50.5, 10.25), status="IN_TRANSIT", battery="low")
        db.execute("UPDATE trackers SET last_place = 'Here' WHERE id = %s", (tracker,))
    admin.post(f"/trackers/{archived}/archive")
    name = admin.get(f"/trackers/{goods.tracker}").json()["name"]
    expected = [
        {
            "tracker_id": goods.tracker,
            "client_id": goods.client,
            "production_run_id": goods.run,
            "name": name,
            "status": "IN_TRANSIT",
            "location_id": None,
            "position": {"latitude": 50.5, "longitude": 10.25},
            "accuracy_m": 20,
            "reported_at": rfc3339(at(3)),
            "place": "Here",
            "battery": "low",
        }
    ]
    path = "/trackers/positions/latest"
    assert walk(admin, path, ids=f"{goods.tracker},{silent},{archived}") == expected
    assert walk(admin, path, client_id=goods.client) == expected
    assert walk(admin, path, production_run_id=goods.run) == expected
    assert walk(admin, f"/production-runs/{goods.run}/trackers/positions") == expected
    assert walk(admin, path, client_id=goods.client, status="DELIVERED") == []


def test_positions_come_in_large_pages(admin: httpx.Client) -> None:
    path = "/trackers/positions/latest"
    assert admin.get(path, params={"limit": 5000}).status_code == 200
    assert "limit" in refused(admin.get(path, params={"limit": 5001}))
    assert admin.get(path, params={"ids": ",".join(str(n) for n in range(1, 1001))}).status_code == 200
    assert "ids" in refused(admin.get(path, params={"ids": ",".join(str(n) for n in range(1, 1002))}))


CORNERS = {"a": (50.0, 10.0), "b": (50.0, 10.1), "c": (-16.5, 179.9), "d": (-16.5, -179.9), "e": (89.0, 0.0)}


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ("10,50,10,50", "a"),
        ("10,50,10.1,50", "ab"),
        ("10.0000001,49,10.1,51", "b"),
        ("9.9,49.9,10.0999999,50", "a"),
        ("-180,-90,180,90", "abcde"),
        ("179,-20,180,-10", "c"),
        ("-180,-20,-179,-10", "d"),
        ("179.5,-17,-179.5,-16", "cd"),
        ("-1,88,1,90", "e"),
        ("20,0,30,10", ""),
    ],
)
def test_boxes(admin: httpx.Client, db: psycopg.Connection, goods: Goods, box: str, inside: str) -> None:
    names = {}
    for letter, (latitude, longitude) in CORNERS.items():
        tracker = make_tracker(admin, goods.run)
        names[tracker] = letter
        show_position(db, tracker, Report(START, latitude, longitude))
    for path, key in (("/trackers/positions/latest", "tracker_id"), ("/trackers", "id")):
        rows = walk(admin, path, client_id=goods.client, bbox=box)
        assert "".join(sorted(names[row[key]] for row in rows)) == inside


@pytest.mark.parametrize(
    "box", ["", "1,2,3", "1,2,3,4,5", "1,3,2,2", "181,0,1,1", "0,-91,1,1", "a,b,c,d", "1, 2, 3, 4"]
)
def test_boxes_that_are_none(admin: httpx.Client, box: str) -> None:
    assert "bbox" in refused(admin.get("/trackers/positions/latest", params={"bbox": box}))


# ---- fetch batches


def test_fetch_batches(admin: httpx.Client, db: psycopg.Connection, make_user: Callable[..., httpx.Client]) -> None:
    row = db.execute(
        "INSERT INTO fetch_batches (kind, started_at, finished_at, result, trackers, reports_new) VALUES"
        " ('now', %s, %s, 'ok', 2, 7) RETURNING id",
        (START, at(1)),
    ).fetchone()[0]
    (batch,) = walk(admin, "/fetch-batches", result="ok", **{"from": rfc3339(START), "to": rfc3339(at(1))})
    assert (batch["id"], batch["kind"], batch["trackers"], batch["reports_new"]) == (row, "now", 2, 7)
    problem(make_user("manager").get("/fetch-batches"), 403, "forbidden")
