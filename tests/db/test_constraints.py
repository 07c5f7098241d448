"""The database refuses wrong rows by itself: tenancy of references, periods, bounds and their edges."""

from __future__ import annotations

import psycopg
import pytest
import world as world_rows
from psycopg import errors


def refused(connection: psycopg.Connection, error: type[Exception], constraint: str, statement: str, *values) -> None:
    """The statement fails by this constraint and by no other."""
    with pytest.raises(error) as caught, connection.transaction():
        connection.execute(statement, values)
    assert caught.value.diag.constraint_name == constraint, caught.value


def accepted(connection: psycopg.Connection, statement: str, *values) -> None:
    connection.execute(statement, values)


# ------------------------------------------------------------------ tenancy


def test_references_cannot_cross_tenants(tx):
    a, b = world_rows.read(tx, 1), world_rows.read(tx, 2)
    tx.execute("DELETE FROM location_shapes WHERE location_id = %s", (b.storage,))  # or its period would be in the way
    for constraint, statement, values in [
        ("production_runs_brand_fkey", "INSERT INTO production_runs (client_id, brand_id, name) VALUES (%s, %s, 'x')", (a.client, b.brand)),
        ("trackers_run_fkey", "INSERT INTO trackers (client_id, production_run_id, name) VALUES (%s, %s, 'x')", (a.client, b.run)),
        ("trackers_location_fkey", "UPDATE trackers SET location_id = %s WHERE id = %s", (b.storage, a.tracker)),
        ("production_run_locations_location_fkey", "INSERT INTO production_run_locations VALUES (%s, %s, %s)", (a.client, a.run, b.storage)),
        ("location_shapes_location_fkey", "INSERT INTO location_shapes (client_id, location_id, center, radius_m) VALUES (%s, %s, 'POINT(1 1)', 100)", (a.client, b.storage)),
        ("tracker_keys_tracker_fkey", "INSERT INTO tracker_keys (client_id, tracker_id, advertisement_key) VALUES (%s, %s, substr(sha256('x'), 1, 28))", (a.client, b.tracker)),
        ("images_tracker_fkey", "INSERT INTO images (client_id, owner_kind, owner_id, content_type, width, height, bytes, checksum, storage_key) VALUES (%s, 'tracker', %s, 'image/png', 1, 1, 1, sha256('x'), 'x')", (a.client, b.tracker)),
        ("share_links_run_fkey", "INSERT INTO share_links (client_id, production_run_id, token_hash) VALUES (%s, %s, sha256('x'))", (a.client, b.run)),
        ("subscriptions_tracker_fkey", "INSERT INTO subscriptions (user_id, client_id, tracker_id, kinds) VALUES (%s, 1, %s, '{delivered}')", (a.user, b.tracker)),
        ("status_overrides_location_fkey", "INSERT INTO status_overrides (client_id, tracker_id, location_id, status, reason) VALUES (1, %s, %s, 'DELIVERED', 'x')", (a.tracker, b.delivery)),
        ("exclusion_areas_run_fkey", "INSERT INTO exclusion_areas (client_id, production_run_id, name, area) VALUES (%s, %s, 'x', ST_MakeEnvelope(1, 1, 2, 2, 4326))", (a.client, b.run)),
    ]:  # fmt: skip
        refused(tx, errors.ForeignKeyViolation, constraint, statement, *values)


@pytest.mark.parametrize(
    "table", ["trackers", "brands", "production_runs", "locations", "images", "share_links", "tracker_keys"]
)
def test_the_client_of_a_row_is_fixed(tx, table):
    tx.execute(f"UPDATE {table} SET client_id = client_id")
    refused(tx, errors.CheckViolation, f"{table}_client_fixed", f"UPDATE {table} SET client_id = 3 - client_id")


def test_nothing_in_use_is_deleted(tx):
    a = world_rows.read(tx, 1)
    refused(tx, errors.ForeignKeyViolation, "location_reports_tracker", "DELETE FROM trackers WHERE id = %s", a.tracker)
    refused(
        tx,
        errors.ForeignKeyViolation,
        "production_run_locations_location_fkey",
        "DELETE FROM delivery_locations WHERE id = %s",
        a.delivery,
    )
    refused(tx, errors.ForeignKeyViolation, "production_runs_brand_fkey", "DELETE FROM brands WHERE id = %s", a.brand)
    with pytest.raises(errors.ForeignKeyViolation), tx.transaction():
        tx.execute("DELETE FROM clients WHERE id = %s", (a.client,))


