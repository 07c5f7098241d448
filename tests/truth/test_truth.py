"""Histories that trackerd derives are those of an independent oracle, report for report, whatever is edited on the way.

The long form (1,000 trackers, 30 days) is `python tests/truth/long.py truth`.
"""

from __future__ import annotations

import random

from scene import build, edit
from system import System


def truth(system: System, trackers: int, days: int, parts: int, edits: int, seed: str) -> int:
    """Reports come in by parts, in the order of their arrival, with edits between them. Answers how much was compared."""
    rng = random.Random(seed)
    scene = build(system.db, trackers, days, seed)
    size = len(scene.arrivals) // parts + 1
    for part in range(parts):
        system.take_in(scene.arrivals[part * size : (part + 1) * size])
        for _ in range(edits):
            edit(system.db, scene, rng)
        system.judge()
    system.check_invariants()
    compared = system.compare_with_oracle(scene)

    # From scratch it is the same, down to the ids of the rows.
    before, ids = system.exports(exceptions=False), system.ids()
    system.judge("--replay")
    after = system.exports(exceptions=False)
    different = differences(before, after)
    assert not different, "\n".join(different)
    assert system.ids() == ids
    return compared


def differences(before: str, after: str) -> list[str]:
    """The lines that only one of them has, the first twenty: pytest's own comparison of megabytes takes for ever."""
    old, new = before.splitlines(), after.splitlines()
    lost, gained = sorted(set(old) - set(new)), sorted(set(new) - set(old))
    return [f"- {line}" for line in lost[:10]] + [f"+ {line}" for line in gained[:10]]


def test_histories_are_those_of_the_oracle(system):
    assert truth(system, trackers=60, days=10, parts=6, edits=12, seed="truth") > 1200
