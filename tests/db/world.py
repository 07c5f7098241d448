"""Two tenants with at least one row in every table, so that "sees nothing of the other" is never true of an empty table."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg


@dataclass
class Tenant:
    """Ids of one tenant's rows."""

    client: int
    manager: int
    user: int
    brand: int
    run: int
    storage: int
    delivery: int
    tracker: int


A_ID, B_ID = 1, 2  # clients, in the order of their making


def one(connection: psycopg.Connection, sql: str, *values) -> int:
    """Run an INSERT ... RETURNING id."""
    return connection.execute(sql, values).fetchone()[0]


def person(connection: psycopg.Connection, name: str, role: str, client: int | None) -> int:
    """A user with a session, a refresh token, an API key, a reset link and an idempotency key."""
    user = one(
        connection,
        "INSERT INTO users (email, name, role) VALUES (%s, %s, %s) RETURNING id",
        f"{name}@example.com",
        name,
        role,
    )
    if client:
        connection.execute("INSERT INTO user_clients (user_id, client_id) VALUES (%s, %s)", (user, client))
    session = one(
        connection,
        "INSERT INTO sessions (user_id, expires_at) VALUES (%s, now() + interval '1 day') RETURNING id",
        user,
    )
    token = f"sha256(convert_to('{name}', 'UTF8'))"
    connection.execute(
        f"INSERT INTO session_tokens (token_hash, session_id, user_id) VALUES ({token}, %s, %s)", (session, user)
    )
    connection.execute(
        f"INSERT INTO api_keys (user_id, name, prefix, key_hash) VALUES (%s, 'key', 'trk_abcd', {token})", (user,)
    )
    connection.execute(
        f"INSERT INTO password_reset_tokens (user_id, token_hash, expires_at) VALUES (%s, {token}, now() + interval '1 hour')",
        (user,),
    )
    connection.execute(
        f"INSERT INTO idempotency_keys (user_id, key, request_hash) VALUES (%s, 'same-key', {token})", (user,)
    )
    connection.execute("UPDATE users SET name = name || '!' WHERE id = %s", (user,))  # leaves an auth_changes row
    return user


def tenant(connection: psycopg.Connection, letter: str) -> Tenant:
    client = one(connection, "INSERT INTO clients (name) VALUES (%s) RETURNING id", f"client {letter}")
    manager = person(connection, f"manager-{letter}", "manager", client)
    user = person(connection, f"user-{letter}", "user", client)
    brand = one(connection, "INSERT INTO brands (client_id, name) VALUES (%s, 'brand') RETURNING id", client)
    run = one(
        connection,
        "INSERT INTO production_runs (client_id, brand_id, name) VALUES (%s, %s, 'run') RETURNING id",
        client,
        brand,
    )
    storage = one(
        connection,
        "INSERT INTO storage_locations (client_id, name, latitude, longitude) VALUES (%s, 'store', 52.5, 13.4) RETURNING id",
        client,
    )
    delivery = one(
        connection,
        "INSERT INTO delivery_locations (client_id, name, latitude, longitude) VALUES (%s, 'shop', 48.1, 11.6) RETURNING id",
        client,
    )
    for place in (storage, delivery):
        connection.execute("INSERT INTO production_run_locations VALUES (%s, %s, %s)", (client, run, place))
    tracker = one(
        connection,
        "INSERT INTO trackers (client_id, production_run_id, name, mac_address) VALUES (%s, %s, 'tracker', 'AA:BB:CC:DD:EE:FF') RETURNING id",
        client,
        run,
    )
    rows = Tenant(client, manager, user, brand, run, storage, delivery, tracker)
    tracked(connection, rows)
    told(connection, rows)
    return rows


