"""The demo data of `make run`: invented companies, real cities, tags that the simulator moves between their places.

The tags' keys are made once by `trackerd keys generate` and kept for the simulator; the system itself gets them by the same import
that operators use. Loading is repeatable: what has its name already is left alone.
"""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

ADMIN_EMAIL = "admin@example.com"
USER_EMAIL = "customer@example.com"
PASSWORD = "demo-password-2026"  # of a demo on loopback, printed at every start

APPLE_ID, APPLE_PASSWORD = "demo@example.com", "find-my-demo"  # the simulator's own account
SIGN_IN_SECONDS = 60

TRACKERS_PER_RUN = 40
SEED = 20261124

# name -> (brands with their runs, storage cities, delivery cities); positions in degrees
COMPANIES = {
    "Nordlicht Displays": {
        "runs": {"Aurora": ["Aurora spring 2026", "Aurora counter units"], "Polaris": ["Polaris launch"]},
        "storage": {"Warehouse Hamburg": (53.5327, 9.9294), "Warehouse Leipzig": (51.4127, 12.4231)},
        "delivery": {
            "Store Berlin Mitte": (52.5219, 13.4132),
            "Store Munich": (48.1374, 11.5755),
            "Store Vienna": (48.2082, 16.3738),
            "Store Zurich": (47.3744, 8.5410),
        },
    },
    "Maison Verte": {
        "runs": {"Verte": ["Verte tester stands"]},
        "storage": {"Depot Lyon": (45.7009, 4.9520)},
        "delivery": {
            "Boutique Paris": (48.8698, 2.3309),
            "Boutique Marseille": (43.2954, 5.3745),
            "Boutique Brussels": (50.8467, 4.3525),
        },
    },
    "Atlas Demo Pool": {
        "runs": {"Atlas": ["Atlas demo pallets"]},
        "storage": {"Hub Rotterdam": (51.8850, 4.2860)},
        "delivery": {"Showroom London": (51.5136, -0.1365), "Showroom Madrid": (40.4203, -3.7058)},
    },
}


class DemoError(RuntimeError):
    """The API refused a part of the demo data."""


class Api:
    """As much of an HTTP client as the loader needs."""

    def __init__(self, url: str) -> None:
        self.url = url + "/api/v1"
        self.token = ""

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        raw: bytes | None = None,
        content_type: str = "application/json",
    ) -> dict:
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", content_type)
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return json.loads(text) if text else {}
        except urllib.error.HTTPError as error:
            raise DemoError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')[:500]}") from None

    def sign_in(self, email: str, password: str) -> None:
        self.token = self.call("POST", "/auth/login/json", {"email": email, "password": password})["access_token"]

    def ensure(self, path: str, body: dict, **where: object) -> int:
        """The id of the row with this name below the given parent, created when it is missing."""
        query = urllib.parse.urlencode({**where, "limit": 500})
        for row in self.call("GET", f"{path}?{query}")["items"]:
            if row["name"] == body["name"]:
                return row["id"]
        return self.call("POST", path, body)["id"]


def runs_of_demo() -> list[tuple[str, str, str]]:
    """(company, brand, run) of every demo run, always in the same order."""
    return [(c, b, r) for c, data in COMPANIES.items() for b, runs in data["runs"].items() for r in runs]


def place(position: tuple[float, float], kind: str) -> dict:
    return {"latitude": position[0], "longitude": position[1], "radius": 80, "kind": kind}


def route(company: dict, chance: random.Random, now: datetime) -> list[dict]:
    """A plausible life: some days in storage, a trip, delivered to a shop; some units are still on their way or in storage.

    Times are absolute, so that a simulator that is started again tells the same story.
    """

    def hours_ago(hours: float) -> str:
        return (now - timedelta(hours=hours)).isoformat(timespec="seconds")

    storage = chance.choice(list(company["storage"].values()))
    shop = chance.choice(list(company["delivery"].values()))
    arrived = chance.uniform(5.5, 6.9) * 24
    left = chance.uniform(0.2, 5.0) * 24
    stops = [{"place": place(storage, "storage"), "arrive": hours_ago(arrived)}]
    if chance.random() < 0.75:
        stops[0]["leave"] = hours_ago(left)
        stops.append({"place": place(shop, "delivery"), "arrive": hours_ago(left - chance.uniform(8, 30))})
    return stops


