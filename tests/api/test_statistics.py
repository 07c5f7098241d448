"""Figures: statuses, durations, deliveries on time, statuses over time, the dashboard."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import httpx
import psycopg
import pytest
from helpers import refused
from tracks import Goods, add_event, add_exception, add_status, make_goods, make_tracker, rfc3339

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
TODAY = NOW.replace(hour=0, minute=0, second=0)


def ago(days: float) -> dt.datetime:
    """Noon of a day of the past, so that hours around it stay on that day."""
    return TODAY - dt.timedelta(days=days) + dt.timedelta(hours=12)


@pytest.fixture
def goods(admin: httpx.Client, make_client: Callable[..., dict]) -> Goods:
    return make_goods(admin, make_client()["id"])


def pass_through(db: psycopg.Connection, goods: Goods, tracker: int, *steps: tuple[str, dt.datetime]) -> None:
    """Statuses of a tracker, the last of which it has now."""
    of = Goods(goods.client, goods.brand, goods.run, tracker, goods.storage, goods.delivery)
    previous = "CREATED"
    for status, since in steps:
        add_status(db, of, status, since, previous=previous)
        previous = status
    db.execute("UPDATE trackers SET status = %s WHERE id = %s", (previous, tracker))


def counts(created: int = 0, transit: int = 0, storage: int = 0, delivered: int = 0) -> dict:
    return {"CREATED": created, "IN_TRANSIT": transit, "IN_STORAGE": storage, "DELIVERED": delivered}


def figures(client: httpx.Client, what: str, **query: object) -> list[dict]:
    answer = client.get(f"/statistics/{what}", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.json().get("complete", True) is True
    return answer.json()["items"]


def test_trackers_by_status(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    other = make_goods(admin, goods.client)
    db.execute("UPDATE trackers SET status = 'DELIVERED' WHERE id = %s", (other.tracker,))
    loose = make_tracker(admin, goods.run)
    db.execute("UPDATE trackers SET production_run_id = NULL WHERE id = %s", (loose,))
    mine = {"client_id": goods.client}

    def shown(**query: object) -> list[tuple]:
        return [(row["id"], row["trackers"], row["by_status"]) for row in figures(admin, "status", **query)]

    assert shown(**mine) == [(None, 3, counts(created=2, delivered=1))]
    assert shown(group_by="client", **mine) == [(goods.client, 3, counts(created=2, delivered=1))]
    one, two = counts(created=1), counts(delivered=1)
    assert shown(group_by="production_run", **mine) == [(goods.run, 1, one), (other.run, 1, two), (None, 1, one)]
    assert shown(group_by="brand", **mine) == [(goods.brand, 1, one), (other.brand, 1, two), (None, 1, one)]
    assert shown(brand_id=other.brand) == shown(production_run_id=other.run) == [(None, 1, two)]
    assert (
        figures(admin, "status", group_by="brand", brand_id=other.brand)[0]["name"]
        == (admin.get(f"/brands/{other.brand}").json()["name"])
    )


def test_groups_beyond_the_limit_are_owned_up_to(admin: httpx.Client, goods: Goods) -> None:
    make_goods(admin, goods.client)
    query = {"client_id": goods.client, "group_by": "production_run"}
    for limit, complete in ((1, False), (2, True)):
        body = admin.get("/statistics/status", params=query | {"limit": limit}).json()
        assert (len(body["items"]), body["complete"]) == (limit, complete)


def test_durations(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    hour = dt.timedelta(hours=1)
    start = ago(5)
    pass_through(
        db, goods, goods.tracker, ("IN_STORAGE", start), ("IN_TRANSIT", start + 2 * hour), ("DELIVERED", ago(2))
    )
    second = make_tracker(admin, goods.run)
    pass_through(db, goods, second, ("IN_STORAGE", start), ("IN_TRANSIT", start + 4 * hour))
    storage = {"status": "IN_STORAGE", "periods": 2, "mean_seconds": 3 * 3600, "longest_seconds": 4 * 3600}
    transit = {"status": "IN_TRANSIT", "periods": 1, "mean_seconds": 70 * 3600, "longest_seconds": 70 * 3600}

    def shown(**query: object) -> list[dict]:
        rows = figures(admin, "durations", client_id=goods.client, **query)
        return [{key: value for key, value in row.items() if key not in ("id", "name")} for row in rows]

    assert shown() == [transit, storage]
    assert shown(group_by="production_run") == [transit, storage]
    assert shown(**{"from": rfc3339(ago(5)), "to": rfc3339(ago(4))}) == [storage]
    assert shown(**{"from": rfc3339(ago(4)), "to": rfc3339(ago(3))}) == []
    db.execute("SELECT refresh_status_daily()")
    assert shown() == [transit, storage]


def test_deliveries_on_time(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    start, end = ago(10), ago(3)
    db.execute("UPDATE production_runs SET starts_at = %s, ends_at = %s WHERE id = %s", (start, end, goods.run))
    late, never = make_tracker(admin, goods.run), make_tracker(admin, goods.run)
    pass_through(db, goods, goods.tracker, ("DELIVERED", end))
    pass_through(db, goods, late, ("IN_TRANSIT", start), ("DELIVERED", end + dt.timedelta(seconds=1)))
    pass_through(db, goods, never, ("IN_TRANSIT", start))
    other = make_goods(admin, goods.client)  # in progress, nothing delivered yet
    expected = {"trackers": 3, "delivered": 2, "on_time": 1, "late": 1, "overdue": 1, "share": 1 / 3}
    ended, running = figures(admin, "on-time", client_id=goods.client)
    assert {key: ended[key] for key in expected} == expected
    assert (ended["id"], running["id"]) == (goods.run, other.run)
    assert (running["trackers"], running["overdue"], running["share"]) == (1, 0, None)
    (whole,) = figures(admin, "on-time", client_id=goods.client, group_by="client")
    assert (whole["trackers"], whole["on_time"], whole["overdue"], whole["share"]) == (4, 1, 1, 1 / 3)


def test_statuses_over_time(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    pass_through(db, goods, goods.tracker, ("IN_STORAGE", ago(4)), ("IN_TRANSIT", ago(3)), ("DELIVERED", ago(1)))
    second = make_tracker(admin, goods.run)
    pass_through(db, goods, second, ("IN_TRANSIT", ago(2)))
    expected = {
        5: (counts(created=2), 0),
        4: (counts(created=1, storage=1), 0),
        3: (counts(created=1, transit=1), 0),
        2: (counts(transit=2), 0),
        1: (counts(transit=1, delivered=1), 1),
        0: (counts(transit=1, delivered=1), 0),
    }
    query = {"client_id": goods.client, "from": rfc3339(ago(5))}
    for refreshed in (False, True):
        if refreshed:
            db.execute("SELECT refresh_status_daily()")
        rows = figures(admin, "status-over-time", **query)
        assert [row["day"] for row in rows] == [ago(n).strftime("%Y-%m-%d") for n in expected]
        assert [(row["by_status"], row["deliveries"]) for row in rows] == list(expected.values())
    part = figures(admin, "status-over-time", **query, to=rfc3339(ago(4)))
    assert [row["by_status"] for row in part] == [counts(created=2), counts(created=1, storage=1)]


def test_archived_trackers_do_not_bend_the_past(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    pass_through(db, goods, goods.tracker, ("IN_TRANSIT", ago(3)), ("DELIVERED", ago(1)))
    gone = make_tracker(admin, goods.run)
    pass_through(db, goods, gone, ("IN_STORAGE", ago(3)), ("IN_TRANSIT", ago(2)))
    db.execute("SELECT refresh_status_daily()")
    admin.post(f"/trackers/{gone}/archive")
    rows = figures(admin, "status-over-time", client_id=goods.client, **{"from": rfc3339(ago(3))})
    assert [row["by_status"] for row in rows] == [counts(transit=1)] * 2 + [counts(delivered=1)] * 2


@pytest.mark.parametrize("what", ["status", "durations", "on-time", "status-over-time"])
def test_of_others_there_are_no_figures(
    admin: httpx.Client,
    db: psycopg.Connection,
    goods: Goods,
    make_client: Callable[..., dict],
    make_user: Callable[..., httpx.Client],
    what: str,
) -> None:
    pass_through(db, goods, goods.tracker, ("IN_STORAGE", ago(3)), ("DELIVERED", ago(1)))
    own = make_goods(admin, make_client()["id"])
    stranger = make_user("user", clients=[own.client])
    nothing = figures(make_user("user", clients=[]), what)
    for query in ({"client_id": goods.client}, {"brand_id": goods.brand}, {"production_run_id": goods.run}):
        assert figures(stranger, what, **query) == nothing, query
        assert figures(admin, what, **query) != nothing, query


@pytest.mark.parametrize(
    ("what", "query", "field"),
    [
        ("status", {"group_by": "tracker"}, "group_by"),
        ("status", {"limit": 501}, "limit"),
        ("status", {"from": "2026-01-01T00:00:00Z"}, "from"),
        ("status", {"client_id": 0}, "client_id"),
        ("durations", {"from": "2025-01-01T00:00:00Z", "to": "2026-01-02T00:00:01Z"}, "from"),
        ("status-over-time", {"to": "soon"}, "to"),
        ("status-over-time", {"group_by": "client"}, "group_by"),
    ],
)
def test_questions_out_of_bounds(admin: httpx.Client, what: str, query: dict, field: str) -> None:
    assert field in refused(admin.get(f"/statistics/{what}", params=query))


# ---- the dashboard


def test_dashboard(
    admin: httpx.Client, db: psycopg.Connection, goods: Goods, make_user: Callable[..., httpx.Client]
) -> None:
    pass_through(db, goods, goods.tracker, ("IN_TRANSIT", ago(2)), ("DELIVERED", ago(1)))
    add_exception(db, goods, "silent", ago(2))
    add_exception(db, goods, "stuck", ago(3), ended=ago(2))
    events = [add_event(db, goods, "entry", goods.delivery, ago(n / 10)) for n in range(12)]
    user = make_user("user", clients=[goods.client])
    body = user.get("/dashboard").json()
    assert body["trackers"] == {"total": 1, "by_status": counts(delivered=1)}
    assert body["production_runs"] == {"total": 1, "in_progress": 1}
    assert body["exceptions"] == {"total": 1, "wrong_place": 0, "left_early": 0, "silent": 1, "stuck": 0}
    assert [event["id"] for event in body["recent_events"]] == events[:10]
    days = body["status_over_time"]
    assert len(days) == 30
    assert (days[-1]["by_status"], days[-2]["deliveries"]) == (counts(delivered=1), 1)
    assert body["pipeline"] is None

    seen = admin.get("/dashboard", params={"client_id": goods.client}).json()
    assert seen.pop("pipeline")["status"] in ("ok", "stalled")
    body.pop("pipeline")
    assert seen == body


def test_dashboard_of_nothing(make_user: Callable[..., httpx.Client], goods: Goods) -> None:
    for query in ({}, {"client_id": goods.client}):
        body = make_user("user", clients=[]).get("/dashboard", params=query).json()
        assert body["trackers"]["total"] == body["production_runs"]["total"] == body["exceptions"]["total"] == 0
        assert body["recent_events"] == []
        assert {row["deliveries"] for row in body["status_over_time"]} == {0}