# ------------------------------------------------------------------ names


def test_names_are_unique_among_those_in_use(tx):
    refused(tx, errors.UniqueViolation, "brands_name_key", "INSERT INTO brands (client_id, name) VALUES (1, 'BRAND')")
    accepted(tx, "INSERT INTO brands (client_id, name, archived_at) VALUES (1, 'BRAND', now())")
    refused(tx, errors.UniqueViolation, "brands_name_key", "UPDATE brands SET archived_at = NULL WHERE name = 'BRAND'")
    refused(
        tx,
        errors.UniqueViolation,
        "trackers_mac_key",
        "INSERT INTO trackers (client_id, name, mac_address) VALUES (1, 't2', 'AA:BB:CC:DD:EE:FF')",
    )
    # A warehouse and a shop may share a name.
    accepted(tx, "INSERT INTO storage_locations (client_id, name, latitude, longitude) VALUES (1, 'shop', 1, 1)")
    refused(
        tx,
        errors.UniqueViolation,
        "users_email_key",
        "INSERT INTO users (email, name) VALUES ('USER-A@example.com', 'x')",
    )


@pytest.mark.parametrize(
    ("constraint", "table", "column", "good", "bad"),
    [
        ("brands_name_length", "brands", "name", "x" * 200, "x" * 201),
        ("brands_name_length", "brands", "name", "x", ""),
        ("trackers_mac_form", "trackers", "mac_address", "00:11:22:33:44:FF", "00:11:22:33:44:ff"),
        ("trackers_mac_form", "trackers", "mac_address", "00:11:22:33:44:FE", "00:11:22:33:44:FF:00"),
        ("trackers_latitude_range", "trackers", "last_latitude", "90", "90.1"),
        ("users_email_form", "users", "email", "a@b", "no at sign"),
        ("users_password_hash_form", "users", "password_hash", "$argon2id$v=19$x", "plain text"),
    ],
)
def test_bounds(tx, constraint, table, column, good, bad):
    tx.execute("UPDATE trackers SET last_latitude = 1, last_longitude = 1")
    statement = f"UPDATE {table} SET {column} = %s WHERE id = (SELECT min(id) FROM {table})"
    accepted(tx, statement, good)
    refused(tx, errors.CheckViolation, constraint, statement, bad)


# ------------------------------------------------------------------ periods


def test_production_run_ends_after_its_start(tx):
    update = "UPDATE production_runs SET starts_at = %s, ends_at = %s"
    accepted(tx, update, "2026-01-01Z", "2026-01-01Z")
    refused(tx, errors.CheckViolation, "production_runs_period", update, "2026-01-02Z", "2026-01-01Z")


def test_a_tracker_has_one_run_at_a_time(tx):
    a = world_rows.read(tx, 1)
    insert = "INSERT INTO tracker_runs (client_id, tracker_id, production_run_id, period) VALUES (1, %s, %s, tstzrange(%s, %s))"
    refused(tx, errors.ExclusionViolation, "tracker_runs_no_overlap", insert, a.tracker, a.run, "2030-01-01Z", None)
    tx.execute("DELETE FROM tracker_runs WHERE tracker_id = %s", (a.tracker,))
    accepted(tx, insert, a.tracker, a.run, "2026-01-01Z", "2026-02-01Z")
    accepted(tx, insert, a.tracker, a.run, "2026-02-01Z", "2026-03-01Z")  # half open: ends do not touch
    refused(
        tx,
        errors.ExclusionViolation,
        "tracker_runs_no_overlap",
        insert,
        a.tracker,
        a.run,
        "2026-01-31T23:59:59.999Z",
        "2026-02-01Z",
    )
    refused(
        tx, errors.CheckViolation, "tracker_runs_period_form", insert, a.tracker, a.run, "2026-05-01Z", "2026-05-01Z"
    )


def test_one_key_belongs_to_one_tracker_at_a_time(tx):
    a, b = world_rows.read(tx, 1), world_rows.read(tx, 2)
    insert = (
        "INSERT INTO tracker_keys (client_id, tracker_id, period, advertisement_key)"
        " VALUES (%s, %s, tstzrange(%s, %s), substr(sha256('shared'), 1, 28)) RETURNING key_hash"
    )
    key_hash = tx.execute(insert, (a.client, a.tracker, None, "2026-06-01Z")).fetchone()[0]
    assert tx.execute("SELECT sha256(substr(sha256('shared'), 1, 28))").fetchone()[0] == key_hash
    # The tag goes to another client, from the moment on at which the first has given it away.
    refused(
        tx,
        errors.ExclusionViolation,
        "tracker_keys_one_tracker_at_a_time",
        insert,
        b.client,
        b.tracker,
        "2026-05-31Z",
        None,
    )
    accepted(tx, insert, b.client, b.tracker, "2026-06-01Z", None)


