"""What a caller sees when the database is slow or two writers meet; and what the log then tells the operator."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from helpers import made, problem
from stack import die_with_parent, free_port


@pytest.fixture(scope="module")
def impatient(server, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """An API process that gives a statement half a second: its address and its log."""
    port = free_port()
    log = tmp_path_factory.mktemp("impatient") / "api.log"
    settings = {"HTTP_PORT": str(port), "DATABASE_STATEMENT_TIMEOUT": "700ms", "HTTP_SLOW_REQUEST": "300ms"}
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [server.binary, "api"],
            env=server.env() | settings,
            stdout=out,
            stderr=out,
            preexec_fn=die_with_parent(death_signal=signal.SIGKILL),
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health/ready").status_code == 200:
                break
        except httpx.HTTPError:
            time.sleep(0.05)
    yield url, log
    process.terminate()
    process.wait(20)


@pytest.fixture
def brand(admin: httpx.Client, make_client: Callable[..., dict]) -> dict:
    return made(admin.post("/brands", json={"client_id": make_client()["id"], "name": "contended"}))


def connection(server) -> psycopg.Connection:
    """A second writer, who waits for as long as it takes."""
    return psycopg.connect(server.postgres.url(), options="-c deadlock_timeout=60s")


def test_a_statement_that_takes_too_long(server, admin: httpx.Client, impatient, brand: dict) -> None:
    url, log = impatient
    with connection(server) as other:
        other.execute("SELECT FROM brands WHERE id = %s FOR UPDATE", (brand["id"],))
        answer = httpx.patch(
            f"{url}/api/v1/brands/{brand['id']}",
            json={"description": "late"},
            headers={"Authorization": admin.headers["Authorization"]},
            timeout=30,
        )
        body = problem(answer, 504, "database_timeout")
        assert body["request_id"] == answer.headers["X-Request-Id"]
        other.rollback()
    assert admin.get(f"/brands/{brand['id']}").json()["description"] == "", "nothing was written"

    slow = [line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == "slow request"]
    told = next(line for line in slow if line["request_id"] == body["request_id"])
    assert (told["method"], told["route"], told["status"]) == ("PATCH", "/api/v1/brands/{id}", 504)
    assert told["db_ms"] >= 600
    assert any("UPDATE brands" in query["sql"] and query["ms"] >= 600 for query in told["queries"]), told
    assert "late" not in json.dumps(told), "values stay out of the log"


def test_a_deadlock_is_tried_again(server, admin: httpx.Client, brand: dict) -> None:
    """The API's write waits for the tenant's generation, whose holder wants the row: the API gives way, and then writes."""
    with connection(server) as other:
        other.execute(
            "INSERT INTO cache_generations (client_id) VALUES (%s) ON CONFLICT (client_id) DO UPDATE SET generation ="
            " cache_generations.generation + 1",
            (brand["client_id"],),
        )
        answers: list[httpx.Response] = []
        writer = threading.Thread(
            target=lambda: answers.append(admin.patch(f"/brands/{brand['id']}", json={"description": "theirs"}))
        )
        writer.start()
        deadline = time.monotonic() + 30
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'api_login'"
        with psycopg.connect(server.postgres.url(), autocommit=True) as watcher:
            while watcher.execute(waiting).fetchone()[0] == 0:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        other.execute("UPDATE brands SET name = 'renamed' WHERE id = %s", (brand["id"],))
        other.commit()
        writer.join(30)
    assert [answer.status_code for answer in answers] == [200]
    now = admin.get(f"/brands/{brand['id']}").json()
    assert (now["name"], now["description"]) == ("renamed", "theirs"), "neither write is lost"
