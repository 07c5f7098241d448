"""Where a tag is at every moment: itineraries made of stays and timed, curved moves.

A plan is a pure function of a step's number and of where the tag is: asking for more of the future, or
cutting the itinerary when somebody moves the tag by hand, never changes what a step gives. That is what
makes seeded runs repeatable. Times are Unix seconds.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

from findmy_sim.geo import Path, Position, distance, offset
from findmy_sim.places import Place

DAY = 86_400
HOUR = 3_600

ROAD_DETOUR = 1.25  # roads are about a quarter longer than the great circle
ROAD_KMH = (55, 85)
AIR_KMH = 700
AIR_FROM_M = 2_500_000  # beyond this goods fly
AIR_HANDLING = 5 * HOUR
# European driving rules, roughly: a break after 4.5 hours, a night's rest after 9.
DRIVE_BLOCK = 4.5 * HOUR
SHORT_REST = 45 * 60
NIGHT_REST = 11 * HOUR


@dataclass(slots=True)
class Segment:
    """A stretch of time with one kind of behaviour; covers [start, end).

    kind: stay (at `place`, or nowhere in particular), rest (a pause on the way), move (by road), air.
    For moves, `path` is travelled from fraction f0 to f1. `step` is the plan's step that made it.
    """

    start: int
    end: int
    kind: str
    at: Position
    place: Place | None = None
    path: Path | None = None
    f0: float = 0.0
    f1: float = 0.0
    step: int = 0

    def position(self, time: float) -> Position:
        """True position at a time inside the segment (clamped to its ends)."""
        if self.path is None:
            return self.at
        span = max(1, self.end - self.start)
        share = max(0.0, min(1.0, (time - self.start) / span))
        return self.path.at(self.f0 + (self.f1 - self.f0) * share)


@dataclass(frozen=True, slots=True)
class Visit:
    """A stay at a place; leave is None when the tag stays beyond what was asked for."""

    place: Place
    arrive: int
    leave: int | None
    at: Position


class Plan(Protocol):
    """Decides what comes next."""

    def next(self, step: int, at: int, here: Position, place: Place | None) -> list[Segment]:
        """The segments of a step, from `at` on without gaps; never empty."""


def stay(start: int, end: int, at: Position, place: Place | None, kind: str = "stay") -> list[Segment]:
    """A stay, cut into pieces of at most a day so that reports can be made piece by piece."""
    cuts = [*range(start, end, DAY), end]
    return [Segment(a, b, kind, at, place) for a, b in pairwise(cuts) if b > a]


def spot_in(rng: random.Random, place: Place) -> Position:
    """Where in a place a tag is put down: within half its radius."""
    reach = place.radius * 0.5 * rng.random() ** 0.5
    north, east = rng.gauss(0, 1), rng.gauss(0, 1)
    norm = (north**2 + east**2) ** 0.5 or 1.0
    return offset(place.center, reach * north / norm, reach * east / norm)


def travel(rng: random.Random, start: int, a: Position, b: Position, arrive: int | None = None) -> list[Segment]:
    """A trip with its pauses. With `arrive` the whole is stretched or squeezed to end exactly then."""
    length = distance(a, b)
    path = Path(a, b, rng.uniform(-0.12, 0.12), rng.uniform(-0.03, 0.03))
    if length > AIR_FROM_M:
        hours = length / 1000 / AIR_KMH
        path = path._replace(wobble=0.0)
        steps = [("rest", AIR_HANDLING, 0.0), ("air", hours * HOUR, 1.0), ("rest", AIR_HANDLING, 1.0)]
    else:
        steps = _drive(length * ROAD_DETOUR / 1000 / rng.uniform(*ROAD_KMH) * HOUR)
    total = sum(duration for _, duration, _ in steps)
    scale = 1.0 if arrive is None else max(0, arrive - start) / total
    segments: list[Segment] = []
    clock, done = float(start), 0.0
    for kind, duration, reached in steps:
        end = clock + duration * scale
        if int(end) > int(clock):
            moving = path if reached > done else None
            segments.append(Segment(int(clock), int(end), kind, path.at(done), None, moving, done, reached))
        clock, done = end, reached
    return segments


def _drive(seconds: float) -> list[tuple[str, float, float]]:
    """(kind, duration, fraction reached) of a drive with its rests."""
    seconds = max(seconds, 60.0)
    steps: list[tuple[str, float, float]] = []
    driven, blocks = 0.0, 0
    while driven < seconds:
        part = min(DRIVE_BLOCK, seconds - driven)
        driven += part
        blocks += 1
        steps.append(("move", part, driven / seconds))
        if driven < seconds:
            steps.append(("rest", NIGHT_REST if blocks % 2 == 0 else SHORT_REST, driven / seconds))
    return steps


@dataclass(frozen=True, slots=True)
class ParkPlan:
    """Stay where you are, for ever."""

    def next(self, step: int, at: int, here: Position, place: Place | None) -> list[Segment]:
        return stay(at, at + DAY, here, place)


@dataclass(frozen=True, slots=True)
class WanderPlan:
    """Between a company's places for ever: warehouse, shop, perhaps another shop, back to a warehouse.

    pace scales the days spent at places (0.1 = ten times as busy).
    """

    seed: str
    warehouses: tuple[Place, ...]
    shops: tuple[Place, ...]
    pace: float = 1.0

    def next(self, step: int, at: int, here: Position, place: Place | None) -> list[Segment]:
        rng = random.Random(f"{self.seed}/step/{step}")
        if step % 2 == 0:
            median_days = 5.0 if place is not None and place.kind == "shop" else 1.5
            days = min(60.0, median_days * rng.lognormvariate(0, 0.7)) * self.pace
            return stay(at, at + max(HOUR, int(days * DAY)), here, place)
        target = self._target(rng, place)
        spot = spot_in(rng, target)
        way = travel(rng, at, here, spot)
        arrival = way[-1].end if way else at
        # The first hour at the target belongs to this step, so that the next one knows the place.
        return way + stay(arrival, arrival + HOUR, spot, target)

    def _target(self, rng: random.Random, place: Place | None) -> Place:
        at_shop = place is not None and place.kind == "shop"
        back = at_shop and rng.random() < 0.4
        choices = self.warehouses if (back and self.warehouses) or not self.shops else self.shops
        others = [p for p in choices if p != place] or list(choices)
        return rng.choice(others)


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of a fixed route; None = right away / for ever."""

    place: Place
    arrive: int | None
    leave: int | None


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """Stops at given times. After the last stop the tag stays there (or `then` goes on)."""

    seed: str
    stops: tuple[Stop, ...]
    then: Plan | None = None

    def next(self, step: int, at: int, here: Position, place: Place | None) -> list[Segment]:
        """Step 2i: the stay at stop i; step 2i+1: the way to stop i+1 with its first second."""
        index, on_the_way = divmod(step, 2)
        last = len(self.stops) - 1
        if index > last or (index == last and (on_the_way or self.stops[last].leave is None)):
            if self.then is None:
                return stay(at, at + DAY, here, place)
            return self.then.next(step - 2 * last, at, here, place)
        if not on_the_way:
            return stay(at, max(at + 1, self.stops[index].leave or at + 1), here, self.stops[index].place)
        rng = random.Random(f"{self.seed}/step/{step}")
        stop = self.stops[index + 1]
        spot = spot_in(rng, stop.place)
        way = travel(rng, at, here, spot, stop.arrive)
        arrival = way[-1].end if way else at
        return way + stay(arrival, arrival + 1, spot, stop.place)