def test_keys_are_static_or_rolling(tx):
    a = world_rows.read(tx, 1)
    insert = "INSERT INTO tracker_keys (client_id, tracker_id, kind, advertisement_key, fingerprint, private_key_sealed, master_key_id, paired_at) VALUES (1, %s, %s, {})"
    rolling = "NULL, sha256('master'), sha256('sealed'), 'k1', now()"
    accepted(tx, insert.format(rolling), a.tracker, "rolling")
    refused(tx, errors.CheckViolation, "tracker_keys_static_form", insert.format(rolling), a.tracker, "static")
    refused(
        tx,
        errors.ExclusionViolation,
        "tracker_keys_one_tracker_at_a_time",
        insert.format(rolling),
        world_rows.read(tx, 1).tracker,
        "rolling",
    )
    short = "substr(sha256('x'), 1, 27), NULL, NULL, NULL, NULL"
    refused(tx, errors.CheckViolation, "tracker_keys_advertisement_size", insert.format(short), a.tracker, "static")


# ------------------------------------------------------------------ shapes


SHAPE = "INSERT INTO location_shapes (client_id, location_id, period, center, radius_m, polygon) VALUES (1, %s, tstzrange(%s, %s), %s, %s, %s)"


@pytest.fixture
def bare_place(tx) -> int:
    """A place whose shape has been taken away."""
    place = world_rows.read(tx, 1).storage
    tx.execute("DELETE FROM location_shapes WHERE location_id = %s", (place,))
    return place


@pytest.mark.parametrize(
    ("radius", "good"), [(49.9, False), (50, True), (50000, True), (50000.1, False), (float("nan"), False)]
)
def test_radius_edges(tx, bare_place, radius, good):
    values = (bare_place, None, None, "POINT(13 52)", radius, None)
    if good:
        accepted(tx, SHAPE, *values)
    else:
        refused(tx, errors.CheckViolation, "location_shapes_radius_range", SHAPE, *values)


@pytest.mark.parametrize(
    ("constraint", "polygon"),
    [
        (None, "POLYGON((13 52, 13.001 52, 13.001 52.001, 13 52))"),
        (None, "POLYGON((13 52, 13.01 52, 13.01 52.01, 13 52.01, 13 52), (13.002 52.002, 13.004 52.002, 13.004 52.004, 13.002 52.002))"),
        ("location_shapes_polygon_valid", "POLYGON((13 52, 13.001 52.001, 13.001 52, 13 52.001, 13 52))"),  # a bow tie
        ("location_shapes_polygon_valid", "POLYGON EMPTY"),
        ("location_shapes_polygon_within_bounds", "POLYGON((13 52, 13.00001 52, 13.00001 52.00001, 13 52))"),  # below 1 m2
        ("location_shapes_polygon_within_bounds", "POLYGON((10 50, 13 50, 13 53, 10 53, 10 50))"),  # a country
    ],
)  # fmt: skip
def test_polygon_edges(tx, bare_place, constraint, polygon):
    values = (bare_place, None, None, None, None, polygon)
    if constraint:
        refused(tx, errors.CheckViolation, constraint, SHAPE, *values)
    else:
        accepted(tx, SHAPE, *values)


def test_polygon_has_at_most_1000_corners(tx, bare_place):
    ring = "SELECT 'SRID=4326;' || ST_AsText(ST_ExteriorRing(ST_Buffer('POINT(13 52)'::geometry, 0.01, %s)))"
    for quarter, good in ((249, True), (250, False)):  # a buffer has 4 n corners and closes with the first again
        line = tx.execute(ring, (quarter,)).fetchone()[0]
        polygon = tx.execute(
            "SELECT ST_AsEWKT(ST_MakePolygon(%s::geometry)), ST_NPoints(%s::geometry)", (line, line)
        ).fetchone()
        assert polygon[1] == 4 * quarter + 1
        values = (bare_place, None, None, None, None, polygon[0])
        if good:
            with tx.transaction(force_rollback=True):
                accepted(tx, SHAPE, *values)
        else:
            refused(tx, errors.CheckViolation, "location_shapes_polygon_valid", SHAPE, *values)


