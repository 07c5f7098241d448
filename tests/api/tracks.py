"""Trackers with reports, events and statuses, written as the pipeline writes them."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

import httpx
import psycopg
from helpers import made

START = dt.datetime(2026, 3, 10, 6, 0, tzinfo=dt.UTC)


def at(hours: float) -> dt.datetime:
    return START + dt.timedelta(hours=hours)


def rfc3339(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Report:
    at: dt.datetime
    latitude: float
    longitude: float
    accuracy: float = 20
    confidence: int = 2
    status: int = 0
    excluded: bool = False


def store(db: psycopg.Connection, tracker: int, reports: list[Report]) -> int:
    """Store reports the only way there is; how many were new."""
    rows = db.execute(
        "SELECT count(*) FROM store_reports(%s::bigint[], %s::timestamptz[], %s::float8[], %s::float8[], %s::real[],"
        " %s::smallint[], %s::smallint[], %s::bigint[], %s::boolean[])",
        (
            [tracker] * len(reports),
            [r.at for r in reports],
            [float(r.latitude) for r in reports],
            [float(r.longitude) for r in reports],
            [float(r.accuracy) for r in reports],
            [r.confidence for r in reports],
            [r.status for r in reports],
            [None] * len(reports),
            [r.excluded for r in reports],
        ),
    )
    return rows.fetchone()[0]


def flag(db: psycopg.Connection, tracker: int, report: Report, reason: str) -> None:
    db.execute(
        "INSERT INTO report_flags VALUES (%s, %s, round(%s * 1e7), round(%s * 1e7), %s)",
        (tracker, report.at, report.latitude, report.longitude, reason),
    )


def show_position(db: psycopg.Connection, tracker: int, report: Report, **columns: object) -> None:
    """What the judge writes into the tracker itself."""
    values = {
        "last_report_at": report.at,
        "last_latitude": report.latitude,
        "last_longitude": report.longitude,
        "last_accuracy_m": report.accuracy,
    } | columns
    sets = ", ".join(f"{name} = %({name})s" for name in values)
    db.execute(f"UPDATE trackers SET {sets} WHERE id = %(id)s", values | {"id": tracker})


@dataclass(frozen=True)
class Goods:
    """A client with a run, its places and a tracker."""

    client: int
    brand: int
    run: int
    tracker: int
    storage: int
    delivery: int


def make_tracker(admin: httpx.Client, run: int) -> int:
    return made(admin.post("/trackers", json={"production_run_id": run, "name": uuid.uuid4().hex}))["id"]


def make_goods(admin: httpx.Client, client: int) -> Goods:
    def name() -> dict:
        return {"client_id": client, "name": uuid.uuid4().hex}

    brand = made(admin.post("/brands", json=name()))["id"]
    run = made(admin.post("/production-runs", json=name() | {"brand_id": brand}))["id"]
    storage, delivery = (
        made(admin.post(f"/{kind}-locations", json=name() | {"center": {"latitude": lat, "longitude": 10}}))["id"]
        for kind, lat in (("storage", 50), ("delivery", 52))
    )
    return Goods(client, brand, run, make_tracker(admin, run), storage, delivery)


def add_event(db: psycopg.Connection, goods: Goods, kind: str, location: int, when: dt.datetime) -> int:
    row = db.execute(
        "INSERT INTO geofence_events (client_id, tracker_id, production_run_id, location_id, kind, occurred_at, latitude,"
        " longitude, accuracy_m, distance_m) VALUES (%s, %s, %s, %s, %s, %s, 50, 10, 20, -12.5) RETURNING id",
        (goods.client, goods.tracker, goods.run, location, kind, when),
    )
    return row.fetchone()[0]


def add_status(
    db: psycopg.Connection,
    goods: Goods,
    status: str,
    since: dt.datetime,
    location: int | None = None,
    previous: str = "CREATED",
    override: int | None = None,
) -> int:
    report = (None, None, None, None) if override else (since, 50, 10, 20)
    row = db.execute(
        "INSERT INTO status_history (client_id, tracker_id, production_run_id, status, location_id, since, previous_status,"
        " rule, override_id, reported_at, latitude, longitude, accuracy_m) VALUES"
        " (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (goods.client, goods.tracker, goods.run, status, location, since, previous, "a_rule", override, *report),
    )
    return row.fetchone()[0]


def add_exception(
    db: psycopg.Connection, goods: Goods, kind: str, since: dt.datetime, ended: dt.datetime | None = None
) -> int:
    row = db.execute(
        "INSERT INTO tracker_exceptions (client_id, tracker_id, kind, since, ended_at) VALUES (%s, %s, %s, %s, %s) RETURNING id",
        (goods.client, goods.tracker, kind, since, ended),
    )
    return row.fetchone()[0]
