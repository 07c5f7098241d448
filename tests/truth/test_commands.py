"""trackerd import, judge and export from outside: what they take, refuse and print."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path

import psycopg
import pytest
from scene import Scene
from system import System
from test_permutations import prepared

HERE = {"latitude": 52.5, "longitude": 13.4, "horizontal_accuracy": 20, "confidence": 2}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory):
    made = System(tmp_path_factory.mktemp("commands"))
    for client in ("one", "two"):
        made.db.execute("INSERT INTO clients (name) VALUES (%s)", (client,))
    for client, name in ((1, "unit"), (1, "both"), (2, "both"), (1, "7")):
        made.db.execute("INSERT INTO trackers (client_id, name) VALUES (%s, %s)", (client, name))
    made.db.execute(
        "INSERT INTO tracker_keys (client_id, tracker_id, period, advertisement_key) VALUES"
        " (1, 1, '[,2026-05-02)', substr(sha256('key'), 1, 28)), (2, 3, '[2026-05-02,)', substr(sha256('key'), 1, 28))"
    )
    yield made
    made.close()


@pytest.fixture(autouse=True)
def clean(system: System) -> None:
    system.forget()


def line(tracker: object = "unit", timestamp: object = "2026-05-01T08:30:00Z", **more: object) -> str:
    return json.dumps({"tracker": tracker, "timestamp": timestamp} | HERE | more)


def take_in(system: System, *lines: str, args: tuple[str, ...] = ()):
    return system.stack.run("import", "reports", "-", *args, login="worker_login", stdin="\n".join(lines), check=False)


def stored(db: psycopg.Connection) -> list[tuple]:
    return db.execute("SELECT tracker_id, reported_at FROM location_reports ORDER BY 1, 2").fetchall()


# ---- import ----


def test_trackers_by_id_name_and_hash(system):
    digest = system.db.execute("SELECT key_hash FROM tracker_keys LIMIT 1").fetchone()[0]
    lines = [
        line(1, "2026-05-01T00:00:00Z"),
        line("2", "2026-05-01T00:00:01Z"),
        line("unit", "2026-05-01T00:00:02Z"),
        line("7", "2026-05-01T00:00:03Z"),  # a name goes before an id
        line(base64.b64encode(digest).decode(), "2026-05-01T00:00:04Z"),
        line(digest.hex(), "2026-05-03T00:00:05Z"),  # another tracker has the key by then
    ]
    assert take_in(system, *lines).returncode == 0
    assert [(t, at.second) for t, at in stored(system.db)] == [(1, 0), (1, 2), (1, 4), (2, 1), (3, 5), (4, 3)]


def test_times_and_what_is_known_already(system):
    done = take_in(
        system,
        line(timestamp=1777624200),
        line(timestamp="2026-05-01T10:30:00+02:00"),
        "",
        "  ",
        line(timestamp=1777624200.5),
    )
    assert done.returncode == 0
    assert "read 5 lines, stored 2 reports" in done.stdout
    assert "stored 0 reports" in take_in(system, line(timestamp=1777624200)).stdout
    assert [at.microsecond for _, at in stored(system.db)] == [0, 500000]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"tracker": 1, "tracker": 1}', "not JSON"),
        (line(tracker=None), "tracker must be"),
        (line(tracker=""), "tracker must be"),
        (line(tracker=0), "tracker must be"),
        (line(tracker=99), "there is no such tracker"),
        (line(tracker="nobody"), "there is no such tracker"),
        (line(tracker="both"), "several trackers"),
        (line(timestamp="yesterday"), "timestamp must be"),
        (line(timestamp="1989-12-31T23:59:59Z"), "timestamp must be"),
        (line(timestamp=-1), "timestamp must be"),
        (line(timestamp="2100-01-01T00:00:00Z"), "timestamp lies in the future"),
        (line(latitude=90.1), "latitude"),
        (line(longitude="13"), "longitude"),
        (line(horizontal_accuracy=-1), "horizontal_accuracy"),
        (line(confidence=2.5), "confidence"),
        (line(confidence=256), "confidence"),
        (line(more="x" * 4096), "longer than 4096"),
    ],
)
def test_a_bad_line_stops_everything(system, bad, reason):
    done = take_in(system, line(), bad, line(timestamp="2026-05-01T09:00:00Z"))
    assert done.returncode == 1
    assert f"line 2: {reason}" in done.stderr, done.stderr
    assert "1 of 3 lines are bad; nothing was imported" in done.stderr
    assert stored(system.db) == []


def test_bad_lines_are_counted_and_the_first_are_shown(system):
    lines = [line(), *["{"] * 30, line(tracker="nobody")]
    done = take_in(system, *lines)
    assert "31 of 32 lines are bad" in done.stderr
    assert done.stderr.count("not JSON") == 20


def test_names_of_one_client(system):
    assert take_in(system, line(tracker="both"), args=("--client", "2")).returncode == 0
    assert [t for t, _ in stored(system.db)] == [3]
    assert take_in(system, line(tracker="unit"), args=("--client", "2")).returncode == 1


def test_long_files_go_through_in_batches(system):
    lines = [line(1, 1777593600 + n) for n in range(12_001)]
    assert "stored 12001 reports" in take_in(system, *lines).stdout
    system.forget()
    assert take_in(system, *lines, "{").returncode == 1
    assert stored(system.db) == []


def test_reports_in_exclusion_areas_are_marked(system):
    system.db.execute(
        "INSERT INTO exclusion_areas (name, area) VALUES ('factory', ST_MakeEnvelope(13, 52, 14, 53, 4326))"
    )
    assert take_in(system, line(), line(timestamp=1777624201, latitude=48)).returncode == 0
    system.db.execute("DELETE FROM exclusion_areas")
    assert system.db.execute("SELECT excluded FROM location_reports ORDER BY reported_at").fetchall() == [
        (True,),
        (False,),
    ]
    system.judge()
    assert [r["latitude"] for r in map(json.loads, system.run("export", "status-history").splitlines())] == [48]


@pytest.mark.parametrize(
    "args",
    [
        ("import",),
        ("import", "trackers", "-"),
        ("import", "reports"),
        ("import", "reports", "-", "more"),
        ("import", "reports", "-", "--client", "x"),
        ("judge", "more"),
        ("judge", "--tracker", "1"),
        ("judge", "--from", "2026-05-01T00:00:00Z"),
        ("judge", "--replay", "--tracker", "1", "--all"),
        ("judge", "--replay", "--tracker", "x"),
        ("judge", "--replay", "--from", "x"),
        ("judge", "--threads", "0"),
        ("export",),
        ("export", "trackers"),
        ("export", "events", "--format", "xml"),
        ("export", "events", "--tracker", "x"),
        ("export", "events", "--to", "x"),
    ],
)
def test_usage(system, args):
    done = system.stack.run(*args, login="worker_login", check=False)
    assert done.returncode == 2, done.stderr
    assert "--help" in done.stderr


def test_failures(system, tmp_path: Path):
    for args, login, reason in (
        (("import", "reports", str(tmp_path / "none")), "worker_login", "No such file"),
        (("judge", "--replay", "--tracker", "99"), "worker_login", "no such tracker"),
        (("judge", "--replay"), "api_login", "tracker_worker|denied|permission"),
        (("export", "events"), "api_login", ""),
    ):
        done = system.stack.run(*args, login=login, check=False)
        if reason:
            assert done.returncode == 1, args
            assert any(part in done.stderr for part in reason.split("|")), done.stderr
        else:  # row security shows nothing to a login without a context
            assert (done.returncode, done.stdout) == (0, "")


# ---- judge and export ----


def test_what_does_not_fit_into_one_batch_waits_for_the_next(system):
    """Of three trackers with 20,000 reports each, two fit; the third goes back to the inbox and is judged then."""
    system.db.execute(
        "SELECT count(*) FROM unnest(ARRAY[1, 2, 3]) t, LATERAL store_reports("
        "  array_fill(t::bigint, ARRAY[20000]), ARRAY(SELECT '2026-05-01'::timestamptz + n * interval '1 minute' FROM generate_series(1, 20000) n),"
        "  array_fill(52.5::float8, ARRAY[20000]), array_fill(13.4::float8, ARRAY[20000]), array_fill(20::real, ARRAY[20000]),"
        "  array_fill(2::smallint, ARRAY[20000]), NULL, NULL, NULL, true)"
    )
    system.stack.settings["LOG_LEVEL"] = "debug"
    try:
        log = system.stack.run("judge", "--threads", "1", login="worker_login").stderr
    finally:
        system.stack.settings["LOG_LEVEL"] = "info"
    judged = [json.loads(entry) for entry in log.splitlines() if '"event":"judged"' in entry]
    assert [entry["trackers"] for entry in judged] == [2, 1]
    assert system.db.execute("SELECT tracker_id FROM status_history ORDER BY 1").fetchall() == [(1,), (2,), (3,)]
    system.check_invariants()


def test_preview_changes_nothing_and_tells_all(system):
    scene = prepared(system, trackers=5, days=4, seed="preview")
    try:
        system.take_in(scene.arrivals)
        before = system.exports()
        preview = json.loads(system.run("judge", "--preview"))
        assert system.exports() == before
        system.judge()
        rows = [json.loads(r) for r in system.run("export", "status-history").splitlines()]
        events = system.run("export", "events").splitlines()
        assert preview["rows"] == len(rows) + len(events)
        assert preview["trackers_changed"] == 5
        assert {c["change"] for c in preview["changes"]} == {"add"}
        told = [
            (c["tracker_id"], c["row"]["status"], c["row"]["rule"])
            for c in preview["changes"]
            if c["table"] == "status_history"
        ]
        assert sorted(told) == sorted((r["tracker_id"], r["status"], r["rule"]) for r in rows)
        assert json.loads(system.run("judge", "--preview"))["rows"] == 0
        exports_agree(system, scene.trackers, rows)
        replays_reach_the_chosen_only(system, scene)
    finally:
        system.forget()


def exports_agree(system: System, trackers: list[int], rows: list[dict]) -> None:
    """CSV says what JSON says; filters choose; the order is that of trackers and times."""
    table = list(csv.DictReader(io.StringIO(system.run("export", "status-history", "--format", "csv"))))
    assert [{k: "" if v is None else v for k, v in r.items()} for r in rows] == [
        {k: type(r[k])(v) if isinstance(r[k], (int, float)) and v else v for k, v in c.items()}
        for r, c in zip(rows, table, strict=True)
    ]
    assert [(r["tracker_id"], r["since"]) for r in rows] == sorted((r["tracker_id"], r["since"]) for r in rows)
    two = system.run("export", "status-history", "--tracker", str(trackers[0]), f"--tracker={trackers[1]}")
    assert [json.loads(r) for r in two.splitlines()] == [r for r in rows if r["tracker_id"] in trackers[:2]]
    middle = rows[len(rows) // 2]["since"]
    late = system.run("export", "status-history", "--from", middle)
    early = system.run("export", "status-history", "--to", middle)
    assert len(late.splitlines()) + len(early.splitlines()) == len(rows)
    assert all(json.loads(r)["since"] >= middle for r in late.splitlines())


def replays_reach_the_chosen_only(system: System, scene: Scene) -> None:
    client = next(iter(scene.runs))
    run = scene.runs[client][0]
    for args, chosen in (
        (("--tracker", str(scene.trackers[0])), f"id = {scene.trackers[0]}"),
        (("--run", str(run)), f"id IN (SELECT tracker_id FROM tracker_runs WHERE production_run_id = {run})"),
        (("--client", str(client)), f"client_id = {client}"),
        (("--all",), "true"),
    ):
        system.db.execute("UPDATE status_history SET rule = 'spoilt'")
        system.judge("--replay", *args)
        spoilt = {r[0] for r in system.db.execute("SELECT tracker_id FROM status_history WHERE rule = 'spoilt'")}
        touched = {r[0] for r in system.db.execute(f"SELECT id FROM trackers WHERE {chosen}")}
        assert not spoilt & touched, args
        assert spoilt | touched >= set(scene.trackers), args
