"""What makes a tracker due, and from when its keys are asked for again."""

from __future__ import annotations

import pytest
import world as world_rows


@pytest.fixture
def a(tx) -> world_rows.Tenant:
    """A tracker that was asked for up to now and is due tomorrow."""
    tenant = world_rows.read(tx, 1)
    tx.execute("UPDATE tracker_keys SET asked_until = now() WHERE tracker_id = %s", (tenant.tracker,))
    tx.execute("UPDATE trackers SET next_fetch_at = now() + interval '1 day' WHERE id = %s", (tenant.tracker,))
    return tenant


def due_now(tx, tracker: int) -> bool:
    return tx.execute("SELECT next_fetch_at <= now() FROM trackers WHERE id = %s", (tracker,)).fetchone()[0]


def asked_for_hours(tx, tracker: int) -> float | None:
    """How many hours ago the tracker's first key was asked for; None: never."""
    sql = "SELECT round(extract(epoch FROM now() - asked_until) / 3600) FROM tracker_keys WHERE tracker_id = %s ORDER BY id LIMIT 1"
    hours = tx.execute(sql, (tracker,)).fetchone()[0]
    return None if hours is None else float(hours)


def set_period(tx, tracker: int, start: str, end: str) -> None:
    """Bounds as SQL, such as now() - interval '1 day' or NULL."""
    tx.execute(f"UPDATE tracker_keys SET period = tstzrange({start}, {end}) WHERE tracker_id = %s", (tracker,))


def test_a_new_key_makes_its_tracker_due(tx, a):
    tx.execute(
        "INSERT INTO tracker_keys (client_id, tracker_id, advertisement_key) VALUES (%s, %s, substr(sha256('new'), 1, 28))",
        (a.client, a.tracker),
    )
    assert due_now(tx, a.tracker)


def test_a_new_key_does_not_wake_a_tracker_that_is_not_fetched(tx, a):
    tx.execute("UPDATE trackers SET archived_at = now() WHERE id = %s", (a.tracker,))
    tx.execute(
        "INSERT INTO tracker_keys (client_id, tracker_id, advertisement_key) VALUES (%s, %s, substr(sha256('new'), 1, 28))",
        (a.client, a.tracker),
    )
    assert due_now(tx, a.tracker) is None


@pytest.mark.parametrize(
    ("before", "after", "asked"),
    [
        # earlier than before: from the beginning
        (("now() - interval '2 days'", "NULL"), ("now() - interval '3 days'", "NULL"), None),
        (("now() - interval '2 days'", "NULL"), ("NULL", "NULL"), None),
        (("now() - interval '2 days'", "now() - interval '1 day'"), ("NULL", "now() - interval '1 day'"), None),
        # for longer than before: from its old end
        (("NULL", "now() - interval '5 hours'"), ("NULL", "NULL"), 5),
        (("NULL", "now() - interval '5 hours'"), ("NULL", "now() - interval '2 hours'"), 5),
        # for less time, or a future that was not asked for anyhow: no gap
        (("NULL", "NULL"), ("NULL", "now() - interval '1 hour'"), 0),
        (("NULL", "NULL"), ("now() - interval '1 day'", "NULL"), 0),
        (("NULL", "now() + interval '1 day'"), ("NULL", "now() + interval '2 days'"), 0),
    ],
)
def test_a_key_that_becomes_valid_for_more_time_is_asked_for_again(tx, a, before, after, asked):
    set_period(tx, a.tracker, *before)
    tx.execute("UPDATE tracker_keys SET asked_until = now() WHERE tracker_id = %s", (a.tracker,))
    tx.execute("UPDATE trackers SET next_fetch_at = now() + interval '1 day' WHERE id = %s", (a.tracker,))
    set_period(tx, a.tracker, *after)
    assert asked_for_hours(tx, a.tracker) == asked
    assert due_now(tx, a.tracker) or asked == 0


def test_another_run_makes_a_tracker_due(tx, a):
    run = tx.execute(
        "INSERT INTO production_runs (client_id, brand_id, name) VALUES (%s, %s, 'other') RETURNING id",
        (a.client, a.brand),
    ).fetchone()[0]
    tx.execute("UPDATE trackers SET name = name || '!' WHERE id = %s", (a.tracker,))
    assert not due_now(tx, a.tracker)
    tx.execute("UPDATE trackers SET production_run_id = %s WHERE id = %s", (run, a.tracker))
    assert due_now(tx, a.tracker)


def test_refreshing_puts_a_tracker_first(tx, a):
    def refresh(tracker: int, since: str | None = None) -> bool:
        tx.execute("SET LOCAL ROLE tracker_worker")
        found = tx.execute("SELECT refresh_tracker(%s, %s::timestamptz)", (tracker, since)).fetchone()[0]
        tx.execute("RESET ROLE")
        return found

    assert refresh(a.tracker)
    assert tx.execute("SELECT next_fetch_at = fetch_first() FROM trackers WHERE id = %s", (a.tracker,)).fetchone()[0]
    assert asked_for_hours(tx, a.tracker) == 0
    assert refresh(a.tracker, "2026-01-01T00:00:00Z")
    assert tx.execute(
        "SELECT asked_until = '2026-01-01T00:00:00Z' FROM tracker_keys WHERE tracker_id = %s", (a.tracker,)
    ).fetchone()[0]
    assert not refresh(999999)
    tx.execute("UPDATE trackers SET archived_at = now() WHERE id = %s", (a.tracker,))
    assert not refresh(a.tracker)
