#!/usr/bin/env python3
"""Compares a one-row query with tenant context through db_query with pgbench running the same SQL prepared.

pgbench sends no context, so ours does more work for each row. Both use one connection to one private server, and
everything runs on one CPU: where the scheduler puts client and server changes the rate of either severalfold, and work
per query is what is to be seen. Short measurements are taken in turn; the ratio is the median over the pairs, and the
lowest and highest stand beside it, so that a run on a busy machine shows as one.

Prints one JSON line; exits with 1 when the ratio is below --min (default 0: only measure).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from services import Postgres, postgres_bin  # noqa: E402

ROWS = 1000  # as IDS in query_bench.c: what is measured is the way to the server, so the table is small
SETUP = f"""
CREATE TABLE things (id bigint PRIMARY KEY, name text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
INSERT INTO things (id, name) SELECT i, 'thing ' || i FROM generate_series(1, {ROWS}) i;
VACUUM ANALYZE things;
"""
SQL = "SELECT id, name, updated_at FROM things WHERE id = {id}"


def ours(program: Path, url: str, seconds: int) -> float:
    command = [str(program), url, SQL.format(id="$1"), str(seconds)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def pgbench(url: str, script: Path, seconds: int) -> float:
    command = [str(postgres_bin() / "pgbench"), "-n", "-M", "prepared", "-c", "1", "-T", str(seconds)]
    output = subprocess.run([*command, "-f", str(script), url], check=True, capture_output=True, text=True).stdout
    return next(float(line.split()[2]) for line in output.splitlines() if line.startswith("tps"))


def measure(program: Path, seconds: int, rounds: int) -> dict[str, float | str]:
    folder = Path(tempfile.mkdtemp(prefix="tracker-", dir="/tmp"))
    folder.chmod(0o711)  # the server's user must be able to enter
    try:
        with Postgres(folder / "postgres", durable=False) as postgres:
            postgres.create_database("bench")
            postgres.psql(SETUP, "bench")
            url = postgres.url("bench")
            script = folder / "query.sql"
            script.write_text(f"\\set id random(1, {ROWS})\n{SQL.format(id=':id')};\n")
            pairs = [(ours(program, url, seconds), pgbench(url, script, seconds)) for _ in range(rounds)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    mine, reference = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = sorted(one / other for one, other in pairs)
    return {
        "bench": "store query with context",
        "per_second": round(mine, 1),
        "pgbench_per_second": round(reference, 1),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_lowest": round(ratios[0], 3),
        "ratio_highest": round(ratios[-1], 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path, help="the built query_bench")
    parser.add_argument("--seconds", type=int, default=1, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--min", type=float, default=0.0, help="exit with 1 below this ratio")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the servers inherit it
    result = measure(options.program.absolute(), options.seconds, options.rounds)
    print(json.dumps(result), flush=True)
    return int(result["ratio"] < options.min)


if __name__ == "__main__":
    sys.exit(main())