def write_tags(trackerd: Path, file: Path) -> list[dict]:
    """Make the demo tags once; one JSON object a line, in the form the simulator reads."""
    if not file.exists():
        count = TRACKERS_PER_RUN * len(runs_of_demo())
        made = subprocess.run(
            [str(trackerd), "keys", "generate", "--count", str(count), "--format", "json"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        chance, now = random.Random(SEED), datetime.now(UTC)
        keys = [json.loads(line) for line in made.splitlines()]
        lines = []
        for number, key in enumerate(keys):
            company, _, run = runs_of_demo()[number // TRACKERS_PER_RUN]
            name = f"{run} {number % TRACKERS_PER_RUN + 1:03d}"
            tag = {"id": f"unit-{number + 1}", "name": name, "private_key": key["private_key"]}
            lines.append(json.dumps(tag | {"company": company, "route": route(COMPANIES[company], chance, now)}))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text("\n".join(lines) + "\n")
    return [json.loads(line) for line in file.read_text().splitlines()]


def write_profile(apple_url: str, file: Path) -> Path:
    """The provider profile that leads to the simulator instead of Apple."""
    gsa = f"{apple_url}/grandslam/GsService2"
    endpoints = {
        "gsa": gsa,
        "lookup": f"{gsa}/lookup",
        "validate": f"{gsa}/validate",
        "trusted_device": f"{apple_url}/auth/verify/trusteddevice",
        "phones": f"{apple_url}/auth",
        "phone": f"{apple_url}/auth/verify/phone",
        "phone_code": f"{apple_url}/auth/verify/phone/securitycode",
        "delegates": f"{apple_url}/setup/iosbuddy/loginDelegates",
        "fetch_v1": f"{apple_url}/acsnservice/fetch",
        "fetch_v2": f"{apple_url}/findmyservice/v2/fetch",
    }
    retry = {"retry": "30s"}  # a simulator that was restarted is back at once
    profile = {"format": 1, "name": "simulator", "endpoints": endpoints, "fetch": retry, "login": retry}
    file.write_text(json.dumps(profile, indent=2) + "\n")
    return file


def tags_csv(tags: list[dict]) -> bytes:
    """The file an operator would import."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["ID/Name", "Advertisement Key", "Private Key", "Hashed Adv Key", "MAC Address"])
    for tag in tags:
        writer.writerow([tag["name"], "", tag["private_key"], "", ""])
    return out.getvalue().encode()


def ensure_account(api: Api) -> None:
    """The Apple account by which the workers fetch, signed in."""
    body = {"name": "Simulator", "username": APPLE_ID, "password": APPLE_PASSWORD}
    account = api.ensure("/apple-accounts", body)
    if api.call("GET", f"/apple-accounts/{account}")["state"] in ("ready", "disabled"):
        return
    api.call("POST", f"/apple-accounts/{account}/sign-in")
    deadline = time.monotonic() + SIGN_IN_SECONDS
    while (row := api.call("GET", f"/apple-accounts/{account}"))["state"] == "signing_in":
        if time.monotonic() > deadline:
            raise DemoError("the simulator's account was not signed in; see var/worker.log")
        time.sleep(0.5)
    if row["state"] != "ready":
        raise DemoError(f"the simulator's account is {row['state']}: {row['state_reason']}")


def load_demo(url: str, tags: list[dict]) -> None:
    """Fill an empty system through its API; repeatable."""
    api = Api(url)
    api.sign_in(ADMIN_EMAIL, PASSWORD)
    ensure_account(api)
    client_ids = []
    for number, (company, brand_name, run_name) in enumerate(runs_of_demo()):
        data = COMPANIES[company]
        client = api.ensure("/clients", {"name": company})
        client_ids.append(client)
        places = []
        for kind in ("storage", "delivery"):
            for name, (latitude, longitude) in data[kind].items():
                center = {"latitude": latitude, "longitude": longitude}
                body = {"client_id": client, "name": name, "center": center, "radius_m": 200}
                places.append(api.ensure(f"/{kind}-locations", body, client_id=client))
        brand = api.ensure("/brands", {"client_id": client, "name": brand_name}, client_id=client)
        run = api.ensure("/production-runs", {"brand_id": brand, "name": run_name}, brand_id=brand)
        api.call("PUT", f"/production-runs/{run}/locations", {"location_ids": places})
        if not api.call("GET", f"/trackers?client_id={client}&production_run_id={run}&limit=1")["items"]:
            part = tags[number * TRACKERS_PER_RUN : (number + 1) * TRACKERS_PER_RUN]
            path = f"/trackers/import?client_id={client}&production_run_id={run}"
            api.call("POST", path, raw=tags_csv(part), content_type="text/csv")
    users = api.call("GET", "/users?limit=500")["items"]
    if all(user["email"] != USER_EMAIL for user in users):
        body = {"email": USER_EMAIL, "name": "Demo Customer", "password": PASSWORD, "role": "user"}
        api.call("POST", "/users", body | {"client_ids": sorted(set(client_ids))[:1]})
