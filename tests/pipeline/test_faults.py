"""The short form of the fault suite: every fault once, then everything must be as if nothing had happened. Long form: faults.py."""

from __future__ import annotations

import os

import psycopg
import pytest
from faults import FaultRun, fault_run
from invariants import assert_consistent, assert_reports

# What the invariants are for: each of these must be noticed.
DAMAGE = [
    "DELETE FROM location_reports WHERE ctid = (SELECT ctid FROM location_reports LIMIT 1)",
    "DELETE FROM status_history WHERE id = (SELECT max(id) FROM status_history)",
    "UPDATE trackers SET status = 'CREATED' WHERE id = (SELECT min(id) FROM trackers WHERE status <> 'CREATED')",
    "DELETE FROM geofence_events WHERE id = (SELECT min(id) FROM geofence_events WHERE kind = 'exit')",
    "UPDATE notification_facts SET withdrawn_at = now() WHERE id = (SELECT min(id) FROM notification_facts WHERE withdrawn_at IS NULL)",
    "DELETE FROM history_daily WHERE (tracker_id, bucket) = (SELECT tracker_id, bucket FROM history_daily LIMIT 1)",
    "UPDATE tracker_counts SET trackers = trackers + 1",
    "UPDATE trackers SET last_place = 'nowhere' WHERE last_latitude IS NOT NULL",
]


def test_every_fault_once() -> None:
    seed = int(os.environ.get("FAULT_SEED", "20261124"))
    with fault_run(seed, seconds=12) as run:
        run.run(settle_seconds=120)
        assert {name.split()[0] for name in run.told} == {fault.__name__ for fault in FaultRun.FAULTS}

        with psycopg.connect(run.system.stack.postgres.url("tracker")) as db:
            for damage in DAMAGE:
                assert db.execute(damage.encode()).rowcount > 0, damage
                with pytest.raises(AssertionError):
                    assert_reports(db, run.expected)
                    assert_consistent(db)
                    pytest.fail(f"not noticed: {damage}")
                db.rollback()
