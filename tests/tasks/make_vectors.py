"""Writes tests/unit/tasks/taskiq.json: messages, results and pickles as the real taskiq and pydantic make them.

`python tests/tasks/make_vectors.py` writes it, `--check` fails unless it is what would be written. Read by tests/unit/tasks."""

from __future__ import annotations

import json
import pickle
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from taskiq import InMemoryBroker, TaskiqResult
from taskiq.kicker import AsyncKicker
from taskiq.serializers import PickleSerializer

FILE = Path(__file__).resolve().parents[1] / "unit" / "tasks" / "taskiq.json"
VALUES = [
    None, True, False, 0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**62, 2**63 - 1, 2**63,
    -(2**63), -(2**63) - 1, 2**64, 2**200, -(2**200), 0.0, -0.0, 1.5, 2.0, 1e16, 1e22, 1e-7, 1e300, 5e-324, 0.1,
    "", "a", "ä€😀", "\x7f\n\"\\/", "x" * 300, [], {}, [[], [{}]], {"a": {"b": [1, 2.0, None]}},
    ["same", "same", {"same": "same"}], [{"k": i} for i in range(20)], {str(i): i for i in range(300)},
]  # fmt: skip
LABELS = [
    {}, {"s": "t"}, {"i": 5, "big": 2**80, "f": 2.5, "neg": -1, "yes": True, "no": False}, {"raw": b"abc", "none": None},
]  # fmt: skip


def message(args: list, kwargs: dict, labels: dict) -> dict:
    """One message as a kick would send it, and what is in it."""
    broker = InMemoryBroker()
    prepared = AsyncKicker("demo:task", broker, labels).with_task_id("0" * 31 + "1")._prepare_message(*args, **kwargs)
    text = broker.formatter.dumps(prepared).message.decode()
    read = broker.formatter.loads(text.encode())
    read.parse_labels()
    native = {k: v.decode() if isinstance(v, bytes) else v for k, v in read.labels.items()}
    return {"text": text, "args": read.args, "kwargs": read.kwargs, "labels": native}


def cases() -> dict:
    odd = [
        datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC),
        timedelta(days=1, microseconds=3),
        Decimal("1.10"),
        (1, 2),
    ]
    messages = [message([v], {"v": v}, labels) for v, labels in zip(VALUES, LABELS * len(VALUES), strict=False)]
    messages.append(message(odd, {}, {}))
    pickles = [
        {"value": json.dumps(value), "protocol": p, "pickle": pickle.dumps(value, protocol=p).hex()}
        for value in VALUES
        for p in range(2, 6)
    ]
    errors = []
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise ValueError("boom", 1, None) from inner
    except ValueError as error:
        errors.append(error)
    for result in (
        TaskiqResult(is_err=False, return_value={"a": 1}, execution_time=0.26, labels={"n": 5}),
        TaskiqResult(is_err=True, return_value=None, execution_time=1.0, error=errors[0]),
    ):
        dumped = result.model_dump(mode="json")
        pickles.append({"value": json.dumps(dumped), "protocol": 0, "pickle": PickleSerializer().dumpb(dumped).hex()})
    refused = {
        "a class": pickle.dumps(Decimal("1")), "a tuple": pickle.dumps((1, 2)), "bytes": pickle.dumps(b"x"),
        "a set": pickle.dumps({1}), "a key that is no text": pickle.dumps({1: 2}), "a shared list": pickle.dumps([[1]] * 2),
        "protocol 0": pickle.dumps("x", protocol=0), "nothing": b"", "no end": pickle.dumps([1, "x"])[:-1],
        "half": pickle.dumps(["x" * 300])[:100], "a function": pickle.dumps(json.dumps), "NUL": pickle.dumps("\0"),
    }  # fmt: skip
    deep: list = []
    for _ in range(30):
        deep = [deep]
    refused["deep"] = pickle.dumps(deep)
    loop: list = []
    loop.append(loop)
    refused["a list in itself"] = pickle.dumps(loop)
    return {"messages": messages, "pickles": pickles, "refused": {k: v.hex() for k, v in refused.items()}}


def main() -> int:
    text = json.dumps(cases(), indent=1) + "\n"
    if "--check" in sys.argv:
        if FILE.read_text() != text:
            print(f"{FILE} is not what {Path(__file__).name} makes", file=sys.stderr)
            return 1
        return 0
    FILE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