def test_a_shape_is_a_circle_or_a_polygon(tx, bare_place):
    polygon = "POLYGON((13 52, 13.001 52, 13.001 52.001, 13 52))"
    for center, radius, area in [
        ("POINT(13 52)", 100, polygon),
        (None, None, None),
        ("POINT(13 52)", None, None),
        (None, 100, polygon),
    ]:
        refused(
            tx,
            errors.CheckViolation,
            "location_shapes_circle_or_polygon",
            SHAPE,
            bare_place,
            None,
            None,
            center,
            radius,
            area,
        )


def test_a_place_has_one_shape_at_a_time(tx, bare_place):
    accepted(tx, SHAPE, bare_place, None, "2026-01-01Z", "POINT(13 52)", 100, None)
    accepted(tx, SHAPE, bare_place, "2026-01-01Z", "2026-02-01Z", "POINT(13 52)", 200, None)
    refused(
        tx,
        errors.ExclusionViolation,
        "location_shapes_no_overlap",
        SHAPE,
        bare_place,
        "2026-01-31Z",
        None,
        "POINT(13 52)",
        200,
        None,
    )


# ------------------------------------------------------------------ notifications, tasks


def test_a_fact_stands_for_one_visit(tx):
    a = world_rows.read(tx, 1)
    insert = "INSERT INTO notification_facts (client_id, tracker_id, kind, location_id, visit, happened_at) VALUES (1, %s, %s, %s, tstzrange(%s, %s), %s)"
    accepted(tx, insert, a.tracker, "left_storage", a.storage, "2026-01-01Z", "2026-01-02Z", "2026-01-01Z")
    refused(tx, errors.ExclusionViolation, "notification_facts_one_per_visit",
            insert, a.tracker, "left_storage", a.storage, "2026-01-01T12:00Z", None, "2026-01-01T12:00Z")  # fmt: skip
    accepted(tx, insert, a.tracker, "left_storage", a.storage, "2026-01-02Z", None, "2026-01-02Z")
    accepted(tx, insert, a.tracker, "silent", None, "2026-01-01Z", None, "2026-01-01Z")
    # Of two rules that say the same of facts that last, the server checks the unique index first.
    refused(tx, errors.UniqueViolation, "notification_facts_lasting",
            insert, a.tracker, "silent", None, "2026-02-01Z", None, "2026-02-01Z")  # fmt: skip


def test_one_unfinished_task_per_dedupe_key(tx):
    insert = "INSERT INTO tasks (id, name, queue, dedupe_key, state, finished_at) VALUES (%s, 'n', 'q', 'k', %s, %s)"
    accepted(tx, insert, "t1", "succeeded", "2026-01-01Z")
    accepted(tx, insert, "t2", "waiting", None)
    refused(tx, errors.UniqueViolation, "tasks_dedupe", insert, "t3", "scheduled", None)
    refused(tx, errors.CheckViolation, "tasks_finished_states", insert, "t4", "failed", None)


def test_image_owner_must_exist_and_keeps_its_images(tx):
    a = world_rows.read(tx, 1)
    insert = "INSERT INTO images (client_id, owner_kind, owner_id, content_type, width, height, bytes, checksum, storage_key) VALUES (1, %s, %s, 'image/png', 1, 1, 1, sha256('x'), %s)"
    accepted(tx, insert, "client", 1, "k1")
    accepted(tx, insert, "brand", a.brand, "k2")
    refused(tx, errors.CheckViolation, "images_client_is_owner", insert, "client", 2, "k3")
    refused(tx, errors.ForeignKeyViolation, "images_location_fkey", insert, "location", 999999, "k4")


def test_versions_count_changes_but_not_leases(tx):
    a = world_rows.read(tx, 1)
    state = "SELECT version, updated_at = now() FROM trackers WHERE id = %s"
    before = tx.execute(state, (a.tracker,)).fetchone()[0]
    tx.execute("UPDATE trackers SET lease_owner = 'w', lease_until = now() WHERE id = %s", (a.tracker,))
    assert tx.execute(state, (a.tracker,)).fetchone()[0] == before
    tx.execute(
        "UPDATE trackers SET lease_owner = NULL, lease_until = NULL, last_fetched_at = now(), version = 77 WHERE id = %s",
        (a.tracker,),
    )
    assert tx.execute(state, (a.tracker,)).fetchone() == (before + 1, True)
