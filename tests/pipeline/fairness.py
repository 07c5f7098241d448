"""Fairness of the fetcher: many trackers, several workers that are killed, few accounts, an unreliable Apple.

Time is fast: one second of the test is as much of real time as FETCH_INTERVAL is of 15 minutes. Watched from outside: when
each tracker was fetched (its row), and when each account's requests arrived (the simulator's journal).

    python tests/pipeline/fairness.py            10,000 trackers, 3 workers, 2 accounts, about 8 minutes

The test of `make test` runs the same with fewer trackers (test_fairness.py).
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from system import Simulator, System, fresh_key, until

# kind, chance, parameters: about every fourth request goes wrong
FAULTS = [
    ("503", 0.08, {}),
    ("reset", 0.04, {}),
    ("blank_body", 0.04, {}),
    ("not_json", 0.02, {}),
    ("429", 0.03, {"retry_after": 2}),
    ("slow", 0.04, {"seconds": 1}),
    ("token_expiry", 0.02, {}),
]


@dataclass
class Scale:
    """Defaults are the long form: 300 times as fast as real time."""

    trackers: int = 10_000
    workers: int = 3
    accounts: int = 2
    keys_per_request: int = 256
    interval: int = 3  # seconds; stands for 15 minutes
    cycle: int = 144  # seconds; stands for 12 hours
    seconds: int = 440
    kill_every: float = 20  # seconds between two kill -9
    lease: int = 10  # seconds


@dataclass
class Watch:
    """What was seen."""

    start: datetime
    fetched: dict[int, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    end: datetime | None = None
    kills: int = 0

    def look(self, system: System) -> None:
        for tracker, at in system.rows("SELECT id, last_fetched_at FROM trackers WHERE last_fetched_at IS NOT NULL"):
            if not self.fetched[tracker] or self.fetched[tracker][-1] != at:
                self.fetched[tracker].append(at)
        self.end = system.one("SELECT clock_timestamp()")

    def longest_wait(self, tracker: int) -> float:
        """Seconds without a fetch, the time before the first and after the last included."""
        times = [self.start, *self.fetched[tracker], self.end]
        return max((b - a).total_seconds() for a, b in itertools.pairwise(times))


def prepare(system: System, scale: Scale) -> None:
    system.start_worker()
    for number in range(scale.accounts):
        system.add_account(f"account{number}@example.com")
    client, run = system.add_run("fairness")
    system.import_tags(client, run, [{"name": f"tag {n}", "private_key": fresh_key()} for n in range(scale.trackers)])
    for _ in range(scale.workers - 1):
        system.start_worker()


def disturb(system: System, scale: Scale, watch: Watch, chance: random.Random) -> None:
    """Let the time pass: workers are killed at any moment, and others take their place."""
    for kind, probability, params in FAULTS:
        system.sim.fault(kind, endpoint="fetch", probability=probability, params=params)
    end = time.monotonic() + scale.seconds
    next_kill = time.monotonic() + chance.uniform(0, scale.kill_every)
    while time.monotonic() < end:
        watch.look(system)
        if time.monotonic() >= next_kill:
            system.workers.pop(chance.randrange(len(system.workers))).kill()
            system.start_worker()
            watch.kills += 1
            next_kill += chance.uniform(0.5, 1.5) * scale.kill_every
        time.sleep(0.25)
    watch.look(system)


def shortest_pause(requests: list[dict]) -> float:
    """Seconds between two requests of one account."""
    times = defaultdict(list)
    for request in requests:
        times[request["account"]].append(request["at"])
    return min(b - a for arrivals in times.values() for a, b in itertools.pairwise(sorted(arrivals)))


def run(scale: Scale, seed: int = 1) -> dict[str, float]:
    """Run and check; figures of what was seen."""
    folder = Path(tempfile.mkdtemp(prefix="tracker-"))
    folder.chmod(0o711)
    settings = {
        "FETCH_INTERVAL": f"{scale.interval}s",
        "FETCH_CYCLE": f"{scale.cycle}s",
        "FETCH_LEASE": f"{scale.lease}s",
        "FETCH_KEYS_PER_REQUEST": str(scale.keys_per_request),
        "LOG_LEVEL": "warn",
    }
    try:
        with Simulator("--limits", "generous", "--density", "0") as sim, System(folder, sim, settings) as system:
            prepare(system, scale)
            watch = Watch(system.one("SELECT clock_timestamp()"))
            disturb(system, scale, watch, random.Random(seed))
            figures = check(system, scale, watch)
            sim.clear_faults()
            until("no lease is left behind", lambda: leases_run_out(system), scale.lease + scale.interval + 60)
            return figures
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def leases_run_out(system: System) -> bool:
    """Nothing stays leased for longer than a lease, whoever was killed."""
    return system.one("SELECT count(*) FROM trackers WHERE lease_until < now() - interval '5 seconds'") == 0


def check(system: System, scale: Scale, watch: Watch) -> dict[str, float]:
    requests = system.sim.call("GET", "/requests?endpoint=fetch")
    trackers = [row[0] for row in system.rows("SELECT id FROM trackers")]
    counts = [len(watch.fetched[tracker]) for tracker in trackers]
    waits = [watch.longest_wait(tracker) for tracker in trackers]
    results = dict(system.rows("SELECT result, count(*)::int FROM fetch_batches WHERE result IS NOT NULL GROUP BY 1"))
    figures = {
        "trackers": len(trackers),
        "requests": len(requests),
        "kills": watch.kills,
        "failed": sum(n for result, n in results.items() if result != "ok"),
        "longest_wait_s": round(max(waits), 1),
        "cycle_s": scale.cycle,
        "fewest_fetches": min(counts),
        "median_fetches": statistics.median(counts),
        "shortest_pause_s": round(shortest_pause(requests), 3),
        "interval_s": scale.interval,
    }
    assert len(trackers) == scale.trackers and watch.kills > 0 and figures["failed"] > 0, figures
    assert figures["longest_wait_s"] <= scale.cycle, f"a tracker waited longer than the cycle: {figures}"
    assert figures["shortest_pause_s"] >= scale.interval, f"an account was used too often: {figures}"
    assert figures["fewest_fetches"] >= figures["median_fetches"] / 2, f"a tracker was starved: {figures}"
    assert system.one("SELECT count(*) FROM apple_accounts WHERE state <> 'ready'") == 0, "an account was parked"
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in vars(Scale()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    parser.add_argument("--seed", type=int, default=1)
    options = vars(parser.parse_args())
    seed = options.pop("seed")
    print(json.dumps(run(Scale(**options), seed)))


if __name__ == "__main__":
    main()
