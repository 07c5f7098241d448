"""The order in which reports arrive leaves no trace: random orders, random batches, and judges that are killed at random moments.

50 orders are `python tests/truth/long.py permutations`.
"""

from __future__ import annotations

import random
from datetime import timedelta

from oracle import Report
from scene import DAY, START, Arrival, Scene, build, edit, one
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


# ---- one report at a time ----

WHERE = {"S": (52.5, 13.4), "D": (48.1, 11.6), "n": (50.0, 12.0), "d": (48.10235, 11.6), "J": (10.0, 10.0)}
"""In the warehouse, in the shop, in neither, beside the shop (unsure), and too far away to have been there."""

# Reports an hour apart; "J" ten minutes after the one before, "=" at its time, ">" a day and a half later.
SCRIPTS = [
    (1, "SJSDn"),
    (1, "nJDJD"),
    (1, "S>S=D>dn"),
    (2, "SSDnD"),
    (2, "SJSDD"),
    (2, "SSD>DJD"),
    (3, "nSSSd"),
    (3, "SSSnDDD"),
]
ORDERS = 50  # of each


def script_reports(script: str) -> list[Report]:
    reports, at, step = [], START, timedelta(hours=1)
    for letter in script:
        if letter in "=>":
            step = timedelta(0) if letter == "=" else 1.5 * DAY
            continue
        at += timedelta(minutes=10) if letter == "J" else step
        step = timedelta(hours=1)
        reports.append(Report(at, 20.0 + len(reports), *WHERE[letter], 2))
    return reports


def scripted(system: System, confirm: int, script: str, rounds: list[list[Arrival]], scene: Scene) -> None:
    """A client whose trackers each get the reports of the script in an order of their own, one a round."""
    db = system.db
    client = one(db, "INSERT INTO clients (name) VALUES (%s) RETURNING id", f"{confirm} {script}")
    brand = one(db, "INSERT INTO brands (client_id, name) VALUES (%s, 'brand') RETURNING id", client)
    run = one(
        db,
        "INSERT INTO production_runs (client_id, brand_id, name, confirm_reports) VALUES (%s, %s, 'run', %s) RETURNING id",
        client,
        brand,
        confirm,
    )
    for kind, letter in (("storage", "S"), ("delivery", "D")):
        db.execute(
            f"WITH p AS (INSERT INTO {kind}_locations (client_id, name, latitude, longitude) VALUES (%s, 'place', %s, %s) RETURNING id)"
            " INSERT INTO production_run_locations SELECT %s, %s, id FROM p",
            (client, *WHERE[letter], client, run),
        )
    reports = script_reports(script)
    rng = random.Random(script)
    for n in range(ORDERS):
        order = rng.sample(reports, len(reports))
        tracker = one(
            db,
            "INSERT INTO trackers (client_id, production_run_id, name) VALUES (%s, %s, %s) RETURNING id",
            client,
            run,
            f"order {n}",
        )
        scene.trackers.append(tracker)
        for round_, report in enumerate(order):
            rounds[round_].append(Arrival(tracker, report, START))


def test_one_report_at_a_time(system):
    """After every single report the history is that of the reports so far: nothing waits for a later replay to be put right."""
    scene = Scene(days=0)
    rounds: list[list[Arrival]] = [[] for _ in range(7)]
    for confirm, script in SCRIPTS:
        scripted(system, confirm, script, rounds, scene)
    for arrivals in rounds:
        scene.arrivals += arrivals
        system.take_in(arrivals)
        system.judge()
        system.check_invariants()
        assert system.compare_with_oracle(scene) > 0
