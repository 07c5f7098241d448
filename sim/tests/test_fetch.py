"""The report end points: authentication, limits, quirks."""

from __future__ import annotations

import base64
import json

import pytest
from client import open_report
from conftest import PASSWORD, USER, Run, Starter

from findmy_sim import crypto
from findmy_sim.clock import format_time


def key_of(number: int) -> tuple[str, bytes]:
    private = crypto.private_from(b"tests", str(number).encode())
    return crypto.report_id(crypto.advertisement_key(private)), private


async def register(run: Run, number: int, reports: int) -> str:
    """A tag that only has the reports added here."""
    report_id, private = key_of(number)
    tag = {"id": f"t{number}", "private_key": base64.b64encode(private).decode()}
    # In the future, so that nothing is made up about it.
    await run.control("POST", "/tags", {**tag, "position": {"latitude": 1, "longitude": 2}, "start": "+300d"})
    rows = [{"latitude": 10, "longitude": 20, "timestamp": f"-{n + 1}m"} for n in range(reports)]
    if rows:
        await run.control("POST", f"/tags/t{number}/reports", rows)
    return report_id


async def test_authentication(signed_in: Run) -> None:
    client = signed_in.client
    token, dsid = client.token, client.dsid
    assert (await client.fetch("v2", [])).status == 200
    client.token = "SPT~wrong"
    assert (await client.fetch("v2", [])).status == 401
    client.token, client.dsid = token, "12345"
    assert (await client.fetch("v1", [])).status == 401
    client.dsid = dsid
    await signed_in.control("POST", f"/accounts/{USER}/expire-token")
    assert (await client.fetch("v2", [])).status == 401
    await client.sign_in(USER, PASSWORD)
    assert (await client.fetch("v2", [])).status == 200


async def test_anisette_headers_are_required_and_recent(start: Starter) -> None:
    run = await start(otp_lifetime=0.0)
    headers = await run.client.anisette()
    with pytest.raises(AssertionError):
        await run.client.sign_in(USER, PASSWORD)
    run.sim.anisette.otp_lifetime = 60
    await run.client.sign_in(USER, PASSWORD)
    assert (await run.client.fetch("v2", [])).status == 200
    good = run.client.anisette
    for name in headers:
        if name in ("loc", "X-Apple-I-SRL-NO"):
            continue

        async def lacking(name: str = name) -> dict[str, str]:
            return {k: v for k, v in (await good()).items() if k != name}

        run.client.anisette = lacking  # type: ignore[method-assign]
        answer = await run.client.fetch("v2", [])
        assert answer.status == 401 and name in answer.headers["X-Sim-Reason"]

    async def old() -> dict[str, str]:
        return {**await good(), "X-Apple-I-Client-Time": "2020-01-01T00:00:00Z"}

    run.client.anisette = old  # type: ignore[method-assign]
    assert (await run.client.fetch("v2", [])).status == 401


async def test_bad_requests(signed_in: Run) -> None:
    auth = base64.b64encode(f"{signed_in.client.dsid}:{signed_in.client.token}".encode()).decode()
    headers = {"Authorization": f"Basic {auth}", **await signed_in.client.anisette()}
    for path in ("/acsnservice/fetch", "/findmyservice/v2/fetch"):
        for body in (b"", b"{", b"[]", b'{"search":[]}', b'{"fetch":[1]}', b'{"search":[{"ids":["x"]}]}'):
            async with signed_in.http.post(f"{signed_in.apple}{path}", data=body, headers=headers) as answer:
                assert answer.status == 400


async def test_id_limit(signed_in: Run) -> None:
    ids = [await register(signed_in, n, 1) for n in range(3)]
    filler = [key_of(n)[0] for n in range(100, 389)]
    await signed_in.control("PATCH", "/limits", {"preset": "observed"})
    got = await signed_in.client.payloads("v2", [*filler, *ids], ids[2:])
    # 289 + 1 ids of the first list are looked at, and the second list has a limit of its own.
    assert {key for key, _ in got} == {ids[0], ids[2]}
    await signed_in.control("PATCH", "/limits", {"over_limit": "reject"})
    assert (await signed_in.client.fetch("v2", [*filler, *ids])).status == 400


async def test_report_limits(signed_in: Run) -> None:
    ids = [await register(signed_in, n, 30) for n in range(3)]
    await signed_in.control("PATCH", "/limits", {"reports_per_key": 20})
    got = await signed_in.client.payloads("v1", ids)
    assert [sum(1 for key, _ in got if key == i) for i in ids] == [20, 20, 20]
    newest = max(open_report(key_of(0)[1], p)["timestamp_unix"] for key, p in got if key == ids[0])
    truth = (await signed_in.control("GET", "/tags/t0/visible"))["items"]
    assert newest == max(row["timestamp_unix"] for row in truth)
    await signed_in.control("PATCH", "/limits", {"preset": "strict"})
    got = await signed_in.client.payloads("v1", ids)
    assert len(got) == 15
    await signed_in.control("PATCH", "/limits", {"reports_per_key": 30})
    got = await signed_in.client.payloads("v1", ids)
    assert [sum(1 for key, _ in got if key == i) for i in ids] == [30, 10, 0], "one busy key fills the answer"


