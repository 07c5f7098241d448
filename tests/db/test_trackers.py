"""Trackers and their runs follow each other; who is due; counts without counting; search; map keys."""

from __future__ import annotations

import math
import random

import psycopg
import pytest
import world as world_rows


def runs(connection: psycopg.Connection, tracker: int) -> list[tuple]:
    return connection.execute(
        "SELECT production_run_id, lower(period), upper(period) FROM tracker_runs WHERE tracker_id = %s ORDER BY lower(period) NULLS FIRST",
        (tracker,),
    ).fetchall()


@pytest.fixture
def a(tx) -> world_rows.Tenant:
    return world_rows.read(tx, 1)


@pytest.fixture
def second_run(tx, a) -> int:
    return tx.execute(
        "INSERT INTO production_runs (client_id, brand_id, name) VALUES (1, %s, 'second') RETURNING id", (a.brand,)
    ).fetchone()[0]


def test_the_first_run_reaches_back_without_bound(tx, a):
    assert runs(tx, a.tracker) == [(a.run, None, None)]


def test_setting_a_run_moves_the_tracker_now(tx, a, second_run):
    now = tx.execute("SELECT now()").fetchone()[0]
    tx.execute("UPDATE trackers SET production_run_id = %s WHERE id = %s", (second_run, a.tracker))
    assert runs(tx, a.tracker) == [(a.run, None, now), (second_run, now, None)]
    # A second thought in the same transaction leaves no empty period behind.
    tx.execute("UPDATE trackers SET production_run_id = %s WHERE id = %s", (a.run, a.tracker))
    assert runs(tx, a.tracker) == [(a.run, None, now), (a.run, now, None)]
    tx.execute("UPDATE trackers SET production_run_id = NULL WHERE id = %s", (a.tracker,))
    assert runs(tx, a.tracker) == [(a.run, None, now)]


def test_correcting_the_runs_moves_the_tracker(tx, a, second_run):
    current = "SELECT production_run_id FROM trackers WHERE id = %s"
    tx.execute("UPDATE tracker_runs SET production_run_id = %s WHERE tracker_id = %s", (second_run, a.tracker))
    assert tx.execute(current, (a.tracker,)).fetchone() == (second_run,)
    tx.execute("DELETE FROM tracker_runs WHERE tracker_id = %s", (a.tracker,))
    assert tx.execute(current, (a.tracker,)).fetchone() == (None,)


def test_planned_moves_turn_when_their_time_comes(tx, a, second_run):
    tx.execute(
        "UPDATE tracker_runs SET period = tstzrange(NULL, now() + interval '1 hour') WHERE tracker_id = %s",
        (a.tracker,),
    )
    tx.execute(
        "INSERT INTO tracker_runs (client_id, tracker_id, production_run_id, period) VALUES (1, %s, %s, tstzrange(now() + interval '1 hour', NULL))",
        (a.tracker, second_run),
    )
    current = "SELECT production_run_id FROM trackers WHERE id = %s"
    assert tx.execute("SELECT turn_runs()").fetchone() == (0,)
    assert tx.execute(current, (a.tracker,)).fetchone() == (a.run,)
    # Two hours pass.
    tx.execute("ALTER TABLE tracker_runs DISABLE TRIGGER follow")
    tx.execute("DELETE FROM tracker_runs WHERE tracker_id = %s AND production_run_id = %s", (a.tracker, second_run))
    tx.execute(
        "UPDATE tracker_runs SET period = tstzrange(NULL, now() - interval '1 hour') WHERE tracker_id = %s",
        (a.tracker,),
    )
    tx.execute(
        "INSERT INTO tracker_runs (client_id, tracker_id, production_run_id, period) VALUES (1, %s, %s, tstzrange(now() - interval '1 hour', NULL))",
        (a.tracker, second_run),
    )
    assert tx.execute("SELECT turn_runs()").fetchone() == (1,)
    assert tx.execute(current, (a.tracker,)).fetchone() == (second_run,)


