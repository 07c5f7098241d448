"""Who sees a tag, when, how well, and when the report reaches the server.

Passers-by come as a Poisson process whose rate depends on the kind of stretch and the local hour; every
piece of an itinerary has its own random stream, so reports are made lazily and a seeded run repeats.
The delay follows the paper's measurement: half the reports arrive within 26 minutes, some take days.
"""

from __future__ import annotations

import math
import random
import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from findmy_sim.geo import Position, offset, to_e7
from findmy_sim.places import Place
from findmy_sim.trips import DAY, HOUR, Itinerary, Segment

FLAG_LONG = 1  # the 89-byte form
FLAG_TWICE = 2  # the server hands it out twice in one answer
FLAG_MANUAL = 4  # added through the control API

# Meetings per hour in daylight. A shop in a city centre is passed all day, a warehouse by its staff only.
RATE_PER_HOUR = {"shop": 1.1, "warehouse": 0.45, "other": 0.6, "rest": 0.9, "move": 1.4, "air": 0.0}
MEDIAN_DELAY = 26 * 60
DELAY_SIGMA = 1.3
LATE_SHARE = 0.02  # phones that were offline for days
MAX_DELAY = 6 * DAY
MORE_FINDERS = 0.25  # chance of each further finder in the same minute
MAX_FINDERS = 4
TWICE_SHARE = 0.01
CONFIDENCES = (0, 1, 2, 3, 5)
CONFIDENCE_WEIGHTS = (3, 15, 35, 45, 2)
ACCURACY_MEDIAN_M = {"shop": 35.0, "warehouse": 40.0, "other": 30.0, "rest": 20.0, "move": 18.0, "air": 60.0}
UNDERSTATED_SHARE = 0.03  # finders that think they know better where they are than they do


class Sighting(NamedTuple):
    """One report in plain. Times in Unix seconds; positions in degrees * 1e7; accuracy in metres, one byte.

    serial is unique per tag; true_* is where the tag really was.
    """

    seen: int
    published: int
    lat_e7: int
    lon_e7: int
    true_lat_e7: int
    true_lon_e7: int
    accuracy: int
    confidence: int
    status: int
    flags: int
    serial: int


@dataclass(frozen=True, slots=True)
class Habits:
    """How a world's finders behave; scenario settings.

    density scales how often tags are met, long_form_share is the share of 89-byte reports.
    """

    density: float = 1.0
    long_form_share: float = 0.6
    median_delay: float = MEDIAN_DELAY
    late_share: float = LATE_SHARE
    twice_share: float = TWICE_SHARE


@dataclass(frozen=True, slots=True)
class Battery:
    """Battery of a tag: level 0..1 at its start, loss per day; tags without a gauge always say 00."""

    level: float
    loss_per_day: float
    gauge: bool = True

    @classmethod
    def draw(cls, rng: random.Random) -> Battery:
        """Coin cells last one to two years; one tag in ten has no gauge."""
        return cls(rng.uniform(0.35, 1.0), 1 / rng.uniform(365, 730), rng.random() >= 0.1)

    def level_at(self, days: float) -> float:
        """Level 0..1 so many days after the tag's start."""
        return max(0.0, self.level - max(0.0, days) * self.loss_per_day)

    def status_at(self, days: float) -> int:
        """The status byte: two battery bits and the bit that says that there is a gauge."""
        if not self.gauge:
            return 0
        return battery_bits(self.level_at(days)) << 6 | 0x20


def battery_bits(level: float) -> int:
    """macless-haystack's steps: above 80 % full, above 50 % medium, above 30 % low, else critical."""
    return 0 if level > 0.8 else 1 if level > 0.5 else 2 if level > 0.3 else 3


BATTERY_NAMES = ("full", "medium", "low", "very_low")


class SightingTable:
    """A tag's sightings, packed (40 bytes each), sorted by time seen."""

    ROW = struct.Struct("<IIiiiiBBBBI")

    def __init__(self) -> None:
        self._rows = bytearray()
        self._seen = array("I")  # times alone, to search in

    def __len__(self) -> int:
        return len(self._seen)

    def append(self, rows: list[Sighting]) -> None:
        """Add rows that are not older than any row inside."""
        pack = self.ROW.pack
        for row in rows:
            self._rows += pack(*row)
            self._seen.append(row.seen)

    def insert(self, row: Sighting) -> None:
        """Add one row at its place."""
        at = bisect_left(self._seen, row.seen)
        size = self.ROW.size
        self._rows[at * size : at * size] = self.ROW.pack(*row)
        self._seen.insert(at, row.seen)

    def cut(self, time: int) -> None:
        """Forget the rows seen at `time` or later."""
        keep = bisect_left(self._seen, time)
        del self._rows[keep * self.ROW.size :]
        del self._seen[keep:]

    def between(self, start: float, end: float) -> Iterator[Sighting]:
        """Rows with start <= seen <= end, oldest first."""
        first = bisect_left(self._seen, math.ceil(start))
        last = bisect_left(self._seen, math.floor(end) + 1)
        size = self.ROW.size
        for row in self.ROW.iter_unpack(self._rows[first * size : last * size]):
            yield Sighting._make(row)