async def test_retention_and_publication(signed_in: Run) -> None:
    report_id = await register(signed_in, 1, 0)
    rows = [
        {"latitude": 1, "longitude": 1, "timestamp": "-8d"},
        {"latitude": 2, "longitude": 1, "timestamp": "-6d"},
        {"latitude": 3, "longitude": 1, "timestamp": "-1h", "delay_seconds": 7200},
    ]
    await signed_in.control("POST", "/tags/t1/reports", rows)

    async def latitudes() -> list[int]:
        got = await signed_in.client.payloads("v2", [report_id])
        return sorted(open_report(key_of(1)[1], p)["lat_e7"] // 10_000_000 for _, p in got)

    assert await latitudes() == [2]
    await signed_in.control("PUT", "/clock", {"advance_seconds": 3700})
    assert await latitudes() == [2, 3]
    await signed_in.control("PUT", "/clock", {"advance_seconds": 86_400})
    assert await latitudes() == [3]


async def test_date_published_is_null_after_the_switch(start: Starter) -> None:
    run = await start(start=1_772_000_000.0)
    await run.client.sign_in(USER, PASSWORD)
    report_id = await register(run, 1, 2)

    async def dates() -> list[int | None]:
        body = json.loads(await (await run.client.fetch("v1", [report_id])).text())
        return [row["datePublished"] for row in body["results"]]

    assert all(isinstance(d, int) for d in await dates())
    await run.control("PATCH", "/limits", {"date_published_until": "2026-01-01T00:00:00Z"})
    assert await dates() == [None, None]


async def test_only_the_first_object_is_answered(signed_in: Run) -> None:
    ids = [await register(signed_in, n, 1) for n in range(2)]
    auth = base64.b64encode(f"{signed_in.client.dsid}:{signed_in.client.token}".encode()).decode()
    headers = {"Authorization": f"Basic {auth}", **await signed_in.client.anisette()}
    body = {"fetch": [{"primaryIds": [i], "secondaryIds": []} for i in ids]}
    for first_only, count in ((True, 1), (False, 2)):
        await signed_in.control("PATCH", "/limits", {"first_object_only": first_only})
        url = f"{signed_in.apple}/findmyservice/v2/fetch"
        async with signed_in.http.post(url, json=body, headers=headers) as answer:
            got = await answer.json()
        assert len(got["acsnLocations"]["locationPayload"]) == count


async def test_ids_in_any_spelling(signed_in: Run) -> None:
    report_id = await register(signed_in, 5, 1)
    spelled = report_id.replace("+", "-").replace("/", "_").rstrip("=")
    assert len(await signed_in.client.payloads("v2", [spelled])) == 1


async def test_unknown_ids_are_silent(signed_in: Run) -> None:
    body = json.loads(await (await signed_in.client.fetch("v2", [key_of(999)[0]])).text())
    assert body["acsnLocations"] == {"statusCode": "200", "configVersion": 1, "locationPayload": []}


async def test_rolling_accessory(signed_in: Run) -> None:
    """Primary and secondary keys are both needed to see everything."""
    from findmy_sim.rolling import RollingKeys

    master, skn, sks = crypto.private_from(b"m"), b"\1" * 32, b"\2" * 32
    paired = int(signed_in.sim.clock.now()) - 3 * 86_400
    accessory = {"master_key": master.hex(), "skn": skn.hex(), "sks": sks.hex(), "paired_at": paired}
    tag = {"id": "air", "accessory": accessory, "start": "-3d", "place": {"latitude": 50, "longitude": 8}}
    await signed_in.control("POST", "/tags", tag)
    truth = (await signed_in.control("GET", "/tags/air/visible"))["items"]
    await signed_in.control("PATCH", "/limits", {"preset": "generous"})
    keys = RollingKeys(master, skn, sks, paired)
    slots = range((int(signed_in.sim.clock.now()) - paired) // 900 + 1)
    primary = {crypto.report_id(keys.primary.adv(i)): keys.primary.derive(i).private for i in slots}
    days = range(slots[-1] // 96 + 3)
    secondary = {crypto.report_id(keys.secondary.adv(i)): keys.secondary.derive(i).private for i in days}
    got = await signed_in.client.payloads("v2", list(primary), list(secondary))
    privates = primary | secondary
    opened = {open_report(privates[key], payload)["timestamp_unix"] for key, payload in got}
    assert opened == {row["timestamp_unix"] for row in truth}
    assert {key in primary for key, _ in got} == {True, False}


async def test_pool_and_no_pool_give_the_same_bytes(start: Starter) -> None:
    answers = []
    for workers in (0, 2):
        run = await start(tags=15, seed="pool", days=8, workers=workers, start=1_778_307_200.0, speed=0.0)
        await run.client.sign_in(USER, PASSWORD)
        await run.control("PATCH", "/limits", {"preset": "generous"})
        ids = [t["hashed_advertisement_key"] for t in (await run.control("GET", "/tags"))["items"]]
        answers.append(sorted(await run.client.payloads("v2", ids)))
        assert len(answers[-1]) > 400, format_time(run.sim.clock.now())
    assert answers[0] == answers[1]
