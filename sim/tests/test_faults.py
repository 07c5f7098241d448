"""Each kind of fault, seen by a client; and how faults are aimed and counted."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import aiohttp
import pytest
from client import open_report
from conftest import PASSWORD, USER, Run
from cryptography.exceptions import InvalidTag

from findmy_sim import crypto
from findmy_sim.faults import ANISETTE, ANSWER, DELEGATE, GSA, HTTP, KINDS, REPORT


async def inject(run: Run, kind: str, **more: Any) -> dict[str, Any]:
    return await run.control("POST", "/faults", {"kind": kind, **more})


def ids_of(run: Run) -> list[str]:
    return [crypto.report_id(tag.source.key_at(0)) for tag in run.sim.world.tags.values()]


# --- transport --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "begins"),
    [
        ("401", 401, b""),
        ("403", 403, b""),
        ("429", 429, b""),
        ("500", 500, b"Internal"),
        ("502", 502, b"<html>"),
        ("503", 503, b"<html>"),
        ("541", 541, b""),
        ("empty_body", 200, b""),
        ("blank_body", 200, b" \r\n"),
        ("not_json", 200, b"<html>"),
    ],
)
async def test_static_answers(signed_in: Run, kind: str, status: int, begins: bytes) -> None:
    await inject(signed_in, kind, endpoint="fetch", count=1)
    answer = await signed_in.client.fetch("v2", ids_of(signed_in))
    body = await answer.read()
    assert answer.status == status and body.startswith(begins) and (begins or not body)
    assert (await signed_in.client.fetch("v2", ids_of(signed_in))).status == 200, "the fault is spent"
    await check_json(await signed_in.client.fetch("v2", ids_of(signed_in)))


async def check_json(answer: aiohttp.ClientResponse) -> None:
    assert json.loads(await answer.text())["acsnLocations"]["statusCode"] == "200"


@pytest.mark.parametrize("retry_after", [30, "Wed, 21 Oct 2026 07:28:00 GMT", None])
async def test_retry_after(signed_in: Run, retry_after: object) -> None:
    params = {} if retry_after is None else {"retry_after": retry_after}
    await inject(signed_in, "429", endpoint="fetch.v2", params=params)
    answer = await signed_in.client.fetch("v2", [])
    assert answer.headers.get("Retry-After") == (None if retry_after is None else str(retry_after))
    assert (await signed_in.client.fetch("v1", [])).status == 200


async def test_any_status(signed_in: Run) -> None:
    await inject(signed_in, "status", params={"status": 418, "body": "teapot"})
    assert (await signed_in.http.get(f"{signed_in.apple}/auth")).status == 418


async def test_half_sent_and_truncated(signed_in: Run) -> None:
    await inject(signed_in, "cut_body", endpoint="fetch", count=1)
    with pytest.raises(aiohttp.ClientPayloadError):
        await signed_in.client.fetch("v2", ids_of(signed_in))
    await inject(signed_in, "truncated", endpoint="fetch", count=1)
    answer = await signed_in.client.fetch("v2", ids_of(signed_in))
    with pytest.raises(json.JSONDecodeError):
        json.loads(await answer.text())


async def test_reset_hang_and_slow(signed_in: Run) -> None:
    await inject(signed_in, "reset", endpoint="fetch", count=1)
    with pytest.raises(aiohttp.ClientError):
        await signed_in.client.fetch("v2", [])
    await inject(signed_in, "hang", endpoint="fetch", count=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(signed_in.client.fetch("v2", []), 0.3)
    await inject(signed_in, "hang", endpoint="fetch", count=1, params={"seconds": 0.1})
    with pytest.raises(aiohttp.ClientError):
        await signed_in.client.fetch("v2", [])
    await inject(signed_in, "slow", endpoint="fetch", count=1, params={"seconds": 0.2})
    begin = asyncio.get_running_loop().time()
    await check_json(await signed_in.client.fetch("v2", []))
    assert asyncio.get_running_loop().time() - begin >= 0.2


# --- anisette ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "code"), [("not_provisioned", "-45061"), ("headers_error", "-45054")])
async def test_anisette_errors(run: Run, kind: str, code: str) -> None:
    await run.client.anisette()
    await inject(run, kind, count=1)
    with pytest.raises(AssertionError, match=code):
        await run.client.anisette()
    await run.client.anisette()


@pytest.mark.parametrize("kind", ["missing_otp", "stale_otp"])
async def test_bad_one_time_passwords(run: Run, kind: str) -> None:
    await inject(run, kind, endpoint="anisette.v3", count=1)
    assert (await run.client.login(USER, PASSWORD))["ec"] == -22421


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("provision_timeout", "Timeout"),
        ("invalid_identifier", "InvalidIdentifier"),
        ("start_error", "StartProvisioningError"),
        ("end_error", "EndProvisioningError"),
    ],
)
async def test_provisioning_errors(run: Run, kind: str, result: str) -> None:
    await inject(run, kind, count=1)
    assert (await run.client.provision())["result"] == result
    assert (await run.client.provision())["result"] == "ProvisioningSuccess"


async def test_provisioning_refuses_nonsense(run: Run) -> None:
    for frame in ({"identifier": "c2hvcnQ="}, {"identifier": 1}, {}, [], {"identifier": "*"}):
        async with run.http.ws_connect(f"{run.anisette}/v3/provisioning_session") as socket:
            assert (await socket.receive_json())["result"] == "GiveIdentifier"
            await socket.send_json(frame)
            assert (await socket.receive_json())["result"] == "InvalidIdentifier"


async def test_provisioning_does_not_wait_for_ever(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("findmy_sim.anisette.STEP_TIMEOUT", 0.1)
    async with run.http.ws_connect(f"{run.anisette}/v3/provisioning_session") as socket:
        await socket.receive_json()
        assert (await socket.receive_json())["result"] == "Timeout"


# --- login ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "ec", "hsc"),
    [
        ("wrong_password", -22406, 401),
        ("locked", -20209, 403),
        ("bad_anisette", -22421, 401),
        ("unable", -36607, 503),
        ("reprovision", -22421, 433),
        ("resync", -22421, 434),
    ],
)
@pytest.mark.parametrize("endpoint", ["gsa.init", "gsa.complete"])
async def test_login_codes(run: Run, kind: str, ec: int, hsc: int, endpoint: str) -> None:
    await inject(run, kind, endpoint=endpoint, account=USER, count=1)
    status = await run.client.login(USER, PASSWORD)
    assert (status["ec"], status["hsc"]) == (ec, hsc)
    assert (await run.client.login(USER, PASSWORD))["ec"] == 0


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [("bad_m2", "proof is wrong"), ("bad_np", "negotiation proof"), ("zero_b", "B is zero")],
)
async def test_bad_server_proofs(run: Run, kind: str, complaint: str) -> None:
    await inject(run, kind, count=1)
    with pytest.raises(AssertionError, match=complaint):
        await run.client.login(USER, PASSWORD)
    assert (await run.client.login(USER, PASSWORD))["ec"] == 0


@pytest.mark.parametrize(("kind", "field", "value"), [("unknown_sp", "sp", "s2k_v3"), ("few_iterations", "i", 10)])
async def test_odd_challenges(run: Run, kind: str, field: str, value: object) -> None:
    await inject(run, kind, count=1)
    init = await run.client.gsa({"o": "init", "u": USER, "ps": ["s2k", "s2k_fo"], "A2k": b"\5" * 256})
    assert init[field] == value


async def test_second_factor_at_any_time(signed_in: Run) -> None:
    await inject(signed_in, "force_2fa", count=1)
    assert "au" in await signed_in.client.login(USER, PASSWORD)
    assert "au" in await signed_in.client.login(USER, PASSWORD), "until it is passed"
    await signed_in.client.two_factor("GET", "/auth/verify/trusteddevice")
    code = (await signed_in.control("GET", f"/accounts/{USER}/code"))["code"]
    await inject(signed_in, "wrong_code", count=1)
    for _ in range(2):
        answer = await signed_in.client.two_factor("GET", "/grandslam/GsService2/validate", security_code=code)
        assert answer.status == 200
    await signed_in.client.sign_in(USER, PASSWORD)


async def test_unsupported_step_fault(run: Run) -> None:
    await inject(run, "unsupported_step", count=1, params={"step": "repair"})
    assert (await run.client.login(USER, PASSWORD))["au"] == "repair"


@pytest.mark.parametrize("kind", ["account_limit", "server_problem", "pet_expired"])
async def test_delegate_faults(run: Run, kind: str) -> None:
    await run.client.login(USER, PASSWORD)
    await inject(run, kind, count=1)
    await run.client.delegates(USER)
    assert not run.client.token
    await run.client.delegates(USER)
    assert run.client.token


@pytest.mark.parametrize(("kind", "code"), [("too_many_codes", "-22979"), ("cannot_send", "-28248")])
async def test_sms_faults(run: Run, kind: str, code: str) -> None:
    await run.control("PATCH", f"/accounts/{USER}", {"second_factor": "sms"})
    await run.client.login(USER, PASSWORD)
    await inject(run, kind, count=1)
    body = {"phoneNumber": {"id": 1}, "mode": "sms"}
    answer = await run.client.two_factor("PUT", "/auth/verify/phone", body)
    assert (await answer.json())["serviceErrors"][0]["code"] == code


# --- answers ----------------------------------------------------------------------------------------


async def test_token_expiry(signed_in: Run) -> None:
    await inject(signed_in, "token_expiry", count=1)
    assert (await signed_in.client.fetch("v2", [])).status == 401
    assert (await signed_in.client.fetch("v2", [])).status == 401, "until a new login"
    await signed_in.client.sign_in(USER, PASSWORD)
    assert (await signed_in.client.fetch("v2", [])).status == 200


@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_whole_answer_faults(signed_in: Run, api: str) -> None:
    ids = ids_of(signed_in)

    async def part(kind: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        await inject(signed_in, kind, count=1)
        body = json.loads(await (await signed_in.client.fetch(api, ids)).text())
        inner = body if api == "v1" else body.get("acsnLocations", {})
        return inner, inner.get("results" if api == "v1" else "locationPayload")

    inner, rows = await part("inner_status")
    assert (inner["statusCode"], rows) == ("503", [])
    assert (await part("missing_locations"))[1] is None
    assert (await part("empty_list"))[1] == []
    _, rows = await part("no_location_info")
    assert rows and all("payload" not in row and "locationInfo" not in row for row in rows)
    _, rows = await part("id_spelling")
    assert rows and not any(set(row["id"]) & set("+/=") for row in rows)
    _, rows = await part("foreign_id")
    assert len({row["id"] for row in rows} - set(ids)) == 1


@pytest.mark.parametrize("kind", [k for k, (layer, _) in KINDS.items() if layer == REPORT])
async def test_report_faults(signed_in: Run, kind: str) -> None:
    tag = next(iter(signed_in.sim.world.tags.values()))
    ids, private = ids_of(signed_in), tag.privates[0]
    good = await signed_in.client.payloads("v2", ids)
    await inject(signed_in, kind, endpoint="fetch", tag=tag.id)
    answer = json.loads(await (await signed_in.client.fetch("v2", ids)).text())
    by_id = {r["id"]: r["locationInfo"] for r in answer["acsnLocations"]["locationPayload"]}
    untouched = {p for key, p in good if key != ids[0]}
    assert {base64.b64decode(t) for key, texts in by_id.items() if key != ids[0] for t in texts} == untouched
    texts = by_id[ids[0]]
    if kind == "twice":
        assert len(texts) == 2 * len(set(texts))
        return
    for text in texts:
        check_spoiled(kind, private, text, signed_in.sim.clock.now())


def check_spoiled(kind: str, private: bytes, text: str, now: float) -> None:
    if kind == "bad_base64":
        with pytest.raises(ValueError, match=r"(?i)base64"):
            base64.b64decode(text, validate=True)
        return
    payload = base64.b64decode(text)
    if kind in ("bad_tag", "wrong_key"):
        with pytest.raises(InvalidTag):
            open_report(private, payload)
    elif kind == "off_curve":
        with pytest.raises(ValueError):
            open_report(private, payload)
    elif kind == "bad_length":
        # A shortened new form is as long as the old one, and then its point is shifted.
        assert len(payload) in (87, 88)
        with pytest.raises(crypto.ReportError):
            crypto.decrypt(private, payload)
    else:
        opened = open_report(private, payload)
        if kind == "future_timestamp":
            assert opened["timestamp_unix"] > now + 12 * 3600
        elif kind == "old_timestamp":
            assert opened["timestamp_unix"] < crypto.APPLE_EPOCH + 86_400
        else:
            assert opened["lat_e7"] > 900_000_000 and opened["lon_e7"] < -1_800_000_000


# --- aiming and counting ----------------------------------------------------------------------------


async def test_scope_skip_count_and_probability(signed_in: Run) -> None:
    async def statuses(count: int) -> list[int]:
        return [(await signed_in.client.fetch("v2", [])).status for _ in range(count)]

    await inject(signed_in, "500", endpoint="fetch.v1")
    await inject(signed_in, "500", account="other@example.com", endpoint="fetch")
    assert await statuses(2) == [200, 200]
    await inject(signed_in, "500", endpoint="fetch.v2", skip=2, count=2)
    assert await statuses(6) == [200, 200, 500, 500, 200, 200]
    fault = await inject(signed_in, "500", account=USER, endpoint="fetch", probability=0.3)
    failed = (await statuses(100)).count(500)
    assert 10 <= failed <= 55
    listed = (await signed_in.control("GET", "/faults"))["items"]
    assert [f["hits"] for f in listed if f["id"] == fault["id"]] == [failed]
    await signed_in.control("DELETE", f"/faults/{fault['id']}", expect=204)
    assert await statuses(3) == [200] * 3
    assert (await signed_in.control("DELETE", "/faults"))["removed"] == 3


async def test_bad_faults_are_refused(run: Run) -> None:
    for body in (
        {},
        {"kind": "no such"},
        {"kind": "500", "probability": 2},
        {"kind": "500", "count": 0},
        {"kind": "500", "skip": -1},
        {"kind": "500", "params": 1},
        {"kind": "500", "colour": "red"},
    ):
        await run.control("POST", "/faults", body, expect=400)
    await run.control("DELETE", "/faults/77", expect=404)


def test_every_kind_has_a_layer_and_a_sentence() -> None:
    assert {layer for layer, _ in KINDS.values()} == {HTTP, ANISETTE, GSA, DELEGATE, ANSWER, REPORT}
    assert all(effect for _, effect in KINDS.values())
