"""Answers from memory are never older than they may be, and never somebody else's."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import psycopg
import pytest
import redis
from helpers import made, problem
from live import BUS
from stack import die_with_parent, free_port

PATIENCE = 60  # seconds; a busy machine


@pytest.fixture
def tenant(make_client: Callable[..., dict]) -> dict:
    return make_client()


@pytest.fixture(scope="module")
def second_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def second_process(server, second_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen]:
    """Another process of the same system."""
    port = second_port
    tmp_path = tmp_path_factory.mktemp("second")
    with open(tmp_path / "second.log", "wb") as log:
        process = subprocess.Popen(
            [server.binary, "api"],
            env=server.env() | {"HTTP_PORT": str(port)},
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(death_signal=signal.SIGKILL),
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health/ready").status_code == 200:
                break
        except httpx.HTTPError:
            time.sleep(0.05)
    yield process
    process.terminate()
    process.wait(20)


@pytest.fixture
def second(second_process: subprocess.Popen, second_port: int) -> str:
    """Its address."""
    return f"http://127.0.0.1:{second_port}"


def test_the_writer_sees_every_write_at_once(admin: httpx.Client, tenant: dict) -> None:
    brand = made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    path, query = f"/brands/{brand['id']}", {"client_id": tenant["id"]}
    for n in range(50):
        admin.patch(path, json={"description": str(n)})
        for _ in range(2):  # the second one may come from memory
            assert admin.get(path).json()["description"] == str(n)
            assert admin.get("/brands", params=query).json()["items"][0]["description"] == str(n)
    admin.delete(path)
    problem(admin.get(path), 404, "not_found")
    assert admin.get("/brands", params=query).json()["items"] == []


def test_a_write_with_a_key_is_seen_at_once(admin: httpx.Client, tenant: dict) -> None:
    query = {"client_id": tenant["id"]}
    for n in range(20):
        admin.get("/brands", params=query)
        body = {"client_id": tenant["id"], "name": f"b{n}"}
        made(admin.post("/brands", json=body, headers={"Idempotency-Key": f"cache-{tenant['id']}-{n}"}))
        assert len(admin.get("/brands", params=query).json()["items"]) == n + 1


# ---- several processes


def kept(url: str) -> dict[str, float]:
    """How many answers came from the process's memory, from Redis, and from the database."""
    lines = re.findall(
        r'^tracker_kept_answers_total\{source="(\w+)"\} (\S+)$', httpx.get(f"{url}/metrics").text, re.MULTILINE
    )
    return {"process": 0.0, "redis": 0.0, "database": 0.0} | {source: float(count) for source, count in lines}


def until_kept(client: httpx.Client, url: str, path: str) -> None:
    """A process uses its memory only when all writers know of it, and never before."""
    deadline = time.monotonic() + PATIENCE
    before = kept(url)["process"]
    while kept(url)["process"] == before:
        assert time.monotonic() < deadline, "answers are never kept"
        client.get(path)
        time.sleep(0.02)


@pytest.fixture
def both(server, admin: httpx.Client, second: str, tenant: dict) -> Iterator[list[httpx.Client]]:
    """The admin at both processes, each answering from memory."""
    with httpx.Client(base_url=f"{second}/api/v1", headers=admin.headers) as other:
        for client, url in ((admin, server.url), (other, second)):
            until_kept(client, url, "/brands")
        yield [admin, other]


class Worker:
    """Writes as src/store/settle.h asks of processes that keep no answers: bump, commit, tell the readers, wait."""

    LEASE = 0.11  # seconds

    def __init__(self, server, db: psycopg.Connection) -> None:
        self.db = db
        self.redis = redis.Redis(unix_socket_path=str(server.redis.socket))

    def describe(self, client: int, brand: int, text: str) -> None:
        with self.db.transaction():
            self.db.execute("UPDATE brands SET description = %s WHERE id = %s", (text, brand))
            self.db.execute("SELECT bump_generations(ARRAY[%s::bigint])", (client,))
        readers = {row[0] for row in self.db.execute("SELECT id FROM cache_readers WHERE until > now()")}
        deadline = time.monotonic() + self.LEASE
        token = secrets.token_hex(16)
        entry = {"kind": "expire", "client": 0, "user": 0, "tracker": 0, "run": 0, "data": f'"{token}"'}
        self.redis.xadd(BUS, entry)
        while readers and (left := deadline - time.monotonic()) > 0:
            answer = self.redis.blpop([f"{{live}}:ack:{token}"], timeout=left)
            readers -= {answer[1].decode()} if answer else set()
        if readers:
            time.sleep(max(0, deadline - time.monotonic()))


