"""What must hold when the system has come to rest, whatever happened to it before."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

# (tracker id, Unix second, latitude and longitude in 1e-7 degrees)
Stored = tuple[int, int, int, int]

# Work that is due and not done yet: each must count 0 when the system has come to rest.
OPEN_WORK = {
    "inbox": "SELECT count(*) FROM report_inbox",
    "replays": "SELECT count(*) FROM replay_requests",
    "history": "SELECT count(*) FROM agg_dirty",
    "place names": "SELECT count(*) FROM geocoding_cache WHERE fetched_at IS NULL",
    "trackers without a place name": "SELECT count(*) FROM trackers WHERE place_due",
    "tasks": "SELECT count(*) FROM tasks WHERE finished_at IS NULL",
}

# Rows that must not exist, by what they would mean.
CONTRADICTIONS = {
    "a tracker's status is not that of its last history row": """
        SELECT t.id, t.status, t.location_id, t.status_since, h.status, h.location_id, h.since FROM trackers t
        LEFT JOIN LATERAL (SELECT * FROM status_history h WHERE h.tracker_id = t.id ORDER BY h.since DESC, h.id DESC LIMIT 1) h ON true
        WHERE coalesce(h.status, 'CREATED') <> t.status OR h.location_id IS DISTINCT FROM t.location_id
              OR (h.since IS NOT NULL AND h.since <> t.status_since)""",
    "a history row does not follow from the one before it": """
        SELECT * FROM (
            SELECT tracker_id, since, status, location_id, previous_status, previous_location_id,
                   lag(status) OVER w AS was, lag(location_id) OVER w AS was_in, row_number() OVER w AS n
            FROM status_history WINDOW w AS (PARTITION BY tracker_id ORDER BY since, id)) h
        WHERE previous_status <> coalesce(was, 'CREATED') OR (n > 1 AND previous_location_id IS DISTINCT FROM was_in)
              OR (status = previous_status AND location_id IS NOT DISTINCT FROM previous_location_id)""",
    "entries and exits are not the changes of place in the history": """
        WITH changes AS (
            SELECT tracker_id, 'entry' AS kind, location_id, since FROM status_history
            WHERE location_id IS NOT NULL AND location_id IS DISTINCT FROM previous_location_id
            UNION ALL SELECT tracker_id, 'exit', previous_location_id, since FROM status_history
            WHERE previous_location_id IS NOT NULL AND location_id IS DISTINCT FROM previous_location_id),
             events AS (SELECT tracker_id, kind, location_id, occurred_at FROM geofence_events WHERE kind <> 'dwell')
        (SELECT 'history', * FROM changes EXCEPT ALL SELECT 'history', * FROM events)
        UNION ALL (SELECT 'event', * FROM events EXCEPT ALL SELECT 'event', * FROM changes)""",
    "a visit of the history is not a standing fact, or a standing fact no visit": """
        WITH visits AS (SELECT v.tracker_id, v.kind, v.location_id, v.visit
                        FROM notification_visits(ARRAY(SELECT id FROM trackers)) v),
             facts AS (SELECT f.tracker_id, f.kind, f.location_id, f.visit FROM notification_facts f
                       WHERE f.withdrawn_at IS NULL AND f.kind NOT IN ('silent', 'battery_low'))
        (SELECT 'visit', * FROM visits EXCEPT SELECT 'visit', * FROM facts)
        UNION ALL (SELECT 'fact', * FROM facts EXCEPT SELECT 'fact', * FROM visits)""",
    "a fact was told twice to one user": """
        SELECT user_id, fact_id, count(*) FROM notifications WHERE fact_id IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1""",
    "the daily history is not what the reports say": """
        WITH reports AS (SELECT tracker_id, date_bin('1 day', reported_at, 'epoch') AS bucket, count(*), min(reported_at), max(reported_at),
                                min(accuracy_m), min(latitude_e7), max(longitude_e7) FROM location_reports WHERE NOT excluded GROUP BY 1, 2),
             kept AS (SELECT tracker_id, bucket, reports, first_at, last_at, best_accuracy_m, min_latitude_e7, max_longitude_e7
                      FROM history_daily)
        (SELECT 'reports', * FROM reports EXCEPT SELECT 'reports', * FROM kept)
        UNION ALL (SELECT 'history', * FROM kept EXCEPT SELECT 'history', * FROM reports)""",
    "the counts of trackers by status are not those of the trackers": """
        WITH real AS (SELECT client_id, coalesce(production_run_id, 0) AS run, status, count(*)::bigint AS n FROM trackers
                      WHERE archived_at IS NULL GROUP BY 1, 2, 3),
             kept AS (SELECT client_id, production_run_id, status, trackers FROM tracker_counts WHERE trackers <> 0)
        (SELECT 'trackers', * FROM real EXCEPT SELECT 'trackers', * FROM kept)
        UNION ALL (SELECT 'counts', * FROM kept EXCEPT SELECT 'counts', * FROM real)""",
    "a position has no place, although its cell is known": """
        SELECT t.id, t.last_place, g.name FROM trackers t JOIN geocoding_cache g ON (g.places_precision, g.latitude_cell, g.longitude_cell) =
            (geocode_precision(), geocode_cell(round(t.last_latitude * 1e7)::integer, geocode_precision()),
             geocode_cell(round(t.last_longitude * 1e7)::integer, geocode_precision()))
        WHERE g.name IS DISTINCT FROM t.last_place""",
}


@dataclass
class Expected:
    """Reports that must be there, and those that may be there besides."""

    certain: set[Stored]
    possible: set[Stored]


def open_work(db: psycopg.Connection) -> dict[str, int]:
    """What is still to be done; empty when the system has come to rest."""
    counts = {what: db.execute(sql.encode()).fetchone()[0] for what, sql in OPEN_WORK.items()}
    return {what: n for what, n in counts.items() if n}


def all_judged(db: psycopg.Connection) -> bool:
    """Is nothing left to do but the history, which is brought up to date every 15 seconds only?"""
    return open_work(db).keys() <= {"history"}


def stored_reports(db: psycopg.Connection) -> list[Stored]:
    return db.execute(
        "SELECT tracker_id, extract(epoch FROM reported_at)::bigint, latitude_e7, longitude_e7 FROM location_reports"
    ).fetchall()


def missing(db: psycopg.Connection, expected: set[Stored]) -> set[Stored]:
    return expected - set(stored_reports(db))


def assert_reports(db: psycopg.Connection, expected: Expected) -> None:
    """Nothing lost, nothing double, nothing invented."""
    stored = stored_reports(db)
    assert len(stored) == len(set(stored)), "a report is stored twice"
    lost = expected.certain - set(stored)
    assert not lost, f"{len(lost)} of {len(expected.certain)} reports are lost: {sorted(lost)[:5]}"
    invented = set(stored) - expected.certain - expected.possible
    assert not invented, f"{len(invented)} reports come from nowhere: {sorted(invented)[:5]}"


def assert_consistent(db: psycopg.Connection) -> None:
    found = {}
    db.execute("SELECT fold_tracker_counts()")
    for meaning, sql in CONTRADICTIONS.items():
        rows = db.execute(sql.encode()).fetchall()
        if rows:
            found[meaning] = (len(rows), rows[:3])
    assert not found, "\n".join(f"{meaning}: {n} rows, e.g. {rows}" for meaning, (n, rows) in found.items())
