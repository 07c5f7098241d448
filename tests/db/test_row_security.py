"""Row security alone hides other tenants' rows, in every table that there is; and who may write what."""

from __future__ import annotations

import psycopg
import pytest
import world as world_rows
from psycopg import sql

# Tables without row security, and why that is safe. The API has no right on any of them but the public ones.
EXEMPT = {
    "location_reports": "TimescaleDB refuses row security; read through views that join trackers",
    "history_hourly": "as location_reports",
    "history_daily": "as location_reports",
    "agg_dirty": "log of the time series",
    "report_flags": "derived rows of the time series",
    "search_documents": "row security would keep GIN indexes from being used; read through search_index",
    "geocoding_cache": "shared by all tenants, shows where trackers were",
    "geocoding_addresses": "answers to typed addresses, shared by all",
    "geocoding_providers": "limits of providers",
    "places": "GeoNames, public",
    "schema_info": "facts about this database",
    "schema_migrations": "books of trackerd migrate",
    "spatial_ref_sys": "belongs to PostGIS",
}
API_MAY_USE = {
    "geocoding_addresses",
    "geocoding_providers",
    "places",
    "schema_info",
    "schema_migrations",
    "spatial_ref_sys",
}

# Rows of tables without client_id belong to a user or to the operator.
OPERATOR_TABLES = {
    "apple_accounts", "provider_profiles", "fetch_batches", "provider_recordings", "task_schedules", "login_attempts",
    "report_inbox", "auth_changes", "cache_readers", "task_schedule_marks", "image_waste",
}  # fmt: skip


def tables(connection: psycopg.Connection) -> list[str]:
    """Every table of the schema; partitions stand behind their parent and are checked apart."""
    return [
        row[0]
        for row in connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1"
        )
    ]


def columns(connection: psycopg.Connection, table: str, privilege: str = "SELECT") -> set[str]:
    """Columns on which the API's role has the right."""
    return {
        row[0]
        for row in connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
            " AND has_column_privilege('tracker_api', attrelid, attnum, %s)",
            (table, privilege),
        )
    }


def seen(connection: psycopg.Connection, table: str, column: str) -> set:
    query = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), sql.Identifier(table))
    return {row[0] for row in connection.execute(query)}


def count(connection: psycopg.Connection, table: str, column: str) -> int:
    query = sql.SQL("SELECT count(*) FROM (SELECT {} FROM {}) t").format(sql.Identifier(column), sql.Identifier(table))
    return connection.execute(query).fetchone()[0]


def test_every_table_is_protected_or_exempt(tx):
    for table in tables(tx):
        enabled, forced, api_reads = tx.execute(
            "SELECT relrowsecurity, relforcerowsecurity, has_table_privilege('tracker_api', oid, 'SELECT')"
            " OR has_any_column_privilege('tracker_api', oid, 'SELECT') FROM pg_class WHERE oid = %s::regclass",
            (table,),
        ).fetchone()
        if table in EXEMPT:
            assert not enabled, f"{table} is protected: take it from the exemptions"
            assert not api_reads or table in API_MAY_USE, f"the API may read {table}, which has no row security"
            continue
        assert enabled and forced, f"{table} has no forced row security: CALL protect(), or state an exemption"
        policies = {
            row[0]: row[1]
            for row in tx.execute("SELECT policyname, roles FROM pg_policies WHERE tablename = %s", (table,))
        }
        assert "api_read" in policies and "system_all" in policies, f"{table} lacks policies: {policies}"
        for name, roles in policies.items():
            allowed = {"tracker_worker", "tracker_owner"} if name == "system_all" else {"tracker_api", "tracker_reader"}
            assert set(roles) <= allowed, f"policy {name} of {table} is for {roles}"


def test_exemptions_exist(tx):
    missing = set(EXEMPT) - set(tables(tx)) - {"schema_migrations"}  # the books exist where trackerd has migrated
    assert not missing


def test_partitions_give_the_api_no_right(tx):
    partitions = tx.execute(
        "SELECT relname, has_table_privilege('tracker_api', oid, 'SELECT, INSERT, UPDATE, DELETE') FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relispartition AND relkind = 'r'"
    ).fetchall()
    assert partitions
    assert not [name for name, may in partitions if may]


