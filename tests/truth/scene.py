"""A made-up world in the database, its reports from the simulator, and edits on the way: what the truth and permutation tests judge.

The simulator makes companies with places and tags that travel between them; here they become clients with runs. Some reports are added
that the simulator does not make: jumps, equal times, positions on edges.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import paths  # noqa: F401 - before what it makes importable
import psycopg
from findmy_sim.world import World
from oracle import Override, Place, Report, Run, Shape, Stretch

START = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass
class Arrival:
    """A report and when it came in."""

    tracker: int
    report: Report
    arrives: datetime

    def line(self) -> str:
        r = self.report
        return json.dumps(
            {
                "tracker": self.tracker,
                "timestamp": r.at.isoformat(),
                "latitude": r.latitude,
                "longitude": r.longitude,
                "horizontal_accuracy": r.accuracy,
                "confidence": r.confidence,
            }
        )


@dataclass
class Scene:
    days: int
    arrivals: list[Arrival] = field(default_factory=list)  # in the order of their arrival
    trackers: list[int] = field(default_factory=list)
    runs: dict[int, list[int]] = field(default_factory=dict)  # of a client
    places: dict[int, list[int]] = field(default_factory=dict)  # of a client
    clients: dict[int, int] = field(default_factory=dict)  # of a tracker

    def reports(self, tracker: int) -> list[Report]:
        return [a.report for a in self.arrivals if a.tracker == tracker]

    def by_tracker(self) -> dict[int, list[Report]]:
        reports: dict[int, list[Report]] = {t: [] for t in self.trackers}
        for a in self.arrivals:
            reports[a.tracker].append(a.report)
        return reports


def one(db: psycopg.Connection, sql: str, *values: object) -> int:
    return db.execute(sql, values).fetchone()[0]


# ---- making it ----


def build(db: psycopg.Connection, trackers: int, days: int, seed: str = "truth") -> Scene:
    rng = random.Random(f"{seed}/scene")
    world = World(seed)
    tags = world.populate(trackers, int(START.timestamp()), pace=0.3)
    scene = Scene(days)
    runs = {name: make_client(db, company, scene, rng) for name, company in world.companies.items()}
    for tag in tags:
        client, own_runs = runs[tag.company]
        tracker = one(
            db,
            "INSERT INTO trackers (client_id, production_run_id, name) VALUES (%s, %s, %s) RETURNING id",
            client,
            rng.choice(own_runs),
            tag.id,
        )
        scene.trackers.append(tracker)
        scene.clients[tracker] = client
        seen = tag.seen.between(START.timestamp(), (START + days * DAY).timestamp())
        scene.arrivals += [arrival(tracker, s) for s in seen] + oddities(tracker, seen, rng)
    scene.arrivals.sort(key=lambda a: (a.arrives, a.tracker, a.report))
    return scene


def make_client(db: psycopg.Connection, company: object, scene: Scene, rng: random.Random) -> tuple[int, list[int]]:
    """A client with two runs that share the warehouses and have most of the shops each: the others' shops are wrong places."""
    client = one(db, "INSERT INTO clients (name) VALUES (%s) RETURNING id", f"{company.name} {company.id}")
    brand = one(db, "INSERT INTO brands (client_id, name) VALUES (%s, 'brand') RETURNING id", client)
    runs = [
        one(
            db,
            "INSERT INTO production_runs (client_id, brand_id, name, starts_at, confirm_reports, release_at)"
            " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
            client,
            brand,
            f"run {n}",
            START,
            rng.choice((None, None, 2, 3)),
            rng.choice((None, START + rng.random() * 5 * DAY)),
        )
        for n in range(2)
    ]
    scene.runs[client], scene.places[client] = runs, []
    for n, place in enumerate(company.warehouses + company.shops):
        kind = "storage" if n < len(company.warehouses) else "delivery"
        location = make_place(db, client, kind, place, rng)
        scene.places[client].append(location)
        for run in runs:
            if kind == "storage" or rng.random() < 0.7:
                db.execute("INSERT INTO production_run_locations VALUES (%s, %s, %s)", (client, run, location))
    return client, runs


