"""Positions on the sphere: distances, points on a great circle, offsets in metres.

Latitude and longitude are degrees (WGS 84 taken as a sphere: the simulator needs plausible, not geodetic,
lengths); distances are metres.
"""

from __future__ import annotations

import math
from typing import NamedTuple

EARTH_RADIUS_M = 6_371_008.8
METRES_PER_DEGREE = math.radians(1) * EARTH_RADIUS_M
# Close to the poles a degree of longitude vanishes; nobody has a warehouse there.
MAX_LATITUDE = 89.0


class Position(NamedTuple):
    """A point: degrees."""

    lat: float
    lon: float

    def checked(self) -> Position:
        """The position itself, or ValueError if it is not on Earth."""
        if not (math.isfinite(self.lat) and math.isfinite(self.lon)):
            raise ValueError("a position must be finite")
        if abs(self.lat) > 90 or abs(self.lon) > 180:
            raise ValueError("latitude must be within 90 and longitude within 180 degrees")
        return self


def distance(a: Position, b: Position) -> float:
    """Great-circle distance in metres (haversine)."""
    lat_a, lat_b = math.radians(a.lat), math.radians(b.lat)
    half_lat = (lat_b - lat_a) / 2
    half_lon = math.radians(b.lon - a.lon) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(chord)))


def offset(origin: Position, north_m: float, east_m: float) -> Position:
    """The point so many metres north and east; longitude wraps, latitude is clamped."""
    lat = max(-MAX_LATITUDE, min(MAX_LATITUDE, origin.lat + north_m / METRES_PER_DEGREE))
    shrink = max(math.cos(math.radians(lat)), 0.01)
    lon = origin.lon + east_m / (METRES_PER_DEGREE * shrink)
    return Position(lat, (lon + 180) % 360 - 180)


def between(a: Position, b: Position, fraction: float) -> Position:
    """The point at `fraction` of the great circle from a to b."""
    angle = distance(a, b) / EARTH_RADIUS_M
    if angle < 1e-9:
        return a
    weight_a = math.sin((1 - fraction) * angle) / math.sin(angle)
    weight_b = math.sin(fraction * angle) / math.sin(angle)
    x, y, z = (weight_a * p + weight_b * q for p, q in zip(_vector(a), _vector(b), strict=True))
    return Position(math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x)))


def _vector(p: Position) -> tuple[float, float, float]:
    lat, lon = math.radians(p.lat), math.radians(p.lon)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


class Path(NamedTuple):
    """A curved way from start to end: a great circle, bent sideways by two sine waves.

    bend and wobble are the waves' heights as fractions of the distance.
    """

    start: Position
    end: Position
    bend: float
    wobble: float

    def at(self, fraction: float) -> Position:
        """The point at a fraction 0..1 of the way; the ends are hit exactly."""
        base = between(self.start, self.end, fraction)
        length = distance(self.start, self.end)
        if length < 1:
            return base
        wave = self.bend * math.sin(math.pi * fraction) + self.wobble * math.sin(3 * math.pi * fraction)
        ahead, behind = (between(self.start, self.end, f) for f in (min(1, fraction + 0.01), max(0, fraction - 0.01)))
        north = ahead.lat - behind.lat
        east = (ahead.lon - behind.lon) * math.cos(math.radians(base.lat))
        norm = math.hypot(north, east) or 1.0
        return offset(base, -east / norm * wave * length, north / norm * wave * length)


def to_e7(degrees: float) -> int:
    """Degrees as the wire's signed integer, degrees times 10^7."""
    return round(degrees * 10_000_000)
