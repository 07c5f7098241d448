"""The control API under /control: register tags, move them, add reports, read the truth, inject faults.

JSON in and out; errors are `{"error": sentence}` with 400 or 404. It has no authentication: the simulator
is a test tool and listens on the loopback address unless told otherwise.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from findmy_sim import crypto
from findmy_sim.accounts import Account
from findmy_sim.clock import format_time
from findmy_sim.faults import KINDS
from findmy_sim.registry import moment
from findmy_sim.trips import Visit
from findmy_sim.world import Tag, truth_json

if TYPE_CHECKING:
    from findmy_sim.app import Simulator

MAX_BODY = 64 * 1024 * 1024  # 10,000 tags with routes are a few MB
DAY = 86_400


def answers_errors(
    handler: Callable[[Control, web.Request], Awaitable[web.StreamResponse]],
) -> Callable[[Control, web.Request], Awaitable[web.StreamResponse]]:
    """ValueError becomes 400, LookupError 404, with the sentence."""

    @functools.wraps(handler)
    async def wrapped(self: Control, request: web.Request) -> web.StreamResponse:
        try:
            return await handler(self, request)
        except ValueError as err:
            return web.json_response({"error": str(err)}, status=400)
        except LookupError as err:
            return web.json_response({"error": str(err.args[0]) if err.args else "not found"}, status=404)

    return wrapped


async def json_body(request: web.Request) -> Any:
    """The body as JSON; an empty one is {}."""
    raw = await request.read()
    if not raw.strip():
        return {}
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as err:
        raise ValueError("the body is not JSON") from err


async def object_body(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object."""
    body = await json_body(request)
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body


async def items_body(request: web.Request, name: str) -> list[Any]:
    """One object, a list, {name: [...]}, or JSON lines (Content-Type application/x-ndjson)."""
    if request.content_type in ("application/x-ndjson", "application/jsonl"):
        text = (await request.read()).decode()
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    body = await json_body(request)
    if isinstance(body, dict) and isinstance(body.get(name), list):
        items: list[Any] = body[name]
        return items
    return body if isinstance(body, list) else [body]