def test_every_table_has_rows_of_both_tenants(tx):
    """Without this, the tests below would pass on tables that nobody filled."""
    for table in tables(tx):
        if table in ("schema_migrations", "spatial_ref_sys"):
            continue
        everything = columns_of(tx, table)
        if "client_id" in everything:
            assert {1, 2} <= seen(tx, table, "client_id"), f"fill {table} for both tenants in world.py"
        else:
            count = tx.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()[0]
            assert count > 0, f"fill {table} in world.py"


def columns_of(connection: psycopg.Connection, table: str) -> set[str]:
    return {
        row[0]
        for row in connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            (table,),
        )
    }


@pytest.mark.parametrize("role", ["user", "manager"])
def test_a_tenant_sees_nothing_of_another(tx, acting, role):
    """Walks all tables: what it sees of each is its own client's, its own user's, or nothing."""
    a = world_rows.read(tx, world_rows.A_ID)
    me = getattr(a, role)
    readable = {t: columns(tx, t) for t in tables(tx) if t not in EXEMPT}
    acting(role, [a.client], me)
    saw_something = set()
    for table, visible in readable.items():
        if not visible:
            continue
        if "client_id" in visible:
            found = seen(tx, table, "client_id")
            assert found <= {a.client, 0} if table == "cache_generations" else found <= {a.client}, table
        elif table == "clients":
            assert seen(tx, table, "id") == {a.client}
        elif table == "users":
            assert seen(tx, table, "id") == ({a.user} if role == "user" else {a.user, a.manager})
        elif "user_id" in visible and table not in OPERATOR_TABLES:
            assert seen(tx, table, "user_id") <= {me}, table
        else:
            assert table in OPERATOR_TABLES, f"say in this test whose {table} is"
            assert not count(tx, table, sorted(visible)[0]), table
        if "user_id" in visible and table in ("user_clients", "notifications", "subscriptions", "tasks"):
            assert seen(tx, table, "user_id") <= ({a.user, a.manager} if table == "user_clients" else {me}), table
        if count(tx, table, sorted(visible)[0]):
            saw_something.add(table)
    assert {
        "trackers",
        "brands",
        "locations",
        "status_history",
        "tracker_counts",
        "images",
        "notifications",
    } <= saw_something


def test_views_hide_other_tenants(tx, acting):
    views = [
        row[0]
        for row in tx.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'"
            " AND has_table_privilege('tracker_api', oid, 'SELECT') AND relowner <> 'postgres'::regrole ORDER BY 1"
        )
    ]
    assert {
        "location_history_hourly",
        "tracker_reports",
        "search_index",
        "tracker_status_counts",
        "storage_locations",
    } <= set(views)
    acting("user", [world_rows.A_ID])
    for view in views:
        assert seen(tx, view, "client_id") == {world_rows.A_ID}, view
    acting("admin")
    for view in views:
        assert seen(tx, view, "client_id") == {world_rows.A_ID, world_rows.B_ID}, view


@pytest.mark.parametrize(("role", "clients"), [("", [1, 2]), ("nonsense", [1, 2]), ("user", []), ("manager", [])])
def test_nobody_sees_nothing(tx, acting, role, clients):
    readable = {t: columns(tx, t) for t in tables(tx) if t not in EXEMPT}
    acting(role, clients)
    for table, visible in readable.items():
        if table == "cache_generations":
            assert seen(tx, table, "client_id") <= {0}
        elif visible:
            assert not count(tx, table, sorted(visible)[0]), table


def test_missing_settings_see_nothing(tx, acting):
    acting.become("tracker_api")
    tx.execute("RESET tracker.role")
    assert tx.execute("SELECT app_role(), app_clients(), app_user(), app_is_admin()").fetchone() == (
        "",
        [],
        None,
        False,
    )
    assert tx.execute("SELECT count(*) FROM trackers").fetchone() == (0,)


