"""A stand-in for Nominatim and Photon, written from their published interfaces, that holds its callers to the usage policy.

Below /nominatim it answers /search and /reverse as Nominatim does (format=jsonv2), below /photon /api and /reverse as Photon. It knows the
towns of gazetteer.py. A caller without an identification of its own is refused (403), one that asks too often is told so (429) and counted.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from gazetteer import TOWNS, Town, distance_km

STOCK_AGENTS = ("curl/", "libcurl/", "python-", "Java/", "Mozilla/")
# A request that left its sender in time may arrive a little early after a slower one.
TOLERANCE = 0.1


class GeocoderStandIn:
    """Use as a context manager. `requests` are the (time, path, query) of all callers, `too_often` how many broke the limit."""

    def __init__(self, interval: float = 1.0) -> None:
        self.interval = interval
        self.requests: list[tuple[float, str, dict[str, str]]] = []
        self.too_often = 0
        self.agents: set[str] = set()
        self.faults: deque[tuple[int, dict[str, str], bytes] | str] = deque()  # an answer, or "cut" or "hang"
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})

    def url(self, kind: str) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/{kind}"

    def asked(self, path: str) -> list[dict[str, str]]:
        return [query for _, asked_path, query in self.requests if asked_path == path]

    def __enter__(self) -> GeocoderStandIn:
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    # ---- the policy

    def admit(self, agent: str, path: str, query: dict[str, str]) -> tuple[int, dict[str, str], bytes] | str | None:
        """None: answer it. Otherwise what is answered instead."""
        with self.lock:
            now = time.monotonic()
            previous = self.requests[-1][0] if self.requests else -1e9
            self.requests.append((now, path, query))
            self.agents.add(agent)
            if not agent or agent.startswith(STOCK_AGENTS):
                return 403, {}, b"Access blocked: identify your application"
            if now - previous < self.interval - TOLERANCE:
                self.too_often += 1
                return 429, {"Retry-After": "1"}, b"Too many requests"
            return self.faults.popleft() if self.faults else None

    # ---- the answers

    @staticmethod
    def nearest(latitude: float, longitude: float) -> Town | None:
        town = min(TOWNS, key=lambda t: distance_km(t, latitude, longitude))
        return town if distance_km(town, latitude, longitude) < 100 else None

    @staticmethod
    def matching(q: str) -> list[Town]:
        return [t for t in TOWNS if t.name.lower() in q.lower()]

    def nominatim(self, path: str, query: dict[str, str]) -> object:
        assert query["format"] == "jsonv2", query

        def place(town: Town, latitude: float, longitude: float) -> dict:
            return {
                "place_id": town.id, "lat": f"{latitude:.7f}", "lon": f"{longitude:.7f}", "place_rank": 16, "name": town.name,
                "display_name": f"{town.name}, {town.region}, {town.country}",
                "address": {"city": town.name, "state": town.region, "country_code": town.country.lower()},
            }  # fmt: skip

        if path == "/search":
            return [place(t, t.latitude, t.longitude) for t in self.matching(query["q"])]
        latitude, longitude = float(query["lat"]), float(query["lon"])
        town = self.nearest(latitude, longitude)
        return place(town, latitude, longitude) if town else {"error": "Unable to geocode"}

    def photon(self, path: str, query: dict[str, str]) -> object:
        if path == "/api":
            towns = self.matching(query["q"])
        else:
            town = self.nearest(float(query["lat"]), float(query["lon"]))
            towns = [town] if town else []
        features = [
            {
                "type": "Feature", "geometry": {"type": "Point", "coordinates": [t.longitude, t.latitude]},
                "properties": {"type": "city", "name": t.name, "state": t.region, "countrycode": t.country},
            }
            for t in towns
        ]  # fmt: skip
        return {"type": "FeatureCollection", "features": features}

    def handler(self) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                _, kind, path = parts.path.split("/", 2)
                answer = stand_in.admit(self.headers.get("User-Agent", ""), parts.path, query)
                if answer == "cut":
                    self.close_connection = True
                    return
                if answer == "hang":
                    time.sleep(10)
                    return
                if answer is None:
                    body = getattr(stand_in, kind)("/" + path, query)
                    answer = 200, {"Content-Type": "application/json"}, json.dumps(body).encode()
                status, headers, content = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                """Nothing: the test knows what it asked."""

        return Handler
