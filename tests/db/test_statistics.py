"""Sums of the status history by day: right at any moment, refreshed or not, whatever the order of writes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
import world

START = datetime(2026, 2, 1, tzinfo=UTC)
STATUSES = ("CREATED", "IN_TRANSIT", "IN_STORAGE", "DELIVERED")


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def add(tx, tracker: int, since: datetime, status: str, previous: str, run: int | None) -> None:
    tx.execute(
        "INSERT INTO status_history (client_id, tracker_id, production_run_id, status, since, previous_status, rule, reported_at,"
        " latitude, longitude, accuracy_m) VALUES (%s, %s, %s, %s, %s, %s, 'a_rule', %s, 1, 1, 1)",
        (world.A_ID, tracker, run, status, since, previous, since),
    )


def days(tx, view: str = "status_daily_now") -> dict[tuple, tuple]:
    """(run, day of February, status) -> entered, left, periods, hours, longest, deliveries, on time."""
    rows = tx.execute(
        f"SELECT production_run_id, extract(day FROM day)::int, status::text, entered, left_again, periods, seconds / 3600.0,"
        f" longest / 3600.0, deliveries, on_time FROM {view} WHERE client_id = %s AND day < '2026-03-01'",
        (world.A_ID,),
    )
    return {row[:3]: tuple(float(value) for value in row[3:]) for row in rows}


@pytest.fixture
def a(tx):
    run = tx.execute("SELECT id, brand_id FROM production_runs WHERE client_id = %s", (world.A_ID,)).fetchone()
    tracker = tx.execute(
        "INSERT INTO trackers (client_id, production_run_id, name) VALUES (%s, %s, 'counted') RETURNING id",
        (world.A_ID, run[0]),
    ).fetchone()[0]
    return run[0], tracker


def test_one_tracker(tx, a):
    run, tracker = a
    tx.execute("UPDATE production_runs SET starts_at = %s, ends_at = %s WHERE id = %s", (START, at(40), run))
    add(tx, tracker, at(1), "IN_STORAGE", "CREATED", run)
    add(tx, tracker, at(3), "IN_STORAGE", "IN_STORAGE", run)  # another place of the same kind
    add(tx, tracker, at(11), "IN_TRANSIT", "IN_STORAGE", run)
    add(tx, tracker, at(30), "DELIVERED", "IN_TRANSIT", run)
    add(tx, tracker, at(50), "IN_TRANSIT", "DELIVERED", run)
    add(tx, tracker, at(53), "DELIVERED", "IN_TRANSIT", run)
    expected = {
        (run, 1, "CREATED"): (0, 1, 0, 0, 0, 0, 0),
        (run, 1, "IN_STORAGE"): (1, 1, 1, 10, 10, 0, 0),
        (run, 1, "IN_TRANSIT"): (1, 0, 0, 0, 0, 0, 0),
        (run, 2, "IN_TRANSIT"): (0, 1, 1, 19, 19, 0, 0),
        (run, 2, "DELIVERED"): (1, 0, 0, 0, 0, 1, 1),
        (run, 3, "DELIVERED"): (1, 1, 1, 20, 20, 0, 0),
        (run, 3, "IN_TRANSIT"): (1, 1, 1, 3, 3, 0, 0),
    }
    assert days(tx) == expected
    tx.execute("SELECT refresh_status_daily()")
    assert tx.execute("SELECT count(*) FROM status_dirty").fetchone() == (0,)
    assert days(tx, "status_daily") == days(tx) == expected


def test_another_end_makes_other_deliveries_on_time(tx, a):
    run, tracker = a
    tx.execute("UPDATE production_runs SET starts_at = %s, ends_at = %s WHERE id = %s", (START, at(40), run))
    add(tx, tracker, at(30), "DELIVERED", "CREATED", run)
    tx.execute("SELECT refresh_status_daily()")
    assert days(tx)[run, 2, "DELIVERED"][-2:] == (1, 1)
    for end, on_time in ((at(30), 1), (at(29.9), 0), (None, 1)):
        tx.execute("UPDATE production_runs SET ends_at = %s WHERE id = %s", (end, run))
        assert days(tx)[run, 2, "DELIVERED"][-2:] == (1, on_time)


def test_archived_trackers_leave_the_past_but_not_the_deliveries(tx, a):
    run, tracker = a
    add(tx, tracker, at(30), "DELIVERED", "CREATED", run)
    tx.execute("SELECT refresh_status_daily()")
    for archived, entered in (("now()", 0), ("NULL", 1)):
        tx.execute(f"UPDATE trackers SET archived_at = {archived} WHERE id = %s", (tracker,))
        assert days(tx)[run, 2, "DELIVERED"] == (entered, 0, 0, 0, 0, 1, 1)
        assert days(tx)[run, 2, "CREATED"][:2] == (0, entered)


def test_trackers_without_a_run(tx, a):
    _, tracker = a
    add(tx, tracker, at(1), "DELIVERED", "CREATED", None)
    assert days(tx)[0, 1, "DELIVERED"] == (1, 0, 0, 0, 0, 0, 0)


def random_history(tx, run: int, tracker: int, chance: random.Random) -> None:
    """Replace the history of a tracker from a random time on, as a replay does."""
    start = chance.uniform(0, 24 * 20)
    tx.execute("DELETE FROM status_history WHERE tracker_id = %s AND since >= %s", (tracker, at(start)))
    row = tx.execute(
        "SELECT status::text FROM status_history WHERE tracker_id = %s ORDER BY since DESC, id DESC LIMIT 1", (tracker,)
    ).fetchone()
    status = row[0] if row else "CREATED"
    hours = start
    for _ in range(chance.randrange(6)):
        hours += chance.uniform(0, 60)
        following = chance.choice(STATUSES[1:])
        add(tx, tracker, at(hours), following, status, run)
        status = following


@pytest.mark.parametrize("seed", range(5))
def test_kept_sums_equal_those_computed_from_nothing(tx, a, seed):
    run, tracker = a
    chance = random.Random(seed)
    others = [
        tx.execute(
            "INSERT INTO trackers (client_id, production_run_id, name) VALUES (%s, %s, %s) RETURNING id",
            (world.A_ID, run, f"other {n}"),
        ).fetchone()[0]
        for n in range(3)
    ]
    for _ in range(12):
        random_history(tx, run, chance.choice([tracker, *others]), chance)
        if chance.random() < 0.3:
            tx.execute("UPDATE trackers SET archived_at = now() WHERE id = %s", (chance.choice(others),))
        if chance.random() < 0.5:
            tx.execute("SELECT refresh_status_daily(%s)", (chance.choice([1, 3, 1000]),))
        fresh = days(
            tx,
            "(SELECT live.* FROM (SELECT DISTINCT client_id, coalesce(production_run_id, 0) AS run, (since AT TIME ZONE 'UTC')::date AS day"
            " FROM status_history) k, LATERAL status_day(k.client_id, k.run, k.day,"
            " k.day::timestamp AT TIME ZONE 'UTC', (k.day + 1)::timestamp AT TIME ZONE 'UTC') live) x",
        )
        assert days(tx) == fresh


def test_a_writer_that_commits_late_is_not_lost(fresh):
    """The refresher takes the entry of one writer while another of the same day has not committed yet."""
    one, two, refresher = fresh(), fresh(), fresh(autocommit=True)
    client = refresher.execute("INSERT INTO clients (name) VALUES ('c') RETURNING id").fetchone()[0]
    for connection, name in ((one, "one"), (two, "two")):
        tracker = refresher.execute(
            "INSERT INTO trackers (client_id, name) VALUES (%s, %s) RETURNING id", (client, name)
        ).fetchone()[0]
        connection.execute(
            "INSERT INTO status_history (client_id, tracker_id, status, since, previous_status, rule, reported_at, latitude,"
            " longitude, accuracy_m) VALUES (%s, %s, 'IN_TRANSIT', %s, 'CREATED', 'r', now(), 1, 1, 1)",
            (client, tracker, START),
        )
    one.commit()
    refresher.execute("SELECT refresh_status_daily()")
    two.commit()
    for _ in range(2):
        entered = refresher.execute("SELECT sum(entered) FROM status_daily_now WHERE status = 'IN_TRANSIT'")
        assert entered.fetchone() == (2,)
        refresher.execute("SELECT refresh_status_daily()")


def test_two_refreshers_do_not_meet(fresh):
    one, two = fresh(), fresh(autocommit=True)
    one.execute("SELECT refresh_status_daily()")
    two.execute("SET statement_timeout = '5s'")
    two.execute("INSERT INTO status_dirty (client_id, production_run_id, day) VALUES (1, 1, now())")
    assert two.execute("SELECT refresh_status_daily()").fetchone() == (0,)
    one.rollback()
    assert two.execute("SELECT refresh_status_daily()").fetchone() == (1,)
