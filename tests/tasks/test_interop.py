"""The real taskiq and taskiq-redis against our worker: who enqueues, who executes and who reads does not matter."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import PATIENCE, Workbench, eventually
from python_tasks import build

HERE = Path(__file__).resolve().parent

# What a client does, between starting its broker and shutting it down.
CLIENT = """
async def main(tasks, answers):
    await tasks.broker.startup()
    {body}
    await tasks.broker.shutdown()
"""


class Python:
    """A client and workers of taskiq."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self.workers: list[subprocess.Popen] = []

    def env(self, **more: str) -> dict[str, str]:
        own = {"REDIS_URL": self.bench.redis_url, "DATABASE_URL": self.bench.stack.postgres.url()}
        return os.environ | own | {"PYTHONPATH": str(HERE)} | more

    def client(self, body: str, format: str = "pickle") -> object:
        """What `body` answers: it may await, and knows `tasks`."""
        names: dict = {"asyncio": asyncio}
        exec(CLIENT.format(body=body.strip().replace("\n", "\n    ")), names)
        answers: list = []
        tasks = build(self.bench.redis_url, "{tracker}:default", format)
        asyncio.run(asyncio.wait_for(names["main"](tasks, answers), PATIENCE))
        return answers[0] if answers else None

    def start_worker(self, **more: str) -> None:
        log = open(self.bench.folder / "python.log", "ab")  # noqa: SIM115 - the worker's
        command = [sys.executable, "-m", "taskiq", "worker", "python_tasks:broker", "--workers", "1"]
        self.workers.append(
            subprocess.Popen(command, cwd=HERE, env=self.env(**more), stdout=log, stderr=log, start_new_session=True)
        )
        log.close()

    def stop(self) -> None:
        for worker in self.workers:
            os.killpg(worker.pid, signal.SIGKILL)  # with its children; nothing of it is needed any more
            worker.wait(PATIENCE)


@pytest.fixture
def python(bench: Workbench):
    python = Python(bench)
    yield python
    python.stop()


def test_the_vectors_of_the_unit_tests_are_what_taskiq_makes() -> None:
    subprocess.run([sys.executable, HERE / "make_vectors.py", "--check"], check=True, timeout=PATIENCE)


@pytest.mark.parametrize("format", ["pickle", "json"])
def test_python_enqueues_c_executes_python_reads(bench: Workbench, python: Python, format: str) -> None:
    bench.start_worker(TASK_RESULT_FORMAT=format)
    values = [
        1,
        -1,
        2**31,
        -(2**31) - 1,
        2**62,
        2**64,
        -(2**80),
        1.5,
        2.0,
        1e300,
        5e-324,
        "ä😀\n",
        "",
        True,
        None,
        [],
        {},
        [[1, {"a": [None]}]],
    ]
    got = python.client(
        f"""
values = {values!r}
task = await tasks.echo.kicker().with_labels(tenant="t1", n=5, f=2.5, yes=True, raw=b"abc", none=None).kiq(*values, key=values)
result = await task.wait_result(timeout={PATIENCE})
floats = [type(v).__name__ for v in result.return_value["args"]]
answers.append([result.is_err, result.return_value, result.labels, floats, result.execution_time >= 0])""",
        format,
    )
    is_error, value, labels, kinds, timed = got
    assert (is_error, value["args"], value["kwargs"], value["attempt"], timed) == (
        False,
        values,
        {"key": values},
        1,
        True,
    )
    assert kinds == [type(v).__name__ for v in values], "2.0 stays a float"
    assert labels == {"tenant": "t1", "n": 5, "f": 2.5, "yes": True, "raw": "abc", "none": "None"}
    assert value["labels"] == labels


def test_python_gets_our_errors_as_exceptions(bench: Workbench, python: Python) -> None:
    bench.start_worker()
    got = python.client(
        f"""
task = await tasks.c_fail.kiq()
result = await task.wait_result(timeout={PATIENCE})
late = await tasks.effect.kicker().with_labels(timeout=1, max_retries=1).kiq("x", 60000)
second = await late.wait_result(timeout={PATIENCE})
answers.append([result.is_err, type(result.error).__name__, result.error.args, type(second.error).__name__])"""
    )
    assert got == [True, "TaskError", ("it cannot be done", "no_luck"), "TimeoutError"]


