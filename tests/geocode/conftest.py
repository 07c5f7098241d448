"""One system for all geocoding tests; its API and workers are started anew with the geocoder that a test wants.

server       the running stack; its offline towns are those of gazetteer.py
admin        an HTTP client signed in as an admin (made anew when the API was started anew)
stand_in     Nominatim and Photon, allowing ten requests a second
worker       worker({"GEOCODER": …}) starts a worker process for the queues geocode and history; ended with the test
db           psycopg connection as the superuser, autocommit
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(Path(__file__).parent)]

import gazetteer  # noqa: E402
from stack import Stack, die_with_parent  # noqa: E402
from standin import GeocoderStandIn  # noqa: E402

PASSWORD = "correct horse battery staple"
ADMIN_EMAIL = "admin@example.com"


@pytest.fixture(scope="session")
def server() -> Iterator[Stack]:
    folder = Path(tempfile.mkdtemp(prefix="tracker-"))
    folder.chmod(0o711)
    try:
        binary = os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd"))
        with Stack(folder, binary=binary, settings={"PLACES_FOLDER": str(folder / "geonames")}) as stack:
            gazetteer.write(folder / "geonames")
            stack.run("places", "load", "--default", login="worker_login")
            stack.create_user(ADMIN_EMAIL, PASSWORD, admin=True)
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def stand_in() -> Iterator[GeocoderStandIn]:
    with GeocoderStandIn(interval=0.1) as running:
        yield running


def sign_in(server: Stack) -> httpx.Client:
    client = httpx.Client(base_url=server.url + "/api/v1", timeout=30)
    answer = client.post("/auth/login/json", json={"email": ADMIN_EMAIL, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return client


@pytest.fixture
def admin(server: Stack) -> Iterator[httpx.Client]:
    client = sign_in(server)
    yield client
    client.close()


def eventually(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until the condition holds; machines under load take their time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


@pytest.fixture
def worker(server: Stack) -> Iterator[Callable[..., subprocess.Popen]]:
    running: list[subprocess.Popen] = []
    log_file = server.folder / "worker.log"

    def start(settings: dict[str, str] | None = None, queues: str = "geocode,history") -> subprocess.Popen:
        with open(log_file, "ab") as log:
            running.append(
                subprocess.Popen(
                    [server.binary, "worker", f"--queues={queues}", "--threads=2"],
                    env=server.env("worker_login") | (settings or {}),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    preexec_fn=die_with_parent(death_signal=signal.SIGKILL),
                )
            )
        return running[-1]

    yield start
    for process in running:
        if process.poll() is None:
            process.terminate()
    for process in running:
        assert process.wait(60) in (0, -signal.SIGKILL), log_file.read_text()[-2000:]


def on_web(stand_in: GeocoderStandIn, kind: str, **more: str) -> dict[str, str]:
    """Settings that lead to the stand-in."""
    return {"GEOCODER": kind, "GEOCODER_URL": stand_in.url(kind), "GEOCODER_INTERVAL": "100ms"} | more


@pytest.fixture
def api_with(server: Stack) -> Iterator:
    """api_with({"GEOCODER": …}) starts the API anew and answers a client of it; afterwards the usual one is back."""
    clients: list[httpx.Client] = []
    usual = dict(server.settings)

    def restart(settings: dict[str, str]) -> httpx.Client:
        server.stop_api()
        server.settings = usual | settings
        server.start_api()
        clients.append(sign_in(server))
        return clients[-1]

    yield restart
    for client in clients:
        client.close()
    if server.settings != usual:
        server.stop_api()
        server.settings = usual
        server.start_api()


@pytest.fixture
def db(server: Stack) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.postgres.url(), autocommit=True) as connection:
        # The tenant-safe views show an admin everything, and nobody nothing.
        connection.execute(
            "SELECT set_config('tracker.role', 'admin', false), set_config('tracker.clients', '{}', false)"
        )
        yield connection
