"""Tasks and duties of the database: taken, ended, tried again, handed over; with Redis and without."""

from __future__ import annotations

import json
import signal
import time

from conftest import Workbench, eventually


def test_a_task_is_executed_and_its_result_kept(bench: Workbench) -> None:
    bench.start_worker()
    task = bench.enqueue("demo.add", "[2, 3]", '{"c": 4}')
    row = bench.ended(task, "succeeded")
    assert (row["result"], row["attempts"], row["error"], row["lease_until"]) == (9, 1, None, None)


def test_a_task_starts_at_once(bench: Workbench) -> None:
    bench.start_worker()
    eventually(lambda: bench.redis.exists("{tracker}:default"), "the group")
    time.sleep(1.5)  # the first look at everything is over
    waits = []
    for _ in range(5):
        row = bench.ended(bench.enqueue("demo.add", "[1]"), "succeeded")
        waits.append((row["started_at"] - row["created_at"]).total_seconds())
    assert sorted(waits)[2] < 0.5, waits  # not at the next look, a second later


def test_without_redis_it_takes_a_moment_longer(bench: Workbench) -> None:
    bench.start_worker(REDIS_URL="")
    row = bench.ended(bench.enqueue("demo.add", "[1]"), "succeeded")
    assert row["result"] == 1


def test_a_failure_for_good_is_not_tried_again(bench: Workbench) -> None:
    bench.start_worker()
    row = bench.ended(bench.enqueue("demo.fail"), "failed")
    assert row["attempts"] == 1
    assert row["error"] == {"code": "no_luck", "message": "it cannot be done"}


def test_a_failed_attempt_waits_and_the_last_one_is_the_end(bench: Workbench) -> None:
    bench.start_worker()
    task = bench.enqueue("demo.flaky", "[9]")
    for attempt in (1, 2):
        eventually(lambda n=attempt: bench.task(task)["state"] == "scheduled" and bench.task(task)["attempts"] == n)
        row = bench.task(task)
        wait = (row["run_at"] - row["updated_at"]).total_seconds()
        assert 5 * 2 ** (attempt - 1) - 1 < wait < 7.6 * 2 ** (attempt - 1), "5 s, 10 s, and up to half more"
        bench.sql("UPDATE tasks SET run_at = now() WHERE id = %s", task)
    row = bench.ended(task, "dead")
    assert (row["attempts"], row["error"]["code"]) == (3, "not_yet")


def test_it_succeeds_at_a_later_attempt(bench: Workbench) -> None:
    bench.start_worker()
    task = bench.enqueue("demo.flaky", "[2]")
    eventually(lambda: bench.task(task)["state"] == "scheduled")
    bench.sql("UPDATE tasks SET run_at = now() WHERE id = %s", task)
    assert bench.ended(task, "succeeded")["result"] == 2


def test_a_scheduled_task_waits_for_its_time(bench: Workbench) -> None:
    bench.start_worker()
    task = bench.enqueue("demo.add", "[1]", "{}", "{}", "1500")
    assert bench.task(task)["state"] == "scheduled"
    row = bench.ended(task, "succeeded")
    assert row["started_at"] >= row["run_at"]


def test_one_unfinished_task_per_key(bench: Workbench) -> None:
    first = bench.enqueue("demo.add", "[1]", "{}", "{}", "0", "key")
    assert bench.enqueue("demo.add", "[2]", "{}", "{}", "0", "key") == first
    bench.start_worker()
    bench.ended(first, "succeeded")
    assert bench.enqueue("demo.add", "[1]", "{}", "{}", "0", "key") != first


def test_progress_is_seen_while_it_runs(bench: Workbench) -> None:
    bench.start_worker()
    task = bench.enqueue("demo.effect", '["x", 2500]')
    progress = eventually(lambda: bench.task(task)["progress"])
    assert progress["total"] == 2500 and progress["message"] == "at it"
    eventually(lambda: (bench.task(task)["progress"] or {})["done"] > progress["done"], "more progress")
    bench.ended(task, "succeeded")
    told = eventually(
        lambda: (
            (events := [json.loads(f[b"data"]) for _, f in bench.redis.xrange("{live}:events")])
            and events[-1]["state"] == "succeeded"
            and events
        ),
        "the event of its end",
    )
    assert {event["id"] for event in told} == {task}
    assert [event["state"] for event in told][:2] == ["running", "running"]
    assert told[1]["progress"]["total"] == 2500 and told[-1]["progress"]["done"] == 2490


def test_a_running_task_can_be_cancelled(bench: Workbench) -> None:
    bench.start_worker()
    task = bench.enqueue("demo.effect", '["x", 60000]')
    eventually(lambda: bench.task(task)["state"] == "running")
    bench.sql("UPDATE tasks SET cancel_requested_at = now() WHERE id = %s", task)
    bench.ended(task, "cancelled")
    assert bench.sql("SELECT * FROM effects") == []