def tracked(connection: psycopg.Connection, t: Tenant) -> None:
    """Keys, reports (one of them excluded), what is derived from them."""
    connection.execute(
        "INSERT INTO tracker_keys (client_id, tracker_id, advertisement_key, private_key_sealed, master_key_id) "
        "VALUES (%s, %s, substr(sha256(%s::text::bytea), 1, 28), sha256('sealed'), 'k1')",
        (t.client, t.tracker, str(t.tracker)),
    )
    for hour, excluded in ((1, False), (2, True)):
        connection.execute(
            "SELECT store_reports(ARRAY[%s::bigint], ARRAY[now() - %s * interval '1 hour'], '{52.5}', '{13.4}', '{20}', '{2}', '{64}', '{NULL}', ARRAY[%s])",
            (t.tracker, hour, excluded),
        )
    connection.execute("SELECT refresh_history_batch()")
    connection.execute(
        "SELECT store_reports(ARRAY[%s::bigint], ARRAY[now()], '{52.5}', '{13.5}', '{20}', '{2}', '{64}', '{NULL}', '{f}')",
        (t.tracker,),
    )
    connection.execute(
        "INSERT INTO report_flags SELECT tracker_id, reported_at, latitude_e7, longitude_e7, 'jump' FROM location_reports WHERE tracker_id = %s AND NOT excluded LIMIT 1",
        (t.tracker,),
    )
    connection.execute("SELECT count_rejected(ARRAY[%s::bigint], '{bad_tag}', '{2}')", (t.tracker,))
    connection.execute(
        "SELECT count_rejected_once(ARRAY[%s::bigint], '{bad_tag}', ARRAY[repeat('ab', 16)])", (t.tracker,)
    )
    connection.execute(
        "INSERT INTO geofence_events (client_id, tracker_id, production_run_id, location_id, kind, occurred_at, latitude, longitude, accuracy_m) "
        "VALUES (%s, %s, %s, %s, 'entry', now(), 52.5, 13.4, 20)",
        (t.client, t.tracker, t.run, t.storage),
    )
    connection.execute(
        "INSERT INTO status_overrides (client_id, tracker_id, status, reason, user_id) VALUES (%s, %s, 'DELIVERED', 'seen', %s)",
        (t.client, t.tracker, t.manager),
    )
    connection.execute(
        "INSERT INTO status_history (client_id, tracker_id, status, location_id, since, previous_status, rule, reported_at, latitude, longitude, accuracy_m) "
        "VALUES (%s, %s, 'IN_STORAGE', %s, now(), 'CREATED', 'entered_storage', now(), 52.5, 13.4, 20)",
        (t.client, t.tracker, t.storage),
    )
    connection.execute(
        "INSERT INTO tracker_exceptions (client_id, tracker_id, kind, since) VALUES (%s, %s, 'silent', now())",
        (t.client, t.tracker),
    )


def told(connection: psycopg.Connection, t: Tenant) -> None:
    """Notifications, webhooks, tasks, sharing, audit."""
    fact = one(
        connection,
        "INSERT INTO notification_facts (client_id, tracker_id, kind, location_id, visit, happened_at) "
        "VALUES (%s, %s, 'delivered', %s, tstzrange(now(), NULL), now()) RETURNING id",
        t.client,
        t.tracker,
        t.delivery,
    )
    for user in (t.manager, t.user):
        connection.execute(
            "INSERT INTO subscriptions (user_id, client_id, kinds) VALUES (%s, %s, '{delivered}')", (user, t.client)
        )
        connection.execute(
            "INSERT INTO notifications (client_id, user_id, fact_id, tracker_id, kind) VALUES (%s, %s, %s, %s, 'delivered')",
            (t.client, user, fact, t.tracker),
        )
        connection.execute(
            "INSERT INTO tasks (id, name, queue, user_id, client_id) VALUES (%s, 'import', 'default', %s, %s)",
            (f"task-{user}", user, t.client),
        )
        connection.execute(
            "INSERT INTO audit_log (client_id, user_id, action, resource, resource_id) VALUES (%s, %s, 'update', 'trackers', %s)",
            (t.client, user, t.tracker),
        )
    hook = one(
        connection,
        "INSERT INTO webhooks (client_id, name, url, kinds) VALUES (%s, 'hook', 'https://example.com/hook', '{delivered}') RETURNING id",
        t.client,
    )
    connection.execute(
        "INSERT INTO deliveries (client_id, channel, webhook_id, body) VALUES (%s, 'webhook', %s, '{}')",
        (t.client, hook),
    )
    connection.execute(
        "INSERT INTO exclusion_areas (client_id, name, area) VALUES (%s, 'factory', ST_MakeEnvelope(1, 1, 2, 2, 4326))",
        (t.client,),
    )
    connection.execute(
        "INSERT INTO share_links (client_id, tracker_id, token_hash) VALUES (%s, %s, sha256(%s::text::bytea))",
        (t.client, t.tracker, str(t.client)),
    )
    connection.execute(
        "INSERT INTO images (client_id, owner_kind, owner_id, content_type, width, height, bytes, checksum, storage_key) "
        "VALUES (%s, 'tracker', %s, 'image/webp', 10, 10, 100, sha256('image'), %s)",
        (t.client, t.tracker, f"{t.client}/1"),
    )
    connection.execute("SELECT bump_generations(ARRAY[%s::bigint])", (t.client,))


