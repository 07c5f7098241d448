"""Fetching and opening reports: both interfaces, limits, faults, and what is printed."""

from __future__ import annotations

import csv
import io
import itertools
import json
import random
import time
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest
from apple import CODE_DUE, DONE, FAILED, LATER, PERSON, USAGE, Operator, Simulator, plain

names = (f"fetch{n}@example.com" for n in itertools.count())


@pytest.fixture
def ready(sim: Simulator, operator: Operator) -> Operator:
    """An operator whose account "a" is signed in."""
    operator.username = next(names)  # type: ignore[attr-defined]
    sim.account(operator.username, "pw")  # type: ignore[attr-defined]
    operator.add("a", operator.username, "pw")  # type: ignore[attr-defined]
    assert operator.login("a") == DONE
    return operator


def add_reports(sim: Simulator, tag: dict, count: int, rng: random.Random) -> list[dict]:
    """Random reports of the last six days, with every field at its extremes too."""
    now = datetime.now(UTC).replace(microsecond=0)
    reports = []
    for n in range(count):
        at = now - timedelta(seconds=rng.randrange(60, 6 * 86400))
        edge = n % 10 == 0
        reports.append(
            {
                "latitude": rng.choice((-90, 90, 0)) if edge else round(rng.uniform(-90, 90), 7),
                "longitude": rng.choice((-180, 180, 0)) if edge else round(rng.uniform(-180, 180), 7),
                "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "horizontal_accuracy": rng.randrange(256),
                "confidence": rng.randrange(256),
                "status": rng.randrange(256),
                "form": rng.choice((88, 89)),
            }
        )
    return sim.call("POST", f"/tags/{tag['id']}/reports", reports=reports)["items"]


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_ten_thousand_reports_are_the_truth(sim: Simulator, ready: Operator, api: str) -> None:
    """Half of them over each interface."""
    rng = random.Random(api)
    tags = [sim.tag() for _ in range(50)]
    truth = [row for tag in tags for row in add_reports(sim, tag, 100, rng)]
    ready.write_profile(
        sim, fetch={"api": api, "ids_per_request": 64, "pause": "0s", "follow_ups": 0, "timeout": "60s"}
    )
    done = ready.fetch("a", ready.keys(*tags), timeout=120)
    assert done.returncode == DONE, done.stderr
    reports = json.loads(done.stdout)
    assert len(reports) == 5000
    assert sorted(map(plain, reports)) == sorted(map(plain, truth))
    times = [r["timestamp"] for r in reports]
    assert times == sorted(times)


def test_all_forms_of_output_agree(sim: Simulator, ready: Operator) -> None:
    tags = [sim.tag() for _ in range(3)]
    for tag in tags:
        add_reports(sim, tag, 20, random.Random(1))
    keys = ready.keys(*tags)
    plain_json = json.loads(ready.fetch("a", keys, "--out", "json").stdout)
    geo = json.loads(ready.fetch("a", keys, "--out", "geojson").stdout)
    table = list(csv.DictReader(io.StringIO(ready.fetch("a", keys, "--out", "csv").stdout)))
    gpx = ET.fromstring(ready.fetch("a", keys, "--out", "gpx").stdout)
    ns = "{http://www.topografix.com/GPX/1/1}"

    want = sorted((round(r["latitude"] * 1e7), round(r["longitude"] * 1e7), r["timestamp"]) for r in plain_json)
    assert len(want) == 60
    assert geo["type"] == "FeatureCollection"
    assert (
        sorted(
            (
                round(f["geometry"]["coordinates"][1] * 1e7),
                round(f["geometry"]["coordinates"][0] * 1e7),
                f["properties"]["timestamp"],
            )
            for f in geo["features"]
        )
        == want
    )
    assert (
        sorted((round(float(r["latitude"]) * 1e7), round(float(r["longitude"]) * 1e7), r["timestamp"]) for r in table)
        == want
    )
    points = [
        (round(float(p.get("lat")) * 1e7), round(float(p.get("lon")) * 1e7), p.findtext(f"{ns}time"))
        for p in gpx.iter(f"{ns}trkpt")
    ]
    assert sorted(points) == want
    assert len(gpx.findall(f"{ns}trk")) == 3