WRITES = int(os.environ.get("CACHE_WRITES", "200"))  # thousands in the long form


def test_no_read_is_older_than_the_last_answered_write(
    server, second: str, both: list[httpx.Client], db: psycopg.Connection, tenant: dict
) -> None:
    """Two processes and a worker write in turn; each write is read at once through both processes, several times."""
    brand = made(both[0].post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    path, query = f"/brands/{brand['id']}", {"client_id": tenant["id"]}
    worker = Worker(server, db)
    before = [kept(server.url), kept(second)]
    began = time.monotonic()
    for n in range(WRITES):
        if n % 3 == 2:
            worker.describe(tenant["id"], brand["id"], str(n))
        else:
            answer = both[n % 3].patch(path, json={"description": str(n)})
            assert answer.status_code == 200, answer.text
        for client in (both[n % 2], both[1 - n % 2]) * 2:
            assert client.get(path).json()["description"] == str(n)
            assert client.get("/brands", params=query).json()["items"][0]["description"] == str(n)
    for url, old in zip((server.url, second), before, strict=True):
        assert kept(url)["process"] - old["process"] >= WRITES, "memory was used"
    assert (time.monotonic() - began) / WRITES < Worker.LEASE, "writers wait for an answer, not for the lease"


def test_writes_under_concurrent_reads_are_seen(both: list[httpx.Client], tenant: dict, server, second: str) -> None:
    """Other threads fill the memory with what they read while the writes are on their way."""
    brand = made(both[0].post("/brands", json={"client_id": tenant["id"], "name": "b", "description": "0"}))
    path, stop, stale = f"/brands/{brand['id']}", threading.Event(), []
    answered = 0

    def read(urls: tuple[str, str]) -> None:
        with ExitStack() as stack:
            clients = [
                stack.enter_context(httpx.Client(base_url=f"{url}/api/v1", headers=both[0].headers)) for url in urls
            ]
            while not stop.is_set():
                for client in clients:
                    least = answered
                    seen = int(client.get(path).json()["description"])
                    if seen < least:
                        stale.append((least, seen))

    threads = [threading.Thread(target=read, args=(urls,)) for urls in ((server.url, second), (second, server.url))]
    for thread in threads:
        thread.start()
    for n in range(1, 150):
        assert both[n % 2].patch(path, json={"description": str(n)}).status_code == 200
        answered = n
        time.sleep(0.005 * (n % 3))
    stop.set()
    for thread in threads:
        thread.join()
    assert stale == []


def test_a_process_that_hangs_delays_writes_and_makes_no_read_wrong(
    both: list[httpx.Client], second_process: subprocess.Popen, tenant: dict
) -> None:
    brand = made(both[0].post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    path = f"/brands/{brand['id']}"
    both[1].get(path)
    second_process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert both[0].patch(path, json={"description": "new"}).status_code == 200
        assert time.monotonic() - began >= 0.1, "its lease must have ended"
    finally:
        second_process.send_signal(signal.SIGCONT)
    assert both[1].get(path).json()["description"] == "new"


def test_redis_lost_or_flushed_shows_no_old_row(server, second: str, both: list[httpx.Client], tenant: dict) -> None:
    brand = made(both[0].post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    path = f"/brands/{brand['id']}"

    def write_and_read(rounds: range) -> None:
        for n in rounds:
            assert both[n % 2].patch(path, json={"description": str(n)}).status_code == 200
            for client in both * 2:
                assert client.get(path).json()["description"] == str(n)

    for n in range(10):
        server.redis.command("FLUSHALL")
        write_and_read(range(n * 10, n * 10 + 10))
    server.redis.stop()
    try:
        write_and_read(range(100, 130))
    finally:
        server.redis.start()
    write_and_read(range(130, 200))
    until_kept(both[1], second, "/brands")  # it comes back by itself
    write_and_read(range(200, 230))


def test_asking_again_and_again_whether_it_changed_is_answered_from_memory(
    server, both: list[httpx.Client], tenant: dict
) -> None:
    client = both[0]
    path = f"/brands/{made(client.post('/brands', json={'client_id': tenant['id'], 'name': 'b'}))['id']}"
    etag = client.get(path).headers["etag"]
    client.post("/brands", json={"client_id": tenant["id"], "name": "another"})  # forgets all of the tenant
    before, deadline = kept(server.url)["process"], time.monotonic() + PATIENCE
    while kept(server.url)["process"] - before < 5:
        assert time.monotonic() < deadline, "never answered from memory"
        assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
    # What is known is the tag: who has not the body gets it, and whoever has an old one, too.
    assert client.get(path).json()["name"] == "b"
    assert client.get(path, headers={"If-None-Match": '"0"'}).status_code == 200
    client.patch(path, json={"description": "new"})
    assert client.get(path, headers={"If-None-Match": etag}).json()["description"] == "new"


def test_answers_are_shared_through_redis_and_cannot_be_forged(
    server, second: str, both: list[httpx.Client], db: psycopg.Connection, tenant: dict
) -> None:
    with db.transaction():
        db.execute(
            "INSERT INTO brands (client_id, name, description) SELECT %s, 'brand ' || n, repeat('x', 100)"
            " FROM generate_series(1, 3000) n",
            (tenant["id"],),
        )
        db.execute("SELECT bump_generations(ARRAY[%s::bigint])", (tenant["id"],))
    time.sleep(Worker.LEASE)
    store = redis.Redis(unix_socket_path=str(server.redis.socket))
    # Slow enough for the database to be worth sharing, at one of these sizes.
    for limit in range(100, 500, 20):
        query = {"client_id": tenant["id"], "limit": limit, "q": "x", "count": "true"}
        first = both[0].get("/brands", params=query)
        shared = kept(second)["redis"]
        if both[1].get("/brands", params=query).content == first.content and kept(second)["redis"] > shared:
            break
    else:
        raise AssertionError("nothing was shared")
    assert first.status_code == 200

    for name in store.keys("answer:*"):
        value = store.get(name)
        store.set(name, value[:-2] + bytes([value[-2] ^ 1]) + value[-1:], px=10000)
    shared = kept(second)["redis"]
    query["sort"] = "-name"
    first = both[0].get("/brands", params=query)
    for name in store.keys("answer:*"):
        value = store.get(name)
        store.set(name, value[:-2] + bytes([value[-2] ^ 1]) + value[-1:], px=10000)
    assert both[1].get("/brands", params=query).json() == first.json()
    assert kept(second)["redis"] == shared


def test_answers_are_not_shared_beyond_their_clients(
    admin: httpx.Client, make_client: Callable[..., dict], make_user: Callable[..., httpx.Client], tenant: dict
) -> None:
    brand = made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    path = f"/brands/{brand['id']}"
    mine, stranger = make_user("user", clients=[tenant["id"]]), make_user("user", clients=[make_client()["id"]])
    for _ in range(3):
        assert admin.get(path).status_code == 200
        assert mine.get(path).status_code == 200
        problem(stranger.get(path), 404, "not_found")
        assert stranger.get("/brands").json()["items"] == []
        assert len(mine.get("/brands").json()["items"]) == 1


def test_a_withdrawn_client_is_gone_at_the_next_request(
    admin: httpx.Client, make_client: Callable[..., dict], make_user: Callable[..., httpx.Client], tenant: dict
) -> None:
    brand = made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    reader = make_user("user", clients=[tenant["id"]])
    path = f"/brands/{brand['id']}"
    etag = reader.get(path).headers["etag"]
    assert reader.get(path, headers={"If-None-Match": etag}).status_code == 304
    answer = admin.patch(f"/users/{reader.user['id']}", json={"client_ids": [make_client()["id"]]})
    assert answer.status_code == 200, answer.text
    problem(reader.get(path, headers={"If-None-Match": etag}), 404, "not_found")


def test_a_signed_out_session_gets_no_answer_from_memory(
    admin: httpx.Client, make_user: Callable[..., httpx.Client], tenant: dict
) -> None:
    brand = made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    reader = make_user("user", clients=[tenant["id"]])
    path = f"/brands/{brand['id']}"
    etag = reader.get(path).headers["etag"]
    for _ in range(10):
        assert reader.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert reader.post("/auth/logout-all").status_code in (200, 204)
    problem(reader.get(path, headers={"If-None-Match": etag}), 401, "token_invalid")


def test_no_cache_asks_the_database(admin: httpx.Client, tenant: dict, db) -> None:
    """Seen by a change that no generation tells of."""
    brand = made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    path = f"/brands/{brand['id']}"
    assert admin.get(path).json()["description"] == ""
    db.execute("UPDATE brands SET description = 'changed' WHERE id = %s", (brand["id"],))
    assert admin.get(path, headers={"Cache-Control": "no-cache"}).json()["description"] == "changed"
