"""Schedules of the table and of TaskiQ's ListRedisScheduleSource become tasks, each once, whoever leads."""

from __future__ import annotations

import random
import subprocess
import time
from datetime import datetime, timedelta

import pycron
from conftest import PATIENCE, PROBE, Workbench, eventually
from test_interop import Python, python  # noqa: F401 - a fixture


def tasks_of(bench: Workbench, name: str = "demo.add") -> int:
    return bench.sql("SELECT count(*) FROM tasks WHERE name = %s", name)[0][0]


def add_schedule(bench: Workbench, name: str, **columns: object) -> int:
    columns = {"name": name, "task_name": "demo.add", "queue": "default"} | columns
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    return bench.sql(f"INSERT INTO task_schedules ({names}) VALUES ({marks}) RETURNING id", *columns.values())[0][0]


def test_the_systems_own_schedules_are_added_and_an_admins_change_stays(bench: Workbench) -> None:
    bench.start_scheduler()
    eventually(lambda: bench.sql("SELECT next_run_at FROM task_schedules WHERE name = 'Every minute'"))
    bench.stop_workers()
    bench.sql("UPDATE task_schedules SET cron = '0 0 1 1 *'")
    bench.start_scheduler()
    eventually(lambda: bench.sql("SELECT next_run_at FROM task_schedules")[0][0])
    assert bench.sql("SELECT cron, extract(day FROM next_run_at AT TIME ZONE 'UTC') FROM task_schedules") == [
        ("0 0 1 1 *", 1)
    ]


def test_two_schedulers_hand_over_once_and_the_arguments_arrive(bench: Workbench) -> None:
    schedule = add_schedule(bench, "s", every="1 hour", kwargs='{"a": 20, "b": 22}')
    bench.start_scheduler()
    bench.start_scheduler()
    bench.start_worker()
    eventually(lambda: bench.sql("SELECT next_run_at FROM task_schedules WHERE name = 's'")[0][0])
    bench.sql("UPDATE task_schedules SET next_run_at = now() - interval '5 hours' WHERE name = 's'")
    rows = eventually(
        lambda: bench.sql(
            "SELECT result, labels FROM tasks WHERE state = 'succeeded' AND labels ->> 'schedule_id' = %s",
            str(schedule),
        )
    )
    time.sleep(2.5)  # both have passed again
    assert rows == [(42, {"schedule_id": str(schedule)})]
    assert bench.sql("SELECT count(*) FROM tasks WHERE labels ->> 'schedule_id' = %s", str(schedule)) == [(1,)], (
        "missed runs once"
    )
    ahead = bench.sql("SELECT next_run_at - now() FROM task_schedules WHERE name = 's'")[0][0]
    assert timedelta(0) < ahead <= timedelta(hours=1)


def test_a_schedule_waits_for_its_last_task(bench: Workbench) -> None:
    add_schedule(bench, "s", every="1 second", task_name="demo.effect", kwargs="{}", args='["x", 60000]')
    bench.start_scheduler()
    eventually(lambda: tasks_of(bench, "demo.effect") == 1)
    time.sleep(3)
    assert tasks_of(bench, "demo.effect") == 1


def test_cron_is_meant_in_its_time_zone(bench: Workbench) -> None:
    add_schedule(bench, "s", cron="30 9 * * *", time_zone="Pacific/Auckland")
    bench.start_scheduler()
    due = eventually(lambda: bench.sql("SELECT next_run_at FROM task_schedules WHERE name = 's'")[0][0])
    local = bench.sql("SELECT to_char(%s AT TIME ZONE 'Pacific/Auckland', 'HH24:MI')", due)[0][0]
    assert local == "09:30"
    assert timedelta(0) < due - datetime.now(due.tzinfo) <= timedelta(hours=24)


def test_a_disabled_schedule_rests(bench: Workbench) -> None:
    add_schedule(bench, "s", every="1 second", task_name="demo.echo", enabled=False)
    bench.start_scheduler()
    eventually(lambda: bench.sql("SELECT next_run_at FROM task_schedules WHERE name = 'Every minute'"))
    time.sleep(2)
    assert tasks_of(bench, "demo.echo") == 0


PYTHON_SCHEDULES = """
from datetime import datetime, timedelta, timezone
from taskiq import ScheduledTask
from taskiq_redis import ListRedisScheduleSource
source = ListRedisScheduleSource(tasks.url)
await source.startup()
now = datetime.now(timezone.utc)
common = dict(labels={"tenant": "t1"}, args=[], kwargs={"a": 1})
for schedule in (
    dict(task_name="demo.add", schedule_id="cron", cron="* * * * *"),
    dict(task_name="demo.echo", schedule_id="zone", cron=f"* {(now + timedelta(hours=9)).hour} * * *", cron_offset="Asia/Tokyo"),
    dict(task_name="demo.echo", schedule_id="never", cron=f"* {(now + timedelta(hours=5)).hour} * * *"),
    dict(task_name="demo.echo", schedule_id="nowhere", cron="* * * * *", cron_offset="Mars/Olympus"),
    dict(task_name="demo.fail", schedule_id="past", time=now - timedelta(hours=2)),
    dict(task_name="demo.fail", schedule_id="later", time=now + timedelta(hours=2)),
    dict(task_name="demo.flaky", schedule_id="often", interval=1),
):
    await source.add_schedule(ScheduledTask(**(common | schedule)))
"""


