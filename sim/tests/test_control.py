"""The control API: registering, moving, adding, reading, and what it refuses."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from typing import Any

import pytest
from client import open_report
from conftest import PASSWORD, USER, Run, Starter

from findmy_sim import crypto

PLACE = {"id": "yard", "name": "Yard", "kind": "storage", "latitude": 52.52, "longitude": 13.4, "radius": 150}
SHOP = {"id": "shop", "kind": "delivery", "latitude": 48.14, "longitude": 11.58}


def private(n: int = 0) -> bytes:
    return crypto.private_from(b"control", str(n).encode())


def key(n: int = 0) -> str:
    return base64.b64encode(private(n)).decode()


async def test_added_reports_come_back_exactly(signed_in: Run) -> None:
    await signed_in.control("POST", "/tags", {"id": "t", "private_key": key(), "place": PLACE, "start": "+1d"})
    row = {
        "latitude": -33.8567844,
        "longitude": 151.2152967,
        "timestamp": "-10m",
        "horizontal_accuracy": 77,
        "confidence": 1,
        "status": 0x60,
    }
    for form in (88, 89):
        added = (await signed_in.control("POST", "/tags/t/reports", {**row, "form": form}))["items"][0]
        assert (added["lat_e7"], added["lon_e7"], added["battery"]) == (-338567844, 1512152967, "medium")
    report_id = crypto.report_id(crypto.advertisement_key(private()))
    got = await signed_in.client.payloads("v2", [report_id])
    assert sorted(len(p) for _, p in got) == [88, 89]
    for _, payload in got:
        opened = open_report(private(), payload)
        assert opened == {name: added[name] for name in opened}


async def test_what_is_visible_ends_where_an_answer_ends(start: Starter) -> None:
    """To the fraction of a second: of two reports of seven days ago both hold the younger one."""
    run = await start(speed=0.0, start=1_793_000_000.6)
    await run.client.sign_in(USER, PASSWORD)
    await run.control("POST", "/tags", {"id": "t", "private_key": key(), "place": PLACE, "start": "+1d"})
    oldest = 1_793_000_000 - 7 * 86_400
    for at in (oldest, oldest + 1):
        row = {"latitude": 1, "longitude": 2, "timestamp": at, "horizontal_accuracy": 10, "confidence": 1}
        await run.control("POST", "/tags/t/reports", row)
    seen = [row["timestamp_unix"] for row in (await run.control("GET", "/tags/t/visible"))["items"]]
    got = await run.client.payloads("v2", [crypto.report_id(crypto.advertisement_key(private()))])
    assert seen == [oldest + 1] and len(got) == 1


async def test_ten_thousand_reports_decrypt_to_the_truth(start: Starter) -> None:
    """What the C library is checked with as well: nothing of the truth is lost or bent on the way."""
    run = await start(tags=80, seed="cross", days=20, speed=0.0, workers=2)
    await run.control("PATCH", "/limits", {"preset": "generous"})
    await run.client.sign_in(USER, PASSWORD)
    tags = list(run.sim.world.tags.values())
    privates = {crypto.report_id(crypto.advertisement_key(t.privates[0])): t.privates[0] for t in tags}
    got = await run.client.payloads("v2", list(privates))
    opened = {tuple(open_report(privates[name], payload).values()) for name, payload in got}
    truth = set()
    for tag in tags:
        for row in (await run.control("GET", f"/tags/{tag.id}/visible"))["items"]:
            fields = ("timestamp_unix", "confidence", "lat_e7", "lon_e7", "horizontal_accuracy", "status")
            truth.add(tuple(row[name] for name in fields))
    assert opened == truth and len(opened) > 10_000


async def test_moving(run: Run) -> None:
    await run.control("POST", "/places", [PLACE, SHOP])
    await run.control("POST", "/tags", {"id": "t", "private_key": key(), "place": "yard", "start": "-1d"})
    moved = await run.control("POST", "/tags/t/move", {"place": "shop", "travel_seconds": 3600})
    assert moved["place"]["id"] == "shop"
    half = await run.control("GET", "/tags/t/position?at=%2B30m")
    assert half["state"] in ("move", "rest") and half["place"] is None and 48.14 < half["latitude"] < 52.52
    there = await run.control("GET", "/tags/t/position?at=%2B61m")
    assert (there["state"], there["place"]["id"], there["latitude"]) == ("stay", "shop", 48.14)
    visits = (await run.control("GET", "/tags/t/visits?to=%2B9d"))["items"]
    assert [(v["place"]["id"], v["leave"] is None) for v in visits] == [("yard", False), ("shop", True)]
    await run.control("POST", "/tags/t/move", {"latitude": 1.5, "longitude": 2.5, "at": "+2h"})
    assert (await run.control("GET", "/tags/t/position?at=%2B3h"))["latitude"] == 1.5
    for bad in ({}, {"place": "nowhere"}, {"place": "shop", "travel_seconds": -1}, {"place": "shop", "at": "soon"}):
        await run.control("POST", "/tags/t/move", bad, expect=400)


async def test_demo_routes(run: Run) -> None:
    route = [
        {"place": PLACE, "arrive": "-9d", "leave": "-5d"},
        {"latitude": 48.14, "longitude": 11.58, "kind": "shop", "arrive": "-4d", "leave": None},
    ]
    public = base64.b64encode(crypto.advertisement_key(private())).decode()
    await run.control("POST", "/tags", {"id": "t", "advertisement_key": public, "route": route})
    rows = (await run.control("GET", "/tags/t/truth"))["items"]
    in_yard = [r for r in rows if r["timestamp_unix"] < run.sim.clock.now() - 5 * 86_400 - 60]
    in_shop = [r for r in rows if r["timestamp_unix"] > run.sim.clock.now() - 4 * 86_400 + 60]
    assert in_yard and all(abs(r["true_latitude"] - 52.52) < 0.01 for r in in_yard)
    assert in_shop and all(abs(r["true_latitude"] - 48.14) < 0.01 for r in in_shop)


async def test_bulk_registration(run: Run) -> None:
    tags = [{"id": f"b{n}", "private_key": key(n), "places": [PLACE, SHOP], "start": "-3d"} for n in range(300)]
    assert (await run.control("POST", "/tags", {"tags": tags}))["count"] == 300
    lines = "\n".join(json.dumps({**t, "id": f"c{n}", "private_key": key(n + 500)}) for n, t in enumerate(tags))
    headers = {"Content-Type": "application/x-ndjson"}
    async with run.http.post(f"{run.apple}/control/tags", data=lines, headers=headers) as answer:
        assert (await answer.json())["count"] == 300
    assert (await run.control("GET", "/tags?limit=2"))["total"] == 605


async def test_bulk_registration_is_all_or_nothing(run: Run) -> None:
    good = {"private_key": key(1), "place": PLACE}
    answer = await run.control("POST", "/tags", [good, {"private_key": "AAAA", "place": PLACE}], expect=400)
    assert answer["error"].startswith("tag 1:")
    assert (await run.control("GET", "/tags"))["total"] == 5
    await run.control("POST", "/tags", good)


@pytest.mark.parametrize(
    "tag",
    [
        {},
        [1],
        {"place": PLACE},
        {"private_key": key()},
        {"private_key": key(), "private_keys": [key(1)], "place": PLACE},
        {"private_key": base64.b64encode(bytes(28)).decode(), "place": PLACE},
        {"advertisement_key": base64.b64encode(b"\xff" * 28).decode(), "place": PLACE},
        {"private_keys": [], "place": PLACE},
        {"private_keys": [key(), key()], "place": PLACE},
        {"private_key": key(), "place": {"latitude": 91, "longitude": 0}},
        {"private_key": key(), "place": {"latitude": 1, "longitude": 0, "radius": 0}},
        {"private_key": key(), "place": PLACE, "start": "yesterday"},
        {"private_key": key(), "place": PLACE, "start": "2026-01-01T00:00:00"},
        {"private_key": key(), "place": PLACE, "colour": "red"},
        {"private_key": key(), "route": []},
        {"private_key": key(), "route": [{"place": PLACE}, {"place": SHOP}]},
        {"private_key": key(), "route": [{"place": PLACE, "arrive": "-1d", "leave": "-2d"}]},
        {"private_key": key(), "places": [PLACE], "pace": 0},
        {"private_key": key(), "place": PLACE, "battery": {"level": 2}},
        {"accessory": {"master_key": "00"}, "place": PLACE},
    ],
)
async def test_bad_tags_are_refused(run: Run, tag: Any) -> None:
    answer = await run.control("POST", "/tags", [tag], expect=400)
    assert answer["error"]
    assert (await run.control("GET", "/tags"))["total"] == 5


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"latitude": 1},
        {"latitude": 1, "longitude": 181},
        {"latitude": float("nan"), "longitude": 1},
        {"latitude": 1, "longitude": 1, "form": 90},
        {"latitude": 1, "longitude": 1, "horizontal_accuracy": 256},
        {"latitude": 1, "longitude": 1, "confidence": -1},
        {"latitude": 1, "longitude": 1, "timestamp": "1999-01-01T00:00:00Z"},
        {"latitude": 1, "longitude": 1, "delay_seconds": -5},
        {"latitude": 1, "longitude": 1, "extra": 1},
    ],
)
async def test_bad_reports_are_refused(run: Run, report: dict[str, Any]) -> None:
    await run.control("POST", "/tags/sim-000000/reports", report, expect=400)


async def test_clock(run: Run) -> None:
    clock = await run.control("PUT", "/clock", {"now": "2026-05-01T00:00:00Z", "speed": 0})
    assert clock["now"] == "2026-05-01T00:00:00Z" and clock["speed"] == 0
    assert (await run.control("PUT", "/clock", {"advance_seconds": 3600}))["now"] == "2026-05-01T01:00:00Z"
    assert (await run.control("PUT", "/clock", {"now": "+1d"}))["now"] == "2026-05-02T01:00:00Z"
    await run.control("PUT", "/clock", {"speed": 100_000})
    assert (await run.control("GET", "/clock"))["now_unix"] > 1_777_680_000
    for bad in ({"speed": -1}, {"speed": "x"}, {"now": "x"}, {"time": 1}):
        await run.control("PUT", "/clock", bad, expect=400)


async def test_hold_at_wall(start: Starter) -> None:
    run = await start(speed=1000.0, hold_at_wall=True)
    assert run.sim.clock.now() <= run.sim.clock.wall()
    await run.control("PUT", "/clock", {"now": "+5d"})
    assert run.sim.clock.now() <= run.sim.clock.wall()


async def test_truth_stream_and_export(run: Run) -> None:
    lines = [json.loads(line) for line in (await run.control("GET", "/truth")).splitlines()]
    assert {row["tag"] for row in lines} == set(run.sim.world.tags)
    exported = [json.loads(line) for line in (await run.control("GET", "/export")).splitlines()]
    assert len(exported) == 5
    for tag in exported:
        adv = crypto.advertisement_key(base64.b64decode(tag["private_key"]))
        assert base64.b64encode(adv).decode() == tag["advertisement_key"]
        assert {p["kind"] for p in tag["places"]} == {"warehouse", "shop"}


async def test_accounts(run: Run) -> None:
    body = {"username": "Neu@example.com", "password": "p", "second_factor": "sms"}
    made = await run.control("POST", "/accounts", body, expect=201)
    assert made["phones"] and "password" not in made
    await run.control("POST", "/accounts", {**body, "username": "neu@EXAMPLE.com"}, expect=400)
    for bad in (
        {"username": "x"},
        {**body, "username": "y", "second_factor": "smoke"},
        {**body, "username": "y", "phones": [{"id": "1"}]},
        {**body, "username": "y", "fixed_code": "12"},
        {**body, "username": "y", "unknown": 1},
    ):
        await run.control("POST", "/accounts", bad, expect=400)
    await run.control("GET", "/accounts/neu@example.com")
    await run.control("DELETE", "/accounts/neu@example.com", expect=204)
    await run.control("GET", "/accounts/neu@example.com", expect=404)
    await run.control("GET", "/tags/none", expect=404)


async def test_statistics(signed_in: Run) -> None:
    await signed_in.client.payloads("v2", [crypto.report_id(crypto.advertisement_key(private()))])
    stats = await signed_in.control("GET", "/stats")
    assert stats["fetch"]["answers"] == 1 and stats["http"]["requests fetch.v2"] == 1 and stats["tags"] == 5


async def test_requests_are_noted_with_those_that_a_fault_spoils(signed_in: Run) -> None:
    before = time.time()
    ids = [crypto.report_id(crypto.advertisement_key(private()))]
    await signed_in.client.payloads("v2", ids)
    await signed_in.control("POST", "/faults", {"kind": "503", "endpoint": "fetch"})
    with contextlib.suppress(Exception):
        await signed_in.client.payloads("v2", ids)
    noted = await signed_in.control("GET", "/requests?endpoint=fetch")
    assert [(r["endpoint"], r["account"] != "") for r in noted] == [("fetch.v2", True)] * 2
    assert before <= noted[0]["at"] <= noted[1]["at"] <= time.time()
    assert any(r["endpoint"].startswith("gsa") for r in await signed_in.control("GET", "/requests"))
