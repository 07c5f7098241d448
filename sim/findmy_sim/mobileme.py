"""setup.icloud.com: turns the login's PET into the search-party token (`loginDelegates`)."""

from __future__ import annotations

import base64
import hmac
import logging
from typing import Any

from aiohttp import web

from findmy_sim import plists
from findmy_sim.accounts import Account, Accounts
from findmy_sim.anisette import Anisette, AnisetteError
from findmy_sim.clock import VirtualClock
from findmy_sim.faults import DELEGATE, Faults

log = logging.getLogger("findmy_sim.mobileme")

MOBILEME = "com.apple.mobileme"
MESSAGES = {
    "account_limit": "Account limit reached.",
    "server_problem": "A server problem is blocking Apple ID sign in. Try signing in later.",
}
EXPIRED = "Your session has expired."


def basic_auth(request: web.Request) -> tuple[str, str]:
    """(user, password) of a Basic header, empty when there is none. UTF-8."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


def delegates(account: Account, token: str) -> dict[str, Any]:
    """A good answer."""
    tokens = {"mmeAuthToken": f"MME~{token[-16:]}", "searchPartyToken": token, "mmeFMIPToken": f"FMIP~{token[-16:]}"}
    data = {"tokens": tokens, "appleAccountInfo": {"dsPrsID": account.dsid}}
    return {
        "dsid": str(account.dsid),
        "delegates": {MOBILEME: {"status": 0, "service-data": data}},
        "status": 0,
    }


def refusal(account: Account, message: str) -> dict[str, Any]:
    """The delegate says no."""
    entry = {"status": 1, "status-message": message}
    return {"dsid": str(account.dsid), "delegates": {MOBILEME: entry}, "status": 0}


class MobileMe:
    """The delegate service."""

    def __init__(self, accounts: Accounts, anisette: Anisette, faults: Faults, clock: VirtualClock) -> None:
        self.accounts = accounts
        self.anisette = anisette
        self.faults = faults
        self.clock = clock

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/setup/iosbuddy/loginDelegates", self.login)]

    async def login(self, request: web.Request) -> web.Response:
        user, pet = basic_auth(request)
        account = self.accounts.find(user)
        if account is None:
            return web.Response(status=401)
        try:
            self.anisette.check(request.headers, self.clock.now())
            body = plists.loads(await request.read())
        except AnisetteError as err:
            log.warning("anisette refused", extra={"reason": str(err)})
            return web.Response(status=401)
        except plists.BadPlistError:
            return web.Response(status=400)
        return web.Response(body=plists.dumps(self._answer(account, pet, body)), content_type=plists.CONTENT_TYPE)

    def _answer(self, account: Account, pet: str, body: dict[str, Any]) -> dict[str, Any]:
        fault = self.faults.take(DELEGATE, "delegates", account.username)
        expired = fault is not None and fault.kind == "pet_expired"
        same = hmac.compare_digest(pet.encode(), str(body.get("password", "")).encode())
        if expired or not same or not self.accounts.check_pet(account, pet):
            return {"status": 1, "status-message": EXPIRED, "delegates": {}}
        if not body.get("client-id") or MOBILEME not in (body.get("delegates") or {}):
            return refusal(account, "The request is not understood.")
        state = fault.kind if fault is not None else account.mobileme
        if state in MESSAGES:
            return refusal(account, MESSAGES[state])
        log.info("delegate token issued", extra={"account": account.username})
        return delegates(account, self.accounts.issue_token(account))