def test_schedules_that_python_keeps_in_redis(bench: Workbench, python: Python) -> None:  # noqa: F811
    if datetime.now().second > 50:
        time.sleep(11)  # all of it within one minute
    minute = datetime.now().minute
    python.client(PYTHON_SCHEDULES)
    bench.start_scheduler()
    bench.start_scheduler()

    def ids(name: str) -> list[str]:
        rows = bench.sql("SELECT labels ->> 'schedule_id' FROM tasks WHERE name = %s AND labels ? 'tenant'", name)
        return sorted(r[0] for r in rows)

    eventually(lambda: len(ids("demo.flaky")) >= 3, "three runs of the interval")
    if datetime.now().minute == minute:
        assert ids("demo.add") == ["cron"]
        assert ids("demo.echo") == ["zone"]
    assert ids("demo.fail") == ["past"]
    left = {key.decode() for key in bench.redis.keys("schedule:data:*")}
    assert left == {f"schedule:data:{name}" for name in ("cron", "zone", "never", "nowhere", "later", "often")}


def test_our_cron_is_pycrons() -> None:
    """Random expressions, many of them odd, against the package that TaskiQ's scheduler uses."""
    rng = random.Random(7)
    number = lambda: str(rng.choice([0, 1, 2, 5, 6, 7, 12, 13, 23, 31, 45, 59, 60, 99]))  # noqa: E731
    day = lambda: rng.choice(["mon", "Sunday", "fri", "SAT", "wednesday", "mo"])  # noqa: E731

    def part(days: bool) -> str:
        value = day if days and rng.random() < 0.4 else number
        kind = rng.randrange(8)
        if kind < 2:
            return value()
        if kind < 4:
            return f"{value()}-{value()}"
        if kind == 4:
            return f"{value()}-{value()}/{rng.choice('1235')}"
        if kind == 5:
            return f"*/{rng.choice(['1', '2', '5', '7', '40'])}"
        return rng.choice(["*", "x", f"{number()}/3", "jan", "1-2-3", "-3"])

    lines, answers = [], []
    for _ in range(4000):
        fields = [
            "*" if rng.random() < 0.4 else ",".join(part(i == 4) for _ in range(rng.choice([1, 1, 1, 2, 3])))
            for i in range(5)
        ]
        when = datetime(2024, 1, 1) + timedelta(minutes=rng.randrange(3 * 366 * 1440))
        if rng.random() < 0.5:
            fields[0] = fields[1] = "*"
        expression = " ".join(fields)
        lines.append(f"{expression}|{when:%Y-%m-%d %H:%M}")
        answers.append(pycron.is_now(expression, when))
    lines += [
        "* * * *|2026-01-01 00:00",
        "*  * * * *|2026-01-01 00:00",
        "@daily|2026-01-01 00:00",
        "*/0 * * * *|2026-01-01 00:00",
    ]
    done = subprocess.run(
        [PROBE, "cron"], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    ours = done.stdout.splitlines()
    assert ours[4000:] == ["-"] * 4, "what pycron raises at"
    wrong = [line for line, want, got in zip(lines, answers, ours, strict=False) if got[0] != "01"[want]]
    assert wrong == []
    assert 300 < sum(answers) < 3700, "both kinds are there"


def test_the_next_time_is_the_first_that_matches() -> None:
    rng = random.Random(11)
    lines = []
    for expression in ["*/7 3-5 * * *", "0 0 31 * *", "5 4 29 2 *", "0 12 13 * fri", "59 23 1,15 */2 mon-wed"]:
        for _ in range(6):
            when = datetime(2024, 1, 1) + timedelta(minutes=rng.randrange(2 * 366 * 1440))
            lines.append(f"{expression}|{when:%Y-%m-%d %H:%M}")
    lines.append("0 0 30 2 *|2026-01-01 00:00")
    done = subprocess.run(
        [PROBE, "cron"], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    answers = done.stdout.splitlines()
    assert answers.pop().endswith("0000-00-00 00:00"), "30 February never comes"
    for line, answer in zip(lines, answers, strict=False):
        expression, when = line.split("|")
        start, found = datetime.strptime(when, "%Y-%m-%d %H:%M"), datetime.strptime(answer[2:], "%Y-%m-%d %H:%M")
        assert found > start and pycron.is_now(expression, found), line
        for _ in range(300):  # nothing between, as far as it is looked at
            between = start + timedelta(minutes=rng.randrange(1, max(2, int((found - start).total_seconds() // 60))))
            assert between >= found or not pycron.is_now(expression, between), (line, between)
