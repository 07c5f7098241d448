"""A Python worker's side: the same names as in task_probe.c, and some that only Python knows.

`taskiq worker python_tasks:broker` in this folder; REDIS_URL and DATABASE_URL come from the environment, STREAM is the stream."""

from __future__ import annotations

import os
from types import SimpleNamespace

import psycopg
from taskiq import SimpleRetryMiddleware
from taskiq.serializers import JSONSerializer
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker


def build(url: str, stream: str, format: str = "pickle", idle_ms: int = 2000) -> SimpleNamespace:
    """A broker with its tasks as attributes."""
    serializer = {"serializer": JSONSerializer()} if format == "json" else {}
    broker = (
        RedisStreamBroker(url, queue_name=stream, idle_timeout=idle_ms, xread_block=100)
        .with_result_backend(RedisAsyncResultBackend(url, **serializer))
        .with_middlewares(SimpleRetryMiddleware())
    )

    @broker.task("demo.add")
    async def add(a: int, b: int = 0, c: int = 0) -> int:
        return a + b + c

    @broker.task("demo.effect")
    async def effect(key: str, ms: int) -> str:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("INSERT INTO effects (key, worker) VALUES (%s, 'python')", [key])
        return key

    @broker.task("python.upper")
    async def upper(text: str, times: int = 1) -> dict:
        return {"text": text.upper() * times, "big": 2**70}

    @broker.task("python.fail")
    async def fail() -> None:
        raise ValueError("boom", 1)

    def theirs(name: str) -> object:
        """What C executes: only its name matters here."""

        async def task(*args: object, **kwargs: object) -> object:
            raise AssertionError(f"{name} was executed by Python")

        return broker.register_task(task, task_name=name)

    return SimpleNamespace(
        url=url,
        broker=broker,
        add=add,
        effect=effect,
        upper=upper,
        fail=fail,
        echo=theirs("demo.echo"),
        c_fail=theirs("demo.fail"),
        flaky=theirs("demo.flaky"),
        nobody=theirs("demo.nobody"),
    )


if "REDIS_URL" in os.environ:  # `taskiq worker`
    broker = build(
        os.environ["REDIS_URL"],
        os.environ.get("STREAM", "{tracker}:default"),
        idle_ms=int(os.environ.get("IDLE_MS", "2000")),
    ).broker
