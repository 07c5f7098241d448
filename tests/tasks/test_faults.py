"""Redis and workers die while they work: all that is due is done, once in effect."""

from __future__ import annotations

import os
import random
import time

from conftest import Workbench, eventually

# `pytest tests/tasks/test_faults.py` with FAULT_SECONDS=300 is the long form.
SECONDS = float(os.environ.get("FAULT_SECONDS", "4"))


def effects(bench: Workbench) -> list[str]:
    return sorted(key for (key,) in bench.sql("SELECT key FROM effects"))


def enqueue_some(bench: Workbench, prefix: str, count: int, ms: int) -> None:
    """In one statement, as a transaction of the API's would; half of them have no message."""
    bench.sql(
        "INSERT INTO tasks (id, name, queue, args) SELECT md5(k), 'demo.effect', 'default', jsonb_build_array(k, %s::int)"
        " FROM (SELECT %s || i AS k FROM generate_series(1, %s) i) keys",
        ms, prefix, count,
    )  # fmt: skip


def test_a_flushed_redis_loses_nothing(bench: Workbench) -> None:
    bench.start_worker("default", "2")
    ids = [bench.enqueue("demo.effect", f'["k{i}", 300]') for i in range(8)]
    eventually(lambda: bench.sql("SELECT count(*) FROM tasks WHERE state = 'running'")[0][0] >= 1)
    bench.redis.flushall()
    later = bench.enqueue("demo.effect", '["later", 0]')  # the group is gone, too
    for task in [*ids, later]:
        bench.ended(task, "succeeded")
    assert effects(bench) == sorted([f"k{i}" for i in range(8)] + ["later"])
    eventually(lambda: bench.redis.exists(later), "a result in the new Redis")


def test_a_stopped_redis_delays_and_a_new_one_is_used(bench: Workbench) -> None:
    bench.start_worker()
    bench.ended(bench.enqueue("demo.add", "[1]"), "succeeded")
    bench.stack.redis.stop()
    try:
        bench.ended(bench.enqueue("demo.effect", '["away", 100]'), "succeeded")
    finally:
        bench.stack.redis.start()
    eventually(
        lambda: bench.redis.exists("{tracker}:default") or (bench.enqueue("demo.add", "[1]") and None), "messages again"
    )
    task = bench.enqueue("demo.effect", '["back", 0]')
    bench.ended(task, "succeeded")
    eventually(lambda: bench.redis.exists(task), "its result")
    assert effects(bench) == ["away", "back"]


def test_a_stopped_postgres_stops_work_and_it_goes_on_after(bench: Workbench) -> None:
    bench.start_worker()
    enqueue_some(bench, "k", 20, 200)
    eventually(lambda: bench.sql("SELECT count(*) FROM tasks WHERE state = 'running'")[0][0] >= 1)
    bench.stack.postgres.stop()
    time.sleep(1)
    bench.stack.postgres.start()
    eventually(lambda: bench.sql("SELECT count(*) FROM tasks WHERE state = 'succeeded'") == [(20,)])
    # The effect and the end of a task are two transactions here: an attempt that lost its database in between is repeated.
    keys = effects(bench)
    assert sorted(set(keys)) == sorted(f"k{i}" for i in range(1, 21))
    assert len(keys) <= 20 + 4, "at most one more for each thread"


def test_killed_workers_and_flushes_in_any_mix(bench: Workbench) -> None:
    """Tasks whose effect is one statement: done by somebody, and at most once more for each kill of a thread at work."""
    rng = random.Random(3)
    workers = [bench.start_worker("default", "2") for _ in range(2)]
    deadline = time.monotonic() + SECONDS
    count = killed = 0
    while time.monotonic() < deadline:
        enqueue_some(bench, f"r{count}-", 10, 20)
        bench.enqueue("demo.effect", f'["m{count}", 20]')
        count += 1
        time.sleep(0.3)
        match rng.randrange(4):
            case 0:
                victim = workers.pop(rng.randrange(len(workers)))
                victim.kill()
                victim.wait()
                killed += 1
                workers.append(bench.start_worker("default", "2"))
            case 1:
                bench.redis.flushall()
            case 2:
                bench.redis.delete("{tracker}:default")
    wanted = {f"r{n}-{i}" for n in range(count) for i in range(1, 11)} | {f"m{n}" for n in range(count)}
    eventually(
        lambda: bench.sql("SELECT count(*) FROM tasks WHERE finished_at IS NULL") == [(0,)], "the end of all tasks"
    )
    assert bench.sql("SELECT state, count(*) FROM tasks GROUP BY 1") == [("succeeded", len(wanted))]
    keys = effects(bench)
    assert set(keys) == wanted
    assert len(keys) <= len(wanted) + 2 * killed
