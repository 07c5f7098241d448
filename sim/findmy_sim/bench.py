"""Measures how fast reports are made and encrypted: `findmy-sim --bench`."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Iterator
from itertools import islice

from findmy_sim import crypto
from findmy_sim.app import Simulator
from findmy_sim.world import Found

CHUNK = 500


def run_bench(sim: Simulator) -> int:
    """Make all visible reports, encrypt each once, print one JSON line per step."""
    now = sim.clock.now()
    digests = [crypto.hash_key(adv) for tag in sim.world.tags.values() for adv in tag.keys(now)]
    found: list[Found] = []

    def make() -> int:
        found.extend(f for digest in digests for f in sim.world.reports(digest, now))
        return sum(len(tag.seen.table) for tag in sim.world.tags.values())

    def seal() -> int:
        return sum(_encrypted(sim, found))

    _measure("make reports", make)
    _measure(f"encrypt visible reports ({max(1, sim.config.workers)} processes)", seal)
    return 0


def _encrypted(sim: Simulator, found: list[Found]) -> Iterator[int]:
    """Encrypt in chunks, in the pool if there is one; payloads are dropped, sizes counted."""
    pool = sim.pool()
    rest = iter(found)
    chunks = iter(lambda: [sim.world.job(f) for f in islice(rest, CHUNK)], [])
    done = map(crypto.encrypt_jobs, chunks) if pool is None else pool.map(crypto.encrypt_jobs, chunks)
    return (len(payloads) for payloads in done)


def _measure(step: str, work: Callable[[], int]) -> None:
    begin = time.perf_counter()
    count = work()
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    line = {
        "step": step,
        "reports": count,
        "seconds": round(seconds, 2),
        "per_second": round(count / seconds) if seconds else 0,
        "peak_memory_mib": peak,
    }
    print(json.dumps(line), flush=True)
