"""Vectors of the report server: requests, and answers with what a client must make of them."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from findmy_sim import crypto
from findmy_sim.clock import format_time
from findmy_sim.vectors.frame import Case, b64, case, draw_private, file_of
from findmy_sim.vectors.reports import BASE_TIME, seal

GATEWAY = "https://gateway.icloud.com"
WEEK_MS = 7 * 86_400_000


def requests() -> dict[str, Any]:
    """Requests to the report server."""
    ids = [crypto.report_id(crypto.advertisement_key(draw_private(f"request {n}"))) for n in range(5)]
    end = BASE_TIME * 1000
    v1_body = {"search": [{"startDate": end - WEEK_MS, "endDate": end, "ids": ids}]}
    v2_fetch = {
        "ownedDeviceIds": [],
        "keyType": 1,
        "startDate": end - WEEK_MS,
        "startDateSecondary": end - WEEK_MS,
        "endDate": end,
        "primaryIds": ids[:4],
        "secondaryIds": ids[4:],
    }
    v2_body = {
        "clientContext": {
            "clientBundleIdentifier": "com.apple.icloud.searchpartyuseragent",
            "policy": "foregroundClient",
        },
        "fetch": [v2_fetch],
    }
    v1 = {"url": f"{GATEWAY}/acsnservice/fetch", "method": "POST", "body": v1_body}
    v2 = {"url": f"{GATEWAY}/findmyservice/v2/fetch", "method": "POST", "body": v2_body}
    dsid, token = "10000004711", "SPT~with:colon/+=ü"
    cases = [
        case("sim-v1", api="v1", now_unix=BASE_TIME, days=7, ids=ids, expect=v1),
        case("sim-v2", api="v2", now_unix=BASE_TIME, days=7, primary_ids=ids[:4], secondary_ids=ids[4:], expect=v2),
        case(
            "sim-auth", api="auth", dsid=dsid, search_party_token=token,
            expect={"authorization": "Basic " + b64(f"{dsid}:{token}".encode())},
        ),
    ]  # fmt: skip
    for count, limit in ((1, 290), (290, 290), (291, 290), (580, 290), (64, 64), (65, 64), (7, 1)):
        batches = [min(limit, count - n) for n in range(0, count, limit)]
        cases.append(
            case(f"batch-{count}-by-{limit}", api="batch", count=count, limit=limit, expect={"batches": batches})
        )
    notes = [
        "body is compared as JSON, not as text; dates are integer milliseconds since 1970.",
        "batch: how many ids go into each request.",
    ]
    return file_of("fetch-requests.json", "Requests to the report server", notes, cases)


# --- answers ----------------------------------------------------------------------------------------

_KNOWN = [draw_private("answer key a"), draw_private("answer key b")]
_STRANGER = draw_private("answer key of somebody else")


class _Report:
    """A report of an answer, with what a client must read from it."""

    def __init__(self, number: int, owner: bytes, form: int, published: int | None) -> None:
        plain = crypto.Plain(
            BASE_TIME - 40_000 * number,
            number % 4,
            480_000_000 + number * 1111,
            -98_765_432 * number,
            12 + number,
            0x60,
        )
        self.plain = plain
        self.id = crypto.report_id(crypto.advertisement_key(owner))
        self.payload = seal(f"answer {number}", owner, plain, form)
        self.published = published

    @property
    def text(self) -> str:
        return b64(self.payload)

    def v1(self, **changes: Any) -> dict[str, Any]:
        row = {"datePublished": self.published, "payload": self.text, "description": "found", "id": self.id}
        return {**row, "statusCode": 0, **changes}

    def expect(self, dated: bool) -> dict[str, Any]:
        p = self.plain
        return {
            "hashed_b64": self.id,
            "payload_sha256": sha256(self.payload).hexdigest(),
            "timestamp_unix": p.time,
            "timestamp": format_time(p.time),
            "published_ms": self.published if dated else None,
            "confidence": p.confidence,
            "lat_e7": p.lat_e7,
            "lon_e7": p.lon_e7,
            "accuracy": p.accuracy,
            "status": p.status,
        }


def _reports() -> list[_Report]:
    rows = [(1, _KNOWN[0], 88), (3, _KNOWN[1], 89), (2, _KNOWN[0], 89), (4, _KNOWN[1], 88), (5, _KNOWN[0], 89)]
    return [_Report(n, owner, form, (BASE_TIME - 1000 * n) * 1000 + n) for n, owner, form in rows]


def _expected(reports: list[_Report], dated: bool = True) -> list[dict[str, Any]]:
    return [r.expect(dated) for r in sorted(reports, key=lambda r: r.plain.time)]


def _v1(results: list[dict[str, Any]], code: Any = "200") -> str:
    return json.dumps({"results": results, "statusCode": code})


def _v2(payload: list[dict[str, Any]], code: str = "200") -> str:
    acsn = {"statusCode": code, "configVersion": 1, "locationPayload": payload}
    own = {"statusCode": "200", "locationPayload": []}
    return json.dumps({"configVersion": 1, "acsnLocations": acsn, "ownedDeviceLocations": own})


def _v2_payload(reports: list[_Report]) -> list[dict[str, Any]]:
    by_id: dict[str, list[str]] = {}
    for r in reports:
        by_id.setdefault(r.id, []).append(r.text)
    return [{"id": key, "locationInfo": texts} for key, texts in by_id.items()]


def _case(name: str, api: str, status: int, body: str, expect: dict[str, Any], note: str = "") -> Case:
    known = [key.hex() for key in _KNOWN]
    return case(name, api=api, http_status=status, body=body, known_private_hex=known, expect=expect, note=note)


def _outcome(outcome: str, reports: list[dict[str, Any]] | None = None, **counts: int) -> dict[str, Any]:
    return {"outcome": outcome, "reports": reports or [], **counts}


def responses() -> dict[str, Any]:
    """Answers of the report server."""
    notes = [
        "api v1: POST /acsnservice/fetch; v2: POST /findmyservice/v2/fetch.",
        "known_private_hex: the keys a client holds; expect.reports is sorted by report time.",
        "Outcome names and the treatment of odd cases are the project's policy.",
    ]
    cases = [*_v1_cases(), *_v2_cases(), *_http_cases()]
    return file_of("fetch-responses.json", "Answers of the report server and what to make of them", notes, cases)


def _v1_cases() -> list[Case]:
    reports = _reports()
    rows = [r.v1() for r in reports]
    foreign = _Report(9, _STRANGER, 89, None).v1()
    spoiled = bytearray(reports[1].payload)
    spoiled[-1] ^= 1
    bad = [reports[0].v1(), reports[1].v1(payload=b64(bytes(spoiled)))]
    malformed = [reports[0].v1(), reports[1].v1(payload="%%%"), reports[2].v1(payload=b64(bytes(40)))]
    first = _expected(reports[:1])
    return [
        _case("v1-five", "v1", 200, _v1(rows), _outcome("ok", _expected(reports)), "not in time order"),
        _case("v1-none", "v1", 200, _v1([]), _outcome("ok")),
        _case("v1-undated", "v1", 200, _v1([r.v1(datePublished=None) for r in reports]),
              _outcome("ok", _expected(reports, dated=False)), "datePublished null"),
        _case("v1-twice", "v1", 200, _v1(rows + rows[:3]), _outcome("ok", _expected(reports), duplicates=3)),
        _case("v1-foreign", "v1", 200, _v1([*rows, foreign]), _outcome("ok", _expected(reports), ignored=1)),
        _case("v1-bad-tag", "v1", 200, _v1(bad), _outcome("ok", first, undecryptable=1)),
        _case("v1-malformed", "v1", 200, _v1(malformed), _outcome("ok", first, malformed=2)),
        _case("v1-inner-503", "v1", 200, _v1([], "503"), _outcome("server_error")),
        _case("v1-inner-number", "v1", 200, _v1(rows[:1], 200), _outcome("ok", first)),
    ]  # fmt: skip


def _v2_cases() -> list[Case]:
    reports = _reports()
    payload = _v2_payload(reports)
    all_five = _outcome("ok", _expected(reports, dated=False))
    url_safe = [{**row, "id": row["id"].replace("+", "-").replace("/", "_").rstrip("=")} for row in payload]
    silent = [{"id": row["id"], "locationInfo": []} for row in payload]
    return [
        _case("v2-five", "v2", 200, _v2(payload), all_five),
        _case("v2-none", "v2", 200, _v2([]), _outcome("ok")),
        _case("v2-url-safe", "v2", 200, _v2(url_safe), all_five, "ids in URL-safe base64 without padding"),
        _case("v2-silent", "v2", 200, _v2(silent), _outcome("ok"), "locationInfo empty"),
        _case("v2-inner-500", "v2", 200, _v2([], "500"), _outcome("server_error")),
        _case("v2-no-acsn", "v2", 200, json.dumps({"configVersion": 1}), _outcome("bad_response")),
        _case("v2-cut", "v2", 200, _v2(payload)[:300], _outcome("bad_response"), "body cut off"),
    ]


def _http_cases() -> list[Case]:
    rows = [
        ("http-empty", 200, "", "retry_empty"),
        ("http-blank", 200, "\r\n", "retry_empty"),
        ("http-html", 200, "<html></html>", "bad_response"),
        ("http-401", 401, "", "reauth"),
        ("http-403", 403, "", "auth_error"),
        ("http-429", 429, "", "backoff"),
        ("http-500", 500, "", "server_error"),
        ("http-503", 503, "<html><head></head></html>", "server_error"),
    ]
    return [
        _case(f"{name}-{api}", api, status, body, _outcome(outcome))
        for name, status, body, outcome in rows
        for api in ("v1", "v2")
    ]