def test_the_api_reads_no_sealed_secret_and_no_report(tx, acting):
    acting("admin")
    for table, column in [
        ("tracker_keys", "private_key_sealed"),
        ("apple_accounts", "credentials_sealed"),
        ("webhooks", "secret_sealed"),
        ("location_reports", "tracker_id"),
        ("history_hourly", "tracker_id"),
        ("search_documents", "title"),
        ("provider_recordings", "sealed"),
        ("history_hourly_now", "tracker_id"),
    ]:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
            seen(tx, table, column)


def test_workers_see_all_tenants(tx, acting):
    acting.become("tracker_worker")
    for table in ("trackers", "status_history", "replay_requests", "webhooks", "tracker_keys"):
        assert seen(tx, table, "client_id") == {1, 2}, table


def test_excluded_reports_are_for_admins(tx, acting):
    count = "SELECT count(*) FILTER (WHERE excluded), count(*) FROM tracker_reports"
    acting("manager", [1, 2])
    assert tx.execute(count).fetchone() == (0, 4)
    acting("admin")
    assert tx.execute(count).fetchone() == (2, 6)


# ------------------------------------------------------------------ writes

TENANT_TABLES = [
    "brands",
    "production_runs",
    "locations",
    "location_shapes",
    "trackers",
    "share_links",
    "exclusion_areas",
    "images",
]


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_only_managers_of_the_client_write(tx, acting, table):
    """An update or delete of rows that the caller may not edit changes nothing."""
    target = {"location_shapes": "hysteresis_m = 1", "share_links": "name = 'n'", "images": "caption = 'c'"}.get(
        table, "name = 'new'"
    )
    update = f"UPDATE {table} SET {target} WHERE client_id = %s"
    acting("user", [1])
    assert tx.execute(update, (1,)).rowcount == 0
    acting("manager", [1])
    assert tx.execute(update, (2,)).rowcount == 0
    assert tx.execute(update, (1,)).rowcount >= 1
    assert tx.execute(f"DELETE FROM {table} WHERE client_id = 2").rowcount == 0


def test_a_manager_cannot_insert_for_another_client(tx, acting):
    acting("manager", [1])
    for statement in [
        "INSERT INTO brands (client_id, name) VALUES (2, 'theirs')",
        "INSERT INTO trackers (client_id, name) VALUES (2, 'theirs')",
        "INSERT INTO storage_locations (client_id, name, latitude, longitude) VALUES (2, 'theirs', 1, 1)",
        "INSERT INTO clients (name) VALUES ('mine')",
        "INSERT INTO exclusion_areas (name, area) VALUES ('for all', ST_MakeEnvelope(1, 1, 2, 2, 4326))",
    ]:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
            tx.execute(statement)


def test_a_manager_writes_through_all_triggers(tx, acting):
    """Triggers touch tables that the caller may not; writing still works, places and search included."""
    a = world_rows.read(tx, 1)
    acting("manager", [1], a.manager)
    tracker = tx.execute(
        "INSERT INTO trackers (client_id, production_run_id, name) VALUES (1, %s, 'by manager') RETURNING id", (a.run,)
    ).fetchone()[0]
    place = tx.execute(
        "INSERT INTO delivery_locations (client_id, name, latitude, longitude) VALUES (1, 'new shop', 1, 2) RETURNING id"
    ).fetchone()[0]
    tx.execute("INSERT INTO production_run_locations VALUES (1, %s, %s)", (a.run, place))
    tx.execute("UPDATE delivery_locations SET radius_m = 500 WHERE id = %s", (place,))
    tx.execute("UPDATE trackers SET production_run_id = NULL WHERE id = %s", (tracker,))
    tx.execute(
        "INSERT INTO status_overrides (client_id, tracker_id, status, reason) VALUES (1, %s, 'DELIVERED', 'phone call')",
        (tracker,),
    )
    assert tx.execute(
        "SELECT title FROM search_index WHERE resource = 'trackers' AND resource_id = %s", (tracker,)
    ).fetchone() == ("by manager",)
    tx.execute("DELETE FROM trackers WHERE id = %s", (tracker,))
    assert not tx.execute(
        "SELECT FROM search_index WHERE resource = 'trackers' AND resource_id = %s", (tracker,)
    ).fetchall()


