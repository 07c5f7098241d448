"""A dozen towns in GeoNames' format, and distances between them by the haversine formula."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Town:
    id: int
    name: str
    latitude: float
    longitude: float
    country: str
    region: str
    admin1: str
    population: int
    other_names: str = ""
    feature: str = "PPL"
    feature_class: str = "P"

    def line(self) -> str:
        """As in cities500.txt: 19 fields."""
        ascii_name = self.name.encode("ascii", "replace").decode()
        fields = [
            self.id,
            self.name,
            ascii_name,
            self.other_names,
            self.latitude,
            self.longitude,
            self.feature_class,
            self.feature,
        ]
        fields += [self.country, "", self.admin1, "", "", "", self.population, "", 0, "Etc/UTC", "2023-01-01"]
        return "\t".join(map(str, fields))


TOWNS = [
    Town(2911298, "Hamburg", 53.55073, 9.99302, "DE", "Hamburg", "04", 1845229, "Hamborg,Hambourg", "PPLA"),
    Town(2950159, "Berlin", 52.52437, 13.41053, "DE", "State of Berlin", "16", 3426354, "Berlino", "PPLC"),
    Town(2867714, "Munich", 48.13743, 11.57549, "DE", "Bavaria", "02", 1260391, "München,Muenchen,Munich", "PPLA"),
    Town(2988507, "Paris", 48.85341, 2.3488, "FR", "Île-de-France", "11", 2138551, "Lutetia", "PPLC"),
    Town(4717560, "Paris", 33.66094, -95.55551, "US", "Texas", "TX", 24839),
    Town(2996944, "Lyon", 45.74846, 4.84671, "FR", "Auvergne-Rhône-Alpes", "84", 522969, "Lugdunum", "PPLA"),
    Town(2921044, "Garching", 48.24896, 11.65101, "DE", "Bavaria", "02", 15303),
    Town(5128581, "New York City", 40.71427, -74.00597, "US", "New York", "NY", 8804190, "New York,NYC,Nueva York"),
    Town(2147714, "Sydney", -33.86785, 151.20732, "AU", "New South Wales", "02", 4627345, "Sidney", "PPLA"),
]  # fmt: skip
ALTONA = Town(2956656, "Altona", 53.55, 9.93333, "DE", "Hamburg", "04", 250000, "", "PPLX")
NO_TOWNS = [
    Town(2950000, "Abandoned", 53.5501, 9.9931, "DE", "Hamburg", "04", 0, "", "PPLQ"),
    Town(2950001, "Mountain", 53.5502, 9.9932, "DE", "Hamburg", "04", 0, "", "MT", "T"),
]


def write(folder: Path, towns: list[Town] | None = None) -> Path:
    """cities500.txt with the towns (all), and the regions beside it."""
    towns = [*TOWNS, ALTONA, *NO_TOWNS] if towns is None else towns
    regions = {(t.country, t.admin1): t.region for t in towns}
    lines = [f"{country}.{code}\t{name}\t{name}\t1" for (country, code), name in regions.items()]
    folder.mkdir(exist_ok=True)
    (folder / "admin1CodesASCII.txt").write_text("\n".join(lines) + "\n")
    (folder / "cities500.txt").write_text("".join(t.line() + "\n" for t in towns))
    return folder / "cities500.txt"


def distance_km(town: Town, latitude: float, longitude: float) -> float:
    a, b = math.radians(town.latitude), math.radians(latitude)
    half = math.sin((a - b) / 2) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(town.longitude - longitude) / 2) ** 2
    return 2 * 6371 * math.asin(math.sqrt(half))
