"""Reads tags, places, plans and reports from JSON, for the control API, scenario files and tag files.

Everything here raises ValueError with a sentence a person can act on.
"""

from __future__ import annotations

import random
import re
from typing import Any

from findmy_sim import crypto
from findmy_sim.clock import parse_time
from findmy_sim.geo import Position
from findmy_sim.places import Place, place_from_json
from findmy_sim.rolling import KeySource, RollingKeys, StaticKeys
from findmy_sim.sightings import FLAG_LONG, FLAG_TWICE, Battery, Sighting
from findmy_sim.trips import ParkPlan, Plan, RoutePlan, Stop, WanderPlan, spot_in
from findmy_sim.world import MAX_TIME, MIN_TIME, Tag, World, manual_sighting

MAX_KEYS_PER_TAG = 2000  # a home-made tag with one key per 30 minutes cycles through far fewer
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_RELATIVE = re.compile(r"^([+-]\d+(?:\.\d+)?)([smhdw])$")


def moment(value: object, now: float) -> int:
    """A time: Unix seconds, RFC 3339, or relative to the simulator's now such as "-3d" or "+90m"."""
    relative = _RELATIVE.match(value) if isinstance(value, str) else None
    if relative is not None:
        seconds = now + float(relative[1]) * _UNITS[relative[2]]
    else:
        seconds = now if value == "now" else parse_time(value)
    if not MIN_TIME <= seconds <= MAX_TIME:
        raise ValueError("a time must lie between 2001 and 2106")
    return int(seconds)


def position_from(data: dict[str, Any]) -> Position:
    """{latitude, longitude} (or lat, lon) in degrees."""
    return place_from_json({**data, "radius": 1, "kind": "other"}, "position").center