def test_derived_rows_are_not_for_the_api(tx, acting):
    acting("admin")
    for table in (
        "status_history",
        "geofence_events",
        "tracker_exceptions",
        "notification_facts",
        "tracker_counts",
        "fetch_batches",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
            tx.execute(f"DELETE FROM {table}")


def test_audit_log_is_append_only(tx, acting):
    a = world_rows.read(tx, 1)
    acting("manager", [1], a.manager)
    tx.execute("INSERT INTO audit_log (client_id, action, resource) VALUES (1, 'update', 'brands')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
        tx.execute(
            "INSERT INTO audit_log (client_id, user_id, action, resource) VALUES (1, %s, 'update', 'brands')", (a.user,)
        )
    for statement in ("UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
            tx.execute(statement)
    acting.become(None)  # not even the superuser, by mistake
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"), tx.transaction():
        tx.execute("UPDATE audit_log SET action = 'x'")


# ------------------------------------------------------------------ users


def test_users_edit_themselves_but_not_their_role(tx, acting):
    a = world_rows.read(tx, 1)
    acting("user", [1], a.user)
    assert tx.execute("UPDATE users SET name = 'me'").rowcount == 1
    for role in ("manager", "admin"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
            tx.execute("UPDATE users SET role = %s WHERE id = %s", (role, a.user))
    acting("manager", [1], a.manager)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
        tx.execute("UPDATE users SET role = 'admin' WHERE id = %s", (a.manager,))


def test_managers_edit_only_users_who_are_wholly_theirs(tx, acting):
    a = world_rows.read(tx, 1)
    rename = "UPDATE users SET name = 'renamed' WHERE id = %s"
    acting("manager", [1], a.manager)
    assert tx.execute(rename, (a.user,)).rowcount == 1
    assert tx.execute("UPDATE users SET role = 'manager' WHERE id = %s", (a.user,)).rowcount == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
        tx.execute("UPDATE users SET role = 'admin' WHERE id = %s", (a.user,))
    acting.become(None)
    tx.execute("INSERT INTO user_clients (user_id, client_id) VALUES (%s, 2)", (a.user,))
    acting("manager", [1], a.manager)
    assert a.user in seen(tx, "users", "id")
    assert tx.execute(rename, (a.user,)).rowcount == 0
    assert tx.execute("DELETE FROM users WHERE id = %s", (a.user,)).rowcount == 0


def test_a_manager_invites_a_user(tx, acting):
    a = world_rows.read(tx, 1)
    acting("manager", [1], a.manager)
    user = tx.execute("INSERT INTO users (email, name) VALUES ('new@example.com', 'new') RETURNING id").fetchone()[0]
    tx.execute("INSERT INTO user_clients (user_id, client_id) VALUES (%s, 1)", (user,))
    for statement in (
        "INSERT INTO users (email, name, role) VALUES ('evil@example.com', 'evil', 'admin')",
        f"INSERT INTO user_clients (user_id, client_id) VALUES ({user}, 2)",
        f"INSERT INTO user_clients (user_id, client_id) VALUES ({a.manager}, 2)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
            tx.execute(statement)


def test_a_manager_cannot_touch_reset_links(tx, acting):
    """An UPDATE without WHERE needs no right to see the rows, so the policies for writing must hold by themselves."""
    a = world_rows.read(tx, 1)
    admin = tx.execute("SELECT id FROM users WHERE role = 'admin'").fetchone()[0]
    stranger = world_rows.read(tx, 2).user
    insert = "INSERT INTO password_reset_tokens (user_id, purpose, token_hash, expires_at) VALUES (%s, 'invite', sha256('x'), now() + interval '1 day')"
    acting("manager", [1], a.manager)
    assert tx.execute("UPDATE password_reset_tokens SET used_at = now()").rowcount == 0
    assert tx.execute("DELETE FROM password_reset_tokens").rowcount == 0
    for user in (admin, stranger):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
            tx.execute(insert, (user,))
    tx.execute(insert, (a.user,))


@pytest.mark.parametrize("role", ["user", "manager"])
def test_blind_writes_touch_nothing_of_others(tx, acting, role):
    """Every table: an UPDATE or DELETE of all rows, as a tenant, leaves the rows of the other tenant and of the operator."""
    a = world_rows.read(tx, 1)
    me = getattr(a, role)
    for table in tables(tx):
        if table in EXEMPT:
            continue
        mine = {
            "clients": "id = 1",
            "users": f"id IN ({a.user}, {a.manager})",
            "auth_changes": f"user_id IN ({a.user}, {a.manager})",
            "user_clients": "client_id = 1",
        }.get(table)
        own = columns_of(tx, table)
        mine = mine or ("client_id = 1" if "client_id" in own else f"user_id = {me}" if "user_id" in own else "false")
        others = f"SELECT array_agg(t::text ORDER BY t::text) FROM {table} t WHERE ({mine}) IS NOT TRUE"
        before = tx.execute(others).fetchone()
        for statement in writes_without_where(tx, table):
            with tx.transaction(force_rollback=True):
                acting(role, [a.client], me)
                try:
                    with tx.transaction():
                        tx.execute(statement)
                except (
                    psycopg.errors.InsufficientPrivilege,
                    psycopg.errors.ForeignKeyViolation,
                    psycopg.errors.RaiseException,
                ):
                    pass
                acting.become(None)
                assert tx.execute(others).fetchone() == before, (role, statement)


def writes_without_where(connection: psycopg.Connection, table: str) -> list[str]:
    """DELETE, and an UPDATE of a column that needs no value to be made up."""
    writable = columns(connection, table, "UPDATE") - {"id"}
    plain = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attname = ANY (%s) AND attgenerated = '' AND attidentity = ''"
        " AND attname <> 'client_id' AND atttypid IN ('timestamptz'::regtype, 'text'::regtype, 'float8'::regtype, 'bigint'::regtype, 'int4'::regtype, 'jsonb'::regtype)"
        " ORDER BY right(attname, 3) = '_id', attnum",
        (table, list(writable)),
    ).fetchall()
    return [f"DELETE FROM {table}"] + [f"UPDATE {table} SET {name} = {name}" for (name,) in plain[:1]]


def test_auth_sees_credentials_and_no_tenant_data(tx, acting):
    acting("auth")
    for table in (
        "users",
        "user_clients",
        "sessions",
        "session_tokens",
        "api_keys",
        "share_links",
        "password_reset_tokens",
    ):
        assert tx.execute(f"SELECT count(*) FROM {table}").fetchone()[0] >= 2, table
    for table in ("trackers", "brands", "audit_log", "notifications"):
        assert tx.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    assert tx.execute("UPDATE users SET last_login_at = now() WHERE role = 'user'").rowcount == 2
    tx.execute("UPDATE session_tokens SET used_at = now()")
    tx.execute("UPDATE share_links SET last_used_at = now()")
    tx.execute("INSERT INTO login_attempts (subject) VALUES ('account:x')")


def test_only_the_read_mark_of_a_notification_is_the_users(tx, acting):
    a = world_rows.read(tx, 1)
    acting("user", [1], a.user)
    assert tx.execute("UPDATE notifications SET read_at = now()").rowcount == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
        tx.execute("UPDATE notifications SET data = '{}'")


def test_definer_functions_are_not_public(tx):
    """A SECURITY DEFINER function lends its owner's eyes: it names its callers and fixes its search path."""
    rows = tx.execute(
        "SELECT p.oid::regprocedure::text, p.proconfig, has_function_privilege('tracker_api', p.oid, 'EXECUTE'),"
        " EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) WHERE grantee = 0 AND privilege_type = 'EXECUTE')"
        " FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND prosecdef AND proowner = 'tracker_owner'::regrole"
    ).fetchall()
    assert len(rows) > 10
    for name, config, api, public in rows:
        assert any(c.startswith("search_path=public, pg_temp") for c in config), name
        assert not public, name
        # Of tasks and images: by an id or key that cannot be guessed.
        lent = (
            "user_within_clients",
            "bump_generations",
            "pipeline_figures",
            "enqueue_task",
            "task_begin_sending",
            "task_sent",
            "expect_image",
            "forget_image_waste",
        )
        assert not api or name.startswith(lent), f"{name} is callable by the API"
