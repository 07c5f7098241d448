"""The world: tags, what was seen of them, and the encrypted payloads the report server hands out."""

from __future__ import annotations

import base64
import random
from collections import OrderedDict
from dataclasses import dataclass, field

from findmy_sim import crypto
from findmy_sim.clock import format_time
from findmy_sim.geo import Position, to_e7
from findmy_sim.places import Company, Place, company_id, make_company
from findmy_sim.rolling import KeySource, StaticKeys
from findmy_sim.sightings import BATTERY_NAMES, FLAG_LONG, FLAG_MANUAL, Battery, Habits, Observations, Sighting
from findmy_sim.trips import DAY, Itinerary, ParkPlan, Plan, WanderPlan, spot_in

RETENTION_SECONDS = 7 * DAY  # Apple keeps reports for seven days
ROLLING_AHEAD = DAY  # keys of accessories are known to the index so far ahead
PAYLOAD_CACHE = 300_000  # payloads kept; about 200 bytes each
TAGS_PER_COMPANY = 25
MIN_TIME = crypto.APPLE_EPOCH
MAX_TIME = 2**32 - 1  # sightings keep times in 32 bits, until 2106


@dataclass(slots=True, eq=False)
class Tag:
    """A registered tag. privates holds keys only of tags the simulator made up itself."""

    id: str
    name: str
    source: KeySource
    seen: Observations
    company: str = ""
    privates: list[bytes] = field(default_factory=list)
    points: dict[bytes, bytes] = field(default_factory=dict)  # adv -> uncompressed point
    indexed: tuple[int, int] = (0, 0)

    @property
    def itinerary(self) -> Itinerary:
        return self.seen.itinerary

    def keys(self, now: float) -> list[bytes]:
        """The advertisement keys of the last week."""
        return sorted(self.source.keys_between(int(now - RETENTION_SECONDS), int(now)))


@dataclass(frozen=True, slots=True)
class Found:
    """One report for one id: the tag, the key it was seen with, what was seen."""

    tag: Tag
    adv: bytes
    row: Sighting

    @property
    def plain(self) -> crypto.Plain:
        r = self.row
        return crypto.Plain(r.seen, r.confidence, r.lat_e7, r.lon_e7, r.accuracy, r.status)

    @property
    def form(self) -> int:
        return crypto.LONG_FORM if self.row.flags & FLAG_LONG else crypto.SHORT_FORM


