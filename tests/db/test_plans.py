"""Plans of the queries that must not grow with the number of trackers, as an admin and as a tenant with ten rows.

Short form: 100,000 trackers of 200 tenants. PLANS_TRACKERS=1000000 is the long form. What is checked is buffers (8 KiB pages) touched, which
does not depend on the machine: a page of a list touches some dozens, a scan of the table thousands.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest

TRACKERS = int(os.environ.get("PLANS_TRACKERS", "100000"))
TENANTS = 200
SMALL = TENANTS  # the tenant with ten trackers
BIG = 1
REPORTS_PER_TRACKER = 2000  # of one tracker, in four months

FILL = f"""
INSERT INTO clients (name) SELECT 'client ' || n FROM generate_series(1, {TENANTS}) n;
INSERT INTO brands (client_id, name) SELECT id, 'brand' FROM clients;
INSERT INTO production_runs (client_id, brand_id, name, starts_at) SELECT client_id, id, 'run ' || n, now() - interval '30 days'
    FROM brands, generate_series(1, 5) n;
-- Two thirds of the trackers belong to one tenant, so that its lists show whether the index gives the order.
INSERT INTO trackers (client_id, production_run_id, name, mac_address, status, status_since, last_report_at, last_latitude, last_longitude, created_at)
SELECT c, runs[1 + n % 5], 'T-' || n, upper(regexp_replace(lpad(to_hex(n), 12, '0'), '(..)(?=.)', '\\1:', 'g')),
       (enum_range(NULL::tracker_status))[1 + n % 4], now() - (n::bigint * 7919 % 1000000) * interval '1 second',
       CASE WHEN n % 10 <> 0 THEN now() - (n::bigint * 104729 % 1000000) * interval '1 second' END,
       40 + (n % 1000) / 100.0, (n / 1000 % 1000) / 50.0, now() - n * interval '1 second'
FROM (SELECT n, CASE WHEN n <= 10 THEN {SMALL} WHEN n % 3 > 0 THEN {BIG} ELSE 2 + n % {TENANTS - 2} END AS c FROM generate_series(1, {TRACKERS}) n) x
JOIN (SELECT client_id, array_agg(id) AS runs FROM production_runs GROUP BY 1) r ON r.client_id = c;
UPDATE trackers SET next_fetch_at = now() + interval '1 hour' WHERE id % 10 <> 0;
SELECT fold_tracker_counts(), fold_map_cells();
SELECT count(*) FROM store_reports(
    (SELECT array_agg(CASE WHEN n % 2 = 0 THEN 5 ELSE 6 + n % 3000 END) FROM generate_series(1, {2 * REPORTS_PER_TRACKER}) n),
    (SELECT array_agg(now() - n * interval '43 minutes') FROM generate_series(1, {2 * REPORTS_PER_TRACKER}) n),
    (SELECT array_agg(52 + n / 1e5) FROM generate_series(1, {2 * REPORTS_PER_TRACKER}) n),
    (SELECT array_agg(13 + n / 1e5) FROM generate_series(1, {2 * REPORTS_PER_TRACKER}) n),
    array_fill(20::real, ARRAY[{2 * REPORTS_PER_TRACKER}]), array_fill(2::smallint, ARRAY[{2 * REPORTS_PER_TRACKER}]),
    array_fill(0::smallint, ARRAY[{2 * REPORTS_PER_TRACKER}]), array_fill(NULL::bigint, ARRAY[{2 * REPORTS_PER_TRACKER}]),
    array_fill(false, ARRAY[{2 * REPORTS_PER_TRACKER}]));