def test_days_are_kept_although_the_server_ignores_them(sim: Simulator, ready: Operator) -> None:
    tag = sim.tag()
    now = datetime.now(UTC)
    for days in (0.5, 1.5, 3, 6):
        at = (now - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        sim.call("POST", f"/tags/{tag['id']}/reports", latitude=1, longitude=2, timestamp=at)
    keys = ready.keys(tag)
    assert [len(json.loads(ready.fetch("a", keys, "--days", d).stdout)) for d in ("1", "2", "7")] == [1, 2, 4]
    assert ready.fetch("a", keys, "--days", "0").returncode == USAGE
    assert ready.fetch("a", keys, "--days", "31").returncode == USAGE


@pytest.mark.parametrize(
    ("kind", "params", "exit_status", "verdict"),
    [
        ("429", {}, LATER, "later"),
        ("429", {"retry_after": 7200}, LATER, "later"),
        ("429", {"retry_after": "Wed, 01 Jan 2098 00:00:00 GMT"}, LATER, "later"),
        ("500", {}, LATER, "later"),
        ("502", {}, LATER, "later"),
        ("503", {}, LATER, "later"),
        ("403", {}, PERSON, "account_locked"),
        ("401", {}, LATER, "later"),
        ("541", {}, LATER, "later"),
        ("status", {"status": 400}, FAILED, "our_fault"),
        ("status", {"status": 404}, FAILED, "our_fault"),
        ("status", {"status": 301}, LATER, "later"),
        ("empty_body", {}, LATER, "later"),
        ("blank_body", {}, LATER, "later"),
        ("not_json", {}, LATER, "later"),
        ("truncated", {}, LATER, "later"),
        ("cut_body", {}, LATER, "later"),
        ("reset", {}, LATER, "later"),
        ("hang", {}, LATER, "later"),
        ("inner_status", {"status": 503}, LATER, "later"),
        ("missing_locations", {}, FAILED, "our_fault"),
    ],
)
@pytest.mark.parametrize("api", ["v1", "v2"])
def test_faults_that_last(
    sim: Simulator, ready: Operator, api: str, kind: str, params: dict, exit_status: int, verdict: str
) -> None:
    tag = sim.tag()
    add_reports(sim, tag, 3, random.Random(2))
    ready.write_profile(sim, fetch={"api": api, "pause": "0s", "empty_retries": ["5ms"], "timeout": "1s"})
    sim.fault(kind, endpoint="fetch", params=params)
    start = time.time()
    failed = ready.fetch("a", ready.keys(tag))
    assert failed.returncode == exit_status, failed.stderr
    assert f"trackerd: {verdict}:" in failed.stderr
    assert failed.stdout == ""
    if params.get("retry_after") == 7200:
        told = failed.stderr.split("not before ")[1].split()[0]
        assert 7190 < datetime.fromisoformat(told).timestamp() - start < 7210
    sim.clear_faults()
    again = ready.fetch("a", ready.keys(tag))
    if kind in ("401", "541"):
        assert again.returncode in (DONE, LATER)  # a token that was refused twice rests for a while
    elif kind == "403":
        assert ready.login("a") == DONE
    else:
        assert again.returncode == DONE and len(json.loads(again.stdout)) == 3


@pytest.mark.parametrize("kind", ["empty_body", "blank_body", "401", "541", "token_expiry"])
def test_faults_that_pass(sim: Simulator, ready: Operator, kind: str) -> None:
    tag = sim.tag()
    add_reports(sim, tag, 3, random.Random(3))
    sim.fault(kind, endpoint="fetch", count=1)
    done = ready.fetch("a", ready.keys(tag))
    assert done.returncode == DONE, done.stderr
    assert len(json.loads(done.stdout)) == 3


@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize(
    ("kind", "left", "word"),
    [
        ("bad_tag", 0, "unreadable (auth)"),
        ("wrong_key", 0, "unreadable (auth)"),
        ("off_curve", 0, "unreadable (point)"),
        ("bad_length", 0, "malformed"),
        ("bad_base64", 0, "malformed"),
        ("out_of_range", 0, "unreadable (range)"),
        ("future_timestamp", 0, "outside"),
        ("old_timestamp", 0, "outside"),
        ("twice", 5, ""),
        ("id_spelling", 5, ""),
        ("foreign_id", 5, ""),
        ("no_location_info", 0, ""),
        ("empty_list", 0, ""),
    ],
)
def test_broken_reports_cost_only_themselves(
    sim: Simulator, ready: Operator, api: str, kind: str, left: int, word: str
) -> None:
    good, bad = sim.tag(), sim.tag()
    add_reports(sim, good, 5, random.Random(4))
    add_reports(sim, bad, 5, random.Random(5))
    ready.write_profile(sim, fetch={"api": api, "pause": "0s"})
    whole_answer = kind in ("id_spelling", "foreign_id", "no_location_info", "empty_list")
    sim.fault(kind, **({"endpoint": "fetch"} if whole_answer else {"tag": bad["id"]}))
    done = ready.fetch("a", ready.keys(good, bad))
    assert done.returncode == DONE, done.stderr
    expected = left * 2 if whole_answer else 5 + left
    assert len(json.loads(done.stdout)) == expected, done.stderr
    assert word in done.stderr


def test_forced_second_factor_stops(sim: Simulator, ready: Operator) -> None:
    tag = sim.tag()
    sim.call("PATCH", f"/accounts/{ready.username}", second_factor="sms")  # type: ignore[attr-defined]
    sim.call("POST", f"/accounts/{ready.username}/untrust")  # type: ignore[attr-defined]
    sim.call("POST", f"/accounts/{ready.username}/expire-token")  # type: ignore[attr-defined]
    for _ in range(3):
        assert ready.fetch("a", ready.keys(tag)).returncode == CODE_DUE
    assert sim.call("GET", f"/accounts/{ready.username}")["pending_codes"] == 0  # type: ignore[attr-defined]
    assert ready.login("a") == CODE_DUE
    assert ready.run("account", "2fa", "a", sim.code(ready.username)).returncode == DONE  # type: ignore[attr-defined]
    assert ready.fetch("a", ready.keys(tag)).returncode == DONE


def test_busy_tags_do_not_hide_quiet_ones(sim: Simulator, ready: Operator) -> None:
    tags = [sim.tag() for _ in range(24)]
    add_reports(sim, tags[0], 60, random.Random(6))
    for tag in tags[1:]:
        add_reports(sim, tag, 1, random.Random(7))
    before = sim.call("GET", "/limits")
    sim.call("PATCH", "/limits", reports_per_answer=30, reports_per_key=25)
    try:
        ready.write_profile(sim, fetch={"pause": "0s", "regroup": [8, 2], "follow_ups": 50})
        done = ready.fetch("a", ready.keys(*tags))
    finally:
        sim.call("PATCH", "/limits", **{k: before[k] for k in ("reports_per_answer", "reports_per_key")})
    heard = {r["hashed_advertisement_key"] for r in json.loads(done.stdout)}
    assert len(heard) == 24, done.stderr


def test_accessory_with_rolling_keys(sim: Simulator, ready: Operator) -> None:
    paired = (datetime.now(UTC) - timedelta(days=2)).replace(microsecond=0)
    accessory = {"master_key": "2a" * 28, "skn": "01" * 32, "sks": "02" * 32, "paired_at": paired.isoformat()}
    tag = sim.tag(private_key=None, accessory=accessory)
    at = [(datetime.now(UTC) - timedelta(hours=h)).strftime("%Y-%m-%dT%H:%M:%SZ") for h in (1, 5, 20, 40)]
    reports = [{"latitude": n, "longitude": -n, "timestamp": t} for n, t in enumerate(at)]
    truth = sim.call("POST", f"/tags/{tag['id']}/reports", reports=reports)["items"]
    keys = ready.folder / "accessory.json"
    keys.write_text(json.dumps({"type": "accessory", "name": "Key ring", **accessory}))
    done = ready.fetch("a", str(keys))
    assert done.returncode == DONE, done.stderr
    got = json.loads(done.stdout)
    assert sorted(map(plain, got)) == sorted(map(plain, truth))
    assert {r["name"] for r in got} == {"Key ring"}


def test_recording_can_be_replayed(sim: Simulator, ready: Operator) -> None:
    tag = sim.tag()
    add_reports(sim, tag, 10, random.Random(9))
    keys, tape = ready.keys(tag), str(ready.folder / "tape")
    recorded = ready.fetch("a", keys, "--record", tape)
    with sim.client.stream("GET", "/health"):
        pass
    sim.fault("503", endpoint="fetch")  # nobody may be asked
    replayed = ready.fetch("a", keys, "--replay", tape)
    assert replayed.returncode == DONE, replayed.stderr
    assert replayed.stdout == recorded.stdout
    content = (ready.folder / "tape").read_bytes()
    assert b"payload" not in content and b"location" not in content and b"http" not in content  # sealed
    assert ready.fetch("a", keys, "--replay", tape, MASTER_KEY="A" * 43 + "=").returncode == FAILED