# ------------------------------------------------------------------ due


def due(connection: psycopg.Connection, tracker: int) -> bool:
    return connection.execute(
        "SELECT next_fetch_at <= now() IS TRUE FROM trackers WHERE id = %s", (tracker,)
    ).fetchone()[0]


def test_trackers_are_due_while_their_run_is_in_progress(tx, a, second_run):
    assert due(tx, a.tracker)
    tx.execute("UPDATE trackers SET archived_at = now() WHERE id = %s", (a.tracker,))
    assert not due(tx, a.tracker)
    tx.execute("UPDATE trackers SET archived_at = NULL WHERE id = %s", (a.tracker,))
    assert due(tx, a.tracker)
    tx.execute("UPDATE production_runs SET starts_at = now() + interval '1 day' WHERE id = %s", (second_run,))
    tx.execute("UPDATE trackers SET production_run_id = %s WHERE id = %s", (second_run, a.tracker))
    assert not due(tx, a.tracker)


def test_runs_that_begin_and_end_arm_and_disarm(tx, a):
    tx.execute("SELECT arm_fetches()")
    assert tx.execute("SELECT arm_fetches()").fetchone() == (0,)
    version = tx.execute("SELECT version FROM production_runs WHERE id = %s", (a.run,)).fetchone()
    tx.execute("UPDATE trackers SET next_fetch_at = now() + interval '5 hours' WHERE id = %s", (a.tracker,))
    tx.execute(
        "UPDATE production_runs SET starts_at = now() - interval '2 days', ends_at = now() - interval '1 day' WHERE id = %s",
        (a.run,),
    )
    assert tx.execute("SELECT arm_fetches()").fetchone() == (1,)
    assert tx.execute("SELECT next_fetch_at FROM trackers WHERE id = %s", (a.tracker,)).fetchone() == (None,)
    tx.execute("UPDATE production_runs SET ends_at = NULL WHERE id = %s", (a.run,))
    assert tx.execute("SELECT arm_fetches()").fetchone() == (1,)
    assert due(tx, a.tracker)
    # Two edits of a person, and none by the bookkeeping.
    assert tx.execute("SELECT version FROM production_runs WHERE id = %s", (a.run,)).fetchone()[0] == version[0] + 2


def test_two_workers_lease_different_trackers(fresh):
    lease = (
        "SELECT id FROM trackers WHERE next_fetch_at <= now() AND archived_at IS NULL AND (lease_until IS NULL OR lease_until < now())"
        " ORDER BY next_fetch_at, id LIMIT 3 FOR UPDATE SKIP LOCKED"
    )
    with fresh(autocommit=True) as setup:
        tenant = world_rows.tenant(setup, "a")
        setup.execute(
            "INSERT INTO trackers (client_id, production_run_id, name) SELECT %s, %s, 't' || n FROM generate_series(1, 5) n",
            (tenant.client, tenant.run),
        )
    first, second = fresh(), fresh()
    one = {row[0] for row in first.execute(lease)}
    two = {row[0] for row in second.execute(lease)}
    assert len(one) == 3 and len(two) == 3 and not one & two


# ------------------------------------------------------------------ counts


def test_counts_equal_counting(tx, a, second_run):
    """Random changes of everything that counts, with folding at random moments."""
    random.seed(7)
    counted = "SELECT client_id, production_run_id, status::text, trackers FROM tracker_status_counts ORDER BY 1, 2, 3"
    counting = "SELECT client_id, production_run_id, status::text, count(*) FROM trackers WHERE archived_at IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    tx.execute(
        "INSERT INTO trackers (client_id, production_run_id, name) SELECT 1, %s, 'c' || n FROM generate_series(1, 20) n",
        (a.run,),
    )
    ids = [row[0] for row in tx.execute("SELECT id FROM trackers WHERE name LIKE 'c%'")]
    changes = [
        "UPDATE trackers SET status = 'IN_TRANSIT' WHERE id = %s",
        "UPDATE trackers SET status = 'DELIVERED' WHERE id = %s",
        "UPDATE trackers SET archived_at = now() WHERE id = %s",
        "UPDATE trackers SET archived_at = NULL WHERE id = %s",
        "UPDATE trackers SET production_run_id = NULL WHERE id = %s",
        f"UPDATE trackers SET production_run_id = {second_run} WHERE id = %s",
        "DELETE FROM trackers WHERE id = %s",
    ]
    for step in range(150):
        weights = [3, 3, 2, 2, 1, 2, 0.3]
        tx.execute(random.choices(changes, weights)[0], (random.choice(ids),))
        if step % 17 == 0:
            tx.execute("SELECT fold_tracker_counts()")
        assert tx.execute(counted).fetchall() == tx.execute(counting).fetchall()