INSERT INTO report_flags SELECT tracker_id, reported_at, latitude_e7, longitude_e7, 'jump' FROM location_reports WHERE latitude_e7 % 3 = 0;
INSERT INTO geocoding_cache (places_precision, latitude_cell, longitude_cell, name, provider, fetched_at)
SELECT 2, 5000 + x, 1200 + y, 'town', 'offline', now() FROM generate_series(1, 300) x, generate_series(1, 150) y;
"""


@pytest.fixture(scope="module")
def large(cluster, template) -> Iterator[psycopg.Connection]:
    cluster.psql(f"CREATE DATABASE plans TEMPLATE {template}")
    with psycopg.connect(cluster.url("plans"), autocommit=True) as connection:
        connection.execute(FILL.encode())
        connection.execute("CALL refresh_history()")
        connection.execute("VACUUM ANALYZE")
        yield connection
    cluster.psql("DROP DATABASE plans WITH (FORCE)")


def act(connection: psycopg.Connection, role: str, clients: str = "{}") -> None:
    connection.execute("RESET ROLE")
    connection.execute("SET ROLE tracker_worker" if role == "worker" else "SET ROLE tracker_api")
    connection.execute(
        "SELECT set_config('tracker.role', %s, false), set_config('tracker.clients', %s, false)",
        ("" if role == "worker" else role, clients),
    )


def pages(connection: psycopg.Connection, query: str) -> tuple[int, str]:
    """Buffers touched by the execution, and the plan as text."""
    plan = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {query}").fetchone()[0][0]["Plan"]
    text = "\n".join(row[0] for row in connection.execute(f"EXPLAIN (COSTS OFF) {query}"))
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], text


SORTS = ["id", "name, id", "created_at, id", "status_since, id", "last_report_at, id",
         "created_at DESC, id DESC", "last_report_at DESC NULLS FIRST, id DESC"]  # fmt: skip

# A page of 50 rows: the index's way down, and a table page for each row.
PAGE = 80


@pytest.mark.parametrize("order", SORTS)
def test_admin_lists(large, order):
    act(large, "admin")
    touched, plan = pages(large, f"SELECT * FROM trackers ORDER BY {order} LIMIT 50")
    assert touched <= PAGE, plan


@pytest.mark.parametrize("order", SORTS)
@pytest.mark.parametrize("client", [SMALL, BIG])
def test_tenant_lists(large, order, client):
    act(large, "user", f"{{{client}}}")
    touched, plan = pages(large, f"SELECT * FROM trackers WHERE client_id = {client} ORDER BY {order} LIMIT 50")
    assert touched <= PAGE, plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize(("role", "clients"), [("admin", "{}"), ("user", f"{{{BIG}}}")])
def test_keyset_pages_start_where_the_last_ended(large, role, clients):
    act(large, role, clients)
    where = f"client_id = {BIG} AND" if role == "user" else ""
    touched, plan = pages(
        large, f"SELECT * FROM trackers WHERE {where} (name, id) > ('T-5', 5) ORDER BY name, id LIMIT 50"
    )
    assert touched <= PAGE, plan


def test_several_clients(large):
    act(large, "manager", f"{{{BIG},{SMALL},3}}")
    touched, plan = pages(
        large,
        f"SELECT t.* FROM unnest('{{{BIG},{SMALL},3}}'::bigint[]) c, LATERAL (SELECT * FROM trackers WHERE client_id = c ORDER BY name, id LIMIT 51) t"
        " ORDER BY name, id LIMIT 51",
    )
    assert touched <= 3 * PAGE, plan


@pytest.mark.parametrize(
    ("filters", "limit"),
    [(f"client_id = {BIG} AND status = 'DELIVERED'", 4 * PAGE), ("production_run_id = 3", PAGE), (f"client_id = {BIG} AND archived_at IS NULL AND mac_address = '00:00:00:00:00:0E'", 10), ("id = 77", 10)],
)  # fmt: skip
def test_filters(large, filters, limit):
    act(large, "user", f"{{{BIG}}}")
    touched, plan = pages(large, f"SELECT * FROM trackers WHERE {filters} ORDER BY id LIMIT 50")
    assert touched <= limit, plan


def test_counts_read_no_trackers(large):
    act(large, "admin")
    touched, plan = pages(large, "SELECT status, sum(trackers) FROM tracker_status_counts GROUP BY 1")
    assert "on trackers" not in plan
    assert touched <= 200, plan
    act(large, "user", f"{{{SMALL}}}")
    touched, plan = pages(large, f"SELECT * FROM tracker_status_counts WHERE client_id = {SMALL}")
    assert touched <= 30, plan


@pytest.mark.parametrize(
    ("role", "clients", "where"), [("admin", "{}", ""), ("user", f"{{{SMALL}}}", f"client_id = {SMALL} AND")]
)
def test_search_uses_its_indexes_in_spite_of_row_security(large, role, clients, where):
    act(large, role, clients)
    for condition in ("words @@ websearch_to_tsquery('simple', 'T-77')", "parts LIKE '%00:00:4d%'"):
        touched, plan = pages(large, f"SELECT * FROM search_index WHERE {where} {condition} LIMIT 20")
        assert "Seq Scan on search_documents" not in plan
        assert touched <= 1500, plan


def test_the_map_uses_its_index_in_spite_of_row_security(large):
    tile = "map_key >= map_tile_low(14, 8200, 5500) AND map_key < map_tile_low(14, 8200, 5500) + (1::bigint << 20)"
    for role, clients, where in (("admin", "{}", ""), ("user", f"{{{BIG}}}", f"client_id = {BIG} AND")):
        act(large, role, clients)
        touched, plan = pages(
            large,
            f"SELECT id, last_latitude, last_longitude FROM trackers WHERE {where} archived_at IS NULL AND {tile}",
        )
        assert "map_key" in plan and "Seq Scan" not in plan
        assert touched <= 500, plan


def test_the_whole_world_reads_cells_and_not_trackers(large):
    """Of 100,000 trackers, which stand in some 700 cells of zoom 12."""
    for role, clients, client in (("admin", "{}", 0), ("user", f"{{{BIG}}}", BIG)):
        act(large, role, clients)
        touched, plan = pages(
            large,
            "SELECT cell >> 16, sum(trackers) FROM map_cells"
            f" WHERE client_id = ANY (ARRAY[{client}::bigint]) AND cell >= 0 AND cell < 16777216 GROUP BY 1",
        )
        assert "Seq Scan on trackers" not in plan
        assert touched <= 600, plan


def test_due_trackers(large):
    act(large, "worker")
    touched, plan = pages(
        large,
        "SELECT id FROM trackers WHERE next_fetch_at <= now() AND archived_at IS NULL AND (lease_until IS NULL OR lease_until < now())"
        " ORDER BY next_fetch_at, id LIMIT 64 FOR UPDATE SKIP LOCKED",
    )
    assert "trackers_due" in plan
    assert touched <= 400, plan  # locking a row touches its page again


def tenant_of(connection: psycopg.Connection, tracker: int) -> str:
    connection.execute("RESET ROLE")
    return f"{{{connection.execute('SELECT client_id FROM trackers WHERE id = %s', (tracker,)).fetchone()[0]}}}"


def test_reports_of_one_tracker(large):
    act(large, "user", tenant_of(large, 5))
    touched, plan = pages(
        large,
        "SELECT * FROM tracker_reports WHERE tracker_id = 5 AND reported_at >= now() - interval '30 days' AND reported_at < now() ORDER BY reported_at DESC LIMIT 100",
    )
    assert touched <= 1000, plan
    assert "Sort" not in plan, plan  # the partitions stand in the order of time
    assert len({line.split()[-2] for line in plan.splitlines() if "location_reports_2" in line}) <= 3, plan


@pytest.mark.parametrize(("view", "rows"), [("location_history_daily", 61), ("location_history_hourly", 1440)])
@pytest.mark.parametrize("dirty", [False, True])
def test_history_of_one_tracker(large, view, rows, dirty):
    large.execute("RESET ROLE")
    large.execute("DELETE FROM agg_dirty")
    if dirty:  # the log of everybody is long, that of the tracker short
        large.execute(
            "INSERT INTO agg_dirty (tracker_id, day) SELECT 6 + n % 3000, date_bin('1 day', now(), 'epoch') FROM generate_series(1, 20000) n"
        )
        large.execute("INSERT INTO agg_dirty (tracker_id, day) VALUES (5, date_bin('1 day', now(), 'epoch'))")
        large.execute("ANALYZE agg_dirty")
    act(large, "user", tenant_of(large, 5))
    touched, plan = pages(
        large,
        f"SELECT * FROM {view} WHERE tracker_id = 5 AND bucket >= now() - interval '60 days' AND bucket < now() ORDER BY bucket",
    )
    assert touched <= 4 * rows + 200, plan  # a row, its log entry and its place
    assert "Seq Scan on agg_dirty" not in plan or not dirty, plan


def test_inbox_and_keys(large):
    act(large, "worker")
    for query, limit in [
        ("SELECT * FROM report_inbox ORDER BY id LIMIT 100", 20),
        ("SELECT tracker_id FROM tracker_keys WHERE key_hash = sha256('x')", 5),
        (
            "SELECT id FROM apple_accounts WHERE state = 'ready' AND archived_at IS NULL AND next_allowed_at <= now() ORDER BY next_allowed_at, id LIMIT 1",
            5,
        ),
    ]:
        touched, plan = pages(large, query)
        assert touched <= limit, plan


# ---- what the API reads of the pipeline's results (the texts of src/api, with values in place of parameters)


@pytest.fixture(scope="module")
def derived(large):
    """Events, statuses and exceptions of most trackers, two thirds of them of one tenant; statistics refreshed but for one day."""
    large.execute("RESET ROLE")
    large.execute(
        "INSERT INTO geofence_events (client_id, tracker_id, production_run_id, location_id, kind, occurred_at, latitude, longitude, accuracy_m)"
        " SELECT t.client_id, t.id, t.production_run_id, l.id, 'entry', now() - (t.id * 7919 % 2000000) * interval '1 second', 50, 10, 10"
        " FROM trackers t JOIN (SELECT client_id, min(id) AS id FROM locations GROUP BY 1) l USING (client_id)"
    )
    large.execute(
        "INSERT INTO status_history (client_id, tracker_id, production_run_id, status, since, previous_status, rule, reported_at, latitude,"
        " longitude, accuracy_m) SELECT t.client_id, t.id, t.production_run_id, 'IN_TRANSIT', s.since, 'CREATED', 'r', s.since, 50, 10, 10"
        " FROM trackers t, LATERAL (SELECT now() - (t.id * 7919 % 2000000) * interval '1 second' AS since) s"
    )
    large.execute(
        "INSERT INTO tracker_exceptions (client_id, tracker_id, kind, since, ended_at)"
        " SELECT client_id, id, 'silent', now() - interval '1 day', CASE WHEN id % 10 > 0 THEN now() END FROM trackers"
    )
    while large.execute("SELECT refresh_status_daily(100000)").fetchone()[0]:
        pass
    large.execute(
        "INSERT INTO status_dirty (client_id, production_run_id, day) SELECT client_id, id, now() FROM production_runs LIMIT 20"
    )
    large.execute("VACUUM ANALYZE")
    return large


@pytest.fixture(scope="module", autouse=True)
def places(large):
    large.execute("RESET ROLE")
    large.execute(
        "INSERT INTO storage_locations (client_id, name, latitude, longitude) SELECT id, 'store', 50, 10 FROM clients"
    )


@pytest.mark.parametrize("client", [SMALL, BIG, None])
@pytest.mark.parametrize(
    ("table", "time", "where"),
    [
        ("geofence_events", "occurred_at", ""),
        ("status_history", "since", ""),
        ("tracker_exceptions", "since", " AND ended_at IS NULL"),
    ],
)
def test_newest_first_lists(derived, client, table, time, where):
    act(derived, "admin" if client is None else "user", f"{{{client}}}" if client else "{}")
    named = "true" if client is None else f"client_id = {client}"
    touched, plan = pages(derived, f"SELECT * FROM {table} WHERE {named}{where} ORDER BY {time} DESC, id DESC LIMIT 51")
    assert touched <= 2 * PAGE, plan


@pytest.mark.parametrize(("field", "value"), [("tracker_id", 5), ("production_run_id", 3)])
@pytest.mark.parametrize(("table", "time"), [("geofence_events", "occurred_at"), ("status_history", "since")])
def test_lists_below_a_row(derived, table, time, field, value):
    act(derived, "user", tenant_of(derived, 5) if field == "tracker_id" else f"{{{BIG},3}}")
    touched, plan = pages(
        derived, f"SELECT * FROM {table} WHERE {field} = {value} ORDER BY {time} DESC, id DESC LIMIT 51"
    )
    assert touched <= 2 * PAGE, plan
    assert "Seq Scan" not in plan


def test_statistics_read_neither_trackers_nor_their_history(derived):
    for role, clients, named, limit in (
        ("admin", "{}", "true", 6000),  # of which most is what the dirty runs changed today
        ("user", f"{{{SMALL}}}", f"client_id = ANY ('{{{SMALL}}}')", 200),
    ):
        act(derived, role, clients)
        derived.execute("RESET ROLE")
        derived.execute("DELETE FROM status_dirty WHERE client_id <> 1")
        act(derived, role, clients)
        touched, plan = pages(
            derived,
            f"SELECT day, status, sum(entered) FROM status_daily_now s WHERE {named} AND day >= now()::date - 30 GROUP BY 1, 2",
        )
        assert touched <= limit, plan
        touched, plan = pages(
            derived,
            f"SELECT kind, count(*) FROM tracker_exceptions s WHERE ended_at IS NULL AND {named} GROUP BY 1",
        )
        assert touched <= 1000, plan


@pytest.mark.parametrize("client", [SMALL, BIG, None])
def test_positions_in_a_box(derived, client):
    act(derived, "admin" if client is None else "user", f"{{{client}}}" if client else "{}")
    named = "true" if client is None else f"client_id = {client}"
    low, high = derived.execute(
        "SELECT map_tile_low(12, 2050, 1375), map_tile_low(12, 2050, 1375) + (1::bigint << 24)"
    ).fetchone()
    ranges = f"(map_key >= {low} AND map_key < {high} OR map_key >= 0 AND map_key < 0)"
    touched, plan = pages(derived, f"SELECT * FROM tracker_positions WHERE {named} AND {ranges} ORDER BY id LIMIT 1001")
    assert "map_key" in plan and "Seq Scan" not in plan, plan
    assert touched <= 600, plan


def test_history_of_a_run_reads_a_page(derived):
    act(derived, "user", f"{{{BIG},{SMALL},3}}")
    run = derived.execute("SELECT production_run_id FROM trackers WHERE client_id = %s LIMIT 1", (BIG,)).fetchone()[0]
    touched, plan = pages(
        derived,
        "SELECT r.tracker_id, x.bucket FROM (SELECT m.tracker_id, range_agg(m.period) AS periods FROM tracker_runs m"
        f" WHERE m.production_run_id = {run} AND m.tracker_id >= 0 GROUP BY m.tracker_id) r CROSS JOIN LATERAL"
        " (SELECT h.* FROM location_history_daily h WHERE h.tracker_id = r.tracker_id AND h.bucket >= now() - interval '30 days'"
        " AND h.bucket < now() AND r.periods && tstzrange(h.bucket, h.bucket + interval '1 day')) x"
        " ORDER BY r.tracker_id, x.bucket LIMIT 21",
    )
    assert touched <= 12000, plan  # trackers that have no report of that time are looked at, too
