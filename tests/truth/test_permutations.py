"""The order in which reports arrive leaves no trace: random orders, random batches, and judges that are killed at random moments.

50 orders are `python tests/truth/long.py permutations`.
"""

from __future__ import annotations

import random

from scene import Scene, build, edit
from system import System


def prepared(system: System, trackers: int, days: int, seed: str) -> Scene:
    """A world with edits and overrides behind it, and no reports yet."""
    rng = random.Random(seed)
    scene = build(system.db, trackers, days, seed)
    for _ in range(trackers):
        edit(system.db, scene, rng)
    return scene


def in_some_order(system: System, scene: Scene, rng: random.Random) -> tuple[str, int]:
    """All reports in a random order and in batches of random size, while judges live and die. Answers exports and deaths."""
    system.forget()
    arrivals = list(scene.arrivals)
    rng.shuffle(arrivals)
    with system.judges_that_die(rng) as judges:
        while arrivals:
            size = rng.choice((1, 50, 500, 1000, 2000))
            system.take_in(arrivals[:size])
            del arrivals[:size]
            judges.live_a_while()
    system.judge()
    system.check_invariants()
    return system.exports(), judges.deaths


def permutations(system: System, scene: Scene, orders: int) -> int:
    """Every order gives what the order of time gives. Answers how many judges were killed at work."""
    system.take_in(sorted(scene.arrivals, key=lambda a: a.report.at))
    system.judge()
    expected, deaths = system.exports(), 0
    assert system.compare_with_oracle(scene) > 0
    for order in range(orders):
        exports, died = in_some_order(system, scene, random.Random(order))
        assert exports == expected, f"order {order} gives another history"
        deaths += died
    return deaths


def test_orders_of_arrival_leave_no_trace(system):
    scene = prepared(system, trackers=20, days=8, seed="permutations")
    assert permutations(system, scene, orders=4) > 0
