"""What the browser tests of the user front end look at: two customers, their goods under way, and their people.

Reports are imported and judged by the real judge, so statuses, events and exceptions are what the rules make of them.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx

PASSWORD = "browser-tests-2026"
ADMIN = "admin@example.com"
MANAGER = "manager@nordlicht.example"
USER = "user@nordlicht.example"
LONELY = "nobody@empty.example"  # of a customer who has nothing yet

HAMBURG = (53.5327, 9.9294)
BERLIN = (52.5219, 13.4132)
MUNICH = (48.1374, 11.5755)
ROAD = [(53.31, 10.35), (53.02, 11.10), (52.83, 11.90), (52.66, 12.70)]


class Api:
    """The API as one signed-in caller; a refusal ends the program with its text."""

    def __init__(self, url: str, email: str) -> None:
        self.client = httpx.Client(base_url=url + "/api/v1", timeout=60)
        login = self.client.post("/auth/login/json", json={"email": email, "password": PASSWORD})
        self.client.headers["Authorization"] = f"Bearer {self.checked(login)['access_token']}"

    @staticmethod
    def checked(answer: httpx.Response) -> dict:
        if answer.is_error:
            raise SystemExit(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def make(self, path: str, **body: object) -> int:
        return self.checked(self.client.post(path, json=body))["id"]


def report(tracker: str, at: datetime, where: tuple[float, float], accuracy: int = 20, battery: int = 0) -> str:
    """A line for `trackerd import reports`."""
    return json.dumps(
        {
            "tracker": tracker,
            "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "latitude": where[0],
            "longitude": where[1],
            "horizontal_accuracy": accuracy,
            "confidence": 2,
            "status": battery << 6,
        }
    )


def life(tracker: str, now: datetime, stops: list[tuple[float, tuple[float, float]]]) -> list[str]:
    """Reports every three hours from each stop's time (hours ago) to the next's; on the road once for each hour and a half."""
    lines = []
    for number, (begin, place) in enumerate(stops):
        end = stops[number + 1][0] + 7 if number + 1 < len(stops) else 0.5
        hours = begin
        while hours > end:
            lines.append(report(tracker, now - timedelta(hours=hours), place))
            hours -= 3
        if number + 1 < len(stops):
            first = stops[number + 1][0] + 6
            lines += [report(tracker, now - timedelta(hours=first - 1.5 * i), at) for i, at in enumerate(ROAD)]
    return lines


def make_client(admin: Api, name: str, brand: str, runs: list[str]) -> dict:
    client = admin.make("/clients", name=name)
    brand_id = admin.make("/brands", client_id=client, name=brand)
    places = {
        "Warehouse Hamburg": ("storage", HAMBURG),
        "Store Berlin Mitte": ("delivery", BERLIN),
        "Store Munich": ("delivery", MUNICH),
    }
    ids = []
    for place, (kind, (latitude, longitude)) in places.items():
        center = {"latitude": latitude, "longitude": longitude}
        ids.append(admin.make(f"/{kind}-locations", client_id=client, name=place, center=center, radius_m=200))
    run_ids = []
    for run in runs:
        run_id = admin.make("/production-runs", brand_id=brand_id, name=run)
        admin.checked(admin.client.put(f"/production-runs/{run_id}/locations", json={"location_ids": ids}))
        run_ids.append(run_id)
    return {"client": client, "brand": brand_id, "runs": run_ids, "locations": ids}


def build(stack) -> dict:
    """Fill an empty stack; ids and names that tests use."""
    stack.add_town()
    stack.create_user(ADMIN, PASSWORD, admin=True)
    admin = Api(stack.url, ADMIN)
    nord = make_client(admin, "Nordlicht Displays", "Polar", ["Polar floor displays", "Polar counter units"])
    other = make_client(admin, "Maison Verte", "Verte", ["Verte tester stands"])
    empty = admin.make("/clients", name="Empty House")
    for email, role, client in (
        (MANAGER, "manager", nord["client"]),
        (USER, "user", nord["client"]),
        (LONELY, "user", empty),
    ):
        admin.make(
            "/users", email=email, name=email.split("@")[0].title(), role=role, client_ids=[client], password=PASSWORD
        )

    now = datetime.now(UTC).replace(microsecond=0)
    lines: list[str] = []
    trackers: dict[str, int] = {}

    def unit(name: str, run: int, *stops: tuple[float, tuple[float, float]]) -> None:
        trackers[name] = admin.make("/trackers", client_id=nord["client"], production_run_id=run, name=name)
        lines.extend(life(name, now, list(stops)))

    first, second = nord["runs"]
    unit("Display 001", first, (140, HAMBURG), (60, BERLIN))
    unit("Display 002", first, (140, HAMBURG), (30, MUNICH))
    unit("Display 003", first, (120, HAMBURG), (0, BERLIN))
    unit("Display 004", first, (120, HAMBURG))
    unit("Display 005", first)
    for number in range(1, 8):
        unit(f"Counter {number:03}", second, (100 + number, HAMBURG), *([(20 + number, BERLIN)] if number % 2 else []))
    trackers["Stand 001"] = admin.make(
        "/trackers", client_id=other["client"], production_run_id=other["runs"][0], name="Stand 001"
    )
    lines += life("Stand 001", now, [(50, HAMBURG)])
    stack.run("import", "reports", "-", stdin="\n".join(lines) + "\n")
    stack.run("judge")
    manager = Api(stack.url, MANAGER)
    link = {"name": "For the browser tests"}
    shared = {
        "tracker": manager.checked(
            manager.client.post("/share-links", json=link | {"tracker_id": trackers["Counter 003"]})
        ),
        "run": manager.checked(manager.client.post("/share-links", json=link | {"production_run_id": second})),
    }
    return {
        "password": PASSWORD,
        "admin": ADMIN,
        "manager": MANAGER,
        "user": USER,
        "lonely": LONELY,
        "nord": nord,
        "other": other,
        "trackers": trackers,
        "shared": {subject: made["token"] for subject, made in shared.items()},
    }