def test_folding_beside_a_writer_loses_nothing(fresh):
    with fresh(autocommit=True) as setup:
        tenant = world_rows.tenant(setup, "a")
    writer, folder = fresh(), fresh()
    writer.execute("UPDATE trackers SET status = 'DELIVERED' WHERE id = %s", (tenant.tracker,))
    folder.execute("SELECT fold_tracker_counts()")
    folder.commit()
    writer.commit()
    total = folder.execute("SELECT status::text, trackers FROM tracker_status_counts").fetchall()
    assert total == [("DELIVERED", 1)]


# ------------------------------------------------------------------ search


@pytest.mark.parametrize("part", ["bb:cc", "bbccdd", "RACK", "tracker aa"])
def test_search_by_part(tx, acting, a, part):
    acting("user", [1])
    found = tx.execute(
        "SELECT resource, resource_id, client_id FROM search_index WHERE parts LIKE '%%' || lower(%s) || '%%'", (part,)
    ).fetchall()
    assert found == [("trackers", a.tracker, 1)]


def test_search_follows_changes(tx, acting, a):
    acting("admin")
    words = "SELECT count(*) FROM search_index WHERE words @@ websearch_to_tsquery('simple', %s) AND client_id = 1"
    assert tx.execute(words, ("shop",)).fetchone() == (1,)
    tx.execute(
        "UPDATE delivery_locations SET name = 'boutique', description = 'on the corner' WHERE id = %s", (a.delivery,)
    )
    assert tx.execute(words, ("shop",)).fetchone() == (0,)
    assert tx.execute(words, ("boutique corner",)).fetchone() == (1,)
    tx.execute("UPDATE trackers SET name = 'pallet 7' WHERE id = %s", (a.tracker,))
    assert tx.execute(words, ("pallet",)).fetchone() == (1,)


# ------------------------------------------------------------------ map keys


def tile(latitude: float, longitude: float, zoom: int) -> tuple[int, int]:
    """The usual slippy-map formula."""
    n = 2**zoom
    x = int((longitude + 180) / 360 * n)
    y = int((1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2 * n)
    return min(x, n - 1), min(y, n - 1)


def test_map_keys_lie_in_the_range_of_their_tiles(tx):
    random.seed(3)
    for _ in range(100):
        latitude, longitude = random.uniform(-84, 84), random.uniform(-180, 180)
        key = tx.execute("SELECT map_key(%s, %s)", (latitude, longitude)).fetchone()[0]
        for zoom in (0, 1, 5, 11, 17, 22):
            x, y = tile(latitude, longitude, zoom)
            low = tx.execute("SELECT map_tile_low(%s, %s, %s)", (zoom, x, y)).fetchone()[0]
            assert low <= key < low + (1 << 2 * (24 - zoom)), (latitude, longitude, zoom)


def test_map_keys_of_the_rim(tx):
    for latitude, longitude in [(90, 180), (-90, -180), (90, -180), (0, 180)]:
        key = tx.execute("SELECT map_key(%s, %s)", (latitude, longitude)).fetchone()[0]
        assert 0 <= key < 1 << 48
    assert tx.execute("SELECT map_key(NULL, 1)").fetchone() == (None,)
