"""The sums of the map by cell are those of the trackers, whatever happens to these, folded or not."""

from __future__ import annotations

import random

import world as world_rows

PLACES = [(52.52, 13.40), (52.53, 13.41), (48.14, 11.58), (-33.86, 151.2), (89.9, 0.0), (0.0, 179.999)]
STATUSES = ["CREATED", "IN_TRANSIT", "IN_STORAGE", "DELIVERED"]

COUNTED = """
    SELECT client_id, (map_key >> 24)::integer, status::text, count(*) FROM trackers
    WHERE archived_at IS NULL AND map_key IS NOT NULL GROUP BY 1, 2, 3
"""
SUMMED = """
    SELECT client_id, cell, status::text, sum(trackers) FROM (
        SELECT client_id, cell, status, trackers FROM map_cells
        UNION ALL SELECT client_id, cell, status, change FROM map_cell_changes
        UNION ALL SELECT 0, cell, status, change FROM map_cell_changes
    ) parts GROUP BY 1, 2, 3 HAVING sum(trackers) <> 0
"""


def same(tx) -> bool:
    counted = {row[:3]: row[3] for row in tx.execute(COUNTED)}
    everybody: dict[tuple, int] = {}
    for (_, cell, status), n in counted.items():
        everybody[(0, cell, status)] = everybody.get((0, cell, status), 0) + n
    return {row[:3]: row[3] for row in tx.execute(SUMMED)} == counted | everybody


def act(tx, rng: random.Random, trackers: list[int], a, b) -> None:
    what = rng.choice(["move", "move", "status", "archive", "restore", "delete", "add", "add many"])
    tracker = rng.choice(trackers) if trackers else None
    place = rng.choice(PLACES)
    if what in ("add", "add many") or tracker is None:
        n = 1 if what == "add" else 3
        client, run = rng.choice([(a.client, a.run), (b.client, b.run)])
        trackers += [
            row[0]
            for row in tx.execute(
                "INSERT INTO trackers (client_id, production_run_id, name, last_latitude, last_longitude)"
                " SELECT %s, %s, gen_random_uuid(), %s, %s FROM generate_series(1, %s) RETURNING id",
                (client, run, *(place if rng.random() < 0.7 else (None, None)), n),
            )
        ]
    elif what == "move":
        tx.execute("UPDATE trackers SET last_latitude = %s, last_longitude = %s WHERE id = %s", (*place, tracker))
    elif what == "status":
        tx.execute("UPDATE trackers SET status = %s WHERE id = %s", (rng.choice(STATUSES), tracker))
    elif what in ("archive", "restore"):
        at = "now()" if what == "archive" else "NULL"
        tx.execute(f"UPDATE trackers SET archived_at = {at} WHERE id = %s", (tracker,))
    else:
        tx.execute("DELETE FROM trackers WHERE id = %s", (tracker,))
        trackers.remove(tracker)


def test_sums_are_those_of_the_trackers(tx):
    a, b = world_rows.read(tx, 1), world_rows.read(tx, 2)
    rng = random.Random(7)
    trackers: list[int] = []
    assert same(tx)
    for step in range(300):
        act(tx, rng, trackers, a, b)
        if step % 40 == 39:
            tx.execute("SELECT fold_map_cells()")
            assert tx.execute("SELECT count(*) FROM map_cell_changes").fetchone() == (0,)
        assert same(tx), step
    tx.execute("DELETE FROM trackers WHERE id = ANY (%s)", (trackers,))
    tx.execute("SELECT fold_map_cells()")
    assert same(tx)
    assert tx.execute("SELECT count(*) FROM map_cells WHERE trackers <= 0").fetchone() == (0,)


def test_a_report_within_the_cell_changes_nothing(tx):
    a = world_rows.read(tx, 1)
    tx.execute("UPDATE trackers SET last_latitude = 52.5200, last_longitude = 13.4000 WHERE id = %s", (a.tracker,))
    before = tx.execute("SELECT count(*) FROM map_cell_changes").fetchone()
    tx.execute("UPDATE trackers SET last_latitude = 52.5201, last_longitude = 13.4001 WHERE id = %s", (a.tracker,))
    assert tx.execute("SELECT count(*) FROM map_cell_changes").fetchone() == before


def test_rows_and_columns_of_a_cell(tx):
    rows = tx.execute(
        "SELECT x, y, map_cell_axis(map_cell(morton(x << 12, y << 12)), 0), map_cell_axis(map_cell(morton(x << 12, y << 12)), 1)"
        " FROM (VALUES (0, 0), (4095, 0), (0, 4095), (4095, 4095), (2200, 1343), (1365, 2730)) v (x, y)"
    ).fetchall()
    assert all((x, y) == (column, line) for x, y, column, line in rows)
