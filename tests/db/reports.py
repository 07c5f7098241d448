"""Storing reports and computing their history in Python, the plain way, to compare the database with."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WIDTHS = {"hourly": timedelta(hours=1), "daily": timedelta(days=1)}


@dataclass(frozen=True)
class Report:
    tracker: int
    at: datetime
    latitude: float
    longitude: float
    accuracy: float = 20
    confidence: int = 2
    status: int | None = 0
    excluded: bool = False


def store(connection: psycopg.Connection, reports: list[Report], imported: bool = False) -> list[tuple]:
    """Call store_reports(); answers (tracker, time) of the new ones."""
    return connection.execute(
        "SELECT tracker_id, reported_at FROM store_reports(%s::bigint[], %s::timestamptz[], %s::float8[], %s::float8[], %s::real[],"
        " %s::smallint[], %s::smallint[], %s::bigint[], %s::boolean[], %s)",
        (
            [r.tracker for r in reports],
            [r.at for r in reports],
            [r.latitude for r in reports],
            [r.longitude for r in reports],
            [r.accuracy for r in reports],
            [r.confidence for r in reports],
            [r.status for r in reports],
            [None for _ in reports],
            [r.excluded for r in reports],
            imported,
        ),
    ).fetchall()


def geodesic(a: Report, b: Report) -> float:
    """Metres on WGS 84 between two reports (Vincenty's inverse formula)."""
    if (a.latitude, a.longitude) == (b.latitude, b.longitude):
        return 0.0
    major, flat = 6378137.0, 1 / 298.257223563
    minor = major * (1 - flat)
    u1, u2 = (math.atan((1 - flat) * math.tan(math.radians(r.latitude))) for r in (a, b))
    span = lam = math.radians(b.longitude - a.longitude)
    for _ in range(200):
        sin_sigma = math.hypot(
            math.cos(u2) * math.sin(lam),
            math.cos(u1) * math.sin(u2) - math.sin(u1) * math.cos(u2) * math.cos(lam),
        )
        cos_sigma = math.sin(u1) * math.sin(u2) + math.cos(u1) * math.cos(u2) * math.cos(lam)
        sigma = math.atan2(sin_sigma, cos_sigma)
        sin_alpha = math.cos(u1) * math.cos(u2) * math.sin(lam) / sin_sigma
        cos2_alpha = 1 - sin_alpha**2
        cos_2m = cos_sigma - 2 * math.sin(u1) * math.sin(u2) / cos2_alpha if cos2_alpha else 0
        c = flat / 16 * cos2_alpha * (4 + flat * (4 - 3 * cos2_alpha))
        before, lam = (
            lam,
            span
            + (1 - c) * flat * sin_alpha * (sigma + c * sin_sigma * (cos_2m + c * cos_sigma * (2 * cos_2m**2 - 1))),
        )
        if abs(lam - before) < 1e-13:
            break
    u = cos2_alpha * (major**2 - minor**2) / minor**2
    big_a = 1 + u / 16384 * (4096 + u * (-768 + u * (320 - 175 * u)))
    big_b = u / 1024 * (256 + u * (-128 + u * (74 - 47 * u)))
    delta = (
        big_b
        * sin_sigma
        * (
            cos_2m
            + big_b
            / 4
            * (cos_sigma * (2 * cos_2m**2 - 1) - big_b / 6 * cos_2m * (4 * sin_sigma**2 - 3) * (4 * cos_2m**2 - 3))
        )
    )
    return minor * big_a * (sigma - delta)


def bucket_of(at: datetime, width: timedelta) -> datetime:
    return EPOCH + (at - EPOCH) // width * width


def history(reports: list[Report], width: timedelta) -> dict[tuple, dict]:
    """{(tracker, bucket): summary} as the views give it."""
    buckets = defaultdict(set)
    for r in reports:
        if not r.excluded:
            buckets[r.tracker, bucket_of(r.at, width)].add(r)
    result = {}
    for key, members in buckets.items():
        path = sorted(members, key=lambda r: (r.at, r.accuracy, r.latitude, r.longitude))
        best = min(members, key=lambda r: (r.accuracy, r.at, r.latitude, r.longitude))
        result[key] = {
            "reports": len(path),
            "first": (path[0].at, path[0].latitude, path[0].longitude),
            "last": (path[-1].at, path[-1].latitude, path[-1].longitude),
            "best": (best.at, best.latitude, best.longitude, best.accuracy),
            "confidence": max(r.confidence for r in path),
            "box": (
                min(r.latitude for r in path), max(r.latitude for r in path),
                min(r.longitude for r in path), max(r.longitude for r in path),
            ),
            "distance": sum(geodesic(a, b) for a, b in itertools.pairwise(path)),
        }  # fmt: skip
    return result


def read_history(connection: psycopg.Connection, relation: str) -> dict[tuple, dict]:
    """The same from a relation with the columns of history_columns()."""
    rows = connection.execute(
        "SELECT tracker_id, bucket, reports, first_at, first_latitude_e7 / 1e7::float8, first_longitude_e7 / 1e7::float8,"
        " last_at, last_latitude_e7 / 1e7::float8, last_longitude_e7 / 1e7::float8,"
        " best_at, best_latitude_e7 / 1e7::float8, best_longitude_e7 / 1e7::float8, best_accuracy_m, best_confidence,"
        " min_latitude_e7 / 1e7::float8, max_latitude_e7 / 1e7::float8, min_longitude_e7 / 1e7::float8, max_longitude_e7 / 1e7::float8,"
        f" distance_m FROM {relation}"
    ).fetchall()
    result = {}
    for r in rows:
        assert (r[0], r[1]) not in result, f"{relation} has two rows for {r[:2]}"
        result[r[0], r[1]] = {
            "reports": r[2], "first": r[3:6], "last": r[6:9], "best": r[9:13], "confidence": r[13], "box": r[14:18], "distance": r[18],
        }  # fmt: skip
    return result


def assert_same_history(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for key, summary in expected.items():
        mine = dict(found[key])
        distance = mine.pop("distance")
        assert mine == {k: v for k, v in summary.items() if k != "distance"}, key
        # Two independent geodesic formulas agree to a millimetre per leg.
        assert math.isclose(distance, summary["distance"], rel_tol=1e-8, abs_tol=2e-3), (
            key,
            distance,
            summary["distance"],
        )
