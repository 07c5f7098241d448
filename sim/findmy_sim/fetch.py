"""gateway.icloud.com: the two end points that hand out reports, with Apple's checks, limits and quirks."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from findmy_sim import crypto
from findmy_sim.accounts import Account, Accounts
from findmy_sim.anisette import Anisette, AnisetteError
from findmy_sim.clock import VirtualClock, parse_time
from findmy_sim.faults import ANSWER, REPORT, Fault, Faults
from findmy_sim.mobileme import basic_auth
from findmy_sim.sightings import FLAG_TWICE
from findmy_sim.world import Found, World, decode_id

log = logging.getLogger("findmy_sim.fetch")

POOL_THRESHOLD = 400  # below that many reports a process pool costs more than it gives
POOL_CHUNK = 250
YIELD_EVERY = 50  # reports encrypted in a row before other requests get a turn
# datePublished came with v1 answers until about this day, then null (malmeloo/FindMy.py#232).
DATE_PUBLISHED_UNTIL = parse_time("2026-03-13T00:00:00Z")


@dataclass(slots=True)
class Limits:
    """Apple's limits as observed (facts, 3.5); 0 = none.

    ids_per_list: ids looked at in each list; what is beyond it is ignored or, with over_limit "reject", 400.
    reports_per_key, reports_per_answer: the newest reports win; keys fill the answer in the order asked.
    first_object_only: of several objects in `fetch` or `search` only the first is answered.
    honour_dates: Apple ignores startDate and endDate.
    """

    ids_per_list: int = 290
    reports_per_key: int = 20
    reports_per_answer: int = 0
    over_limit: str = "ignore"
    first_object_only: bool = True
    honour_dates: bool = False
    date_published_until: float = DATE_PUBLISHED_UNTIL


PRESETS = {
    "observed": Limits(),
    "strict": Limits(ids_per_list=64, reports_per_key=5, reports_per_answer=40),
    "generous": Limits(ids_per_list=0, reports_per_key=0, reports_per_answer=0),
}


class BadRequestError(ValueError):
    """The body is not what the end point takes."""


@dataclass(slots=True)
class Query:
    """What a request asks for: digests in order, and the window in Unix seconds (None = open)."""

    digests: list[bytes]
    start: float | None = None
    end: float | None = None


def _milliseconds(value: object) -> float | None:
    """A date of a request; numbers and decimal strings occur."""
    try:
        return float(value) / 1000 if isinstance(value, int | float | str) else None
    except ValueError:
        return None


def _ids(lists: Iterable[object], limits: Limits) -> list[bytes]:
    digests: dict[bytes, None] = {}
    for ids in lists:
        if not isinstance(ids, list):
            raise BadRequestError("a list of ids is missing")
        if limits.ids_per_list and len(ids) > limits.ids_per_list:
            if limits.over_limit == "reject":
                raise BadRequestError("too many ids")
            ids = ids[: limits.ids_per_list]
        for text in ids:
            digest = decode_id(text)
            if digest is None:
                raise BadRequestError("not a report id")
            digests[digest] = None
    return list(digests)


def parse_v1(body: Any, limits: Limits) -> Query:
    """{"search":[{"startDate","endDate","ids":[...]}]}"""
    return _parse(body, "search", ("ids",), limits)


def parse_v2(body: Any, limits: Limits) -> Query:
    """{"clientContext":{...},"fetch":[{"primaryIds":[...],"secondaryIds":[...],...}]}"""
    return _parse(body, "fetch", ("primaryIds", "secondaryIds"), limits)


def _parse(body: Any, name: str, id_fields: tuple[str, ...], limits: Limits) -> Query:
    objects = body.get(name) if isinstance(body, dict) else None
    if not isinstance(objects, list) or not objects or not all(isinstance(o, dict) for o in objects):
        raise BadRequestError(f"{name} must be a list of objects")
    if limits.first_object_only:
        objects = objects[:1]
    digests = _ids((o.get(field, []) for o in objects for field in id_fields), limits)
    return Query(digests, _milliseconds(objects[0].get("startDate")), _milliseconds(objects[0].get("endDate")))


@dataclass(slots=True)
class Item:
    """One report of an answer: which id it is filed under and its payload as text."""

    found: Found
    id: str
    payload: str


class FetchService:
    """Both report end points."""

    def __init__(
        self,
        seed: str,
        world: World,
        accounts: Accounts,
        anisette: Anisette,
        faults: Faults,
        clock: VirtualClock,
        limits: Limits | None = None,
        pool: Callable[[], Executor | None] = lambda: None,
        strict_anisette: bool = True,
    ) -> None:
        self.world = world
        self.accounts = accounts
        self.anisette = anisette
        self.faults = faults
        self.clock = clock
        self.limits = limits or replace(PRESETS["observed"])
        self.pool = pool
        self.strict_anisette = strict_anisette
        self.stats: Counter[str] = Counter()
        self._rng = random.Random(f"{seed}/answers")
        self._stranger = crypto.load_private(crypto.private_from(seed.encode(), b"stranger")).public_key()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/acsnservice/fetch", self.v1),
            web.post("/findmyservice/v2/fetch", self.v2),
        ]

    # --- requests -----------------------------------------------------------------------------------

    async def v1(self, request: web.Request) -> web.Response:
        return await self._serve(request, "fetch.v1", parse_v1, self._answer_v1)

    async def v2(self, request: web.Request) -> web.Response:
        return await self._serve(request, "fetch.v2", parse_v2, self._answer_v2)

    async def _serve(
        self,
        request: web.Request,
        endpoint: str,
        parse: Callable[[Any, Limits], Query],
        answer: Callable[[Account, list[Item]], dict[str, Any]],
    ) -> web.Response:
        account, reason = self._authenticate(request, endpoint)
        if account is None:
            return self._refuse(401, reason)
        try:
            query = parse(json.loads(await request.read()), self.limits)
        except (ValueError, RecursionError) as err:
            return self._refuse(400, str(err))
        items = [] if self._fault("empty_list", endpoint, account) else await self._items(query, endpoint, account)
        self.stats["answers"] += 1
        self.stats["ids"] += len(query.digests)
        self.stats["reports"] += len(items)
        log.info(endpoint, extra={"account": account.username, "ids": len(query.digests), "reports": len(items)})
        return web.json_response(self._shape(answer(account, items), endpoint, account))

    def _refuse(self, code: int, reason: str) -> web.Response:
        """An error; the header, which Apple does not send, tells a developer why."""
        self.stats[f"refused {code}"] += 1
        log.warning("fetch refused", extra={"status": code, "reason": reason})
        return web.Response(status=code, headers={"X-Sim-Reason": reason.replace("\n", " ")})

    def _authenticate(self, request: web.Request, endpoint: str) -> tuple[Account | None, str]:
        """The account, or None and the reason."""
        dsid, token = basic_auth(request)
        account = self.accounts.by_dsid(dsid)
        if account is None:
            return None, "unknown dsid"
        if self._fault("token_expiry", endpoint, account):
            self.accounts.void_token(account)
        if not self.accounts.check_token(account, token):
            return None, "the search-party token is not valid"
        if account.locked:
            return None, "the account is locked"
        try:
            self.anisette.check(request.headers, self.clock.now())
        except AnisetteError as err:
            if self.strict_anisette:
                return None, str(err)
        return account, ""

    def _fault(self, kind: str, endpoint: str, account: Account) -> Fault | None:
        return self.faults.take(ANSWER, endpoint, account.username, "", kind)

    # --- reports ------------------------------------------------------------------------------------

    async def _items(self, query: Query, endpoint: str, account: Account) -> list[Item]:
        found = await self._select(query)
        await self._encrypt(found)
        items = [item for f in found for item in self._item(f, endpoint, account)]
        # No order is promised; clients that believe in one should fail here.
        self._rng.shuffle(items)
        return items

    async def _select(self, query: Query) -> list[Found]:
        """The reports of an answer, with all limits applied.

        A tag that nobody looked at before costs milliseconds, so others get a turn after each.
        """
        chosen: list[Found] = []
        now = self.clock.now()
        for digest in query.digests:
            reports = self.world.reports(digest, now, self.limits.reports_per_key)
            await asyncio.sleep(0)
            if self.limits.honour_dates:
                lo, hi = query.start or 0, query.end or float("inf")
                reports = [f for f in reports if lo <= f.row.seen <= hi]
            chosen.extend(reports)
            if self.limits.reports_per_answer and len(chosen) >= self.limits.reports_per_answer:
                return chosen[: self.limits.reports_per_answer]
        return chosen

    async def _encrypt(self, found: list[Found]) -> None:
        """Make the payloads that are not cached: in worker processes when many, else in small steps."""
        missing = [f for f in found if self.world.cached(f) is None]
        pool = self.pool() if len(missing) >= POOL_THRESHOLD else None
        if pool is None:
            for n, item in enumerate(missing):
                self.world.payload(item)
                if n % YIELD_EVERY == YIELD_EVERY - 1:
                    await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        chunks = [missing[n : n + POOL_CHUNK] for n in range(0, len(missing), POOL_CHUNK)]
        jobs = [[self.world.job(f) for f in chunk] for chunk in chunks]
        results = await asyncio.gather(*(loop.run_in_executor(pool, crypto.encrypt_jobs, job) for job in jobs))
        for chunk, payloads in zip(chunks, results, strict=True):
            for item, payload in zip(chunk, payloads, strict=True):
                self.world.store(item, payload)

    def _item(self, found: Found, endpoint: str, account: Account) -> list[Item]:
        """A report as it goes out: usually once, as it is."""
        payload = base64.b64encode(self.world.payload(found)).decode()
        fault = self.faults.take(REPORT, endpoint, account.username, found.tag.id)
        twice = bool(found.row.flags & FLAG_TWICE)
        if fault is not None and fault.kind == "twice":
            twice = True
        elif fault is not None:
            payload = spoil(self.world, found, fault, self._stranger)
            self.stats[f"spoiled {fault.kind}"] += 1
        item = Item(found, crypto.report_id(found.adv), payload)
        return [item, item] if twice else [item]

    # --- answers ------------------------------------------------------------------------------------

    def _answer_v1(self, account: Account, items: list[Item]) -> dict[str, Any]:
        dated = self.clock.now() < self.limits.date_published_until
        results = [
            {
                "datePublished": item.found.row.published * 1000 + item.found.row.serial % 1000 if dated else None,
                "payload": item.payload,
                "description": "found",
                "id": item.id,
                "statusCode": 0,
            }
            for item in items
        ]
        return {"results": results, "statusCode": "200"}

    def _answer_v2(self, account: Account, items: list[Item]) -> dict[str, Any]:
        by_id: dict[str, list[str]] = {}
        for item in items:
            by_id.setdefault(item.id, []).append(item.payload)
        payload = [{"id": key, "locationInfo": texts} for key, texts in by_id.items()]
        acsn = {"statusCode": "200", "configVersion": 1, "locationPayload": payload}
        own = {"statusCode": "200", "locationPayload": []}
        return {"configVersion": 1, "acsnLocations": acsn, "ownedDeviceLocations": own}

    def _shape(self, body: dict[str, Any], endpoint: str, account: Account) -> dict[str, Any]:
        """Faults of the whole answer. v1 and v2 differ in where things are."""
        v1 = endpoint == "fetch.v1"
        part = body if v1 else body["acsnLocations"]
        rows = part["results" if v1 else "locationPayload"]
        if self._fault("id_spelling", endpoint, account):
            for row in rows:
                row["id"] = row["id"].replace("+", "-").replace("/", "_").rstrip("=")
        if self._fault("foreign_id", endpoint, account):
            self._add_foreign(rows, v1)
        if self._fault("no_location_info", endpoint, account):
            for row in rows:
                row.pop("payload" if v1 else "locationInfo", None)
        fault = self._fault("inner_status", endpoint, account)
        if fault is not None:
            part["statusCode"] = str(int(fault.number("status", 503)))
            rows.clear()
        if self._fault("missing_locations", endpoint, account):
            del body["results" if v1 else "acsnLocations"]
        return body

    def _add_foreign(self, rows: list[dict[str, Any]], v1: bool) -> None:
        """Mix in a report of a tag that nobody asked for."""
        adv = crypto.point_bytes(self._stranger)[1 : 1 + crypto.KEY_LEN]
        plain = crypto.Plain(int(self.clock.now()) - 60, 2, 0, 0, 10, 0)
        sealed = crypto.encrypt(self._stranger, 12345, plain, crypto.LONG_FORM)
        text, name = base64.b64encode(sealed).decode(), crypto.report_id(adv)
        if v1:
            rows.append({"datePublished": None, "payload": text, "description": "found", "id": name, "statusCode": 0})
        else:
            rows.append({"id": name, "locationInfo": [text]})


def spoil(world: World, found: Found, fault: Fault, stranger: Any) -> str:
    """A broken or odd version of a report, as base64 (or as something that is none)."""
    good = world.payload(found)
    ephemeral_y = len(good) - crypto.GCM_TAG_LEN - crypto.PLAIN_LEN - 1
    kind = fault.kind
    if kind == "bad_base64":
        return "*" + base64.b64encode(good).decode()[1:]
    if kind == "bad_tag":
        bad = good[:-1] + bytes([good[-1] ^ 1])
    elif kind == "bad_length":
        bad = good[:-1]
    elif kind == "off_curve":
        bad = good[:ephemeral_y] + bytes([good[ephemeral_y] ^ 1]) + good[ephemeral_y + 1 :]
    else:
        _, scalar, fields, form = world.job(found)
        plain = crypto.Plain(*fields)
        public = stranger if kind == "wrong_key" else crypto.load_advertised(found.adv)
        if kind == "future_timestamp":
            plain = replace(plain, time=int(ahead(fault, plain.time)))
        elif kind == "old_timestamp":
            plain = replace(plain, time=crypto.APPLE_EPOCH + plain.time % 86_400)
        elif kind == "out_of_range":
            plain = replace(plain, lat_e7=950_000_000, lon_e7=-1_900_000_000)
        bad = crypto.encrypt(public, scalar, plain, form)
    return base64.b64encode(bad).decode()


def ahead(fault: Fault, seen: int) -> float:
    """The time a finder's wrong clock shows; at most what 32 bits hold."""
    return min(seen + fault.number("seconds", 30 * 86_400), crypto.APPLE_EPOCH + 2**32 - 1)
