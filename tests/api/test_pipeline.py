"""Health, figures and metrics of the pipeline."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from conftest import ADMIN_EMAIL, PASSWORD, ROOT, ApiClient
from stack import Stack

BINARY = os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd"))
SECONDS = 60  # far more than the life of a figure, on a busy machine


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """Not the other tests' server: its trackers are due all the time."""
    folder = Path(tempfile.mkdtemp(prefix="tracker-"))
    folder.chmod(0o711)
    settings = {"PIPELINE_MAX_OVERDUE": "1h", "PIPELINE_MAX_INBOX_AGE": "10m", "PIPELINE_REFRESH": "500ms"}
    try:
        with Stack(folder, binary=BINARY, settings=settings) as stack:
            stack.create_user(ADMIN_EMAIL, PASSWORD, admin=True)
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def tracker(own: Stack) -> int:
    with ApiClient(own.url) as admin:
        admin.sign_in(ADMIN_EMAIL, PASSWORD)
        client = admin.post("/clients", json={"name": "c"}).json()["id"]
        brand = admin.post("/brands", json={"client_id": client, "name": "b"}).json()["id"]
        run = admin.post("/production-runs", json={"brand_id": brand, "name": "r"}).json()["id"]
        return admin.post("/trackers", json={"production_run_id": run, "name": "t"}).json()["id"]


@pytest.fixture
def sql(own: Stack) -> Iterator[psycopg.Connection]:
    with psycopg.connect(own.postgres.url(), autocommit=True) as connection:
        yield connection


def wait_for(own: Stack, status: int, **ages: tuple[int, int] | None) -> dict:
    """The health page once it says so; each age within its bounds, or null."""
    deadline = time.monotonic() + SECONDS
    while True:
        answer = httpx.get(own.url + "/health/pipeline")
        body = answer.json()
        fits = answer.status_code == status and all(
            body[name] is None if bounds is None else body[name] is not None and bounds[0] <= body[name] <= bounds[1]
            for name, bounds in ages.items()
        )
        if fits:
            return body
        assert time.monotonic() < deadline, (answer.status_code, body)
        time.sleep(0.2)


def test_health_is_progress(own: Stack, sql: psycopg.Connection, tracker: int) -> None:
    sql.execute("UPDATE trackers SET next_fetch_at = now() + interval '1 hour'")
    body = wait_for(own, 200, overdue_seconds=None, inbox_seconds=None, last_batch_seconds=None)
    assert body["status"] == "ok"

    sql.execute("UPDATE trackers SET next_fetch_at = now() - interval '50 minutes'")
    wait_for(own, 200, overdue_seconds=(3000, 3200))
    sql.execute("UPDATE trackers SET next_fetch_at = now() - interval '2 hours'")
    assert wait_for(own, 503, overdue_seconds=(7200, 7400))["status"] == "stalled"
    sql.execute("UPDATE trackers SET next_fetch_at = now() + interval '1 hour'")
    wait_for(own, 200, overdue_seconds=None)

    sql.execute(
        "INSERT INTO report_inbox (tracker_id, created_at) VALUES (%s, now() - interval '11 minutes')", (tracker,)
    )
    wait_for(own, 503, inbox_seconds=(660, 860))
    sql.execute("DELETE FROM report_inbox")
    wait_for(own, 200, inbox_seconds=None)


def test_the_public_page_tells_ages_only(own: Stack) -> None:
    body = wait_for(own, 200)
    assert set(body) == {"status", "as_of", "overdue_seconds", "last_batch_seconds", "inbox_seconds"}


def series(own: Stack) -> dict[str, float]:
    lines = httpx.get(own.url + "/metrics").text.splitlines()
    return {
        line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("tracker_pipeline_")
    }


def test_figures_and_metrics(own: Stack, sql: psycopg.Connection, tracker: int) -> None:
    sql.execute("UPDATE trackers SET next_fetch_at = now() - interval '1 minute'")
    for result, minutes in (("ok", 5), ("ok", 3), ("retry_later", 2), ("ok", 60 * 30)):
        sql.execute(
            "INSERT INTO fetch_batches (started_at, finished_at, result, reports_received, reports_new, reports_rejected)"
            " VALUES (now() - %s * interval '1 minute', now() - %s * interval '1 minute', %s, 10, 7, 1)",
            (minutes, minutes, result),
        )
    sql.execute("INSERT INTO apple_accounts (name, state) VALUES ('a', 'ready'), ('b', 'second_factor')")
    sql.execute("INSERT INTO report_inbox (tracker_id) VALUES (%s), (%s)", (tracker, tracker))
    wait_for(own, 200, last_batch_seconds=(180, 400))
    with ApiClient(own.url) as admin:
        body = admin.sign_in(ADMIN_EMAIL, PASSWORD).get("/admin/pipeline").json()
    assert body["batches"] == {"ok": 2, "retry_later": 1}
    assert body["reports"] == {"received": 30, "new": 21, "rejected": 3}
    assert body["accounts"] == {"ready": 1, "second_factor": 1}
    assert (body["due_trackers"], body["inbox_rows"], body["tasks"]) == (1, 2, {})

    shown = series(own)
    assert shown['tracker_pipeline_batches{result="ok"}'] == 2
    assert shown['tracker_pipeline_reports{outcome="new"}'] == 21
    assert shown['tracker_pipeline_accounts{state="second_factor"}'] == 1
    assert shown["tracker_pipeline_inbox_rows"] == 2
    assert 60 <= shown["tracker_pipeline_overdue_seconds"] < 260
    assert shown["tracker_pipeline_due_trackers"] == 1 and shown["tracker_pipeline_geocode_wanted"] == 0
    assert 180 <= shown["tracker_pipeline_last_batch_seconds"] < 400
    assert 0 <= shown["tracker_pipeline_judge_lag_seconds"] < 200

    sql.execute("UPDATE apple_accounts SET state = 'ready'")
    deadline = time.monotonic() + SECONDS
    while series(own)['tracker_pipeline_accounts{state="second_factor"}'] != 0:
        assert time.monotonic() < deadline, "a state that no account has any more keeps its number"
        time.sleep(0.2)


def test_many_probes_are_one_statement(own: Stack, sql: psycopg.Connection) -> None:
    def calls() -> int:
        sql.execute("SELECT pg_stat_force_next_flush()")
        row = sql.execute(
            "SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0) FROM pg_stat_user_tables WHERE relname = 'apple_accounts'"
        )
        return row.fetchone()[0]

    before = calls()
    started = time.monotonic()
    for _ in range(50):
        httpx.get(own.url + "/health/pipeline")
    lasted = time.monotonic() - started
    time.sleep(2)  # sessions report their statistics once a second
    assert calls() - before <= 2 + lasted / 0.5
