"""Measures the history of one tracker over 90 days in a small and in a large database; prints a JSON line for each resolution.

    history_raw, history_hour, history_day
        time of `GET /trackers/{id}/history` among BENCH_HISTORY_REPORTS reports (10 million; 50000000 is the long form, which
        takes a quarter of an hour and 12 GB) against the same among 1 million: at most 1.5 times

Trackers report 96 times a day in both, so the large database only has more of them. Reports are stored in the order of their
time, as they come in, so that those of one tracker lie apart from each other. Requests to both databases alternate, each to
another of 20 trackers that were asked for once before; `Cache-Control: no-cache` has the database answer.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psycopg

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from stack import Stack  # noqa: E402

SMALL = int(os.environ.get("BENCH_HISTORY_SMALL", "1000000"))
LARGE = int(os.environ.get("BENCH_HISTORY_REPORTS", "10000000"))
ROUNDS = int(os.environ.get("BENCH_HISTORY_ROUNDS", "100"))
TARGET = 1.5
DAYS = 90
PER_DAY = 96
START, END = "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"
ASKED = 20
BUILD = Path(os.environ.get("BUILD", ROOT / "build")).absolute()
EMAIL, PASSWORD = "bench@example.com", "a long password for the bench"

# What the refresher would compute, at a hundredth of the cost: columns of a summary for bucket b of tracker t.
SUMMARY = """t, b, {reports}, b, 500000000 + t, 100000000, b + {last}, 500000100 + t, 100000100, b, 500000000 + t, 100000000, 10, 2,
    500000000 + t, 500000100 + t, 100000000, 100000100, 1234.5"""


def seed(db: psycopg.Connection, reports: int) -> list[int]:
    trackers = max(ASKED, reports // (DAYS * PER_DAY))
    db.execute("SET session_replication_role = replica")
    db.execute("SET synchronous_commit = off")
    client = db.execute("INSERT INTO clients (name) VALUES ('Bench') RETURNING id").fetchone()[0]
    ids = db.execute(
        "INSERT INTO trackers (client_id, name) SELECT %s, 'Unit ' || n FROM generate_series(1, %s) n RETURNING id",
        (client, trackers),
    ).fetchall()
    first, last = ids[0][0], ids[-1][0]
    db.execute(
        "SELECT ensure_partitions_for(ARRAY(SELECT generate_series(%s::timestamptz, %s, '1 month')))", (START, END)
    )
    for day in range(DAYS):  # one transaction a day keeps each short
        db.execute(
            f"INSERT INTO location_reports (tracker_id, reported_at, latitude_e7, longitude_e7, accuracy_m, confidence)"
            f" SELECT t, %s::timestamptz + %s * interval '1 day' + n * interval '15 minutes' + t %% 600 * interval '1 second',"
            f" 500000000 + t %% 1000 * 1000 + n, 100000000 + n * 100, 10 + n %% 90, 2"
            f" FROM generate_series(0, {PER_DAY - 1}) n, generate_series(%s::bigint, %s) t",
            (START, day, first, last),
        )
    for table, width, count, end in (
        ("history_hourly", "1 hour", PER_DAY // 24, "interval '50 minutes'"),
        ("history_daily", "1 day", PER_DAY, "interval '23 hours'"),
    ):
        db.execute(
            f"INSERT INTO {table} SELECT {SUMMARY.format(reports=count, last=end)}"
            " FROM generate_series(%s::timestamptz, %s::timestamptz - interval '1 second', %s::interval) b, generate_series(%s::bigint, %s) t",
            (START, END, width, first, last),
        )
    db.execute("VACUUM (ANALYZE, FREEZE)")
    step = max(1, len(ids) // ASKED)
    return [row[0] for row in ids[::step]][:ASKED]


class Database:
    """A stack with this many reports, and a caller."""

    def __init__(self, reports: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tracker-bench-"))
        self.folder.chmod(0o711)
        self.stack = Stack(self.folder, binary=str(BUILD / "trackerd"), redis=False)
        self.stack.__enter__()
        started = time.monotonic()
        with psycopg.connect(self.stack.postgres.url(), autocommit=True) as db:
            self.trackers = seed(db, reports)
            self.reports = db.execute("SELECT count(*) FROM location_reports").fetchone()[0]
        print(f"{self.reports} reports in {time.monotonic() - started:.0f} s", file=sys.stderr)
        self.stack.create_user(EMAIL, PASSWORD, admin=True)
        self.client = httpx.Client(base_url=self.stack.url + "/api/v1", timeout=60)
        token = self.client.post("/auth/login/json", json={"email": EMAIL, "password": PASSWORD}).json()["access_token"]
        self.client.headers.update({"Authorization": f"Bearer {token}", "Cache-Control": "no-cache"})

    def ask(self, turn: int, resolution: str) -> float:
        """Seconds that one page takes: 5,000 items at most, of raw reports the first 52 days."""
        tracker = self.trackers[turn % len(self.trackers)]
        query = {"from": START, "to": END, "resolution": resolution, "limit": 5000}
        started = time.perf_counter()
        answer = self.client.get(f"/trackers/{tracker}/history", params=query)
        took = time.perf_counter() - started
        assert answer.status_code == 200, answer.text
        expected = {"raw": 5000, "hour": DAYS * 24, "day": DAYS}[resolution]
        assert len(answer.json()["items"]) == expected
        return took

    def close(self) -> None:
        self.client.close()
        self.stack.__exit__(None, None, None)
        shutil.rmtree(self.folder, ignore_errors=True)


def measure(small: Database, large: Database, resolution: str) -> bool:
    for database in (small, large):
        for turn in range(ASKED):
            database.ask(turn, resolution)
    times: dict[Database, list[float]] = {small: [], large: []}
    for turn in range(ROUNDS):
        for database in (small, large) if turn % 2 else (large, small):
            times[database].append(database.ask(turn, resolution))
    medians = {database: statistics.median(taken) * 1000 for database, taken in times.items()}
    ratio = medians[large] / medians[small]
    result = {
        "bench": f"history_{resolution}",
        "ratio": round(ratio, 3),
        "target": TARGET,
        "small_reports": small.reports,
        "large_reports": large.reports,
        "small_ms": round(medians[small], 2),
        "large_ms": round(medians[large], 2),
    }
    print(json.dumps(result), flush=True)
    return ratio <= TARGET


def main() -> int:
    databases: list[Database] = []
    try:
        for reports in (SMALL, LARGE):
            databases.append(Database(reports))
        good = [measure(*databases, resolution) for resolution in ("raw", "hour", "day")]
    finally:
        for database in databases:
            database.close()
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
