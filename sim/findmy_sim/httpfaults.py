"""Faults of the transport: an aiohttp middleware that spoils, delays or withholds answers.

It also names the end point and the account of each request, so that faults can be aimed.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from findmy_sim.accounts import Accounts
from findmy_sim.faults import HTTP, Fault, Faults
from findmy_sim.gsa import EDGE_PAGE
from findmy_sim.mobileme import basic_auth

ENDPOINTS = {
    "/": "anisette.v1",
    "/v3/client_info": "anisette.v3.client_info",
    "/v3/get_headers": "anisette.v3.headers",
    "/v3/provisioning_session": "anisette.v3.provisioning",
    "/grandslam/GsService2/lookup": "gsa.lookup",
    "/grandslam/GsService2": "gsa.init",  # or gsa.complete, see endpoint_of
    "/grandslam/GsService2/validate": "2fa.validate",
    "/grandslam/MidService/startMachineProvisioning": "gsa.provisioning.start",
    "/grandslam/MidService/finishMachineProvisioning": "gsa.provisioning.finish",
    "/auth": "2fa.phones",
    "/auth/verify/trusteddevice": "2fa.trusted",
    "/auth/verify/phone": "2fa.sms",
    "/auth/verify/phone/securitycode": "2fa.code",
    "/setup/iosbuddy/loginDelegates": "delegates",
    "/acsnservice/fetch": "fetch.v1",
    "/findmyservice/v2/fetch": "fetch.v2",
}
_OPERATION = re.compile(rb"<key>o</key>\s*<string>(\w+)</string>")
_USER = re.compile(rb"<key>u</key>\s*<string>([^<]*)</string>")

_HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>\n"
_STATUSES: dict[str, tuple[int, str, str]] = {
    "401": (401, "", "text/plain"),
    "403": (403, "", "text/plain"),
    "429": (429, "", "text/plain"),
    "500": (500, "Internal Server Error", "text/plain"),
    "502": (502, _HTML.format("502 Bad Gateway"), "text/html"),
    "503": (503, EDGE_PAGE, "text/html"),
    "541": (541, "", "text/plain"),
    "empty_body": (200, "", "application/json"),
    "blank_body": (200, " \r\n", "application/json"),
    "not_json": (200, "<html>hello</html>", "text/html"),
}


async def endpoint_of(request: web.Request, accounts: Accounts) -> tuple[str, str]:
    """(end point, account or ""); the body is only looked at for GsService2."""
    endpoint = ENDPOINTS.get(request.path, "other")
    user, _ = basic_auth(request)
    if endpoint == "gsa.init":
        body = await request.read()
        operation, name = _OPERATION.search(body), _USER.search(body)
        endpoint = f"gsa.{operation[1].decode()}" if operation else endpoint
        return endpoint, name[1].decode(errors="replace") if name else ""
    account = accounts.by_dsid(user) if endpoint.startswith("fetch") else accounts.find(user)
    return endpoint, account.username if account else ""


def static_answer(fault: Fault) -> web.Response | None:
    """The whole answer of a fault that needs no handler, or None."""
    if fault.kind == "status":
        code, text, kind = int(fault.number("status", 500)), str(fault.params.get("body", "")), "text/plain"
    elif fault.kind in _STATUSES:
        code, text, kind = _STATUSES[fault.kind]
    else:
        return None
    answer = web.Response(status=code, text=text, content_type=kind)
    if "retry_after" in fault.params:
        answer.headers["Retry-After"] = str(fault.params["retry_after"])
    return answer


def drop(request: web.Request) -> web.Response:
    """Close the connection without an answer; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.close()
    return web.Response(status=500)


async def cut(request: web.Request, whole: web.StreamResponse, honest: bool) -> web.StreamResponse:
    """Send half of an answer: with its own length (honest), or with the full one and then hang up."""
    body = whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b""
    half = body[: len(body) // 2]
    if honest:
        return web.Response(status=whole.status, body=half, content_type=whole.content_type)
    answer = web.StreamResponse(status=whole.status, headers={"Content-Type": whole.content_type})
    answer.content_length = len(body)
    answer.force_close()
    await answer.prepare(request)
    await answer.write(half)
    if request.transport is not None:
        request.transport.close()
    return answer


# The last requests as they arrived, refused ones included: wall time, end point, account ("" when unknown).
Journal = deque[dict[str, object]]
JOURNAL_LENGTH = 100_000


def middleware(
    faults: Faults,
    accounts: Accounts,
    stats: Counter[str],
    edge: Callable[[web.Request], web.Response | None] = lambda request: None,
    journal: Journal | None = None,
) -> Middleware:
    """The middleware of one application."""

    @web.middleware
    async def spoil(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path.startswith("/control"):
            return await handler(request)
        endpoint, account = await endpoint_of(request, accounts)
        stats[f"requests {endpoint}"] += 1
        if journal is not None:
            journal.append({"at": time.time(), "endpoint": endpoint, "account": account})
        if endpoint.startswith(("gsa", "2fa")):
            refusal = edge(request)
            if refusal is not None:
                return refusal
        fault = faults.take(HTTP, endpoint, account)
        if fault is None:
            return await handler(request)
        stats[f"faults {fault.kind}"] += 1
        answer = static_answer(fault)
        if answer is not None:
            return answer
        if fault.kind == "hang":
            await asyncio.sleep(fault.number("seconds", 3600))
        if fault.kind in ("hang", "reset"):
            return drop(request)
        if fault.kind == "slow":
            await asyncio.sleep(fault.number("seconds", 5))
            return await handler(request)
        return await cut(request, await handler(request), honest=fault.kind == "truncated")

    return spoil
