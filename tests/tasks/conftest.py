"""PostgreSQL, Redis and workers of task_probe (tests/tasks/task_probe.c), which tests may stop and kill as they like."""

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

import psycopg
import pytest
import redis as redis_py

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tools"))

from services import die_with_parent  # noqa: E402
from stack import Stack  # noqa: E402

BINARY = os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd"))
PROBE = str(Path(BINARY).parent / "tests" / "tasks" / "task_probe")
PATIENCE = 60  # seconds; far more than anything here takes, since the machine may be busy

# Short enough to see them pass.
SETTINGS = {"TASK_LEASE": "3s", "TASK_MESSAGE_GRACE": "1s", "TASK_RECLAIM": "2s", "WORKER_STOP": "10s"}


def eventually(check: Callable[[], object], what: str = "it", seconds: float = PATIENCE) -> object:
    """The first true value of check(), or a failure."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = check()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {seconds} s")


class Workbench:
    """The services, and workers started on them."""

    def __init__(self, folder: Path) -> None:
        self.stack = Stack(folder, BINARY, SETTINGS)
        self.folder = folder
        self.workers: list[subprocess.Popen] = []

    @property
    def redis(self) -> redis_py.Redis:
        return redis_py.Redis(unix_socket_path=str(self.stack.redis.socket))

    @property
    def redis_url(self) -> str:
        return f"unix://{self.stack.redis.socket}"

    def sql(self, statement: str, *parameters: object) -> list[tuple]:
        with psycopg.connect(self.stack.postgres.url(), autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def start_worker(self, *args: str, **settings: str) -> subprocess.Popen:
        return self.start("worker", *args, **settings)

    def start_scheduler(self) -> subprocess.Popen:
        return self.start("scheduler")

    def start(self, *args: str, **settings: str) -> subprocess.Popen:
        log = open(self.folder / "worker.log", "ab")  # noqa: SIM115 - the worker's
        worker = subprocess.Popen(
            [PROBE, *args],
            env=self.stack.env("worker_login") | settings,
            stdout=subprocess.PIPE,
            stderr=log,
            preexec_fn=die_with_parent(death_signal=signal.SIGKILL),
        )
        log.close()
        assert worker.stdout.readline() == b"ready\n", self.log()
        self.workers.append(worker)
        return worker

    def stop_workers(self) -> None:
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(PATIENCE)
        self.workers.clear()

    def log(self) -> str:
        return (self.folder / "worker.log").read_text(errors="replace")[-4000:]

    def enqueue(
        self, name: str, args: str = "[]", kwargs: str = "{}", labels: str = "{}", *more: str, queue: str = "default"
    ) -> str:
        done = subprocess.run(
            [PROBE, "enqueue", name, queue, args, kwargs, labels, *more],
            env=self.stack.env("worker_login"),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def task(self, task_id: str) -> dict:
        with psycopg.connect(self.stack.postgres.url(), row_factory=psycopg.rows.dict_row) as connection:
            return connection.execute("SELECT * FROM tasks WHERE id = %s", [task_id]).fetchone() or {}

    def ended(self, task_id: str, state: str) -> dict:
        eventually(lambda: self.task(task_id).get("finished_at"), f"the end of {task_id}")
        row = self.task(task_id)
        assert row["state"] == state, (row, self.log())
        return row


@pytest.fixture(scope="session")
def services() -> Iterator[Workbench]:
    folder = Path(tempfile.mkdtemp(prefix="trackerd-tasks-"))  # not pytest's: PostgreSQL's user must reach it
    folder.chmod(0o711)
    bench = Workbench(folder)
    try:
        bench.stack.postgres.start()
        bench.stack.redis.start()
        bench.stack.migrate()
        bench.sql("CREATE TABLE effects (key text NOT NULL, worker text NOT NULL)")
        bench.sql("CREATE TABLE work (id bigint PRIMARY KEY)")
        bench.sql("CREATE TABLE done (id bigint PRIMARY KEY, worker text NOT NULL)")
        bench.sql("GRANT ALL ON effects, work, done TO tracker_worker")
        yield bench
    finally:
        bench.stop_workers()
        bench.stack.redis.stop()
        bench.stack.postgres.stop()
        shutil.rmtree(folder)


@pytest.fixture
def bench(services: Workbench) -> Iterator[Workbench]:
    """Empty tables and an empty Redis; workers of the test are stopped after it."""
    services.redis.flushall()
    services.sql("TRUNCATE tasks, task_schedules, task_schedule_marks, effects, work, done")
    yield services
    services.stop_workers()