class Registry:
    """Named places, and the readers that need them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.places: dict[str, Place] = {}

    # --- places -------------------------------------------------------------------------------------

    def add_place(self, data: object) -> Place:
        """Keep a place under its id, so that routes can name it."""
        if not isinstance(data, dict):
            raise ValueError("a place must be an object")
        place = place_from_json(data, f"place-{len(self.places)}")
        if place.id in self.places:
            raise ValueError(f"there is a place {place.id!r} already")
        self.places[place.id] = place
        return place

    def place(self, data: object) -> Place:
        """A place by id (its own, or a company's), or written out."""
        if isinstance(data, str):
            known = self.places.get(data) or next(
                (p for c in self.world.companies.values() for p in c.places if p.id == data), None
            )
            if known is None:
                raise ValueError(f"no place is called {data!r}")
            return known
        if not isinstance(data, dict):
            raise ValueError("a place must be an object or the id of one")
        default = f"{data.get('latitude', data.get('lat'))},{data.get('longitude', data.get('lon'))}"
        return place_from_json(data, default)

    # --- tags ---------------------------------------------------------------------------------------

    def add_tag(self, data: object, now: float) -> Tag:
        """Register a tag from JSON; see the simulator's page for the fields."""
        if not isinstance(data, dict):
            raise ValueError("a tag must be an object")
        _refuse_unknown(data, _TAG_FIELDS)
        source, points = self._keys(data, now)
        seed = f"{self.world.seed}/route/{source.key_at(int(now)).hex()}"
        start = moment(data["start"], now) if data.get("start") is not None else None
        plan, here, place, first = self._plan(data, seed, now)
        begin = start if start is not None else first if first is not None else int(now)
        return self.world.add_tag(
            source,
            plan,
            begin,
            here,
            place,
            tag_id=_text(data, "id"),
            name=_text(data, "name") or "",
            company=_text(data, "company") or "",
            battery=_battery(data.get("battery")),
            points=points,
        )

    def _keys(self, data: dict[str, Any], now: float) -> tuple[KeySource, dict[bytes, bytes]]:
        given = [name for name in _KEY_FIELDS if data.get(name) is not None]
        if len(given) != 1:
            raise ValueError(f"a tag needs exactly one of {', '.join(_KEY_FIELDS)}")
        name, value = given[0], data[given[0]]
        if name == "accessory":
            return self._accessory(value, now), {}
        texts = value if name.endswith("s") else [value]
        if not isinstance(texts, list) or not 1 <= len(texts) <= MAX_KEYS_PER_TAG:
            raise ValueError(f"{name} must be a list of 1 to {MAX_KEYS_PER_TAG} keys")
        raws = [crypto.decode_key(str(text)) for text in texts]
        if len(set(raws)) != len(raws):
            raise ValueError("a key is given twice")
        points: dict[bytes, bytes] = {}
        if name.startswith("private"):
            points = {point[1 : 1 + crypto.KEY_LEN]: point for point in map(crypto.point_of, raws)}
            raws = list(points)
        rotate = data.get("rotate_seconds", 1800)
        if isinstance(rotate, bool) or not isinstance(rotate, int) or rotate < 1:
            raise ValueError("rotate_seconds must be a whole number of at least 1")
        return StaticKeys(raws, rotate), points

    def _accessory(self, data: object, now: float) -> RollingKeys:
        if not isinstance(data, dict):
            raise ValueError("accessory must be an object")
        master = crypto.decode_key(str(data.get("master_key")))
        crypto.load_private(master)
        skn, sks = (crypto.decode_key(str(data.get(name)), crypto.HASH_LEN) for name in ("skn", "sks"))
        return RollingKeys(master, skn, sks, moment(data.get("paired_at"), now))

    def _plan(self, data: dict[str, Any], seed: str, now: float) -> tuple[Plan, Position, Place | None, int | None]:
        """(plan, first position, first place, first time or None)."""
        if data.get("route") is not None:
            return self._route(data, seed, now)
        if data.get("places") is not None:
            wander = self._wander(data["places"], seed, data)
            home = (wander.warehouses or wander.shops)[0]
            return wander, spot_in(_rng(seed), home), home, None
        if data.get("place") is not None:
            place = self.place(data["place"])
            return ParkPlan(), spot_in(_rng(seed), place), place, None
        if data.get("position") is not None:
            if not isinstance(data["position"], dict):
                raise ValueError("position must be an object")
            return ParkPlan(), position_from(data["position"]), None, None
        raise ValueError("a tag needs one of route, places, place or position")

    def _wander(self, value: object, seed: str, data: dict[str, Any]) -> WanderPlan:
        if not isinstance(value, list) or not value:
            raise ValueError("places must be a list of places")
        places = [self.place(p) for p in value]
        pace = data.get("pace", 1.0)
        if isinstance(pace, bool) or not isinstance(pace, int | float) or not 0 < pace <= 100:
            raise ValueError("pace must be a number above 0 and up to 100")
        warehouses = tuple(p for p in places if p.kind == "warehouse")
        shops = tuple(p for p in places if p.kind != "warehouse")
        return WanderPlan(seed, warehouses, shops, float(pace))

    def _route(self, data: dict[str, Any], seed: str, now: float) -> tuple[Plan, Position, Place | None, int | None]:
        route = data["route"]
        if not isinstance(route, list) or not route:
            raise ValueError("route must be a list of stops")
        stops = tuple(self._stop(stop, now) for stop in route)
        clock = stops[0].arrive if stops[0].arrive is not None else None
        last: int | None = clock
        for stop in stops:
            for time in (stop.arrive, stop.leave):
                if time is not None and last is not None and time < last:
                    raise ValueError("the route's times must not go backwards")
                last = time if time is not None else last
        if any(stop.leave is None for stop in stops[:-1]):
            raise ValueError("every stop of a route but the last needs a time to leave")
        then: Plan | None = None
        if data.get("then") == "wander":
            if stops[-1].leave is None:
                raise ValueError("with then = wander the last stop needs a time to leave")
            then = self._wander([stop.get("place", stop) for stop in route], seed, data)
        elif data.get("then") not in (None, "stay"):
            raise ValueError("then must be stay or wander")
        first = stops[0].place
        return RoutePlan(seed, stops, then), spot_in(_rng(seed), first), first, clock

    def _stop(self, data: object, now: float) -> Stop:
        if not isinstance(data, dict):
            raise ValueError("a stop must be an object")
        place = self.place(data.get("place", data))
        arrive, leave = (None if data.get(k) is None else moment(data[k], now) for k in ("arrive", "leave"))
        return Stop(place, arrive, leave)

    # --- reports --------------------------------------------------------------------------------------

    def report(self, data: object, now: float) -> Sighting:
        """A report written by hand: position, time, accuracy, confidence, status, form, delay or published."""
        if not isinstance(data, dict):
            raise ValueError("a report must be an object")
        _refuse_unknown(data, _REPORT_FIELDS)
        seen = moment(data.get("timestamp", "now"), now)
        delay = data.get("delay_seconds", 0)
        if isinstance(delay, bool) or not isinstance(delay, int | float) or not 0 <= delay <= 31_536_000:
            raise ValueError("delay_seconds must be a number from 0 to a year")
        published = moment(data["published"], now) if data.get("published") is not None else seen + int(delay)
        # A report whose time lies ahead (a wrong clock) is still there at once.
        published = min(published, int(now)) if seen > now and not delay else published
        form = _byte(data, "form", crypto.LONG_FORM)
        if form not in (crypto.SHORT_FORM, crypto.LONG_FORM):
            raise ValueError("form must be 88 or 89")
        flags = (FLAG_LONG if form == crypto.LONG_FORM else 0) | (FLAG_TWICE if data.get("twice") else 0)
        at = position_from(data)
        accuracy = _byte(data, "horizontal_accuracy", 15)
        return manual_sighting(
            seen, published, at, accuracy, _byte(data, "confidence", 3), _byte(data, "status", 0x20), flags
        )


_KEY_FIELDS = ("private_key", "private_keys", "advertisement_key", "advertisement_keys", "accessory")
_TAG_FIELDS = {
    *_KEY_FIELDS, "id", "name", "company", "start", "battery", "rotate_seconds", "pace", "route", "then",
    "places", "place", "position",
    # Fields of `trackerd keys generate` and of the simulator's own export, taken and not needed.
    "hashed_advertisement_key", "mac_address",
}  # fmt: skip
_REPORT_FIELDS = {
    "latitude", "longitude", "lat", "lon", "timestamp", "published", "delay_seconds", "horizontal_accuracy",
    "confidence", "status", "form", "twice",
}  # fmt: skip


def _refuse_unknown(data: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(data) - known)
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}")


def _rng(seed: str) -> random.Random:
    return random.Random(f"{seed}/first")


def _text(data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= 200:
        raise ValueError(f"{name} must be a text of 1 to 200 characters")
    return value


def _byte(data: dict[str, Any], name: str, default: int) -> int:
    value = data.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 255:
        raise ValueError(f"{name} must be a whole number from 0 to 255")
    return value


def _battery(data: object) -> Battery | None:
    """{level 0..1, days (life of a full battery), gauge}"""
    if data is None:
        return None
    if not isinstance(data, dict):
        raise ValueError("battery must be an object")
    level, days = data.get("level", 1.0), data.get("days", 540)
    if not isinstance(level, int | float) or not 0 <= level <= 1 or not isinstance(days, int | float) or days <= 0:
        raise ValueError("battery needs level from 0 to 1 and days above 0")
    return Battery(float(level), 1 / days, bool(data.get("gauge", True)))
