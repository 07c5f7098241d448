"""What clients see while PostgreSQL or Redis dies under load, and while the API is told to stop."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from conftest import PASSWORD, ROOT, ApiClient
from helpers import walk
from stack import Stack

ADMIN = "faults@example.com"
WRITERS = 4
RECOVERY_SECONDS = 15


@pytest.fixture(scope="module")
def own_server() -> Iterator[Stack]:
    """Not the other tests' server, and one that keeps what it acknowledged when PostgreSQL is killed."""
    folder = Path(tempfile.mkdtemp(prefix="tracker-", dir="/tmp"))
    folder.chmod(0o711)
    stack = Stack(folder, binary=os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd")))
    del stack.postgres.settings["synchronous_commit"]  # only a crash of the machine may lose data here
    try:
        with stack:
            stack.create_user(ADMIN, PASSWORD, admin=True)
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def caller(own_server: Stack) -> Iterator[ApiClient]:
    if own_server.api is None:
        own_server.start_api()
    with ApiClient(own_server.url) as client:
        yield client.sign_in(ADMIN, PASSWORD)


@pytest.fixture
def tenant(caller: ApiClient) -> int:
    answer = caller.post("/clients", json={"name": f"Faults {time.monotonic_ns()}"})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


class Load:
    """Writers that create brands and read them until they are stopped, and write down every answer."""

    def __init__(self, url: str, token: str, tenant: int) -> None:
        self.url, self.token, self.tenant = url, token, tenant
        self.acknowledged: list[str] = []
        self.refused: list[httpx.Response] = []
        self.unexpected: list[str] = []
        self.broken: list[str] = []  # connections that ended without an answer
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(n,)) for n in range(WRITERS)]

    def work(self, number: int) -> None:
        with ApiClient(self.url, headers={"Authorization": self.token}) as client:
            count = 0
            while not self.stopping.is_set():
                count += 1
                try:
                    self.write(client, f"brand {number} {count}")
                except httpx.HTTPError as error:
                    self.broken.append(repr(error))
                    time.sleep(0.02)

    def write(self, client: ApiClient, name: str) -> None:
        answer = client.post("/brands", json={"client_id": self.tenant, "name": name})
        if answer.status_code == 201:
            self.acknowledged.append(name)
            path = f"/brands/{answer.json()['id']}"
            answer = client.get(path)
        if answer.status_code == 503:
            self.refused.append(answer)
            time.sleep(0.02)
        elif answer.status_code != 200:
            self.unexpected.append(f"{answer.status_code} {answer.text}")

    def wait_for(self, more: int) -> None:
        """Until so many further writes are acknowledged."""
        goal, deadline = len(self.acknowledged) + more, time.monotonic() + RECOVERY_SECONDS
        while len(self.acknowledged) < goal:
            assert time.monotonic() < deadline, f"no progress: {self.unexpected[-3:]} {self.broken[-3:]}"
            time.sleep(0.02)

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture
def load(own_server: Stack, caller: ApiClient, tenant: int) -> Load:
    return Load(own_server.url, caller.headers["Authorization"], tenant)


def wait_until(holds: Callable[[], bool], seconds: float = RECOVERY_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def names(caller: ApiClient, tenant: int) -> list[str]:
    return [row["name"] for row in walk(caller, "/brands", client_id=tenant, limit=200)]


def assert_kept(load: Load, caller: ApiClient, tenant: int) -> None:
    """Every acknowledged write is there, once."""
    kept = names(caller, tenant)
    assert set(load.acknowledged) - set(kept) == set()
    assert len(kept) == len(set(kept))


def test_postgres_killed_and_restarted_under_load(
    own_server: Stack, caller: ApiClient, tenant: int, load: Load
) -> None:
    with load:
        load.wait_for(50)
        own_server.postgres.kill()
        wait_until(lambda: len(load.refused) >= 20)
        assert httpx.get(own_server.url + "/health/live").status_code == 200
        assert httpx.get(own_server.url + "/health/ready").status_code == 503
        own_server.postgres.start()
        load.wait_for(50)
    assert load.unexpected == []
    assert load.broken == []
    for answer in load.refused:
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    own_server.wait_ready()
    assert_kept(load, caller, tenant)


def test_redis_flushed_and_killed_under_load(own_server: Stack, caller: ApiClient, tenant: int, load: Load) -> None:
    with load:
        load.wait_for(20)
        assert own_server.redis.command("FLUSHALL") == "OK"
        load.wait_for(20)
        own_server.redis.kill()
        load.wait_for(20)
        own_server.redis.start()
        load.wait_for(20)
    assert (load.unexpected, load.refused, load.broken) == ([], [], [])
    assert caller.get("/users/me").status_code == 200
    assert_kept(load, caller, tenant)


def test_a_revoked_session_stays_revoked_without_redis(own_server: Stack, caller: ApiClient) -> None:
    with ApiClient(own_server.url) as gone:
        gone.sign_in(ADMIN, PASSWORD)
        own_server.redis.kill()
        try:
            assert gone.post("/auth/logout").status_code == 204
            assert gone.get("/users/me").status_code == 401
            assert caller.get("/users/me").status_code == 200
        finally:
            own_server.redis.start()
        assert gone.get("/users/me").status_code == 401


def test_stopped_under_load(own_server: Stack, caller: ApiClient, tenant: int, load: Load) -> None:
    """It ends in time and with success, and whatever it acknowledged is kept."""
    with load:
        load.wait_for(50)
        began = time.monotonic()
        assert own_server.stop_api() == 0
        assert time.monotonic() - began < 10
    assert load.unexpected == []
    own_server.start_api()
    assert_kept(load, caller, tenant)