def operator(connection: psycopg.Connection) -> int:
    """What belongs to no tenant; answers the admin's id."""
    admin = person(connection, "admin", "admin", None)
    account = one(
        connection, "INSERT INTO apple_accounts (name, credentials_sealed) VALUES ('account', 'sealed') RETURNING id"
    )
    connection.execute("INSERT INTO provider_profiles (name, document) VALUES ('default', '{}')")
    batch = one(connection, "INSERT INTO fetch_batches (apple_account_id) VALUES (%s) RETURNING id", account)
    connection.execute(
        "INSERT INTO provider_recordings (fetch_batch_id, sealed, master_key_id) VALUES (%s, 'sealed', 'k1')", (batch,)
    )
    connection.execute(
        "INSERT INTO task_schedules (name, task_name, queue, every) VALUES ('minute', 'tick', 'default', '1 minute')"
    )
    connection.execute(
        "INSERT INTO tasks (id, name, queue, user_id) VALUES ('task-admin', 'erase', 'default', %s)", (admin,)
    )
    connection.execute("INSERT INTO image_waste (storage_key) VALUES ('ab/abcd')")
    connection.execute("INSERT INTO login_attempts (subject) VALUES ('address:127.0.0.1')")
    connection.execute("INSERT INTO task_schedule_marks (schedule_id, last_run_at) VALUES ('s', now())")
    connection.execute("INSERT INTO cache_readers (id, until) VALUES (repeat('0', 32), now())")
    connection.execute(
        "INSERT INTO audit_log (user_id, action, resource) VALUES (%s, 'create', 'apple-accounts')", (admin,)
    )
    connection.execute(
        "INSERT INTO exclusion_areas (name, area) VALUES ('everybody', ST_MakeEnvelope(3, 3, 4, 4, 4326))"
    )
    connection.execute(
        "INSERT INTO deliveries (channel, recipient, body) VALUES ('mail', 'admin@example.com', 'reset')"
    )
    connection.execute("SELECT bump_generations('{0}')")
    connection.execute("INSERT INTO places VALUES (1, 'Berlin', 'Berlin', NULL, 'DE', 3600000, 'POINT(13.4 52.5)')")
    connection.execute(
        "INSERT INTO geocoding_cache (places_precision, latitude_cell, longitude_cell, name, country_code, provider, fetched_at) "
        "VALUES (2, 5250, 1340, 'Berlin', 'DE', 'offline', now()) ON CONFLICT (places_precision, latitude_cell, longitude_cell) "
        "DO UPDATE SET name = 'Berlin', country_code = 'DE', provider = 'offline', fetched_at = now()"
    )
    connection.execute("INSERT INTO geocoding_addresses VALUES ('berlin', '[]', 'offline')")
    connection.execute("INSERT INTO geocoding_providers (name) VALUES ('nominatim')")
    return admin


def fill(connection: psycopg.Connection) -> None:
    a, b = tenant(connection, "a"), tenant(connection, "b")
    assert (a.client, b.client) == (A_ID, B_ID)
    operator(connection)
    # A worker takes what the rows above have requested; later edits leave new changes and requests.
    connection.execute("UPDATE trackers SET last_latitude = 52.4, last_longitude = 13.4")
    connection.execute("SELECT expand_replays(), fold_tracker_counts(), fold_map_cells(), refresh_status_daily()")
    for t in (a, b):
        connection.execute(
            "UPDATE trackers SET status = 'IN_STORAGE', location_id = %s, last_latitude = 52.5, last_longitude = 13.5 WHERE id = %s",
            (t.storage, t.tracker),
        )
        connection.execute(
            "INSERT INTO replay_requests (client_id, tracker_id, reason) VALUES (%s, %s, 'request')",
            (t.client, t.tracker),
        )
        connection.execute(
            "INSERT INTO status_history (client_id, tracker_id, status, since, previous_status, rule, reported_at, latitude, longitude,"
            " accuracy_m) VALUES (%s, %s, 'IN_TRANSIT', now(), 'IN_STORAGE', 'left_storage', now(), 52.5, 13.4, 20)",
            (t.client, t.tracker),
        )


def read(connection: psycopg.Connection, client: int) -> Tenant:
    """The ids of a tenant that fill() has made."""
    row = connection.execute(
        "SELECT c.id, (SELECT user_id FROM user_clients JOIN users u ON u.id = user_id WHERE client_id = c.id AND u.role = 'manager'),"
        " (SELECT user_id FROM user_clients JOIN users u ON u.id = user_id WHERE client_id = c.id AND u.role = 'user'),"
        " (SELECT id FROM brands WHERE client_id = c.id), (SELECT id FROM production_runs WHERE client_id = c.id),"
        " (SELECT id FROM storage_locations WHERE client_id = c.id), (SELECT id FROM delivery_locations WHERE client_id = c.id),"
        " (SELECT id FROM trackers WHERE client_id = c.id) FROM clients c WHERE c.id = %s",
        (client,),
    ).fetchone()
    return Tenant(*row)
