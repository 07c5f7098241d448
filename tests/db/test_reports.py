"""store_reports(): what it stores, what it leaves out, what it writes beside; partitions; the inbox; retention."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import world as world_rows
from reports import Report, store

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def a(tx) -> world_rows.Tenant:
    tenant = world_rows.read(tx, 1)
    tx.execute("SELECT erase_reports(ARRAY(SELECT id FROM trackers))")
    tx.execute("DELETE FROM report_inbox")
    tx.execute("DELETE FROM agg_dirty")
    return tenant


def test_stored_once(tx, a):
    batch = [
        Report(a.tracker, NOW, 52.5, 13.4),
        Report(a.tracker, NOW, 52.5, 13.4),
        Report(a.tracker, NOW, 52.5, 13.4000001),
    ]
    assert len(store(tx, batch)) == 2  # the third is another position at the same time
    assert store(tx, batch) == []
    assert tx.execute("SELECT reports FROM report_inbox").fetchall() == [(2,)]
    assert tx.execute("SELECT count(*) FROM agg_dirty").fetchone() == (1,)


def test_positions_are_exact(tx, a):
    for latitude, longitude in [
        (52.1234567, 13.7654321),
        (-89.9999999, -179.9999999),
        (90, 180),
        (0.0000001, -0.0000001),
    ]:
        store(tx, [Report(a.tracker, NOW, latitude, longitude)])
        tx.execute("SELECT set_config('tracker.role', 'admin', true)")
        found = tx.execute(
            "SELECT latitude, longitude FROM tracker_reports WHERE tracker_id = %s AND latitude_e7 = round(%s * 1e7)",
            (a.tracker, latitude),
        )
        assert found.fetchone() == (latitude, longitude)


def test_unknown_trackers_are_left_out(tx, a):
    assert store(tx, [Report(999999, NOW, 1, 1), Report(a.tracker, NOW, 1, 1)]) == [(a.tracker, NOW)]
    assert store(tx, []) == []


def test_excluded_reports_are_stored_and_nothing_else(tx, a):
    assert len(store(tx, [Report(a.tracker, NOW, 1, 1, excluded=True)])) == 1
    assert tx.execute("SELECT count(*) FROM report_inbox").fetchone() == (0,)
    assert tx.execute("SELECT count(*) FROM agg_dirty").fetchone() == (0,)


def test_inbox_has_the_oldest_new_report_of_each_tracker(tx, a):
    b = world_rows.read(tx, 2)
    store(tx, [Report(a.tracker, NOW - timedelta(hours=h), 1, 1) for h in (1, 5, 3)] + [Report(b.tracker, NOW, 1, 1)])
    rows = tx.execute("SELECT tracker_id, reported_at, reports, reason FROM report_inbox ORDER BY 1").fetchall()
    assert rows == [(a.tracker, NOW - timedelta(hours=5), 3, "reports"), (b.tracker, NOW, 1, "reports")]


@pytest.mark.parametrize(
    "bad", [{"latitude": 90.1}, {"longitude": -180.1}, {"accuracy": -1}, {"confidence": -1}, {"status": 256}]
)
def test_impossible_reports_fail(tx, a, bad):
    with pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.NumericValueOutOfRange)), tx.transaction():
        store(tx, [Report(a.tracker, NOW, **({"latitude": 1, "longitude": 1} | bad))])


def test_battery_of_status(tx):
    levels = tx.execute(
        "SELECT array_agg(battery_of(s::smallint)::text) FROM unnest('{0,63,64,127,128,192,255,NULL}'::int[]) s"
    ).fetchone()[0]
    assert levels == ["full", "full", "medium", "medium", "low", "very_low", "very_low", None]


def test_workers_store_only_through_the_function(tx, acting, a):
    acting.become("tracker_worker")
    assert len(store(tx, [Report(a.tracker, NOW, 1, 1)])) == 1
    for statement in (
        "INSERT INTO location_reports (tracker_id) VALUES (1)",
        "UPDATE location_reports SET confidence = 3",
        "DELETE FROM location_reports",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
            tx.execute(statement)
    acting("admin")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
        store(tx, [Report(a.tracker, NOW, 1, 1)])


def test_rejected_reports_are_counted(tx, a):
    for _ in range(2):
        tx.execute(
            "SELECT count_rejected(ARRAY[%s, %s, 999999]::bigint[], '{off_curve,off_curve,future}', '{2,3,1}')",
            (a.tracker, a.tracker),
        )
    tx.execute("SELECT count_rejected(ARRAY[%s]::bigint[], '{off_curve}', '{0}')", (a.tracker,))
    rows = tx.execute(
        "SELECT reason, reports, client_id FROM rejected_reports WHERE tracker_id = %s ORDER BY 1", (a.tracker,)
    ).fetchall()
    assert rows == [("bad_tag", 3, 1), ("off_curve", 10, 1)]


# ------------------------------------------------------------------ partitions


def partitions(connection: psycopg.Connection, parent: str) -> set[str]:
    return {
        row[0]
        for row in connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", (parent,)
        )
    }


def test_partitions_are_made_ahead(tx):
    this_month = NOW.replace(day=1)
    months = {f"{(this_month + timedelta(days=d)):%Y_%m}" for d in (-1, 0, 32)}
    assert {f"location_reports_{m}" for m in months} <= partitions(tx, "location_reports")
    assert tx.execute("SELECT ensure_partitions()").fetchone() == (0,)
    assert (
        tx.execute("SELECT ensure_partitions('13 months')").fetchone()[0] >= 22
    )  # eleven months of two tables, and a year
    assert tx.execute("SELECT ensure_partitions('13 months')").fetchone() == (0,)


def test_old_reports_find_their_place(tx, a):
    old = datetime(2003, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert len(store(tx, [Report(a.tracker, old, 1, 1), Report(a.tracker, old + timedelta(microseconds=1), 1, 1)])) == 2
    assert {"location_reports_2003_12", "location_reports_2004_01"} <= partitions(tx, "location_reports")
    assert {"history_daily_2003", "history_daily_2004"} <= partitions(tx, "history_daily")
    assert tx.execute("SELECT count(*) FROM location_reports_2004_01").fetchone() == (1,)


@pytest.mark.parametrize("at", [datetime(1989, 12, 31, tzinfo=UTC), NOW + timedelta(days=11 * 366)])
def test_absurd_times_make_no_partition(tx, a, at):
    with pytest.raises(psycopg.errors.DatetimeFieldOverflow), tx.transaction():
        store(tx, [Report(a.tracker, at, 1, 1)])


def test_session_time_zone_does_not_move_partitions(tx, a):
    tx.execute("SET LOCAL timezone = 'Pacific/Auckland'")
    edge = datetime(2011, 6, 30, 23, 30, tzinfo=UTC)  # already July in Auckland
    store(tx, [Report(a.tracker, edge, 1, 1)])
    assert "location_reports_2011_06" in partitions(tx, "location_reports")
    assert "location_reports_2011_07" not in partitions(tx, "location_reports")
    days = tx.execute("SELECT day FROM agg_dirty").fetchall()
    assert days == [(datetime(2011, 6, 30, tzinfo=UTC),)]


def test_two_writers_need_the_same_new_partition(fresh):
    with fresh(autocommit=True) as setup:
        tenant = world_rows.tenant(setup, "a")
    first, second = fresh(), fresh(autocommit=True)
    store(first, [Report(tenant.tracker, datetime(2005, 1, 1, tzinfo=UTC), 1, 1)])
    # Known partitions go on being written while the new one is not committed yet.
    assert len(store(second, [Report(tenant.tracker, NOW - timedelta(days=1), 1, 1)])) == 1
    stored = []
    other = threading.Thread(
        target=lambda: stored.extend(store(second, [Report(tenant.tracker, datetime(2005, 1, 2, tzinfo=UTC), 1, 1)]))
    )
    other.start()
    other.join(0.3)
    assert other.is_alive()  # waits for the lock
    first.commit()
    other.join(10)
    assert len(stored) == 1


def test_batches_in_opposite_order_do_not_deadlock(fresh):
    with fresh(autocommit=True) as setup:
        tenant = world_rows.tenant(setup, "a")
    batch = [Report(tenant.tracker, NOW - timedelta(minutes=m), 1, 1) for m in range(500)]
    connections = [fresh(autocommit=True) for _ in range(4)]
    counts, failures = [], []

    def run(connection: psycopg.Connection, reports: list[Report]) -> None:
        try:
            counts.append(len(store(connection, reports)))
        except psycopg.Error as error:
            failures.append(error)

    threads = [
        threading.Thread(target=run, args=(c, batch if n % 2 else batch[::-1])) for n, c in enumerate(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and sum(counts) == 500


# ------------------------------------------------------------------ inbox


def claim(connection: psycopg.Connection, n: int = 10) -> list[tuple]:
    return connection.execute(
        "SELECT tracker_id, reported_at, from_start, reports FROM claim_inbox(%s) ORDER BY 1", (n,)
    ).fetchall()


def test_a_claim_takes_all_rows_of_its_trackers(tx, a):
    store(tx, [Report(a.tracker, NOW, 1, 1)])
    store(tx, [Report(a.tracker, NOW - timedelta(days=1), 1, 1)])
    assert claim(tx) == [(a.tracker, NOW - timedelta(days=1), False, 2)]
    assert claim(tx) == []
    tx.execute(
        "INSERT INTO report_inbox (tracker_id, reported_at, reason) VALUES (%s, NULL, 'run'), (%s, now(), 'shape')",
        (a.tracker, a.tracker),
    )
    assert [row[2] for row in claim(tx)] == [True]


def test_two_judges_never_have_one_tracker(fresh):
    with fresh(autocommit=True) as setup:
        tenant = world_rows.tenant(setup, "a")
        setup.execute("DELETE FROM report_inbox")
        ids = [
            row[0]
            for row in setup.execute(
                "INSERT INTO trackers (client_id, name) SELECT %s, 't' || n FROM generate_series(1, 30) n RETURNING id",
                (tenant.client,),
            )
        ]
        store(setup, [Report(i, NOW - timedelta(minutes=m), 1, 1) for i in ids for m in range(3)])
    one, two, three = fresh(), fresh(), fresh()
    first, second = {r[0] for r in claim(one, 12)}, {r[0] for r in claim(two, 12)}
    assert len(first) == 12 and len(second) == 12 and not first & second
    one.rollback()  # this judge died: its trackers are there again
    third = {r[0] for r in claim(three, 100)}
    assert third == set(ids) - second


def test_a_report_that_comes_while_its_tracker_is_judged_is_not_lost(fresh):
    """The lost-update race: a unique inbox row would let the writer think that the judge sees its report."""
    with fresh(autocommit=True) as setup:
        tenant = world_rows.tenant(setup, "a")
        setup.execute("DELETE FROM report_inbox")
        store(setup, [Report(tenant.tracker, NOW, 1, 1)])
    writer, judge = fresh(), fresh()
    store(writer, [Report(tenant.tracker, NOW - timedelta(hours=2), 1, 1)])  # not committed
    assert claim(judge) == [(tenant.tracker, NOW, False, 1)]
    writer.commit()
    judge.commit()
    assert claim(judge) == [(tenant.tracker, NOW - timedelta(hours=2), False, 1)]


def test_claims_refuse_a_snapshot_that_is_older_than_the_lock(fresh):
    connection = fresh()
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with pytest.raises(psycopg.errors.RaiseException, match="READ COMMITTED"):
        claim(connection)


# ------------------------------------------------------------------ retention


def test_retention_keeps_summaries_and_refuses_late_reports(fresh):
    connection = fresh(autocommit=True)
    tenant = world_rows.tenant(connection, "a")
    old = datetime(2024, 3, 5, 12, tzinfo=UTC)
    store(connection, [Report(tenant.tracker, old, 1, 1), Report(tenant.tracker, NOW - timedelta(hours=5), 2, 2)])
    # Not before the summaries are made.
    assert connection.execute("SELECT drop_reports_before('2024-05-17Z')").fetchone() == (0,)
    connection.execute("CALL refresh_history()")
    assert connection.execute("SELECT drop_reports_before('2024-05-17Z')").fetchone() == (1,)
    summary = "SELECT reports FROM history_daily_now WHERE tracker_id = %s AND bucket = '2024-03-05Z'"
    assert connection.execute(summary, (tenant.tracker,)).fetchone() == (1,)
    assert store(connection, [Report(tenant.tracker, old + timedelta(hours=1), 1, 1)]) == []
    assert len(store(connection, [Report(tenant.tracker, datetime(2024, 5, 1, tzinfo=UTC), 1, 1)])) == 1
    # A dirty key that slipped in all the same does not destroy the summary.
    connection.execute("INSERT INTO agg_dirty (tracker_id, day) VALUES (%s, '2024-03-05Z')", (tenant.tracker,))
    connection.execute("CALL refresh_history()")
    assert connection.execute(summary, (tenant.tracker,)).fetchone() == (1,)


def test_the_horizon_only_moves_forward(fresh):
    connection = fresh(autocommit=True)
    for time in ("2024-05-17Z", "2023-01-01Z"):
        connection.execute("SELECT drop_reports_before(%s)", (time,))
    assert connection.execute("SELECT value FROM schema_info WHERE key = 'report_horizon'").fetchone() == (
        "2024-05-01T00:00:00Z",
    )
