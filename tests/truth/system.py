"""The system under test: PostgreSQL and the command line, without API, Redis and workers."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import paths  # noqa: F401 - before what it makes importable
import psycopg
from oracle import History, Judging, Rules
from scene import Arrival, Scene, read_overrides, read_stretches
from stack import Stack

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd"))

DERIVED = "status_history, geofence_events, report_flags, tracker_exceptions, notification_facts"
STORED = "location_reports, report_inbox, replay_requests, agg_dirty"


class System:
    def __init__(self, folder: Path) -> None:
        self.stack = Stack(folder, BINARY, redis=False)
        self.stack.postgres.start()
        self.stack.migrate()
        self.db = psycopg.connect(self.stack.postgres.url(), autocommit=True)

    def close(self) -> None:
        self.db.close()
        self.stack.postgres.stop()

    def run(self, *args: str, stdin: str = "") -> str:
        return self.stack.run(*args, login="worker_login", stdin=stdin).stdout

    def take_in(self, arrivals: Iterable[Arrival]) -> None:
        self.run("import", "reports", "-", stdin="\n".join(a.line() for a in arrivals))

    def judge(self, *args: str) -> None:
        self.run("judge", *args)

    def forget(self) -> None:
        """Reports and all that came of them; places, runs and overrides stay."""
        self.db.execute(f"TRUNCATE {DERIVED}, {STORED} CASCADE")
        self.db.execute(
            "UPDATE trackers SET status = 'CREATED', status_since = created_at, location_id = NULL, last_report_at = NULL,"
            " last_latitude = NULL, last_longitude = NULL, judged_until = NULL"
        )

    @contextmanager
    def judges_that_die(self, rng: random.Random) -> Iterator[JudgesThatDie]:
        judges = JudgesThatDie(self, rng)
        try:
            yield judges
        finally:
            judges.kill()

    # ---- what came of it ----

    def exports(self, exceptions: bool = True) -> str:
        """All that is derived, as text that must not depend on the order of arrival.

        Exceptions look at places of other runs, whose edits do not make the judge look back.
        """
        parts = [self.run("export", "status-history"), self.run("export", "events")]
        if exceptions:
            parts.append(
                self.text(
                    "SELECT tracker_id, kind, location_id, since, ended_at FROM tracker_exceptions ORDER BY 1, 2, 4"
                )
            )
        for sql in (
            "SELECT tracker_id, reported_at, latitude_e7, longitude_e7, reason FROM report_flags ORDER BY 1, 2, 3, 4",
            "SELECT tracker_id, kind, location_id, visit FROM notification_facts WHERE withdrawn_at IS NULL ORDER BY 1, 2, 4, 3",
            "SELECT id, status, status_since, location_id, last_report_at, last_latitude, last_longitude, judged_until FROM trackers ORDER BY 1",
        ):
            parts.append(self.text(sql))
        return "\n".join(parts)

    def text(self, sql: str) -> str:
        return "\n".join(map(str, self.db.execute(sql).fetchall()))

    def ids(self) -> list[tuple]:
        return self.db.execute(
            "SELECT 'h', id FROM status_history UNION ALL SELECT 'e', id FROM geofence_events ORDER BY 1, 2"
        ).fetchall()

    def check_invariants(self) -> None:
        assert self.db.execute("SELECT count(*) FROM report_inbox").fetchone() == (0,)
        assert self.db.execute("SELECT count(*) FROM replay_requests").fetchone() == (0,)
        wrong = self.db.execute(
            "SELECT t.id FROM trackers t LEFT JOIN LATERAL (SELECT h.* FROM status_history h WHERE h.tracker_id = t.id"
            "  ORDER BY h.since DESC, h.id DESC LIMIT 1) h ON true"
            " WHERE (t.status, t.location_id) IS DISTINCT FROM (coalesce(h.status, 'CREATED'), h.location_id)"
            "  OR (h.since IS NOT NULL AND h.since <> t.status_since)"
        ).fetchall()
        assert not wrong, f"the current status of trackers {wrong} is not that of the last row"
        broken = self.db.execute(
            "SELECT id FROM (SELECT id, previous_status, previous_location_id, lag(status) OVER w AS s, lag(location_id) OVER w AS l"
            "  FROM status_history WINDOW w AS (PARTITION BY tracker_id ORDER BY since, id)) c"
            " WHERE s IS NOT NULL AND (previous_status, previous_location_id) IS DISTINCT FROM (s, l)"
        ).fetchall()
        assert not broken, f"history rows {broken} do not go on where the row before ended"

    def compare_with_oracle(self, scene: Scene, rules: Rules | None = None) -> int:
        """Row for row; answers how many rows and events were compared."""
        stretches, overrides, reports = read_stretches(self.db), read_overrides(self.db), scene.by_tracker()
        rows = parse(self.run("export", "status-history"))
        events = parse(self.run("export", "events"))
        flags = {}
        for tracker, at, latitude, longitude, reason in self.db.execute(
            "SELECT tracker_id, reported_at, latitude_e7 / 1e7::float8, longitude_e7 / 1e7::float8, reason FROM report_flags"
        ):
            flags.setdefault(tracker, {})[(at, latitude, longitude)] = reason
        compared = 0
        for tracker in scene.trackers:
            judging = Judging(
                reports[tracker], stretches.get(tracker, []), overrides.get(tracker, ()), rules or Rules()
            )
            compared += compare(
                tracker, judging.judge(), rows.get(tracker, []), events.get(tracker, []), flags.get(tracker, {})
            )
        return compared


class JudgesThatDie:
    """`trackerd judge` in the background, killed at random moments and started again."""

    def __init__(self, system: System, rng: random.Random) -> None:
        self.system, self.rng, self.deaths = system, rng, 0
        self.process: subprocess.Popen | None = None

    def live_a_while(self) -> None:
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [BINARY, "judge", "--threads", "2"],
                env=self.system.stack.env("worker_login"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        time.sleep(self.rng.uniform(0.005, 0.15))
        if self.rng.random() < 0.7:
            self.kill()

    def kill(self) -> None:
        if self.process is not None:
            self.deaths += self.process.poll() is None
            self.process.kill()
            self.process.wait()
            self.process = None


def parse(lines: str) -> dict[int, list[dict]]:
    rows: dict[int, list[dict]] = {}
    for line in lines.splitlines():
        row = json.loads(line)
        rows.setdefault(row["tracker_id"], []).append(row)
    return rows


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def compare(tracker: int, truth: History, rows: list[dict], events: list[dict], flags: dict) -> int:
    near = f"tracker {tracker}; the nearest decision was {min(truth.edges, default=math.inf):.6f} m from the other side"
    assert {(r.at, r.latitude, r.longitude): f for r, f in truth.flags.items()} == flags, near
    got = [
        (
            when(r["since"]),
            r["status"],
            r["location_id"],
            r["previous_status"],
            r["previous_location_id"],
            r["rule"],
            r["override_id"],
        )
        for r in rows
    ]
    assert got == truth.rows, near
    assert [(when(e["occurred_at"]), e["kind"], e["location_id"]) for e in events] == truth.events, near
    return len(got) + len(events)
