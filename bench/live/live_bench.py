"""Measures live updates, in one run on one machine; prints JSON lines.

    live_delay    p99 of the time from the publishing of an event until each of 1,000 streams has it, against the same
                  client reading 1,000 bare Redis subscriptions (at most 4)
    live_memory   resident KiB of `trackerd api` for each of 5,000 open streams (at most 40), all of which then get an event

Both clients are the same loop over epoll; it reads one socket after the other, so its own time is in both figures.
"""

from __future__ import annotations

import json
import os
import re
import resource
import selectors
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import redis

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from stack import Stack  # noqa: E402

BUILD = Path(os.environ.get("BUILD", ROOT / "build")).absolute()
STREAMS, MANY = 1000, 5000
AT_ONCE = 100  # being opened; the server lets 256 requests wait
EVENTS = int(os.environ.get("BENCH_EVENTS", "200"))
PASSWORD = "benchmark password 1"
BUS = "{live}:events"
PATIENCE = 60


class Readers:
    """Sockets on which a text with a mark comes for each event."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.selector = selectors.EpollSelector()
        self.sockets = sockets
        for peer in sockets:
            peer.setblocking(False)
            self.selector.register(peer, selectors.EVENT_READ)

    def delays(self, publish: Callable[[str], None], n: int) -> list[float]:
        """Publish n events; for each and each reader, the seconds until it was read."""
        found = []
        for number in range(n):
            mark = b"mark%06d" % number
            waiting = set(self.sockets)
            begun = time.monotonic()
            publish(mark.decode())
            while waiting:
                for key, _ in self.selector.select(timeout=1):
                    if mark in key.fileobj.recv(65536) and key.fileobj in waiting:
                        waiting.remove(key.fileobj)
                        found.append(time.monotonic() - begun)
                if time.monotonic() - begun > PATIENCE:
                    raise SystemExit(f"{len(waiting)} of {len(self.sockets)} readers never got the event")
            time.sleep(0.01)
        return found

    def close(self) -> None:
        self.selector.close()
        for peer in self.sockets:
            peer.close()


def open_streams(stack: Stack, token: str, n: int) -> list[socket.socket]:
    request = f"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    peers: list[socket.socket] = []
    while len(peers) < n:
        some = [socket.create_connection(("127.0.0.1", stack.port)) for _ in range(min(AT_ONCE, n - len(peers)))]
        for peer in some:
            peer.settimeout(PATIENCE)
            peer.sendall(request)
        for peer in some:
            text = b""
            while b"id: " not in text:
                text += peer.recv(4096)
                if not text.startswith(b"HTTP/1.1 200"):
                    raise SystemExit(text.decode())
        peers += some
    return peers


def subscribe(stack: Stack, n: int) -> list[socket.socket]:
    peers = []
    for _ in range(n):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(str(stack.redis.socket))
        peer.sendall(b"SUBSCRIBE bench\r\n")
        peers.append(peer)
    for peer in peers:
        peer.recv(4096)
    return peers


def p99(delays: list[float]) -> float:
    return statistics.quantiles(delays, n=100)[98]


def resident(stack: Stack) -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{stack.api.pid}/status").read_text()).group(1))


def emit(**line: object) -> bool:
    print(json.dumps(line), flush=True)
    return bool(line["ok"])


def measure(stack: Stack, token: str) -> bool:
    store = redis.Redis(unix_socket_path=str(stack.redis.socket))

    def to_streams(mark: str) -> None:
        store.xadd(BUS, {"kind": "status", "client": 1, "user": 0, "tracker": 1, "run": 0, "data": f'{{"n":"{mark}"}}'})

    streams = Readers(open_streams(stack, token, STREAMS))
    live = p99(streams.delays(to_streams, EVENTS))
    streams.close()
    bare_readers = Readers(subscribe(stack, STREAMS))
    bare = p99(bare_readers.delays(lambda mark: store.publish("bench", mark), EVENTS))
    bare_readers.close()
    ratio = live / bare
    facts = {"live_p99_ms": round(live * 1000, 2), "bare_p99_ms": round(bare * 1000, 2), "streams": STREAMS}
    ok = emit(bench="live_delay", ratio=round(ratio, 3), target=4, ok=ratio <= 4, **facts)

    time.sleep(3)  # until the streams above are gone
    before = resident(stack)
    many = Readers(open_streams(stack, token, MANY))
    each = (resident(stack) - before) / MANY
    slowest = max(many.delays(to_streams, 1))
    many.close()
    facts = {"streams": MANY, "slowest_ms": round(slowest * 1000, 1)}
    return emit(bench="live_memory", kib=round(each, 1), target=40, ok=each <= 40, **facts) and ok


def main() -> int:
    resource.setrlimit(resource.RLIMIT_NOFILE, (MANY + 200, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    folder = Path(tempfile.mkdtemp(prefix="tracker-bench-", dir="/tmp"))
    folder.chmod(0o711)
    settings = {"LOG_LEVEL": "warn", "PASSWORD_MEMORY": "8M"}
    try:
        with Stack(folder, binary=str(BUILD / "trackerd"), settings=settings) as stack:
            stack.create_user("bench@example.com", PASSWORD, admin=True)
            login = {"email": "bench@example.com", "password": PASSWORD}
            answer = httpx.post(f"{stack.url}/api/v1/auth/login/json", json=login)
            return 0 if measure(stack, answer.json()["access_token"]) else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
