"""Measures judging stored reports again from scratch; prints a JSON line.

    judge_scratch   1 million reports of 10,000 trackers (BENCH_REPORTS) with two places near most of them, two threads, the
                    database included, against the least that it takes: PostgreSQL alone, which reads the same reports in
                    order and measures the distance of each to one place, in two sessions (target 0.06)

Facts beside the ratio: reports/s of both, and of a second replay, which finds that nothing has changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from stack import Stack  # noqa: E402

REPORTS = int(os.environ.get("BENCH_REPORTS", "1000000"))
PER_TRACKER = 100
TRACKERS = REPORTS // PER_TRACKER
TENANTS = 50
PLACES = 40  # of a tenant, all of them of its one run
TARGET = 0.06
BUILD = Path(os.environ.get("BUILD", ROOT / "build")).absolute()

# Each tracker rests in one place for 60 reports, is on the road for 10, and rests in another one. Places lie a tenth of
# a degree apart; of 20 reports one is of low confidence.
SEED = f"""
SET session_replication_role = replica;
INSERT INTO clients (name) SELECT 'Tenant ' || n FROM generate_series(1, {TENANTS}) n;
INSERT INTO brands (client_id, name) SELECT id, 'Brand' FROM clients;
INSERT INTO production_runs (client_id, brand_id, name, starts_at) SELECT client_id, id, 'Run', '2026-05-01' FROM brands;
INSERT INTO locations (client_id, kind, name)
SELECT c.id, CASE WHEN n % 4 = 0 THEN 'storage' ELSE 'delivery' END::location_kind, 'Place ' || n
FROM clients c, generate_series(0, {PLACES} - 1) n;
INSERT INTO location_shapes (client_id, location_id, center, radius_m)
SELECT l.client_id, l.id, ST_SetSRID(ST_MakePoint(5 + l.client_id * 0.1, 45 + substr(l.name, 7)::int * 0.1), 4326)::geography, 200
FROM locations l;
INSERT INTO production_run_locations SELECT l.client_id, r.id, l.id FROM locations l JOIN production_runs r USING (client_id);
INSERT INTO trackers (client_id, production_run_id, name)
SELECT r.client_id, r.id, 'Unit ' || n FROM generate_series(1, {TRACKERS}) n
JOIN production_runs r ON r.client_id = (SELECT min(id) FROM clients) + n % {TENANTS};
INSERT INTO tracker_runs (client_id, tracker_id, production_run_id) SELECT client_id, id, production_run_id FROM trackers;
SELECT ensure_partitions_for(ARRAY['2026-05-01'::timestamptz, '2026-06-01']);
INSERT INTO location_reports (tracker_id, reported_at, latitude_e7, longitude_e7, accuracy_m, confidence)
SELECT t.id, '2026-05-01'::timestamptz + n * interval '7 hours' + t.id % 600 * interval '1 minute',
       ((45 + CASE WHEN n < 60 THEN t.id % {PLACES} WHEN n < 70 THEN t.id % {PLACES} + 0.3 + (n - 60) / 30.0
                   ELSE (t.id + 1) % {PLACES} END * 0.1) * 1e7)::int + (n * 37 % 101 - 50) * 50,
       ((5 + t.client_id * 0.1) * 1e7)::int + (n * 53 % 101 - 50) * 50, 10 + n * 7 % 90, CASE WHEN n % 20 = 7 THEN 1 ELSE 2 END
FROM trackers t, generate_series(0, {PER_TRACKER} - 1) n;
SET session_replication_role = origin;
VACUUM ANALYZE;
"""

REFERENCE = """
SELECT count(*), sum(d) FROM (
    SELECT ST_Distance(ST_SetSRID(ST_MakePoint(longitude_e7 / 1e7::float8, latitude_e7 / 1e7::float8), 4326)::geography,
                       s.center) AS d
    FROM (SELECT * FROM location_reports WHERE tracker_id % 2 = {half} ORDER BY tracker_id, reported_at) l,
         (SELECT center FROM location_shapes LIMIT 1) s) measured
"""


def reference(stack: Stack) -> float:
    """Seconds for the bare reading and measuring, half of the trackers in each of two sessions."""
    began = time.monotonic()
    sessions = [
        subprocess.Popen(
            ["psql", "-XqAt", stack.postgres.url(), "-c", "SET jit = off", "-c", REFERENCE.format(half=half)],
            stdout=subprocess.DEVNULL,
        )
        for half in (0, 1)
    ]
    for session in sessions:
        assert session.wait() == 0
    return time.monotonic() - began


def replay(stack: Stack) -> float:
    began = time.monotonic()
    subprocess.run(
        [stack.binary, "judge", "--replay", "--threads", "2"],
        env=stack.env("worker_login"),
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return time.monotonic() - began


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="trackerd-bench-") as folder:
        stack = Stack(Path(folder), str(BUILD / "trackerd"), redis=False)
        stack.postgres.start()
        try:
            stack.migrate()
            with psycopg.connect(stack.postgres.url(), autocommit=True) as db:
                for statement in SEED.split(";\n"):
                    db.execute(statement)
            bare = min(reference(stack), reference(stack))
            scratch, again = replay(stack), replay(stack)
            with psycopg.connect(stack.postgres.url()) as db:
                rows = db.execute("SELECT count(*) FROM status_history").fetchone()[0]
                inbox = db.execute("SELECT count(*) FROM report_inbox").fetchone()[0]
        finally:
            stack.postgres.stop()
    ratio = bare / scratch
    ok = ratio >= TARGET and inbox == 0 and rows >= 3 * TRACKERS
    facts = {
        "reports": REPORTS,
        "seconds": round(scratch, 1),
        "reports_per_s": round(REPORTS / scratch),
        "again_reports_per_s": round(REPORTS / again),
        "bare_reports_per_s": round(REPORTS / bare),
        "history_rows": rows,
    }
    print(json.dumps({"bench": "judge_scratch", "ratio": round(ratio, 3), "target": TARGET, "ok": ok, **facts}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
