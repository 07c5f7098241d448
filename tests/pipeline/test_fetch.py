"""Fetching: what is asked for, when it is due again, and what a failure costs whom."""

from __future__ import annotations

from system import report, until


def fetched(system, tracker: int):
    return system.one("SELECT last_fetched_at FROM trackers WHERE id = %s", tracker)


def stored(system, tracker: int) -> int:
    return system.one("SELECT count(*) FROM location_reports WHERE tracker_id = %s", tracker)


def test_reports_are_stored_once(system, sim, client_run):
    tracker, _ = system.add_tracker(*client_run, "once")
    for minutes in (5, 60, 600):
        report(sim, "once", minutes)
    until("three reports", lambda: stored(system, tracker) == 3)
    first = fetched(system, tracker)
    until("fetched again", lambda: fetched(system, tracker) > first)
    assert stored(system, tracker) == 3
    row = system.rows(
        "SELECT latitude_e7, longitude_e7, accuracy_m, confidence, key_id IS NOT NULL FROM location_reports"
        " WHERE tracker_id = %s LIMIT 1",
        tracker,
    )[0]
    assert row == (525000000, 134000000, 12, 3, True)
    assert system.one("SELECT sum(reports) FROM report_inbox WHERE tracker_id = %s", tracker) == 3
