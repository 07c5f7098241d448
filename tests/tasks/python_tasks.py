"""A Python worker's side: the same names as in task_probe.c, and some that only Python knows.

`taskiq worker python_tasks:broker` in this folder; REDIS_URL and DATABASE_URL come from the environment, STREAM is the stream."""

from __future__ import annotations

import os

import psycopg
from taskiq import SimpleRetryMiddleware
from taskiq.serializers import JSONSerializer
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

REDIS_URL = os.environ["REDIS_URL"]
SERIALIZER = {"serializer": JSONSerializer()} if os.environ.get("TASK_RESULT_FORMAT") == "json" else {}

broker = (
    RedisStreamBroker(
        REDIS_URL, queue_name=os.environ.get("STREAM", "{tracker}:default"), idle_timeout=2000, xread_block=100
    )
    .with_result_backend(RedisAsyncResultBackend(REDIS_URL, **SERIALIZER))
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


# What C executes: only their names and signatures matter here.
@broker.task("demo.echo")
async def echo(*args: object, **kwargs: object) -> dict:
    raise AssertionError("executed by Python")


@broker.task("demo.fail")
async def c_fail() -> None:
    raise AssertionError("executed by Python")


@broker.task("demo.flaky")
async def flaky(attempts: int) -> int:
    raise AssertionError("executed by Python")


@broker.task("demo.nobody")
async def nobody() -> None:
    raise AssertionError("executed by Python")
