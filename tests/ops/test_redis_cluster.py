"""What the system says to Redis while it works, said again to a real cluster: keys that one command names share a slot.

So a cluster behind a proxy that knows slots serves as well as one server. trackerd itself speaks to one address and follows no MOVED.
"""

from __future__ import annotations

import codecs
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis as redis_py
from redis.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "pipeline"))

from processes import Process  # noqa: E402
from services import REDIS_CLI, REDIS_SERVER, Service, own_folder  # noqa: E402
from stack import Stack, free_port  # noqa: E402
from system import until  # noqa: E402
from test_compose import BINARY  # noqa: E402

EMAIL, PASSWORD = "admin@example.com", "correct horse battery staple"
# What has to be among the recorded, or the recording has missed a part of the system.
PARTS = {"XADD", "XREAD", "XREADGROUP", "XACK", "INCRBY", "PEXPIRE", "SET", "GET"}
WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"')
KEYLESS = {"PING", "COMMAND", "INFO", "CLUSTER", "MONITOR", "HELLO", "CLIENT", "SELECT", "SCAN"}


class Node(Service):
    """One Redis of a cluster."""

    name = "redis"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()

    def start(self) -> None:
        self.folder.mkdir(parents=True)
        command = [REDIS_SERVER, "--port", str(self.port), "--cluster-port", str(free_port()), "--bind", "127.0.0.1"]
        command += ["--cluster-enabled", "yes", "--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        self.launch(command, None, self.answers)

    def answers(self) -> bool:
        asked = subprocess.run([REDIS_CLI, "-p", str(self.port), "ping"], capture_output=True, text=True)
        return asked.stdout.strip() == "PONG"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    tmp_path = tmp_path_factory.mktemp("cluster")
    with Node(tmp_path / "a") as a, Node(tmp_path / "b") as b, Node(tmp_path / "c") as c:
        addresses = [f"127.0.0.1:{node.port}" for node in (a, b, c)]
        made = subprocess.run(
            [REDIS_CLI, "--cluster", "create", *addresses, "--cluster-yes"], capture_output=True, text=True, timeout=60
        )
        assert made.returncode == 0, made.stdout + made.stderr
        until(
            "the cluster is whole",
            lambda: all(
                redis_py.Redis(port=node.port).execute_command("CLUSTER INFO")["cluster_state"] == "ok"
                for node in (a, b, c)
            ),
        )
        with RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", a.port)], socket_timeout=30) as client:
            yield client


class Recorder:
    """Every command that a Redis is told, until it is stopped."""

    def __init__(self, server: redis_py.Redis) -> None:
        self.said: list[list[bytes]] = []
        self.monitor = server.monitor()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.listen, daemon=True)

    def listen(self) -> None:
        while not self.over.is_set():
            try:
                line = self.monitor.connection.read_response(disable_decoding=True)
            except (redis_py.TimeoutError, redis_py.ConnectionError):
                continue
            self.said.append([codecs.escape_decode(word)[0] for word in WORD.findall(line.partition(b"] ")[2])])

    def names(self) -> set[str]:
        return {words[0].decode().upper() for words in self.said if words}

    def __enter__(self) -> Recorder:
        self.monitor.__enter__()
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()


def busy_day(stack: Stack) -> None:
    """Sign in, read through the cache, write, follow the live stream, have a task done and its result kept."""
    with httpx.Client(base_url=stack.url + "/api/v1", timeout=60, trust_env=False) as api:
        token = api.post("/auth/login/json", json={"email": EMAIL, "password": PASSWORD}).json()["access_token"]
        api.headers["Authorization"] = f"Bearer {token}"
        client = api.post("/clients", json={"name": "cluster"}).json()["id"]
        for _ in range(3):
            assert api.get(f"/clients/{client}").status_code == 200
            assert api.get("/clients").status_code == 200
        assert api.get("/clients/999999").status_code == 404
        with api.stream("GET", "/stream") as stream:
            assert stream.status_code == 200
            schedule = {"name": "tidy", "task_name": "maintenance.tidy", "cron": "0 0 1 1 *"}
            made = api.post("/task-schedules", json=schedule)
            assert made.status_code == 201, made.text
            started = api.post(f"/task-schedules/{made.json()['id']}/run")
            assert started.status_code == 202, started.text
        task = started.json()["task_id"]
        until("the task is done", lambda: api.get(f"/tasks/{task}").json()["state"] == "succeeded")


@pytest.fixture(scope="module")
def recorded() -> list[list[bytes]]:
    settings = {"RATE_LIMIT": "1000", "RATE_LIMIT_ANONYMOUS": "1000"}
    with own_folder() as folder, Stack(folder, BINARY, settings) as stack:
        stack.create_user(EMAIL, PASSWORD, admin=True)
        server = redis_py.Redis(unix_socket_path=str(stack.redis.socket), socket_timeout=1)
        with Recorder(server) as recorder, Process(stack, "worker", "worker"), Process(stack, "scheduler", "scheduler"):
            busy_day(stack)
            until("everything was heard", lambda: recorder.names() >= PARTS or None, 30)
    return recorder.said


def as_bytes(key: str | bytes) -> bytes:
    return key if isinstance(key, bytes) else key.encode()


def test_keys_of_one_command_share_a_slot(recorded: list[list[bytes]], cluster: RedisCluster) -> None:
    node = cluster.get_random_node().redis_connection
    several = 0
    for words in recorded:
        if words[0].decode().upper() in KEYLESS:
            continue
        keys = node.command_getkeys(*words)
        assert len({key_slot(as_bytes(key)) for key in keys}) == 1, words
        several += len(keys) > 1
    assert several > 0, "a worker listens to several streams at once"


def test_a_cluster_takes_every_command(recorded: list[list[bytes]], cluster: RedisCluster) -> None:
    """As a proxy passes them on: to the node that has the first key."""
    seen = set()
    for words in recorded:
        name = words[0].decode().upper()
        if name in KEYLESS or b"BLOCK" in words[:6]:
            continue
        keys = cluster.get_random_node().redis_connection.command_getkeys(*words)
        owner = cluster.get_node_from_key(as_bytes(keys[0])).redis_connection
        try:
            owner.execute_command(*words)
        except redis_py.ResponseError as refused:
            assert not str(refused).startswith(("MOVED", "CROSSSLOT", "ASK")), (words, refused)
        seen.add(owner)
    assert len(seen) > 1, "the keys are spread: {tracker} and session:1 lie on different nodes of three"
