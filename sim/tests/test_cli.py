"""The command: help, scenario and tag files, log, graceful stop; and the capacity check in short form."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from findmy_sim.cli import build, main, parse_account, parser

COMMAND = [sys.executable, "-m", "findmy_sim"]
# The package need not be installed: it stands beside the tests.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


def test_help_names_every_option() -> None:
    text = subprocess.run([*COMMAND, "--help"], env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout
    for option in ("--scenario", "--tags", "--tags-file", "--seed", "--speed", "--days", "--start", "--bench"):
        assert option in text


def test_account_texts() -> None:
    assert parse_account("a@b:pw") == {"username": "a@b", "password": "pw"}
    assert parse_account("a@b:p:w:sms") == {"username": "a@b", "password": "p:w", "second_factor": "sms"}
    assert parse_account("a@b:p:w") == {"username": "a@b", "password": "p:w"}


SCENARIO: dict[str, Any] = {
    "seed": "scene",
    "start": "2026-05-01T00:00:00Z",
    "speed": 0,
    "tags": 3,
    "days": 5,
    "limits": {"preset": "strict", "reports_per_key": 7},
    "habits": {"density": 2},
    "accounts": [{"username": "a@example.com", "password": "x", "second_factor": "trusted_device"}],
    "places": [{"id": "here", "latitude": 1, "longitude": 2}],
    "register": [{"id": "mine", "private_key": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==", "place": "here"}],
    "faults": [{"kind": "429", "count": 1}],
}


def test_scenario(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps(SCENARIO))
    sim = build(parser().parse_args(["--scenario", str(path), "--days", "2"]))
    assert sorted(sim.world.tags) == ["mine", "sim-000000", "sim-000001", "sim-000002"]
    assert (sim.clock.now(), sim.config.days, sim.fetch.limits.reports_per_key) == (1_777_593_600.0, 2.0, 7)
    assert sim.fetch.limits.ids_per_list == 64 and sim.world.habits.density == 2
    assert [a.username for a in sim.accounts] == ["a@example.com"]
    assert [f.kind for f in sim.faults.active] == ["429"]


@pytest.mark.parametrize(
    "change",
    [
        {"x": 1},
        {"speed": "x"},
        {"tags": True},
        {"limits": "none"},
        {"habits": {"x": 1}},
        {"start": "x"},
        {"register": [{}]},
    ],
)
def test_bad_scenarios_end_with_2(tmp_path: Path, change: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps({**SCENARIO, **change}))
    assert main(["--scenario", str(path)]) == 2
    assert "findmy-sim:" in capsys.readouterr().err


def test_export(tmp_path: Path) -> None:
    path = tmp_path / "tags.jsonl"
    assert main(["--tags", "4", "--seed", "e", "--export", str(path)]) == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 4 and all(line["private_key"] for line in lines)


def test_serves_and_stops(tmp_path: Path) -> None:
    """Ports, log lines, tag file, and an orderly end on SIGTERM - also while a request hangs."""
    tags = tmp_path / "tags.jsonl"
    place = {"latitude": 1.0, "longitude": 2.0}
    tags.write_text("# demo\n" + json.dumps({"private_key": "AQ" * 18 + "AQ==", "place": place}) + "\n")
    command = [*COMMAND, "--anisette-port", "0", "--apple-port", "0", "--tags-file", str(tags)]
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        lines = []
        while not lines or lines[-1]["event"] != "listening":
            lines.append(json.loads(process.stderr.readline()))
        assert {"file": str(tags), "count": 1}.items() <= lines[0].items()
        base = f"http://127.0.0.1:{lines[-1]['apple_port']}"
        with urllib.request.urlopen(f"{base}/control/health", timeout=5) as answer:
            assert json.load(answer)["status"] == "ok"
        hang = urllib.request.Request(f"{base}/control/faults", b'{"kind": "hang"}', method="POST")
        urllib.request.urlopen(hang, timeout=5).close()
        with socket.create_connection(("127.0.0.1", lines[-1]["apple_port"])) as hanging:
            hanging.sendall(b"GET /auth HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        rest = [json.loads(line) for line in process.stderr]
    assert rest[-1]["event"] == "stopped"
    assert "find-my-demo" not in json.dumps(lines + rest), "no password in the log"


def test_taken_port_ends_with_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "--anisette-port", port, "--apple-port", "0"],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert done.returncode == 1 and "findmy-sim:" in done.stderr


def test_capacity(capsys: pytest.CaptureFixture[str]) -> None:
    """A tenth of 10,000 tags by default; FINDMY_SIM_CAPACITY=10000 runs the whole (minutes)."""
    tags = int(os.environ.get("FINDMY_SIM_CAPACITY", "200"))
    begin = time.perf_counter()
    assert main(["--tags", str(tags), "--days", "7", "--seed", "cap", "--bench", "--log-level", "error"]) == 0
    made, sealed = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    print(f"{tags} tags: {made}, {sealed}, whole {time.perf_counter() - begin:.1f} s")
    assert made["reports"] > 50 * tags
    assert sealed["reports"] > 40 * tags
    # Far below what one core does, so that a busy machine does not fail the test.
    assert sealed["per_second"] > 500 and made["per_second"] > 2000
    assert sealed["peak_memory_mib"] < 1024