class World:
    """All tags by id and by hashed key; makes payloads, deterministic for a seed."""

    def __init__(self, seed: str = "0", habits: Habits | None = None, retention: float = RETENTION_SECONDS) -> None:
        self.seed = seed
        self.habits = habits or Habits()
        self.retention = retention
        self.tags: dict[str, Tag] = {}
        self.companies: dict[str, Company] = {}
        self._by_hash: dict[bytes, tuple[Tag, bytes]] = {}
        self._rolling: list[Tag] = []
        self._cache: OrderedDict[tuple[bytes, int, int], bytes] = OrderedDict()
        self.encrypted = 0

    # --- tags -------------------------------------------------------------------------------------

    def add_tag(
        self,
        source: KeySource,
        plan: Plan | None,
        start: int,
        here: Position,
        place: Place | None = None,
        *,
        tag_id: str | None = None,
        name: str = "",
        company: str = "",
        battery: Battery | None = None,
        privates: list[bytes] | None = None,
        points: dict[bytes, bytes] | None = None,
    ) -> Tag:
        """Register a tag; ValueError when its id or one of its keys is taken or a key is bad."""
        first = source.key_at(start)
        tag_id = tag_id or base64.urlsafe_b64encode(crypto.hash_key(first))[:16].decode()
        if tag_id in self.tags:
            raise ValueError(f"there is a tag {tag_id!r} already")
        # The tag's random stream hangs on its key, not on the order of registration.
        seed = f"{self.seed}/tag/{first.hex()}"
        battery = battery or Battery.draw(random.Random(f"{seed}/battery"))
        itinerary = Itinerary(start, here, place, plan or ParkPlan())
        tag = Tag(tag_id, name or tag_id, source, Observations(seed, itinerary, battery, self.habits), company)
        tag.privates = privates or []
        tag.points = points or {}
        if isinstance(source, StaticKeys):
            self._index_static(tag, source)
        else:
            self._rolling.append(tag)
        self.tags[tag_id] = tag
        return tag

    def _index_static(self, tag: Tag, source: StaticKeys) -> None:
        hashes = {crypto.hash_key(adv): adv for adv in source.keys}
        if len(hashes) != len(source.keys) or any(digest in self._by_hash for digest in hashes):
            raise ValueError("a key is registered already")
        for adv in source.keys:
            if adv not in tag.points:
                tag.points[adv] = crypto.point_bytes(crypto.load_advertised(adv))
        self._by_hash.update((digest, (tag, adv)) for digest, adv in hashes.items())

    def remove_tag(self, tag_id: str) -> bool:
        """Forget a tag and all its reports."""
        tag = self.tags.pop(tag_id, None)
        if tag is None:
            return False
        self._by_hash = {digest: entry for digest, entry in self._by_hash.items() if entry[0] is not tag}
        self._rolling = [t for t in self._rolling if t is not tag]
        return True

    def find_tag(self, name: str) -> Tag | None:
        """A tag by id, or by report id (base64 of the hashed key)."""
        if name in self.tags:
            return self.tags[name]
        digest = decode_id(name)
        entry = self._by_hash.get(digest) if digest else None
        return entry[0] if entry else None

    def populate(self, count: int, start: int, pace: float = 1.0) -> list[Tag]:
        """Make `count` tags of made-up companies that have been travelling since `start`."""
        made = []
        for n in range(count):
            company = self._company(n // TAGS_PER_COMPANY)
            private = crypto.private_from(self.seed.encode(), b"world tag", str(n).encode())
            point = crypto.point_of(private)
            adv = point[1 : 1 + crypto.KEY_LEN]
            rng = random.Random(f"{self.seed}/world/{n}")
            home = rng.choice(company.warehouses)
            plan = WanderPlan(f"{self.seed}/plan/{n}", tuple(company.warehouses), tuple(company.shops), pace)
            made.append(
                self.add_tag(
                    StaticKeys([adv]), plan, start, spot_in(rng, home), home,
                    tag_id=f"sim-{n:06d}", name=f"{company.name} unit {n:06d}", company=company.id,
                    privates=[private], points={adv: point},
                )
            )  # fmt: skip
        return made

    def _company(self, index: int) -> Company:
        name = company_id(index)
        if name not in self.companies:
            self.companies[name] = make_company(self.seed, index)
        return self.companies[name]

    # --- what the server knows ------------------------------------------------------------------------

    def _index_rolling(self, now: float) -> None:
        start, end = int(now - self.retention), int(now + ROLLING_AHEAD)
        for tag in self._rolling:
            lo, hi = tag.indexed
            if lo <= start and end - ROLLING_AHEAD <= hi:
                continue
            for adv in tag.source.keys_between(start, end):
                self._by_hash[crypto.hash_key(adv)] = (tag, adv)
            tag.indexed = (start, end)

    def reports(self, digest: bytes, now: float, per_key: int = 0) -> list[Found]:
        """The reports of a hashed key that are visible now, newest first, at most `per_key` (0 = all)."""
        self._index_rolling(now)
        entry = self._by_hash.get(digest)
        if entry is None:
            return []
        tag, adv = entry
        rows = tag.seen.visible(now, self.retention)
        if not (isinstance(tag.source, StaticKeys) and len(tag.source.keys) == 1):
            rows = [r for r in rows if tag.source.key_at(r.seen) == adv]
        rows.reverse()
        return [Found(tag, adv, row) for row in (rows[:per_key] if per_key else rows)]

    # --- payloads -------------------------------------------------------------------------------------

    def job(self, found: Found) -> crypto.Job:
        """What has to be encrypted for a report, as plain values. The one-time key hangs on the seed."""
        point = found.tag.points.get(found.adv)
        if point is None:
            point = crypto.point_bytes(crypto.load_advertised(found.adv))
            found.tag.points[found.adv] = point
        row, plain = found.row, found.plain
        moment = row.seen.to_bytes(4, "big") + row.serial.to_bytes(4, "big")
        scalar = crypto.scalar_from(self.seed.encode(), b"one-time", found.adv, moment)
        fields = (plain.time, plain.confidence, plain.lat_e7, plain.lon_e7, plain.accuracy, plain.status)
        return point, scalar, fields, found.form

    def cached(self, found: Found) -> bytes | None:
        """The payload if it has been made before."""
        key = (found.adv, found.row.seen, found.row.serial)
        payload = self._cache.get(key)
        if payload is not None:
            self._cache.move_to_end(key)
        return payload

    def store(self, found: Found, payload: bytes) -> None:
        """Keep a payload; the least recently used one gives way."""
        self.encrypted += 1
        self._cache[found.adv, found.row.seen, found.row.serial] = payload
        if len(self._cache) > PAYLOAD_CACHE:
            self._cache.popitem(last=False)

    def payload(self, found: Found) -> bytes:
        """The encrypted report, 88 or 89 bytes; the same bytes each time."""
        payload = self.cached(found)
        if payload is None:
            payload = crypto.encrypt_job(self.job(found))
            self.store(found, payload)
        return payload


def decode_id(text: object) -> bytes | None:
    """A report id in any spelling (standard or URL-safe base64, padded or not) as 32 bytes, or None."""
    if not isinstance(text, str):
        return None
    plain = text.strip().replace("-", "+").replace("_", "/").rstrip("=")
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        return None
    return raw if len(raw) == crypto.HASH_LEN else None


def truth_json(tag: Tag, row: Sighting) -> dict[str, object]:
    """A report in plain words, for the control API."""
    return {
        "tag": tag.id,
        "hashed_advertisement_key": crypto.report_id(tag.source.key_at(row.seen)),
        "timestamp": format_time(row.seen),
        "timestamp_unix": row.seen,
        "published_unix": row.published,
        "latitude": row.lat_e7 / 1e7,
        "longitude": row.lon_e7 / 1e7,
        "lat_e7": row.lat_e7,
        "lon_e7": row.lon_e7,
        "true_latitude": row.true_lat_e7 / 1e7,
        "true_longitude": row.true_lon_e7 / 1e7,
        "horizontal_accuracy": row.accuracy,
        "confidence": row.confidence,
        "status": row.status,
        "battery": BATTERY_NAMES[row.status >> 6],
        "form": crypto.LONG_FORM if row.flags & FLAG_LONG else crypto.SHORT_FORM,
        "manual": bool(row.flags & FLAG_MANUAL),
        "serial": row.serial,
    }


def manual_sighting(
    seen: int, published: int, at: Position, accuracy: int, confidence: int, status: int, flags: int
) -> Sighting:
    """A report somebody wrote by hand: it is its own truth."""
    lat, lon = to_e7(at.lat), to_e7(at.lon)
    return Sighting(seen, published, lat, lon, lat, lon, accuracy, confidence, status, flags, 0)
