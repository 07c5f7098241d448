"""A reader of GET /stream and a writer of the live bus, for tests."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis

BUS = "{live}:events"
PATIENCE = 60  # seconds; a busy machine
QUIET = 0.7  # seconds in which what must not come would have come


@dataclass
class Event:
    kind: str = "message"
    data: dict = field(default_factory=dict)
    id: str = ""


class Reader:
    """An open stream. A thread takes what comes; `next` waits for it."""

    def __init__(self, caller: httpx.Client, last: str | None = None, **params: object) -> None:
        self.last_id = last
        self.arrived: queue.Queue[Event | None] = queue.Queue()
        self.client = httpx.Client(base_url=caller.base_url, headers=caller.headers, timeout=None)
        headers = {} if last is None else {"Last-Event-ID": last}
        request = self.client.build_request("GET", "/stream", params=params, headers=headers)
        self.answer = self.client.send(request, stream=True)
        assert self.answer.status_code == 200, self.answer.read()
        assert self.answer.headers["content-type"] == "text/event-stream"
        self.marked = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        event = Event()
        try:
            for line in self.answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    self.last_id = value
                    self.marked.set()
                elif name == "event":
                    event.kind = value
                elif name == "data":
                    event.data = json.loads(value)
                    event.id = self.last_id or ""
                elif line == "" and event.id:
                    self.arrived.put(event)
                    event = Event()
        except httpx.HTTPError:
            pass
        self.arrived.put(None)

    def next(self, seconds: float = PATIENCE) -> Event:
        event = self.arrived.get(timeout=seconds)
        assert event is not None, "the stream has ended"
        return event

    def nothing(self, seconds: float = QUIET) -> bool:
        try:
            event = self.arrived.get(timeout=seconds)
        except queue.Empty:
            return True
        raise AssertionError(f"came: {event}")

    def ended(self, seconds: float = PATIENCE) -> bool:
        """True when it ends within this time; events that come before are passed over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if self.arrived.get(timeout=max(0.01, deadline - time.monotonic())) is None:
                    return True
            except queue.Empty:
                return False
        return False

    def close(self) -> None:
        """Closing alone would wait for the thread that reads."""
        with contextlib.suppress(OSError):
            self.answer.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self.thread.join(PATIENCE)
        self.answer.close()
        self.client.close()

    def __enter__(self) -> Reader:
        assert self.marked.wait(PATIENCE), "the stream did not begin with an id"
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Bus:
    """Publishes as src/store/live.c does."""

    def __init__(self, socket: Path) -> None:
        self.redis = redis.Redis(unix_socket_path=str(socket))

    def publish(self, kind: str, client: int = 0, user: int = 0, tracker: int = 0, run: int = 0, **data: object) -> str:
        entry = {"kind": kind, "client": client, "user": user, "tracker": tracker, "run": run, "data": json.dumps(data)}
        return self.redis.xadd(BUS, entry, maxlen=50000, approximate=True).decode()