def test_python_sees_our_progress(bench: Workbench, python: Python) -> None:
    bench.start_worker()
    got = python.client(
        f"""
task = await tasks.effect.kiq("x", 3000)
for _ in range(600):
    progress = await task.get_progress()
    if progress:
        break
    await asyncio.sleep(0.1)
await task.wait_result(timeout={PATIENCE})
answers.append([progress.state, progress.meta])"""
    )
    assert got[0] == "STARTED" and got[1]["total"] == 3000 and got[1]["message"] == "at it"


def test_a_label_sets_the_attempts_and_only_the_last_gives_a_result(bench: Workbench, python: Python) -> None:
    bench.start_worker()
    task_id = python.client(
        """
task = await tasks.flaky.kicker().with_labels(retry_on_error=True, max_retries=2).kiq(9)
answers.append(task.task_id)"""
    )
    eventually(lambda: bench.task(task_id).get("state") == "scheduled")
    assert not bench.redis.exists(task_id)
    assert bench.redis.xpending("{tracker}:default", "taskiq")["pending"] == 0, "the retry waits in the table"
    bench.sql("UPDATE tasks SET run_at = now() WHERE id = %s", task_id)
    assert bench.ended(task_id, "dead")["attempts"] == 2
    eventually(lambda: bench.redis.exists(task_id))


def test_c_enqueues_python_executes_and_the_table_knows(bench: Workbench, python: Python) -> None:
    bench.start_worker()
    python.start_worker(STREAM="{tracker}:python")
    good = bench.enqueue("python.upper", '["ab"]', '{"times": 2}', queue="python")
    bad = bench.enqueue("python.fail", queue="python")
    assert bench.ended(good, "succeeded")["result"] == {"text": "ABAB", "big": 2**70}
    assert bench.ended(bad, "failed")["error"] == {"code": "ValueError", "message": "boom"}


def test_messages_for_python_survive_a_flushed_redis(bench: Workbench, python: Python) -> None:
    task = bench.enqueue("python.upper", '["ab"]', queue="python")
    later = bench.enqueue("python.upper", '["cd"]', "{}", "{}", "1000", queue="python")
    bench.redis.flushall()
    bench.start_worker()
    python.start_worker(STREAM="{tracker}:python")
    bench.ended(task, "succeeded")
    bench.ended(later, "succeeded")


def test_both_in_one_group_each_task_once(bench: Workbench, python: Python) -> None:
    python.start_worker(IDLE_MS="60000")  # it does not renew what waits in its memory
    python.client(f"await (await tasks.add.kiq(1)).wait_result(timeout={PATIENCE})")  # it listens
    bench.start_worker("default", "1", TASK_RECLAIM="60s")
    ids = python.client(
        """
kicked = [await tasks.effect.kiq(f"p{i}", 5) for i in range(60)]
answers.append([t.task_id for t in kicked])"""
    )
    for i in range(10):
        ids.append(bench.enqueue("demo.effect", f'["c{i}", 5]'))
    eventually(lambda: all(bench.redis.exists(i) for i in ids), "all results")
    rows = bench.sql("SELECT key, worker FROM effects")
    twice = sorted(row for row in rows if sum(row[0] == other[0] for other in rows) > 1)
    assert twice == [], bench.sql(
        "SELECT id, args, attempts, state, stream_entry FROM tasks WHERE args ->> 0 = ANY (%s)", [k for k, _ in twice]
    )
    assert sorted(r[0] for r in rows) == sorted([f"p{i}" for i in range(60)] + [f"c{i}" for i in range(10)])
    assert {"python"} < {r[1] for r in rows}, "both took part"
    eventually(lambda: bench.redis.xpending("{tracker}:default", "taskiq")["pending"] == 0)
    eventually(lambda: bench.sql("SELECT count(*) FROM tasks WHERE finished_at IS NULL") == [(0,)], "the table knows")