def daylight(at: Position, time: int) -> float:
    """Share of the daytime's passers-by at this local (solar) hour."""
    hour = (time / HOUR + at.lon / 15) % 24
    if hour < 5:
        return 0.08
    if hour < 7 or hour >= 22:
        return 0.4
    return 1.0


def sight(rng: random.Random, segment: Segment, habits: Habits, status: int, serial: int) -> list[Sighting]:
    """All sightings of one stretch, oldest first; serials count up from `serial`."""
    kind = segment.place.kind if segment.kind == "stay" and segment.place else segment.kind
    kind = kind if kind in RATE_PER_HOUR else "other"
    # Some days nobody comes by, on others there is a fair next door.
    rate = RATE_PER_HOUR[kind] * habits.density * rng.lognormvariate(-0.2, 0.6) / HOUR
    found: list[Sighting] = []
    if rate <= 0:
        return found
    time = float(segment.start)
    while True:
        time += rng.expovariate(rate)
        if time >= segment.end:
            break
        at = segment.position(time)
        if rng.random() >= daylight(at, int(time)):
            continue
        found.extend(_finders(rng, kind, at, int(time), segment.end, habits, status))
    found.sort(key=lambda s: s.seen)
    return [s._replace(serial=serial + n) for n, s in enumerate(found)]


def _finders(
    rng: random.Random, kind: str, at: Position, time: int, end: int, habits: Habits, status: int
) -> Iterator[Sighting]:
    """The reports of one meeting: one finder, or several within a minute and a half."""
    count = 1
    while count < MAX_FINDERS and rng.random() < MORE_FINDERS:
        count += 1
    for n in range(count):
        seen = min(time + (rng.randrange(90) if n else 0), end - 1)
        accuracy = min(255, max(4, round(ACCURACY_MEDIAN_M[kind] * rng.lognormvariate(0, 0.7))))
        spread = accuracy * 0.45 * (4 if rng.random() < UNDERSTATED_SHARE else 1)
        reported = offset(at, rng.gauss(0, spread), rng.gauss(0, spread))
        flags = FLAG_LONG if rng.random() < habits.long_form_share else 0
        if rng.random() < habits.twice_share:
            flags |= FLAG_TWICE
        yield Sighting(
            seen,
            seen + _delay(rng, habits),
            to_e7(reported.lat),
            to_e7(reported.lon),
            to_e7(at.lat),
            to_e7(at.lon),
            accuracy,
            rng.choices(CONFIDENCES, CONFIDENCE_WEIGHTS)[0],
            status,
            flags,
            0,
        )


def _delay(rng: random.Random, habits: Habits) -> int:
    """Seconds from meeting to upload."""
    if rng.random() < habits.late_share:
        return int(rng.uniform(0.5 * DAY, MAX_DELAY))
    return min(MAX_DELAY, int(habits.median_delay * rng.lognormvariate(0, DELAY_SIGMA)))


class Observations:
    """A tag's sightings, made piece by piece as the itinerary is looked at."""

    def __init__(self, seed: str, itinerary: Itinerary, battery: Battery, habits: Habits) -> None:
        self.seed = seed
        self.itinerary = itinerary
        self.battery = battery
        self.habits = habits
        self.table = SightingTable()
        self.manual = SightingTable()
        self._done = itinerary.start  # sightings exist for all segments that start before this
        self._manual_serial = 1 << 31  # serials of added reports never meet those of made ones

    def extend(self, until: float) -> None:
        """Make the sightings of every segment that has begun at `until`."""
        while self._done <= until:
            segment = self.itinerary.segment_at(self._done)
            assert segment is not None  # _done never lies before the itinerary's start
            rng = random.Random(f"{self.seed}/seen/{segment.step}/{segment.start}")
            days = (segment.start - self.itinerary.start) / DAY
            rows = sight(rng, segment, self.habits, self.battery.status_at(days), len(self.table))
            self.table.append(rows)
            self._done = segment.end

    def detour(self, at: int, target: Place, travel_seconds: int, stay_seconds: int | None) -> None:
        """Change the itinerary from `at` on (see Itinerary.detour) and forget what was seen after that."""
        at = max(at, self.itinerary.start)
        # First complete the stretch that is cut, so that the result does not depend on who looked before.
        self.extend(at)
        self.itinerary.detour(at, target, travel_seconds, stay_seconds, f"{self.seed}/moved/{at}")
        self.table.cut(at)
        self._done = at

    def add(self, row: Sighting) -> Sighting:
        """Add a report by hand; it gets a serial and the manual flag."""
        row = row._replace(serial=self._manual_serial, flags=row.flags | FLAG_MANUAL)
        self._manual_serial += 1
        self.manual.insert(row)
        return row

    def between(self, start: float, end: float) -> list[Sighting]:
        """All sightings with start <= seen <= end, oldest first, added ones included."""
        self.extend(end)
        made = list(self.table.between(start, end))
        added = list(self.manual.between(start, end))
        return sorted(made + added) if added else made

    def visible(self, now: float, retention: float) -> list[Sighting]:
        """What the server holds at a time: published and not yet forgotten. Future-dated reports count too."""
        horizon = now + 400 * DAY if len(self.manual) else now
        self.extend(now)
        rows = list(self.table.between(now - retention, now))
        if len(self.manual):
            rows = sorted(rows + list(self.manual.between(now - retention, horizon)))
        return [r for r in rows if r.published <= now]