@dataclass(frozen=True, slots=True)
class Detour:
    """What a move by hand does: go to a spot, stay there, then perhaps go on with the old plan."""

    seed: str
    base: int
    target: Place
    spot: Position
    travel_seconds: int
    stay_seconds: int | None
    then: Plan
    then_step: int

    def next(self, step: int, at: int, here: Position, place: Place | None) -> list[Segment]:
        if step == self.base:
            rng = random.Random(f"{self.seed}/step/{step}")
            way = travel(rng, at, here, self.spot, at + self.travel_seconds) if self.travel_seconds else []
            arrival = way[-1].end if way else at
            return way + stay(arrival, arrival + 1, self.spot, self.target)
        if self.stay_seconds is None:
            return stay(at, at + DAY, here, place)
        if step == self.base + 1:
            return stay(at, at + max(1, self.stay_seconds), here, place)
        return self.then.next(self.then_step + step - self.base - 2, at, here, place)


class Itinerary:
    """A tag's segments, made as far as somebody asked."""

    def __init__(self, start: int, here: Position, place: Place | None, plan: Plan) -> None:
        self.start = start
        self.plan = plan
        self.segments: list[Segment] = []
        self._starts: list[int] = []
        self._step = 0
        self._origin = (here, place)

    @property
    def end(self) -> int:
        """The time up to which segments exist."""
        return self.segments[-1].end if self.segments else self.start

    def extend(self, until: float) -> None:
        """Make segments until `until` is covered."""
        while self.end <= until:
            here, place = self._origin
            if self.segments:
                last = self.segments[-1]
                here, place = last.position(last.end), last.place
            for segment in self.plan.next(self._step, self.end, here, place):
                segment.step = self._step
                self.segments.append(segment)
                self._starts.append(segment.start)
            self._step += 1

    def segment_at(self, time: float) -> Segment | None:
        """The segment that covers a time; None before the tag's start."""
        if time < self.start:
            return None
        self.extend(time)
        return self.segments[bisect_right(self._starts, time) - 1]

    def position(self, time: float) -> Position | None:
        """True position at a time; None before the tag's start."""
        segment = self.segment_at(time)
        return None if segment is None else segment.position(time)

    def visits(self, start: float, end: float) -> list[Visit]:
        """The stays at places that touch [start, end], consecutive pieces joined."""
        self.extend(end)
        found: list[Visit] = []
        for segment in self.segments:
            if segment.place is None or segment.start > end or segment.end < start:
                continue
            if found and found[-1].place == segment.place and found[-1].leave == segment.start:
                found[-1] = replace(found[-1], leave=segment.end)
            else:
                found.append(Visit(segment.place, segment.start, segment.end, segment.at))
        if found and found[-1].leave is not None and found[-1].leave >= min(end, self.end):
            found[-1] = replace(found[-1], leave=None)
        return found

    def detour(self, at: int, target: Place, travel_seconds: int, stay_seconds: int | None, seed: str) -> None:
        """Leave the plan at a time, go to a place and stay: for ever, or for so long and then go on."""
        at = max(at, self.start)
        self.extend(at)
        here, place = self.position(at), self.segments[bisect_right(self._starts, at) - 1].place
        while self.segments and self.segments[-1].start >= at:
            self._drop_last()
        if self.segments:
            last = self.segments[-1]
            if last.path is not None and last.end > last.start:
                last.f1 = last.f0 + (last.f1 - last.f0) * (at - last.start) / (last.end - last.start)
            last.end = at
        elif here is not None:
            self._origin = (here, place)
        # Steps go on after the one that was cut, so that random draws are not used twice.
        base = self.segments[-1].step + 1 if self.segments else 0
        resume = base + base % 2 + 1  # an odd step of the old plan: travel on
        self.plan = Detour(seed, base, target, target.center, travel_seconds, stay_seconds, self.plan, resume)
        self._step = base

    def _drop_last(self) -> None:
        self.segments.pop()
        self._starts.pop()
