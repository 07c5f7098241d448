"""Counts of reports that could not be used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import httpx
import psycopg
import pytest
from helpers import problem, refused
from tracks import make_goods, make_tracker, rfc3339

TODAY = dt.datetime.now(dt.UTC).date()


def test_by_day_by_tracker_and_of_one(
    admin: httpx.Client, db: psycopg.Connection, make_client: Callable[..., dict]
) -> None:
    db.execute("DELETE FROM rejected_reports")
    goods = make_goods(admin, make_client()["id"])
    second = make_tracker(admin, goods.run)
    yesterday = TODAY - dt.timedelta(days=1)
    for tracker, day, reason, reports in (
        (goods.tracker, TODAY, "bad_tag", 5),
        (second, TODAY, "bad_tag", 2),
        (second, TODAY, "future", 1),
        (second, yesterday, "bad_tag", 1),
        (second, TODAY - dt.timedelta(days=9), "bad_tag", 100),
    ):
        db.execute(
            "INSERT INTO rejected_reports (tracker_id, client_id, day, reason, reports) VALUES (%s, %s, %s, %s, %s)",
            (tracker, goods.client, day, reason, reports),
        )

    def shown(path: str, *keys: str, **query: object) -> list[tuple]:
        answer = admin.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return [tuple(row[key] for key in keys) for row in answer.json()["items"]]

    days = ("day", "reason", "reports", "trackers")
    assert shown("/rejected-reports", *days) == [
        (str(TODAY), "bad_tag", 7, 2),
        (str(TODAY), "future", 1, 1),
        (str(yesterday), "bad_tag", 1, 1),
    ]
    older = rfc3339(dt.datetime.now(dt.UTC) - dt.timedelta(days=10))
    assert len(shown("/rejected-reports", *days, **{"from": older})) == 4
    trackers = ("tracker_id", "client_id", "reason", "reports")
    assert shown("/rejected-reports", *trackers, group_by="tracker") == [
        (goods.tracker, goods.client, "bad_tag", 5),
        (second, goods.client, "bad_tag", 3),
        (second, goods.client, "future", 1),
    ]
    first = admin.get("/rejected-reports", params={"group_by": "tracker", "limit": 1}).json()
    assert (len(first["items"]), first["complete"]) == (1, False)
    one = shown(f"/trackers/{second}/rejected-reports", "day", "reason", "reports")
    assert one == [(str(TODAY), "bad_tag", 2), (str(TODAY), "future", 1), (str(yesterday), "bad_tag", 1)]
    assert shown(f"/trackers/{make_tracker(admin, goods.run)}/rejected-reports", "day") == []


def test_admins_only(
    admin: httpx.Client, make_client: Callable[..., dict], make_user: Callable[..., httpx.Client]
) -> None:
    goods = make_goods(admin, make_client()["id"])
    manager = make_user("manager", clients=[goods.client])
    for path in ("/rejected-reports", f"/trackers/{goods.tracker}/rejected-reports"):
        problem(manager.get(path), 403, "forbidden")
    problem(admin.get(f"/trackers/{2**40}/rejected-reports"), 404, "not_found")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"group_by": "reason"}, "group_by"),
        ({"limit": 501}, "limit"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-04-03T00:00:01Z"}, "from"),
        ({"reason": "x"}, "reason"),
    ],
)
def test_questions_out_of_bounds(admin: httpx.Client, query: dict, field: str) -> None:
    assert field in refused(admin.get("/rejected-reports", params=query))