class Control:
    """Handlers of the control API; see docs/developers/simulator.md."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/control/health", self.health),
            web.get("/control/status", self.health),
            web.get("/control/stats", self.stats),
            web.get("/control/requests", self.requests),
            web.get("/control/clock", self.get_clock),
            web.put("/control/clock", self.set_clock),
            web.get("/control/limits", self.get_limits),
            web.patch("/control/limits", self.set_limits),
            web.get("/control/places", self.places),
            web.post("/control/places", self.add_places),
            web.get("/control/companies", self.companies),
            web.get("/control/tags", self.tags),
            web.post("/control/tags", self.add_tags),
            web.get("/control/tags/{tag}", self.tag),
            web.delete("/control/tags/{tag}", self.remove_tag),
            web.post("/control/tags/{tag}/move", self.move),
            web.post("/control/tags/{tag}/reports", self.add_reports),
            web.get("/control/tags/{tag}/truth", self.truth),
            web.get("/control/tags/{tag}/visible", self.visible),
            web.get("/control/tags/{tag}/position", self.position),
            web.get("/control/tags/{tag}/visits", self.visits),
            web.get("/control/truth", self.all_truth),
            web.get("/control/export", self.export),
            web.get("/control/accounts", self.accounts),
            web.post("/control/accounts", self.add_account),
            web.get("/control/accounts/{account}", self.account),
            web.patch("/control/accounts/{account}", self.change_account),
            web.delete("/control/accounts/{account}", self.remove_account),
            web.get("/control/accounts/{account}/code", self.code),
            web.post("/control/accounts/{account}/expire-token", self.expire_token),
            web.post("/control/accounts/{account}/untrust", self.untrust),
            web.post("/control/anisette/revoke", self.revoke_anisette),
            web.get("/control/faults", self.faults),
            web.post("/control/faults", self.add_fault),
            web.delete("/control/faults", self.clear_faults),
            web.get("/control/faults/kinds", self.fault_kinds),
            web.delete("/control/faults/{fault}", self.remove_fault),
        ]

    # --- the simulator itself ---------------------------------------------------------------------------

    async def health(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "ok", "now": format_time(self.sim.clock.now())})

    async def stats(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self.sim.stats())

    async def requests(self, request: web.Request) -> web.StreamResponse:
        """What arrived at Apple's end points that begin with ?endpoint=."""
        wanted = request.query.get("endpoint", "")
        return web.json_response([r for r in self.sim.journal if str(r["endpoint"]).startswith(wanted)])

    @answers_errors
    async def get_clock(self, request: web.Request) -> web.StreamResponse:
        clock = self.sim.clock
        now = clock.now()
        return web.json_response(
            {"now": format_time(now), "now_unix": now, "speed": clock.speed, "hold_at_wall": clock.hold_at_wall}
        )

    @answers_errors
    async def set_clock(self, request: web.Request) -> web.StreamResponse:
        body = await object_body(request)
        if set(body) - {"now", "speed", "advance_seconds", "hold_at_wall"}:
            raise ValueError("the clock has now, speed, advance_seconds and hold_at_wall")
        clock = self.sim.clock
        if "hold_at_wall" in body:
            clock.hold_at_wall = bool(body["hold_at_wall"])
        now = float(moment(body["now"], clock.now())) if "now" in body else None
        speed = body.get("speed")
        if speed is not None and (isinstance(speed, bool) or not isinstance(speed, int | float)):
            raise ValueError("speed must be a number")
        clock.set(now, speed)
        if "advance_seconds" in body:
            clock.advance(float(body["advance_seconds"]))
        return await self.get_clock(request)

    @answers_errors
    async def get_limits(self, request: web.Request) -> web.StreamResponse:
        limits = self.sim.fetch.limits
        return web.json_response({name: getattr(limits, name) for name in limits.__slots__})

    @answers_errors
    async def set_limits(self, request: web.Request) -> web.StreamResponse:
        self.sim.set_limits(await object_body(request))
        return await self.get_limits(request)

    # --- places -----------------------------------------------------------------------------------------

    @answers_errors
    async def places(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"items": [p.as_json() for p in self.sim.registry.places.values()]})

    @answers_errors
    async def add_places(self, request: web.Request) -> web.StreamResponse:
        added = [self.sim.registry.add_place(p) for p in await items_body(request, "places")]
        return web.json_response({"items": [p.as_json() for p in added]}, status=201)

    @answers_errors
    async def companies(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"items": [c.as_json() for c in self.sim.world.companies.values()]})

    # --- tags -------------------------------------------------------------------------------------------

    def _tag(self, request: web.Request) -> Tag:
        name = request.match_info["tag"]
        tag = self.sim.world.find_tag(name)
        if tag is None:
            raise LookupError(f"no tag is called {name!r}")
        return tag

    def _tag_json(self, tag: Tag) -> dict[str, object]:
        now = self.sim.clock.now()
        keys = tag.keys(now)
        return {
            "id": tag.id,
            "name": tag.name,
            "company": tag.company,
            "start": format_time(tag.itinerary.start),
            "keys": len(keys),
            # Accessories have hundreds of keys a week; one is enough to find the tag again.
            "hashed_advertisement_key": crypto.report_id(tag.source.key_at(int(now))),
        }

    @answers_errors
    async def tags(self, request: web.Request) -> web.StreamResponse:
        limit, offset = _whole(request, "limit", 1000), _whole(request, "offset", 0)
        tags = list(self.sim.world.tags.values())
        page = [self._tag_json(tag) for tag in tags[offset : offset + limit]]
        return web.json_response({"items": page, "total": len(tags)})

    @answers_errors
    async def add_tags(self, request: web.Request) -> web.StreamResponse:
        """Register one tag or many; with a wrong one among many nothing is registered."""
        now = self.sim.clock.now()
        added: list[Tag] = []
        for n, item in enumerate(await items_body(request, "tags")):
            try:
                added.append(self.sim.registry.add_tag(item, now))
            except ValueError as err:
                for tag in added:
                    self.sim.world.remove_tag(tag.id)
                raise ValueError(f"tag {n}: {err}") from err
        if len(added) > 100:
            return web.json_response({"count": len(added), "ids": [tag.id for tag in added]}, status=201)
        return web.json_response({"count": len(added), "items": [self._tag_json(t) for t in added]}, status=201)

    @answers_errors
    async def tag(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._tag_json(self._tag(request)))

    @answers_errors
    async def remove_tag(self, request: web.Request) -> web.StreamResponse:
        self.sim.world.remove_tag(self._tag(request).id)
        return web.Response(status=204)

    @answers_errors
    async def move(self, request: web.Request) -> web.StreamResponse:
        """Take a tag somewhere at a time, at once or by a trip, for ever or for a while."""
        tag, body, now = self._tag(request), await object_body(request), self.sim.clock.now()
        at = moment(body.get("at", "now"), now)
        target = self.sim.registry.place(body.get("place", body))
        travel = body.get("travel_seconds", 0)
        stay = body.get("stay_seconds")
        for value in (travel, stay or 0):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 366 * DAY:
                raise ValueError("travel_seconds and stay_seconds must be whole numbers up to a year")
        tag.seen.detour(at, target, travel, stay)
        arrival = at + travel
        return web.json_response({"tag": tag.id, "place": target.as_json(), "arrive": format_time(arrival)})

    @answers_errors
    async def add_reports(self, request: web.Request) -> web.StreamResponse:
        """Add reports with exact values; all or none."""
        tag, now = self._tag(request), self.sim.clock.now()
        rows = [self.sim.registry.report(item, now) for item in await items_body(request, "reports")]
        added = [tag.seen.add(row) for row in rows]
        return web.json_response({"items": [truth_json(tag, row) for row in added]}, status=201)

    # --- truth ------------------------------------------------------------------------------------------

    def _window(self, request: web.Request) -> tuple[int, int]:
        now = self.sim.clock.now()
        end = moment(_number_or_text(request.query.get("to", "now")), now)
        return moment(_number_or_text(request.query.get("from", "2001-01-01T00:00:00Z")), now), end

    @answers_errors
    async def truth(self, request: web.Request) -> web.StreamResponse:
        """All reports of a tag in plain, oldest first, published or not."""
        tag = self._tag(request)
        start, end = self._window(request)
        return web.json_response({"items": [truth_json(tag, row) for row in tag.seen.between(start, end)]})

    @answers_errors
    async def visible(self, request: web.Request) -> web.StreamResponse:
        """What the report server holds of a tag at a time, in plain: without one, just what an answer would hold."""
        tag = self._tag(request)
        given, now = request.query.get("at"), self.sim.clock.now()
        at = now if given is None else moment(_number_or_text(given), now)
        rows = tag.seen.visible(at, self.sim.world.retention)
        return web.json_response({"at": format_time(at), "items": [truth_json(tag, row) for row in rows]})

    @answers_errors
    async def position(self, request: web.Request) -> web.StreamResponse:
        """Where a tag truly is at a time."""
        tag = self._tag(request)
        at = moment(_number_or_text(request.query.get("at", "now")), self.sim.clock.now())
        segment = tag.itinerary.segment_at(at)
        if segment is None:
            raise LookupError("the tag does not exist yet at this time")
        where = segment.position(at)
        place = segment.place.as_json() if segment.place else None
        return web.json_response(
            {
                "at": format_time(at),
                "latitude": round(where.lat, 7),
                "longitude": round(where.lon, 7),
                "state": segment.kind,
                "place": place,
            }
        )

    @answers_errors
    async def visits(self, request: web.Request) -> web.StreamResponse:
        """Planned visits to places; leave is null when it lies beyond `to`."""
        tag = self._tag(request)
        start, end = self._window(request)
        return web.json_response({"items": [_visit_json(v) for v in tag.itinerary.visits(start, end)]})

    @answers_errors
    async def all_truth(self, request: web.Request) -> web.StreamResponse:
        """The truth of all tags as JSON lines, tag after tag."""
        start, end = self._window(request)

        def lines() -> Iterable[str]:
            for tag in list(self.sim.world.tags.values()):
                rows = tag.seen.between(start, end)
                yield "".join(json.dumps(truth_json(tag, row)) + "\n" for row in rows)

        return await _stream(request, lines())

    @answers_errors
    async def export(self, request: web.Request) -> web.StreamResponse:
        """The made-up tags with their private keys and places, as JSON lines: what an operator would import."""
        return await _stream(request, self.sim.export_lines())

    # --- accounts ---------------------------------------------------------------------------------------

    def _account(self, request: web.Request) -> Account:
        name = request.match_info["account"]
        account = self.sim.accounts.find(name)
        if account is None:
            raise LookupError(f"no account is called {name!r}")
        return account

    @answers_errors
    async def accounts(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"items": [a.as_json() for a in self.sim.accounts]})

    @answers_errors
    async def add_account(self, request: web.Request) -> web.StreamResponse:
        account = self.sim.accounts.add(await object_body(request))
        return web.json_response(account.as_json(), status=201)

    @answers_errors
    async def account(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._account(request).as_json())

    @answers_errors
    async def change_account(self, request: web.Request) -> web.StreamResponse:
        account = self._account(request)
        self.sim.accounts.change(account, await object_body(request))
        return web.json_response(account.as_json())

    @answers_errors
    async def remove_account(self, request: web.Request) -> web.StreamResponse:
        self.sim.accounts.remove(self._account(request).username)
        return web.Response(status=204)

    @answers_errors
    async def code(self, request: web.Request) -> web.StreamResponse:
        """The newest pending second-factor code; ?channel=trusted_device or sms:<id> picks one."""
        account = self._account(request)
        channel = request.query.get("channel")
        codes = [c for c in self.sim.accounts.pending(account) if channel in (None, c.channel)]
        if not codes:
            raise LookupError("no code is pending")
        return web.json_response({"code": codes[-1].digits, "channel": codes[-1].channel})

    @answers_errors
    async def expire_token(self, request: web.Request) -> web.StreamResponse:
        account = self._account(request)
        self.sim.accounts.void_token(account)
        return web.json_response(account.as_json())

    @answers_errors
    async def untrust(self, request: web.Request) -> web.StreamResponse:
        """Forget all trusted devices: the next login asks for the second factor."""
        account = self._account(request)
        account.trusted.clear()
        return web.json_response(account.as_json())

    @answers_errors
    async def revoke_anisette(self, request: web.Request) -> web.StreamResponse:
        """Forget all provisioned machines: get_headers says -45061 until a new provisioning."""
        self.sim.anisette.revoke()
        return web.json_response({"status": "ok"})

    # --- faults -----------------------------------------------------------------------------------------

    @answers_errors
    async def faults(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"items": [f.as_json() for f in self.sim.faults.active]})

    @answers_errors
    async def fault_kinds(self, request: web.Request) -> web.StreamResponse:
        items = [{"kind": kind, "layer": layer, "effect": effect} for kind, (layer, effect) in KINDS.items()]
        return web.json_response({"items": items})

    @answers_errors
    async def add_fault(self, request: web.Request) -> web.StreamResponse:
        fault = self.sim.faults.add(await object_body(request))
        return web.json_response(fault.as_json(), status=201)

    @answers_errors
    async def clear_faults(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"removed": self.sim.faults.clear()})

    @answers_errors
    async def remove_fault(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["fault"]
        if not name.isdigit() or not self.sim.faults.remove(int(name)):
            raise LookupError(f"no fault has the id {name!r}")
        return web.Response(status=204)


def _visit_json(visit: Visit) -> dict[str, object]:
    return {
        "place": visit.place.as_json(),
        "arrive": format_time(visit.arrive),
        "leave": None if visit.leave is None else format_time(visit.leave),
        "latitude": round(visit.at.lat, 7),
        "longitude": round(visit.at.lon, 7),
    }


def _number_or_text(text: str) -> object:
    """A query parameter that may be Unix seconds."""
    try:
        return float(text)
    except ValueError:
        return text


def _whole(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isdigit():
        raise ValueError(f"{name} must be a whole number")
    return int(text)


async def _stream(request: web.Request, lines: Iterable[str]) -> web.StreamResponse:
    """Send lines as they are made; a reader that has enough may hang up."""
    answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await answer.prepare(request)
    with contextlib.suppress(ConnectionResetError):
        for text in lines:
            if text:
                await answer.write(text.encode())
        await answer.write_eof()
    return answer