def test_the_time_out_of_the_label_counts_when_it_is_shorter(bench: Workbench) -> None:
    bench.start_worker()
    task = bench.enqueue("demo.effect", '["x", 60000]', "{}", json.dumps({"timeout": 1}))
    row = eventually(lambda: bench.task(task) if bench.task(task)["error"] else None)
    assert row["state"] == "scheduled" and row["error"]["code"] == "timeout"


def test_a_long_task_keeps_its_lease(bench: Workbench) -> None:
    """Longer than the lease and the time after which others take messages over."""
    bench.start_worker()
    bench.start_worker()
    task = bench.enqueue("demo.effect", '["x", 5000]')
    assert bench.ended(task, "succeeded")["attempts"] == 1
    assert len(bench.sql("SELECT * FROM effects")) == 1


def test_a_stopping_worker_hands_back_what_it_cannot_finish(bench: Workbench) -> None:
    worker = bench.start_worker()
    task = bench.enqueue("demo.effect", '["x", 3000]')
    eventually(lambda: bench.task(task)["state"] == "running")
    worker.terminate()
    assert worker.wait(30) == 0
    row = bench.task(task)
    assert (row["state"], row["attempts"]) == ("waiting", 0)
    bench.start_worker()
    assert bench.ended(task, "succeeded")["attempts"] == 1


def test_a_killed_worker_loses_its_tasks_to_another(bench: Workbench) -> None:
    worker = bench.start_worker()
    task = bench.enqueue("demo.effect", '["x", 1000]')
    eventually(lambda: bench.task(task)["state"] == "running")
    worker.kill()
    bench.start_worker()
    assert bench.ended(task, "succeeded")["attempts"] == 2
    assert len(bench.sql("SELECT * FROM effects")) == 1


def test_a_task_that_kills_its_workers_is_dead_after_its_attempts(bench: Workbench) -> None:
    task = bench.enqueue("demo.crash")
    for _ in range(2):
        worker = bench.start_worker()
        assert worker.wait(30) == -signal.SIGKILL
    bench.start_worker()
    row = bench.ended(task, "dead")
    assert (row["attempts"], row["error"]["code"]) == (2, "worker_lost")


def test_a_worker_takes_only_its_queues(bench: Workbench) -> None:
    bench.start_worker("fetch,judge")
    task = bench.enqueue("demo.add", "[1]")
    other = bench.enqueue("demo.add", "[1]", queue="fetch")
    bench.ended(other, "succeeded")
    time.sleep(2)
    assert bench.task(task)["state"] == "waiting"
    bench.start_worker("default")
    bench.ended(task, "succeeded")


def test_a_hint_makes_a_duty_look_at_once_and_many_threads_help(bench: Workbench) -> None:
    bench.start_worker()
    time.sleep(1)  # the duty's first look finds nothing; the next would come after a minute
    bench.sql("INSERT INTO work SELECT generate_series(1, 5000)")
    bench.redis.xadd("{tracker}:hints", {"name": "demo.move"})
    eventually(lambda: bench.sql("SELECT count(*) FROM done") == [(5000,)], seconds=50)
    assert bench.sql("SELECT count(DISTINCT worker) FROM done")[0][0] > 1


def test_many_tasks_by_two_workers_each_once(bench: Workbench) -> None:
    keys = [f"k{i}" for i in range(300)]
    bench.sql(
        "INSERT INTO tasks (id, name, queue, args) SELECT md5(k), 'demo.effect', 'default', jsonb_build_array(k, 0)"
        " FROM unnest(%s::text[]) k",
        keys,
    )
    bench.start_worker()
    bench.start_worker()
    eventually(lambda: bench.sql("SELECT count(*) FROM tasks WHERE state = 'succeeded'") == [(300,)])
    assert sorted(r[0] for r in bench.sql("SELECT key FROM effects")) == sorted(keys)


def test_a_message_is_sent_once_and_never_for_a_task_that_is_taken(bench: Workbench) -> None:
    """Otherwise a Python worker of the group would execute what a worker of ours took by its row."""
    bench.sql("INSERT INTO tasks (id, name, queue) VALUES ('waits', 'n', 'q')")
    bench.sql("INSERT INTO tasks (id, name, queue, state, lease_until) VALUES ('taken', 'n', 'q', 'running', now())")
    assert bench.sql("SELECT * FROM task_begin_sending('taken')") == []
    assert len(bench.sql("SELECT * FROM task_begin_sending('waits')")) == 1
    assert bench.sql("SELECT * FROM task_begin_sending('waits')") == []
    bench.sql("SELECT task_sent('waits', NULL)")  # it could not be sent
    assert bench.sql("SELECT sent_at FROM tasks WHERE id = 'waits'") == [(None,)]
