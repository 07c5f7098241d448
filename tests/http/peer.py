"""The HTTP test server, and a peer that sends it exactly the bytes a test asks for."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("TRACKERD", ROOT / "build" / "trackerd")).absolute().parent
SERVER = FOLDER / "tests" / "unit" / "http" / "http_test_server"

# Longer than any answer should take, even with sanitizers on a busy machine.
PATIENCE = 20.0


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} is given {len(values)} times"
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Code of the problem that was answered."""
        assert self.header("Content-Type") == "application/problem+json"
        assert self.json["status"] == self.status
        return self.json["code"]


class Peer:
    """One connection. Reads answers one by one, as a strict client would."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.pending = b""

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(f"the server closed the connection after {self.pending!r}")
        self.pending += data

    def _until(self, end: bytes) -> bytes:
        while end not in self.pending:
            self._more()
        head, _, self.pending = self.pending.partition(end)
        return head

    def receive(self, *, head: bool = False) -> Answer:
        """The next answer; head: it is one to HEAD, without a body."""
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = [tuple(line.split(": ", 1)) for line in lines]
        answer = Answer(int(status), headers, b"")
        length = int(answer.header("Content-Length") or 0)
        if not head and answer.status not in (204, 304) and answer.status >= 200:
            while len(self.pending) < length:
                self._more()
            answer.body, self.pending = self.pending[:length], self.pending[length:]
        return answer

    def rest(self) -> bytes:
        """Everything until the connection ends."""
        try:
            while True:
                self._more()
        except (EOFError, ConnectionResetError):
            return self.pending

    def is_closed(self) -> bool:
        """Waits for the end of the connection; anything that still comes is no end."""
        try:
            return self.pending == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


class Server:
    """A test server with options TEST_*; see tests/unit/http/test_server_main.c."""

    def __init__(self, **options: object) -> None:
        self.log = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by __exit__
        settings = {f"TEST_{name.upper()}": str(value) for name, value in options.items()}
        self.process = subprocess.Popen(
            [SERVER], env=os.environ | settings, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        line = self.process.stdout.readline()
        assert line, "the test server did not start"
        self.port = int(line)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            status = self.stop()
            # With a failed test the exit status tells nothing new.
            assert kind is not None or status == 0, self.lines()[-20:]
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.log.close()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def peer(self) -> Peer:
        return Peer(self.port)

    def ask(self, data: bytes, *, head: bool = False) -> Answer:
        with self.peer() as peer:
            peer.send(data)
            return peer.receive(head=head)

    def lines(self) -> list[str]:
        """What it logged."""
        self.log.seek(0)
        return self.log.read().splitlines()

    def logged(self, event: str) -> list[dict]:
        entries = (json.loads(line) for line in self.lines() if line.startswith("{"))
        return [entry for entry in entries if entry["event"] == event]

    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def request(method: str, target: str, *headers: str, body: bytes | None = None) -> bytes:
    """A well-formed request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: test", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")