def make_place(db: psycopg.Connection, client: int, kind: str, place: object, rng: random.Random) -> int:
    latitude, longitude = place.center.lat, place.center.lon
    if rng.random() < 0.3:
        return one(
            db,
            f"INSERT INTO {kind}_locations (client_id, name, polygon, hysteresis_m) VALUES (%s, %s, %s, %s) RETURNING id",
            client,
            f"{place.name} {place.id}",
            json.dumps(polygon(latitude, longitude, place.radius, rng)),
            rng.choice((None, 10)),
        )
    return one(
        db,
        f"INSERT INTO {kind}_locations (client_id, name, latitude, longitude, radius_m, hysteresis_m)"
        " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        client,
        f"{place.name} {place.id}",
        latitude,
        longitude,
        max(50, place.radius),
        rng.choice((None, None, 5, 60)),
    )


def polygon(latitude: float, longitude: float, radius: float, rng: random.Random) -> dict:
    """A star-shaped ring around a position, some corners of it bent in."""
    corners = rng.randint(5, 9)
    ring = []
    for n in range(corners):
        reach = radius * rng.uniform(0.4, 1.2)
        angle = 2 * math.pi * n / corners
        north, east = reach * math.cos(angle), reach * math.sin(angle)
        ring.append([longitude + east / (111_320 * math.cos(math.radians(latitude))), latitude + north / 110_574])
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def arrival(tracker: int, sighting: object) -> Arrival:
    report = Report(
        datetime.fromtimestamp(sighting.seen, UTC),
        float(sighting.accuracy),
        sighting.lat_e7 / 1e7,
        sighting.lon_e7 / 1e7,
        sighting.confidence,
    )
    return Arrival(tracker, report, datetime.fromtimestamp(sighting.published, UTC))


def oddities(tracker: int, seen: list, rng: random.Random) -> list[Arrival]:
    """Of some reports a second one: far away (a jump, mostly), at the same time elsewhere, or a little later out of accuracy."""
    made = []
    for sighting in seen:
        a, roll = arrival(tracker, sighting), rng.random()
        r = a.report
        latitude, longitude = r.latitude, r.longitude
        at, accuracy = r.at + timedelta(seconds=rng.choice((60, 600))), r.accuracy
        if roll < 0.02:
            latitude += rng.choice((-5, 5, 0.3))
        elif roll < 0.04:
            at, longitude, accuracy = r.at, longitude + 0.01 * rng.random(), float(rng.choice((r.accuracy, 30, 60)))
        elif roll < 0.05:
            accuracy = float(rng.randint(201, 255))
        elif roll < 0.08:  # just outside, or just inside
            latitude += rng.uniform(-0.004, 0.004)
        else:
            continue
        report = Report(at, accuracy, round(latitude * 1e7) / 1e7, round(longitude * 1e7) / 1e7, rng.choice((2, 3)))
        made.append(Arrival(tracker, report, a.arrives + timedelta(minutes=rng.choice((0, 5, 5000)))))
    return made


# ---- edits ----


