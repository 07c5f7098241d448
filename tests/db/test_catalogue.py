"""House rules of the schema, read from the catalogue: comments, bounds, tenant keys, index reasons, ownership."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SQL_FILES = sorted((ROOT / "db").rglob("*.sql"))
OURS = """
    SELECT oid, relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
    AND NOT relispartition AND relname NOT IN ('spatial_ref_sys', 'geometry_columns', 'geography_columns', 'schema_migrations')
"""


def test_tables_views_and_functions_have_comments(tx):
    bare = tx.execute(f"SELECT relname FROM ({OURS}) t WHERE obj_description(oid, 'pg_class') IS NULL").fetchall()
    assert not bare
    functions = tx.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proowner = 'tracker_owner'::regrole"
        " AND obj_description(oid, 'pg_proc') IS NULL"
    ).fetchall()
    assert not functions


def test_everything_belongs_to_the_owner_role(tx):
    strangers = tx.execute(
        f"SELECT relname, relowner::regrole::text FROM pg_class WHERE oid IN (SELECT oid FROM ({OURS}) t)"
        " AND relowner <> 'tracker_owner'::regrole AND relowner <> 'tracker_reader'::regrole"
    ).fetchall()
    assert not strangers


def test_texts_are_bounded(tx):
    """Every text, JSON and bytea column that is not an enumeration stands in a CHECK with a length or size."""
    columns = tx.execute(
        f"SELECT t.relname, a.attname FROM ({OURS}) t JOIN pg_attribute a ON a.attrelid = t.oid"
        " JOIN pg_type y ON y.oid = a.atttypid WHERE t.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped"
        " AND a.attgenerated = '' AND y.typname IN ('text', 'jsonb', 'bytea')"
        " AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = t.oid AND c.contype = 'c' AND a.attnum = ANY (c.conkey))"
    ).fetchall()
    # The log of audited rows and stored answers are as large as what the API let in; search documents are copies.
    known = {
        ("audit_log", "before"), ("audit_log", "after"), ("idempotency_keys", "headers"), ("idempotency_keys", "body"),
        ("geocoding_addresses", "results"), ("search_documents", "title"), ("search_documents", "codes"), ("search_documents", "body"),
    }  # fmt: skip
    assert set(columns) <= known


def test_constraints_are_named(tx):
    """Names that PostgreSQL made up (table_column_check, table_check1) tell an API error nothing."""
    unnamed = tx.execute(
        f"SELECT c.conrelid::regclass::text, c.conname FROM pg_constraint c WHERE c.conrelid IN (SELECT oid FROM ({OURS}) t)"
        " AND c.contype = 'c' AND c.conname ~ '_check[0-9]*$'"
    ).fetchall()
    assert not unnamed


def test_references_between_tenant_rows_carry_the_client(tx):
    """A foreign key between two tables that both have client_id includes it on both sides."""
    keys = tx.execute(
        "SELECT c.conrelid::regclass::text, c.conname, a.attnum = ANY (c.conkey) FROM pg_constraint c"
        " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attname = 'client_id'"
        " JOIN pg_attribute f ON f.attrelid = c.confrelid AND f.attname = 'client_id'"
        " WHERE c.contype = 'f' AND NOT EXISTS (SELECT FROM pg_class p WHERE p.oid = c.conrelid AND p.relispartition)"
    ).fetchall()
    assert len(keys) > 25
    # The client of a mail may be NULL (a password reset), that of its notification never is.
    loose = {name for _, name, has_client in keys if not has_client} - {"deliveries_notification_id_fkey"}
    assert not loose


def test_foreign_keys_are_indexed(tx):
    """Deleting a referenced row must not scan the referring table: some index begins with a column of the key."""
    bare = tx.execute(
        "SELECT c.conrelid::regclass::text, c.conname FROM pg_constraint c WHERE c.contype = 'f'"
        " AND c.conrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND NOT relispartition)"
        " AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = ANY (c.conkey)"
        "   AND (cardinality(c.conkey) = 1 OR i.indkey[0] <> (SELECT attnum FROM pg_attribute WHERE attrelid = c.conrelid AND attname = 'client_id')"
        "        OR (i.indkey[0] = ANY (c.conkey) AND i.indkey[1] = ANY (c.conkey))))"
    ).fetchall()
    assert not bare


def test_every_index_says_what_it_serves():
    for file in SQL_FILES:
        covered = False
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if re.match(r"\s*-- .*(Serves?:|Serve )", line):
                covered = True
            elif re.match(r"CREATE (UNIQUE )?INDEX", line):
                assert covered or "_name_key" in line or "_dedupe" in line, (
                    f"{file.name}:{number}: what query does it serve?"
                )
            elif line and not line.startswith((" ", "--")):
                covered = False  # a comment holds for the run of indexes right below it


def test_mutable_resources_have_their_triggers(tx):
    rows = tx.execute(
        f"SELECT t.relname, array_agg(g.tgname::text) FROM ({OURS}) t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'version'"
        " LEFT JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal WHERE t.relkind = 'r' GROUP BY 1"
    ).fetchall()
    assert len(rows) > 12
    for table, triggers in rows:
        assert "touch" in triggers, f"CALL versioned('{table}')"


def test_touch_triggers_know_every_column(tx):
    """A column that was added without calling versioned() again would change without a new ETag."""
    stale = tx.execute(
        "SELECT g.tgrelid::regclass::text, a.attname FROM pg_trigger g JOIN pg_attribute a ON a.attrelid = g.tgrelid"
        " WHERE g.tgname = 'touch' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity = ''"
        " AND a.attname NOT IN ('version', 'updated_at') AND a.attnum <> ALL (g.tgattr::int2[])"
    ).fetchall()
    # Leases, stamps of use and bookkeeping: an answer with another value of these is not another answer.
    assert set(stale) == {
        ("api_keys", "last_used_at"), ("share_links", "last_used_at"), ("production_runs", "fetching"),
        ("trackers", "lease_owner"), ("trackers", "lease_until"), ("trackers", "place_due"),
        ("apple_accounts", "lease_owner"), ("apple_accounts", "lease_until"),
        ("tasks", "lease_until"), ("tasks", "sent_at"), ("tasks", "stream_entry"),
    }  # fmt: skip