def test_c_takes_over_what_a_dead_python_worker_left(bench: Workbench, python: Python) -> None:
    task_id = python.client(
        """
task = await tasks.add.kiq(1, 2)
answers.append(task.task_id)"""
    )
    taken = bench.redis.xreadgroup("taskiq", "dead-consumer", {"{tracker}:default": ">"})
    assert len(taken[0][1]) == 1
    bench.start_worker()
    assert bench.ended(task_id, "succeeded")["result"] == 3
    eventually(lambda: bench.redis.xpending("{tracker}:default", "taskiq")["pending"] == 0)


def test_poison_is_buried_and_the_rest_goes_on(bench: Workbench, python: Python) -> None:
    task_id = python.client(
        """
task = await tasks.add.kiq(1, 2)
answers.append(task.task_id)"""
    )
    bench.redis.xadd("{tracker}:default", {"data": "no json"})
    bench.redis.xadd("{tracker}:default", {"other": "x"})
    bench.redis.xadd(
        "{tracker}:default", {"data": '{"task_id": "1", "task_name": "demo.add", "args": [], "kwargs": {}}'}
    )
    bench.start_worker()
    bench.ended(task_id, "succeeded")
    eventually(lambda: bench.redis.xlen("{tracker}:dead") == 3)
    reasons = [fields[b"reason"].decode() for _, fields in bench.redis.xrange("{tracker}:dead")]
    assert "not JSON" in reasons[0] and "no field data" in reasons[1] and "labels" in reasons[2]
    eventually(lambda: bench.redis.xpending("{tracker}:default", "taskiq")["pending"] == 0)


def test_an_unknown_task_is_left_to_others_before_it_is_dead(bench: Workbench, python: Python) -> None:
    bench.start_worker()
    python.client("await tasks.nobody.kiq()")
    pending = eventually(lambda: bench.redis.xpending_range("{tracker}:default", "taskiq", "-", "+", 1))[0]
    time.sleep(0.5)
    assert bench.redis.xlen("{tracker}:dead") == 0, "another worker of the group may know it"
    claim = ["XCLAIM", "{tracker}:default", "taskiq", "another", 0, pending["message_id"]]
    bench.redis.execute_command(*claim, "RETRYCOUNT", 4, "IDLE", 100000)  # none of four did
    eventually(lambda: bench.redis.xlen("{tracker}:dead") == 1)
    message = json.loads(bench.redis.xrange("{tracker}:dead")[0][1][b"data"])
    got = python.client(
        f"""
result = await tasks.broker.result_backend.get_result({message["task_id"]!r})
answers.append(result.error.args)"""
    )
    assert got == ("no worker knows the task demo.nobody", "task_unknown")


def test_a_fixed_id_runs_again_and_a_repeated_delivery_does_not(bench: Workbench, python: Python) -> None:
    bench.start_worker()
    kick = f"""
task = await tasks.effect.kicker().with_task_id("fixed").kiq("x", 0)
await task.wait_result(timeout={PATIENCE})"""
    python.client(kick)
    bench.redis.delete("fixed")
    python.client(kick)
    assert len(bench.sql("SELECT * FROM effects")) == 2
    # The worker ended between the table and Redis: the message comes again, and only the result is stored again.
    entry = bench.sql("SELECT stream_entry FROM tasks WHERE id = 'fixed'")[0][0].split(" ")[1]
    bench.redis.delete("fixed")
    bench.redis.execute_command(
        "XCLAIM", "{tracker}:default", "taskiq", "dead-consumer", 0, entry, "IDLE", 100000, "FORCE"
    )
    eventually(lambda: bench.redis.exists("fixed"), "the result")
    assert len(bench.sql("SELECT * FROM effects")) == 2


def test_the_example_of_the_documentation(bench: Workbench, python: Python) -> None:
    page = (HERE.parents[1] / "docs" / "integrators" / "taskiq.md").read_text()
    example = page.split("```python\n")[1].split("```")[0]
    with open(bench.folder / "worker.log", "ab") as log:
        worker = subprocess.Popen(
            [bench.stack.binary, "worker", "--queues=default"],
            env=bench.stack.env("worker_login"),
            stdout=log,
            stderr=log,
        )
    bench.workers.append(worker)
    done = subprocess.run(
        [sys.executable, "-c", example], env=python.env(), capture_output=True, text=True, timeout=PATIENCE
    )
    assert "'idempotency_keys': 0" in done.stdout, done.stdout + done.stderr