def edit(db: psycopg.Connection, scene: Scene, rng: random.Random) -> str:
    """One edit of the kind that people make, some days back or from a time on. Answers what it was."""
    client = rng.choice(list(scene.runs))
    trackers = [t for t in scene.trackers if scene.clients[t] == client]
    place, run, at = (
        rng.choice(scene.places[client]),
        rng.choice(scene.runs[client]),
        START + rng.random() * scene.days * DAY,
    )
    kind = one(db, "SELECT kind::text FROM locations WHERE id = %s", place)
    what = rng.choice(
        ("grow", "move", "link", "unlink", "confirm", "archive", "run", "run", "override", "override", "withdraw")
    )
    if what == "grow":
        db.execute(
            f"UPDATE {kind}_locations SET radius_m = greatest(50, radius_m * %s) WHERE id = %s AND radius_m IS NOT NULL",
            (rng.choice((0.6, 1.5)), place),
        )
    elif what == "move":
        db.execute(
            f"UPDATE {kind}_locations SET latitude = latitude + %s, valid_from = %s WHERE id = %s AND latitude IS NOT NULL",
            (rng.uniform(-0.002, 0.002), at, place),
        )
    elif what == "link":
        db.execute(
            "INSERT INTO production_run_locations VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", (client, run, place)
        )
    elif what == "unlink":
        db.execute(
            "DELETE FROM production_run_locations WHERE production_run_id = %s AND location_id = %s", (run, place)
        )
    elif what == "confirm":
        db.execute("UPDATE production_runs SET confirm_reports = %s WHERE id = %s", (rng.choice((None, 1, 2, 4)), run))
    elif what == "archive":
        db.execute(
            "UPDATE locations SET archived_at = CASE WHEN archived_at IS NULL THEN %s::timestamptz END WHERE id = %s",
            (at, place),
        )
    elif what == "run":
        move_to_run(db, rng.choice(trackers), client, run, at)
    elif what == "override":
        db.execute(
            "INSERT INTO status_overrides (client_id, tracker_id, at, status, location_id, reason)"
            " SELECT client_id, %s, %s, CASE kind WHEN 'storage' THEN 'IN_STORAGE' ELSE 'DELIVERED' END::tracker_status, id, 'seen there'"
            " FROM locations WHERE id = %s",
            (rng.choice(trackers), at, place),
        )
    else:
        db.execute(
            "UPDATE status_overrides SET withdrawn_at = now() WHERE id = (SELECT min(id) FROM status_overrides WHERE withdrawn_at IS NULL)"
        )
    return what


def move_to_run(db: psycopg.Connection, tracker: int, client: int, run: int, at: datetime) -> None:
    """From a time on: what was planned for later falls away."""
    db.execute("DELETE FROM tracker_runs WHERE tracker_id = %s AND lower(period) >= %s", (tracker, at))
    db.execute(
        "UPDATE tracker_runs SET period = tstzrange(lower(period), %s) WHERE tracker_id = %s AND period @> %s::timestamptz",
        (at, tracker, at),
    )
    db.execute(
        "INSERT INTO tracker_runs (client_id, tracker_id, production_run_id, period) VALUES (%s, %s, %s, tstzrange(%s, NULL))",
        (client, tracker, run, at),
    )


# ---- reading it back for the oracle ----


def read_runs(db: psycopg.Connection) -> dict[int, Run]:
    shapes: dict[int, list[Shape]] = {}
    for row in db.execute(
        "SELECT location_id, lower(period), upper(period), ST_Y(center::geometry), ST_X(center::geometry), radius_m,"
        " ST_AsGeoJSON(polygon, 15)::jsonb, hysteresis_m FROM location_shapes"
    ):
        corners = tuple((y, x) for x, y in row[6]["coordinates"][0][:-1]) if row[6] else ()
        shapes.setdefault(row[0], []).append(
            Shape(row[1], row[2], (row[3], row[4]) if row[5] else None, row[5], corners, row[7])
        )
    places = {
        row[0]: Place(row[0], row[1] == "delivery", tuple(shapes.get(row[0], ())), row[2])
        for row in db.execute("SELECT id, kind::text, archived_at FROM locations")
    }
    linked: dict[int, list[Place]] = {}
    for run, location in db.execute(
        "SELECT production_run_id, location_id FROM production_run_locations ORDER BY 1, 2"
    ):
        linked.setdefault(run, []).append(places[location])
    return {
        row[0]: Run(row[0], row[1], tuple(linked.get(row[0], ())))
        for row in db.execute("SELECT id, confirm_reports FROM production_runs")
    }


def read_stretches(db: psycopg.Connection) -> dict[int, list[Stretch]]:
    runs = read_runs(db)
    stretches: dict[int, list[Stretch]] = {}
    for row in db.execute("SELECT tracker_id, production_run_id, lower(period), upper(period) FROM tracker_runs"):
        stretches.setdefault(row[0], []).append(Stretch(runs[row[1]], row[2], row[3]))
    return stretches


def read_overrides(db: psycopg.Connection) -> dict[int, list[Override]]:
    overrides: dict[int, list[Override]] = {}
    for row in db.execute(
        "SELECT tracker_id, id, at, status::text, location_id FROM status_overrides WHERE withdrawn_at IS NULL"
    ):
        overrides.setdefault(row[0], []).append(Override(*row[1:]))
    return overrides
