"""Measures what a start page costs; prints a JSON line for each figure.

    dashboard   `GET /dashboard` of a customer with 100,000 trackers (BENCH_TRACKERS), as an admin, against one count of these
                trackers by an index in the same database: at most 3 times
    map_tile    the tile of zoom 6 that holds them all against the same grouping in plain SQL, without row security: 95th percentiles,
                at most 2 times

Both sides alternate, each on a connection of its own; the answers of the API come from the database (`Cache-Control: no-cache`).
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from stack import Stack  # noqa: E402

TRACKERS = int(os.environ.get("BENCH_TRACKERS", "100000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "40"))
BUILD = Path(os.environ.get("BUILD", ROOT / "build")).absolute()
EMAIL, PASSWORD = "bench@example.com", "a long password for the bench"

# 50 runs, two changes of status in the last month for each tracker, one exception in twenty, all within one tile of zoom 6.
SEED = f"""
SET synchronous_commit = off;
INSERT INTO clients (name) VALUES ('Bench');
INSERT INTO brands (client_id, name) SELECT id, 'Brand' FROM clients;
INSERT INTO production_runs (client_id, brand_id, name, starts_at) SELECT client_id, id, 'Run ' || n, now() FROM brands, generate_series(1, 50) n;
INSERT INTO trackers (client_id, production_run_id, name, status, last_report_at, last_latitude, last_longitude)
SELECT r.client_id, r.id, 'Unit ' || r.id || '/' || n, 'DELIVERED', now(), 50 + n * 7919 % 1000 / 1000.0, 8 + n * 104729 % 2000 / 1000.0
FROM production_runs r, generate_series(1, {TRACKERS} / 50) n;
INSERT INTO status_history (client_id, tracker_id, production_run_id, status, since, previous_status, rule, reported_at, latitude, longitude, accuracy_m)
SELECT t.client_id, t.id, t.production_run_id, s.status::tracker_status, s.since, s.previous::tracker_status, 'r', s.since, 50, 8, 10
FROM trackers t, LATERAL (VALUES ('IN_TRANSIT', 'CREATED', now() - (10 + t.id % 18) * interval '1 day'),
                                 ('DELIVERED', 'IN_TRANSIT', now() - t.id % 10 * interval '1 day')) s (status, previous, since);
INSERT INTO tracker_exceptions (client_id, tracker_id, kind, since) SELECT client_id, id, 'silent', now() FROM trackers WHERE id % 20 = 0;
SELECT fold_tracker_counts(), refresh_status_daily(1000000);
"""

COUNT = "SELECT count(*) FROM trackers WHERE client_id = 1"
TILE = """
SELECT ST_AsMVT(q, 'trackers', 4096, 'geom') FROM (SELECT ST_AsMVTGeom(ST_Transform(ST_SetSRID(ST_MakePoint(avg(last_longitude),
avg(last_latitude)), 4326), 3857), ST_TileEnvelope(6, 33, 21), 4096, 0, false) AS geom, count(*)::integer AS trackers
FROM trackers WHERE client_id = 1 AND archived_at IS NULL AND map_key >= map_tile_low(6, 33, 21)
AND map_key < map_tile_low(6, 33, 21) + (1::bigint << 36) GROUP BY map_key >> 28) q
"""


def took(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def p95(values: tuple[float, ...]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def compare(
    name: str,
    target: float,
    ours: Callable[[], object],
    reference: Callable[[], object],
    figure: Callable[[tuple[float, ...]], float] = statistics.median,
) -> bool:
    """Print how many times as long ours takes as the reference, by the figure of all rounds; false: more than the target."""
    for _ in range(5):
        ours(), reference()
    pairs = [(took(ours), took(reference)) for _ in range(ROUNDS)]
    mine, theirs = (figure(side) * 1000 for side in zip(*pairs, strict=True))
    result = {
        "bench": name,
        "ratio": round(mine / theirs, 3),
        "target": target,
        "ms": round(mine, 2),
        "sql_ms": round(theirs, 2),
    }
    print(json.dumps(result | {"trackers": TRACKERS}), flush=True)
    return mine / theirs <= target


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="tracker-bench-"))
    folder.chmod(0o711)
    try:
        with Stack(folder, binary=str(BUILD / "trackerd"), redis=False) as stack:
            with psycopg.connect(stack.postgres.url(), autocommit=True) as db:
                db.execute(SEED.encode())
                db.execute("VACUUM ANALYZE")
                stack.create_user(EMAIL, PASSWORD, admin=True)
                with httpx.Client(base_url=stack.url + "/api/v1", timeout=60) as client:
                    body = {"email": EMAIL, "password": PASSWORD}
                    token = client.post("/auth/login/json", json=body).json()["access_token"]
                    client.headers.update({"Authorization": f"Bearer {token}", "Cache-Control": "no-cache"})

                    def ask(path: str) -> httpx.Response:
                        answer = client.get(path, params={"client_id": 1})
                        assert answer.status_code == 200, answer.text
                        return answer

                    assert ask("/dashboard").json()["trackers"]["total"] == TRACKERS
                    good = compare("dashboard", 3, lambda: ask("/dashboard"), lambda: db.execute(COUNT).fetchone())
                    tile = "/map/trackers/6/33/21.mvt"
                    good &= compare("map_tile", 2, lambda: ask(tile), lambda: db.execute(TILE).fetchone(), p95)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
