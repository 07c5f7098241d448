"""What a tracker's history should be, from the status rules as they are written (docs/integrators/how-status-is-decided.md), without a line of trackerd.

It is built to be obviously right and not to be fast: everything is decided from all reports at once, nothing is kept from one report to
the next but what the rules say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from geographiclib.geodesic import Geodesic

EARTH = Geodesic.WGS84


@dataclass(frozen=True, order=True)
class Report:
    """Fields in the order in which reports are taken."""

    at: datetime
    accuracy: float
    latitude: float
    longitude: float
    confidence: int = field(compare=False)


@dataclass(frozen=True)
class Shape:
    """Of a place, valid for start <= time < end (None: without end). A circle or a polygon of (latitude, longitude) corners."""

    start: datetime | None
    end: datetime | None
    center: tuple[float, float] | None
    radius: float | None
    corners: tuple[tuple[float, float], ...]
    hysteresis: float | None

    def leeway(self) -> float:
        if self.hysteresis is not None:
            return self.hysteresis
        return 25.0 if self.radius is None else min(0.1 * self.radius, 25.0)


@dataclass(frozen=True)
class Place:
    id: int
    delivery: bool
    shapes: tuple[Shape, ...]
    archived_at: datetime | None

    def shape_at(self, at: datetime) -> Shape | None:
        if self.archived_at is not None and at >= self.archived_at:
            return None
        return next((s for s in self.shapes if within(at, s.start, s.end)), None)


@dataclass(frozen=True)
class Run:
    id: int
    confirm: int | None
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Stretch:
    """A tracker belongs to a run for start <= time < end."""

    run: Run
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class Override:
    id: int
    at: datetime
    status: str
    location: int | None


@dataclass(frozen=True)
class Rules:
    min_confidence: int = 2
    max_accuracy: float = 200
    max_speed_kmh: float = 1200
    entry_slack: float = 100
    confirm: int = 1
    dwell: timedelta = timedelta(hours=24)


@dataclass
class History:
    """rows: (since, status, location, previous status, previous location, rule, override); events: (at, kind, location); flags: by report."""

    rows: list[tuple]
    events: list[tuple]
    flags: dict[Report, str]
    edges: list[float]  # how near the decisions were to going the other way, in metres


def within(at: datetime, start: datetime | None, end: datetime | None) -> bool:
    return (start is None or at >= start) and (end is None or at < end)


# ---- geometry ----


def distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    return EARTH.Inverse(*a, *b, Geodesic.DISTANCE)["s12"]


def around(origin: tuple[float, float], point: tuple[float, float]) -> tuple[float, float]:
    """East and north of the origin in metres, true in distance and direction from it."""
    line = EARTH.Inverse(*origin, *point, Geodesic.DISTANCE | Geodesic.AZIMUTH)
    return line["s12"] * math.sin(math.radians(line["azi1"])), line["s12"] * math.cos(math.radians(line["azi1"]))


def edge_distance(point: tuple[float, float], corners: Iterable[tuple[float, float]]) -> float:
    """To the nearest edge of a polygon, negative inside."""
    ring = [around(point, c) for c in corners]
    nearest, inside = math.inf, False
    for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1], strict=True):
        dx, dy = bx - ax, by - ay
        share = max(0.0, min(1.0, -(ax * dx + ay * dy) / (dx * dx + dy * dy))) if dx or dy else 0.0
        nearest = min(nearest, math.hypot(ax + share * dx, ay + share * dy))
        if (ay > 0) != (by > 0) and ax - ay * dx / dy > 0:
            inside = not inside
    return -nearest if inside else nearest


def place_distance(report: Report, shape: Shape) -> float:
    here = (report.latitude, report.longitude)
    if shape.center is not None:
        return distance(here, shape.center) - shape.radius
    return edge_distance(here, shape.corners)


def surely_far(report: Report, shape: Shape) -> bool:
    """Cheap: more than 5 km by latitude alone, or some degrees of longitude."""
    latitude, longitude = shape.center or shape.corners[0]
    reach = (shape.radius or 1000) + 5000
    return abs(report.latitude - latitude) * 110_000 > reach or (
        abs(report.longitude - longitude) * 110_000 * math.cos(math.radians(min(89, abs(latitude) + 1))) > reach
        and abs(report.longitude - longitude) < 180
    )


# ---- the rules ----


class Judging:
    def __init__(
        self, reports: Iterable[Report], stretches: list[Stretch], overrides: Iterable[Override], rules: Rules
    ) -> None:
        self.reports = sorted(set(reports))
        self.stretches = stretches
        self.overrides = sorted(overrides, key=lambda o: (o.at, o.id))
        self.rules = rules
        self.edges: list[float] = []

    def run_at(self, at: datetime) -> Run | None:
        return next((s.run for s in self.stretches if within(at, s.start, s.end)), None)

    # which reports are judged

    def flags(self) -> dict[Report, str]:
        rules, flags = self.rules, {}
        for r in self.reports:
            if r.confidence < rules.min_confidence:
                flags[r] = "low_confidence"
            elif r.accuracy > rules.max_accuracy:
                flags[r] = "inaccurate"
        usable = [r for r in self.reports if r not in flags]
        for before, r, after in zip(usable, usable[1:], usable[2:], strict=False):
            if self.too_fast(before, r) and self.too_fast(r, after):
                flags[r] = "jump"
        return flags

    def too_fast(self, a: Report, b: Report) -> bool:
        way = distance((a.latitude, a.longitude), (b.latitude, b.longitude)) - a.accuracy - b.accuracy
        could = self.rules.max_speed_kmh / 3.6 * (b.at - a.at).total_seconds()
        self.edges.append(abs(way - could))
        return way > could

    # which place a report names

    def near(self, report: Report) -> dict[int, tuple[Place, float, Shape]]:
        run = self.run_at(report.at)
        near = {}
        for place in run.places if run else ():
            shape = place.shape_at(report.at)
            if shape is not None and not surely_far(report, shape):
                near[place.id] = (place, place_distance(report, shape), shape)
        return near

    def named(self, report: Report, current: int | None) -> int | None:
        slack = min(report.accuracy, self.rules.entry_slack)
        near = self.near(report)
        inside = [(place, d) for place, d, _ in near.values() if d <= slack]
        self.edges += [abs(d - slack) for _, d, _ in near.values()]
        if current in near:
            place, d, shape = near[current]
            self.edges.append(abs(d - report.accuracy - shape.leeway()))
            delivered = not place.delivery and any(p.delivery for p, _ in inside)
            if d <= report.accuracy + shape.leeway() and not delivered:
                return current
        if not inside:
            return None
        return min(inside, key=lambda c: (not c[0].delivery, c[1], c[0].id))[0].id

    # what follows

    def judge(self) -> History:
        flags = self.flags()
        judged = [r for r in self.reports if r not in flags]
        changes, stays = self.memberships(judged)
        return History(self.status_rows(changes), self.events(changes, stays), flags, self.edges)

    def memberships(self, judged: list[Report]) -> tuple[list[tuple], list[list[Report]]]:
        """Changes (report, from, to), and for each the reports that name its place while it lasts, the first one included."""
        changes: list[tuple] = []
        stays: list[list[Report]] = []
        current, streak, wanted = None, [], None
        for n, report in enumerate(judged):
            run = self.run_at(report.at)
            needed = run.confirm if run and run.confirm else self.rules.confirm
            name = self.named(report, current)
            if n == 0 and (name is None or needed > 1):
                changes.append((report, "nothing yet", None))
                stays.append([])
            if name == current:
                streak = []
                if stays:
                    stays[-1].append(report)
                continue
            streak = [*streak, report] if streak and wanted == name else [report]
            wanted = name
            if len(streak) >= needed:
                changes.append((streak[0], current if changes else "nothing yet", name))
                stays.append(streak)
                current, streak = name, []
        return changes, stays

    def events(self, changes: list[tuple], stays: list[list[Report]]) -> list[tuple]:
        events = []
        for (report, old, new), here in zip(changes, stays, strict=True):
            if old not in (None, "nothing yet"):
                events.append((report.at, "exit", old))
            if new is None:
                continue
            events.append((report.at, "entry", new))
            last = report.at
            for later in here:
                if later.at - last >= self.rules.dwell:
                    events.append((later.at, "dwell", new))
                    last = later.at
        return events

    def delivery(self, location: int) -> bool:
        return next(p.delivery for s in self.stretches for p in s.run.places if p.id == location)

    def kind(self, location: int) -> str:
        return "delivery" if self.delivery(location) else "storage"

    def status_rows(self, changes: list[tuple]) -> list[tuple]:
        steps = []
        for report, old, new in changes:
            if new is not None:
                status = "DELIVERED" if self.delivery(new) else "IN_STORAGE"
                steps.append((report.at, 0, status, new, f"entered_{self.kind(new)}", None, old == "nothing yet"))
            elif old == "nothing yet":
                steps.append((report.at, 0, "IN_TRANSIT", None, "first_report", None, True))
            else:
                steps.append((report.at, 0, "IN_TRANSIT", None, f"left_{self.kind(old)}", None, False))
        for o in self.overrides:
            steps.append((o.at, 1, o.status, o.location, "override", o.id, False))
        rows, status, location = [], "CREATED", None
        for at, _, new_status, new_location, rule, override, always in sorted(steps, key=lambda s: s[:2]):
            if always or (new_status, new_location) != (status, location):
                rows.append((at, new_status, new_location, status, location, rule, override))
            status, location = new_status, new_location
        return rows
