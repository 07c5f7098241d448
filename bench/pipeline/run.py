#!/usr/bin/env python3
"""Compares the way of reports into the database with what the machine could do at best, in the same run.

ingest_vs_copy     rows of opened reports through ingest, against COPY of the same rows into the same table
pipeline_vs_ecdh   encrypted reports opened, stored and judged, all in the database, against `openssl speed ecdhp224` on all cores:
                   a report costs one ECDH, so nothing can be faster

Measurements are taken in turn and the ratio is the median over the pairs, since a busy machine changes its speed from one second to
the next. Prints a JSON line each; exits with 1 when a ratio is below its target, unless --no-target is given.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from services import Postgres  # noqa: E402

TRACKERS = 2048  # 8 requests' worth, 40,960 reports: some seconds of work
TARGETS = {"ingest_vs_copy": 0.3, "pipeline_vs_ecdh": 0.25}

# A store and a shop on the way that every tracker takes (pipeline_bench.c), and enough other places that finding the right ones
# costs what it costs an operator.
WORLD = f"""
INSERT INTO clients (name) VALUES ('bench');
INSERT INTO brands (client_id, name) SELECT id, 'bench' FROM clients;
INSERT INTO production_runs (client_id, brand_id, name, starts_at) SELECT client_id, id, 'bench', now() - interval '30 days' FROM brands;
INSERT INTO storage_locations (client_id, name, latitude, longitude) SELECT id, 'store', 52.5, 13.4 FROM clients;
INSERT INTO delivery_locations (client_id, name, latitude, longitude) SELECT id, 'shop', 48.1, 11.5 FROM clients;
INSERT INTO delivery_locations (client_id, name, latitude, longitude)
    SELECT c.id, 'other ' || i, 40 + i % 10, i FROM clients c, generate_series(1, 40) i;
INSERT INTO production_run_locations (client_id, production_run_id, location_id)
    SELECT r.client_id, r.id, l.id FROM production_runs r, locations l;
INSERT INTO trackers (client_id, production_run_id, name)
    SELECT r.client_id, r.id, 'tracker ' || i FROM production_runs r, generate_series(1, {TRACKERS}) i;
SELECT ensure_partitions();
ANALYZE;
"""
EMPTY = """
TRUNCATE replay_requests, location_reports, report_inbox, agg_dirty, report_flags, geofence_events, status_history;
UPDATE trackers SET judged_until = NULL, status = 'CREATED', location_id = NULL, last_report_at = NULL;
VACUUM ANALYZE trackers;
"""


class Bench:
    def __init__(self, build: Path, postgres: Postgres) -> None:
        self.build, self.postgres = build, postgres
        key = base64.b64encode(bytes(32)).decode()
        self.env = os.environ | {"DATABASE_URL": postgres.url(), "MASTER_KEY": key, "LOG_LEVEL": "warn"}

    def prepare(self) -> None:
        self.postgres.create_database()
        subprocess.run([self.build / "trackerd", "migrate"], env=self.env, check=True, stdout=subprocess.DEVNULL)
        self.postgres.psql(WORLD, "tracker")

    def rate(self, mode: str) -> float:
        """Reports a second, from an empty database."""
        self.postgres.psql(EMPTY, "tracker")
        command = [self.build / "bench" / "pipeline" / "pipeline_bench", self.postgres.url(), mode]
        return float(subprocess.run(command, env=self.env, check=True, stdout=subprocess.PIPE, text=True).stdout)

    def judged(self) -> None:
        """The pipeline did its whole work: every tracker ended in the shop."""
        states = self.postgres.psql("SELECT string_agg(DISTINCT status::text, ',') FROM trackers", "tracker")
        assert states == "DELIVERED", f"the pipeline left trackers in {states}"


def ecdh_limit(seconds: int = 2) -> float:
    """Operations a second on all cores."""
    command = [
        "openssl",
        "speed",
        "-mr",
        "-seconds",
        str(seconds),
        "-multi",
        str(len(os.sched_getaffinity(0))),
        "ecdhp224",
    ]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.findall(r"^\+F5:[^:]*:[^:]*:([0-9.]+)", output, re.MULTILINE)[-1])


def report(name: str, ours: list[float], reference: list[float], labels: tuple[str, str]) -> bool:
    ratios = [a / b for a, b in zip(ours, reference, strict=True)]
    ratio = statistics.median(ratios)
    line = {"bench": name, "ratio": round(ratio, 3), "target": TARGETS[name], "lowest": round(min(ratios), 3)}
    line |= {"highest": round(max(ratios), 3), labels[0]: round(statistics.median(ours))}
    print(json.dumps(line | {labels[1]: round(statistics.median(reference)), "rounds": len(ratios)}), flush=True)
    return ratio >= TARGETS[name]


def measure(build: Path, rounds: int) -> bool:
    folder = Path(tempfile.mkdtemp(prefix="tracker-", dir="/tmp"))
    folder.chmod(0o711)  # the server's user must be able to enter
    try:
        with Postgres(folder / "postgres", durable=False) as postgres:
            bench = Bench(build, postgres)
            bench.prepare()
            pairs = [(bench.rate("ingest"), bench.rate("copy")) for _ in range(2 * rounds + 1)]  # a second each
            ours, reference = map(list, zip(*pairs, strict=True))
            fine = report("ingest_vs_copy", ours, reference, ("reports_per_second", "copy_per_second"))
            ours, reference = [], []
            for _ in range(rounds):
                reference.append(ecdh_limit())
                ours.append(bench.rate("pipeline"))
                bench.judged()
            return report("pipeline_vs_ecdh", ours, reference, ("reports_per_second", "ecdh_per_second")) and fine
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-target", action="store_true", help="only measure")
    options = parser.parse_args()
    fine = measure(options.build, options.rounds)
    return 0 if fine or options.no_target else 1


if __name__ == "__main__":
    sys.exit(main())
