"""Measures what 1, 2 and 4 processes do, and how much room rows take; prints JSON lines. The figures of docs/operators/scaling.md.

requests    GET /trackers/{id} and GET /trackers?limit=50 by 1, 2, 4 API processes, each with a wrk of its own on this machine
judging     reports judged from scratch by 1, 2, 4 worker processes: each number judges a third of the trackers
bytes       a row of the large tables with its indexes

var/venv/bin/python bench/ops/scaling.py      # BENCH_REPORTS (default 150000), BENCH_SECONDS for each rate (default 5)
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psycopg

ROOT = Path(__file__).resolve().parents[2]
os.environ.setdefault("BENCH_REPORTS", "150000")
for folder in ("tests", "tests/ops", "bench/judge"):
    sys.path.insert(0, str(ROOT / folder))

from judge_bench import BUILD, PER_TRACKER, SEED  # noqa: E402
from processes import Process  # noqa: E402
from stack import Stack, free_port  # noqa: E402

SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
NUMBERS = (1, 2, 4)
# So many more trackers that the first pages of small tables do not count, each with one key of 28 bytes and its sealed private one.
MORE_TRACKERS = 100000
FILL = f"""
SET session_replication_role = replica;
WITH new AS (
    INSERT INTO trackers (client_id, production_run_id, name)
    SELECT r.client_id, r.id, 'More ' || n FROM generate_series(1, {MORE_TRACKERS}) n
    JOIN production_runs r ON r.client_id = (SELECT min(id) FROM clients) + n % (SELECT count(*) FROM clients)
    RETURNING client_id, id)
INSERT INTO tracker_keys (client_id, tracker_id, advertisement_key, private_key_sealed, master_key_id)
SELECT client_id, id, substr(sha256(id::text::bytea), 1, 28), sha256(id::text::bytea) || sha256(name) || '\\x0102030405', 'ffffffff'
FROM new, convert_to('sealed', 'UTF8') name;
INSERT INTO agg_dirty (tracker_id, day) SELECT DISTINCT tracker_id, date_bin('1 day', reported_at, 'epoch') FROM location_reports;
SET session_replication_role = origin;
ANALYZE
"""
CONNECTIONS = 16  # in all, however many processes share them
PASSWORD = "correct horse battery staple"
TABLES = (
    "location_reports",
    "trackers",
    "tracker_keys",
    "status_history",
    "geofence_events",
    "history_hourly",
    "history_daily",
)


def emit(bench: str, **facts: object) -> None:
    print(json.dumps({"bench": bench} | facts), flush=True)


@contextmanager
def apis(stack: Stack, number: int) -> Iterator[list[str]]:
    """The addresses of so many more API processes, all ready."""
    with ExitStack() as all_of_them:
        urls = []
        for n in range(number):
            port = free_port()
            all_of_them.enter_context(Process(stack, f"scaling-{n}", "api", settings={"HTTP_PORT": str(port)}))
            urls.append(f"http://127.0.0.1:{port}")
        for url in urls:
            wait_ready(url)
        yield urls


def wait_ready(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health/ready").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{url} does not become ready")


def rate(urls: list[str], path: str, token: str) -> float:
    """Requests per second of all together; every answer must be a success, made anew from the database."""
    connections = CONNECTIONS // len(urls)
    head = ["-H", f"Authorization: Bearer {token}", "-H", "Cache-Control: no-cache"]
    running = [
        subprocess.Popen(
            ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", *head, f"{url}/api/v1{path}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for url in urls
    ]
    outputs = [process.communicate()[0] for process in running]
    if any("Non-2xx" in output for output in outputs):
        raise SystemExit(f"wrk saw errors:\n{outputs}")
    return sum(float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)) for output in outputs)


def requests(stack: Stack, db: psycopg.Connection) -> None:
    tenant, tracker = db.execute("SELECT client_id, id FROM trackers ORDER BY id DESC LIMIT 1").fetchone()
    stack.create_user("bench@example.com", PASSWORD, clients=(str(tenant),))
    login = httpx.post(
        f"{stack.url}/api/v1/auth/login/json", json={"email": "bench@example.com", "password": PASSWORD}, timeout=60
    )
    token = login.json()["access_token"]
    for number in NUMBERS:
        with apis(stack, number) as urls:
            one, many = (rate(urls, path, token) for path in (f"/trackers/{tracker}", "/trackers?limit=50"))
        emit("requests", processes=number, read_one_per_s=round(one), list_50_per_s=round(many))


def judging(stack: Stack, db: psycopg.Connection) -> None:
    for part, number in enumerate(NUMBERS):
        due = db.execute(
            "INSERT INTO report_inbox (tracker_id, reason) SELECT id, 'request' FROM trackers WHERE id %% 3 = %s",
            (part,),
        ).rowcount
        began = time.monotonic()
        with ExitStack() as all_of_them:
            for n in range(number):
                all_of_them.enter_context(Process(stack, f"judge-{n}", "worker", "--queues=judge", "--threads=1"))
            while db.execute("SELECT count(*) FROM report_inbox").fetchone()[0] > 0:
                time.sleep(0.05)
            taken = time.monotonic() - began
        emit("judging", processes=number, reports=due * PER_TRACKER, reports_per_s=round(due * PER_TRACKER / taken))


def sizes(stack: Stack, db: psycopg.Connection) -> None:
    """Of what this run has filled; a table without rows is left out."""
    stack.postgres.psql(FILL, "tracker")
    with Process(stack, "history", "worker", "--queues=history", "--threads=2"):
        while db.execute("SELECT count(*) FROM agg_dirty").fetchone()[0] > 0:
            time.sleep(0.2)
    for table in TABLES:
        rows = db.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()[0]
        if rows == 0:
            continue
        heap, total = db.execute(
            """WITH RECURSIVE parts AS (SELECT %s::regclass AS part
                                        UNION ALL SELECT inhrelid::regclass FROM parts JOIN pg_inherits ON inhparent = part)
               SELECT sum(pg_table_size(part)), sum(pg_total_relation_size(part)) FROM parts""",
            (table,),
        ).fetchone()
        row = db.execute(f"SELECT avg(pg_column_size(t.*)) FROM {table} t".encode()).fetchone()[0]
        emit("bytes", table=table, rows=rows, row=round(row), heap=round(heap / rows), with_indexes=round(total / rows))


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as folder:
        with Stack(Path(folder), str(BUILD / "trackerd"), {"LOG_LEVEL": "warn"}) as stack:
            stack.postgres.psql(SEED, "tracker")
            with psycopg.connect(stack.postgres.url(), autocommit=True) as db:
                requests(stack, db)
                judging(stack, db)
                sizes(stack, db)
    return 0


if __name__ == "__main__":
    sys.exit(main())
