"""Reports and history of trackers and runs."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable

import httpx
import psycopg
import pytest
from helpers import problem, refused, walk
from tracks import START, Goods, Report, at, flag, make_goods, make_tracker, rfc3339, store

PERIOD = {"from": rfc3339(START), "to": rfc3339(at(24 * 30))}


@pytest.fixture(scope="module")
def goods(admin: httpx.Client, make_client: Callable[..., dict]) -> Goods:
    return make_goods(admin, make_client()["id"])


@pytest.fixture(scope="module")
def reports(server, goods: Goods) -> list[Report]:
    """Three days of reports, two of them at one time; one jump, one excluded; in an order of their own."""
    reports = [Report(at(h), 50 + h / 100, 10 - h / 100, accuracy=10 + h % 7, status=64 * (h % 4)) for h in range(72)]
    reports.append(Report(at(5), 51, 11))
    reports.append(Report(at(80), 60, 20))
    reports.append(Report(at(81), 49, 8, excluded=True))
    mixed = reports[:]
    random.Random(7).shuffle(mixed)
    with psycopg.connect(server.postgres.url(), autocommit=True) as db:
        assert store(db, goods.tracker, mixed) == len(reports)
        flag(db, goods.tracker, reports[73], "jump")
    return sorted(reports, key=lambda r: (r.at, r.latitude, r.longitude))


def place(report: Report) -> tuple[str, float, float]:
    return rfc3339(report.at), round(report.latitude, 7), round(report.longitude, 7)


def shown(item: dict, time: str = "reported_at") -> tuple[str, float, float]:
    return item[time], item["position"]["latitude"], item["position"]["longitude"]


@pytest.mark.parametrize("limit", [1, 7, 1000])
@pytest.mark.parametrize("sort", ["reported_at", "-reported_at"])
def test_every_report_once_in_order(
    admin: httpx.Client, goods: Goods, reports: list[Report], sort: str, limit: int
) -> None:
    rows = walk(admin, f"/trackers/{goods.tracker}/reports", sort=sort, limit=limit, **PERIOD)
    expected = [place(r) for r in reports]
    assert [shown(row) for row in rows] == (expected if sort == "reported_at" else expected[::-1])


def test_what_a_report_shows(admin: httpx.Client, goods: Goods, reports: list[Report]) -> None:
    query = {"from": rfc3339(at(3)), "to": rfc3339(at(4))}
    (row,) = admin.get(f"/trackers/{goods.tracker}/reports", params=query).json()["items"]
    assert row.pop("received_at") > row["reported_at"]
    assert row == {
        "reported_at": rfc3339(at(3)),
        "position": {"latitude": 50.03, "longitude": 9.97},
        "accuracy_m": 13,
        "confidence": 2,
        "battery": "very_low",
        "flag": None,
        "place": None,
    }


def test_flags(admin: httpx.Client, goods: Goods, reports: list[Report]) -> None:
    def flagged(words: str) -> list[str | None]:
        rows = walk(admin, f"/trackers/{goods.tracker}/reports", flag=words, **PERIOD)
        return [row["flag"] for row in rows]

    assert flagged("jump") == ["jump"]
    assert sorted(flagged("jump,excluded")) == ["excluded", "jump"]
    assert flagged("none") == [None] * 73
    assert flagged("inaccurate") == []


def test_exclusion_areas_are_for_admins(
    admin: httpx.Client, goods: Goods, reports: list[Report], make_user: Callable[..., httpx.Client]
) -> None:
    user = make_user("user", clients=[goods.client])
    path = f"/trackers/{goods.tracker}/reports"
    assert len(walk(admin, path, **PERIOD)) == 75
    assert len(walk(user, path, **PERIOD)) == 74
    assert walk(user, path, flag="excluded", **PERIOD) == []
    for caller in (admin, user):
        raw = walk(caller, f"/trackers/{goods.tracker}/history", resolution="raw", **PERIOD)
        assert len(raw) == 74


@pytest.mark.parametrize("what", ["reports", "history", "events", "status-history", "exceptions"])
def test_a_stranger_finds_no_tracker(
    goods: Goods, make_client: Callable[..., dict], make_user: Callable[..., httpx.Client], what: str
) -> None:
    stranger = make_user("manager", clients=[make_client()["id"]])
    problem(stranger.get(f"/trackers/{goods.tracker}/{what}"), 404, "not_found")
    problem(stranger.get(f"/trackers/{2**40}/{what}"), 404, "not_found")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "2026-03-01T00:00:00Z", "to": "2026-06-01T00:00:01Z"}, "from"),
        ({"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"flag": "none,odd"}, "flag"),
        ({"flag": ""}, "flag"),
        ({"limit": "0"}, "limit"),
        ({"limit": "5001"}, "limit"),
        ({"sort": "accuracy_m"}, "sort"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"since": "2026-03-02T00:00:00Z"}, "since"),
    ],
)
def test_questions_out_of_bounds(admin: httpx.Client, goods: Goods, query: dict, field: str) -> None:
    assert field in refused(admin.get(f"/trackers/{goods.tracker}/reports", params=query))


def test_edges_of_the_period(admin: httpx.Client, goods: Goods, reports: list[Report]) -> None:
    longest = {"from": "2026-03-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"}
    assert admin.get(f"/trackers/{goods.tracker}/reports", params=longest).status_code == 200
    rows = walk(admin, f"/trackers/{goods.tracker}/reports", **{"from": rfc3339(at(1)), "to": rfc3339(at(2))})
    assert [row["reported_at"] for row in rows] == [rfc3339(at(1))]


def test_a_cursor_is_of_one_tracker_and_order(admin: httpx.Client, goods: Goods, reports: list[Report]) -> None:
    path = f"/trackers/{goods.tracker}/reports"
    cursor = admin.get(path, params={"limit": 1, **PERIOD}).json()["next_cursor"]
    assert "cursor" in refused(admin.get(path, params={"cursor": cursor, "sort": "reported_at", **PERIOD}))
    other = make_tracker(admin, goods.run)
    assert "cursor" in refused(admin.get(f"/trackers/{other}/reports", params={"cursor": cursor, **PERIOD}))


# ---- history


def buckets(reports: list[Report], width: dt.timedelta) -> list[list[Report]]:
    """The reports that a summary counts, by bucket."""
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    groups: dict[int, list[Report]] = {}
    for report in reports:
        if not report.excluded:
            groups.setdefault((report.at - epoch) // width, []).append(report)
    return [groups[key] for key in sorted(groups)]


@pytest.mark.parametrize(("resolution", "hours"), [("hour", 1), ("day", 24)])
@pytest.mark.parametrize("limit", [2, 5000])
def test_summaries(
    admin: httpx.Client, goods: Goods, reports: list[Report], resolution: str, hours: int, limit: int
) -> None:
    expected = buckets(reports, dt.timedelta(hours=hours))
    rows = walk(admin, f"/trackers/{goods.tracker}/history", resolution=resolution, limit=limit, **PERIOD)
    assert [row["reports"] for row in rows] == [len(group) for group in expected]
    for row, group in zip(rows, expected, strict=True):
        ordered = sorted(group, key=lambda r: (r.at, r.accuracy, r.latitude, r.longitude))
        assert shown(row["first"], "at") == place(ordered[0])
        assert shown(row["last"], "at") == place(ordered[-1])
        best = min(group, key=lambda r: (r.accuracy, r.at, r.latitude, r.longitude))
        assert (*shown(row["best"], "at"), row["best"]["accuracy_m"]) == (*place(best), best.accuracy)
        assert row["bounds"] == {
            "south": round(min(r.latitude for r in group), 7),
            "west": round(min(r.longitude for r in group), 7),
            "north": round(max(r.latitude for r in group), 7),
            "east": round(max(r.longitude for r in group), 7),
        }
        assert row["from"] <= rfc3339(ordered[0].at) and rfc3339(ordered[-1].at) < row["to"]
        assert (row["distance_m"] > 0) == (len(group) > 1)


def test_raw_history_is_oldest_first(admin: httpx.Client, goods: Goods, reports: list[Report]) -> None:
    rows = walk(admin, f"/trackers/{goods.tracker}/history", resolution="raw", limit=10, **PERIOD)
    assert [shown(row, "at") for row in rows] == [place(r) for r in reports if not r.excluded]
    assert [row["flag"] for row in rows if row["flag"]] == ["jump"]


@pytest.mark.parametrize(("hours", "chosen"), [(48, "raw"), (49, "hour"), (14 * 24, "hour"), (14 * 24 + 1, "day")])
def test_auto_takes_what_fits_the_period(
    admin: httpx.Client, goods: Goods, reports: list[Report], hours: int, chosen: str
) -> None:
    query = {"from": rfc3339(START), "to": rfc3339(at(hours))}
    body = admin.get(f"/trackers/{goods.tracker}/history", params=query).json()
    assert (body["resolution"], body["from"], body["to"]) == (chosen, *query.values())
    assert body == admin.get(f"/trackers/{goods.tracker}/history", params=query | {"resolution": "auto"}).json()
    assert body["items"]


@pytest.mark.parametrize(("resolution", "days"), [("raw", 92), ("hour", 366), ("day", 3660), ("auto", 3660)])
def test_longest_periods(admin: httpx.Client, goods: Goods, resolution: str, days: int) -> None:
    path = f"/trackers/{goods.tracker}/history"
    longest = {"resolution": resolution, "from": rfc3339(at(-24 * days)), "to": rfc3339(START)}
    assert admin.get(path, params=longest).status_code == 200
    assert "from" in refused(admin.get(path, params=longest | {"from": rfc3339(at(-24 * days - 1))}))


def test_a_bucket_that_the_period_touches_counts_whole(
    admin: httpx.Client, goods: Goods, reports: list[Report]
) -> None:
    query = {"resolution": "day", "from": rfc3339(at(10)), "to": rfc3339(at(11))}
    (row,) = admin.get(f"/trackers/{goods.tracker}/history", params=query).json()["items"]
    assert row["from"] == "2026-03-10T00:00:00Z"
    assert row["reports"] == 19


def test_history_has_etags(admin: httpx.Client, goods: Goods, reports: list[Report]) -> None:
    path = f"/trackers/{goods.tracker}/history"
    answer = admin.get(path, params=PERIOD)
    assert admin.get(path, params=PERIOD, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_a_late_report_is_in_the_history_at_once(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    tracker = make_tracker(admin, goods.run)
    path = f"/trackers/{tracker}/history"
    query = {"resolution": "day", **PERIOD}
    store(db, tracker, [Report(at(1), 50, 10)])
    db.execute("CALL refresh_history()")
    assert [row["reports"] for row in walk(admin, path, **query)] == [1]
    store(db, tracker, [Report(at(2), 50, 10)])
    assert [row["reports"] for row in walk(admin, path, **query)] == [2]


# ---- history of a run


@pytest.mark.parametrize("resolution", ["raw", "hour", "day"])
@pytest.mark.parametrize("limit", [1, 3, 5000])
def test_history_of_a_run(
    admin: httpx.Client, db: psycopg.Connection, make_client: Callable[..., dict], resolution: str, limit: int
) -> None:
    goods = make_goods(admin, make_client()["id"])
    elsewhere = make_goods(admin, goods.client)
    trackers = [goods.tracker, make_tracker(admin, goods.run)]
    for tracker in [*trackers, elsewhere.tracker]:
        store(db, tracker, [Report(at(h), 50, 10 + h / 100) for h in range(0, 40, 10)])
    hours = {"raw": [0, 10, 20, 30], "hour": [0, 10, 20, 30], "day": [-6, 18]}[resolution]
    rows = walk(admin, f"/production-runs/{goods.run}/history", resolution=resolution, limit=limit, **PERIOD)
    time = "at" if resolution == "raw" else "from"
    assert [(row["tracker_id"], row[time]) for row in rows] == [(t, rfc3339(at(h))) for t in trackers for h in hours]


@pytest.mark.parametrize("sort", ["reported_at", "-reported_at"])
@pytest.mark.parametrize("limit", [1, 3, 5000])
def test_reports_of_a_run(
    admin: httpx.Client, db: psycopg.Connection, make_client: Callable[..., dict], sort: str, limit: int
) -> None:
    """Tracker by tracker, in order within each; equal times by position."""
    goods = make_goods(admin, make_client()["id"])
    elsewhere = make_goods(admin, goods.client)
    trackers = [goods.tracker, make_tracker(admin, goods.run)]
    given = [Report(at(h), 50, 10 + h / 100) for h in range(0, 40, 10)] + [Report(at(10), 51, 11)]
    for tracker in [*trackers, elsewhere.tracker]:
        store(db, tracker, given)
    flag(db, goods.tracker, given[0], "jump")
    path = f"/production-runs/{goods.run}/reports"
    one = sorted(map(place, given), reverse=sort.startswith("-"))
    rows = walk(admin, path, sort=sort, limit=limit, **PERIOD)
    assert [(row["tracker_id"], *shown(row)) for row in rows] == [(t, *r) for t in trackers for r in one]
    jumps = walk(admin, path, sort=sort, limit=limit, flag="jump", **PERIOD)
    assert [(row["tracker_id"], row["flag"]) for row in jumps] == [(goods.tracker, "jump")]
    problem(admin.get("/production-runs/999999999/reports"), 404, "not_found")


def test_history_of_a_run_holds_its_time_with_the_tracker(
    admin: httpx.Client, db: psycopg.Connection, make_client: Callable[..., dict]
) -> None:
    goods = make_goods(admin, make_client()["id"])
    elsewhere = make_goods(admin, goods.client)
    store(db, goods.tracker, [Report(at(h), 50, 10) for h in range(6)])
    # away from the run for two hours, and then back
    db.execute("DELETE FROM tracker_runs WHERE tracker_id = %s", (goods.tracker,))
    periods = [(None, at(2), goods), (at(2), at(4), elsewhere), (at(4), None, goods)]
    for start, end, owner in periods:
        db.execute(
            "INSERT INTO tracker_runs (client_id, tracker_id, production_run_id, period) VALUES (%s, %s, %s, tstzrange(%s, %s))",
            (goods.client, goods.tracker, owner.run, start, end),
        )

    def hours(run: int, resolution: str) -> list[str]:
        rows = walk(admin, f"/production-runs/{run}/history", resolution=resolution, **PERIOD)
        return [row["at"] if resolution == "raw" else row["from"] for row in rows]

    for resolution in ("raw", "hour"):
        assert hours(goods.run, resolution) == [rfc3339(at(h)) for h in (0, 1, 4, 5)]
        assert hours(elsewhere.run, resolution) == [rfc3339(at(h)) for h in (2, 3)]
    reports = walk(admin, f"/production-runs/{goods.run}/reports", sort="reported_at", **PERIOD)
    assert [row["reported_at"] for row in reports] == [rfc3339(at(h)) for h in (0, 1, 4, 5)]


def test_history_of_a_strange_run(
    goods: Goods, make_client: Callable[..., dict], make_user: Callable[..., httpx.Client]
) -> None:
    stranger = make_user("user", clients=[make_client()["id"]])
    problem(stranger.get(f"/production-runs/{goods.run}/history"), 404, "not_found")
