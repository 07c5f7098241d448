"""`trackerd health` against a server whose answers are known."""

from __future__ import annotations

import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

BINARY = os.environ.get("TRACKERD", str(Path(__file__).resolve().parents[2] / "build" / "trackerd"))


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response({"/health/ready": 200, "/late": 503}.get(self.path, 404))
        self.end_headers()
        self.wfile.write(b'{"path":"%s"}' % self.path.encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def health(*args: str, **settings: str) -> subprocess.CompletedProcess:
    environment = {"PATH": "/usr/bin:/bin"} | settings
    return subprocess.run([BINARY, "health", *args], env=environment, capture_output=True, text=True, timeout=30)


def test_asks_the_api_of_this_machine(port: int) -> None:
    done = health(HTTP_PORT=str(port))
    assert (done.returncode, done.stdout) == (0, '{"path":"/health/ready"}\n')


def test_any_other_answer_is_ill(port: int) -> None:
    done = health(f"http://127.0.0.1:{port}/late")
    assert (done.returncode, done.stdout) == (1, '{"path":"/late"}\n')


def test_no_answer_is_ill() -> None:
    done = health("http://127.0.0.1:1/health/live")
    assert done.returncode == 1
    assert done.stderr.startswith("trackerd: ")


@pytest.mark.parametrize("arguments", [["--what"], ["http://localhost", "more"]])
def test_usage(arguments: list[str]) -> None:
    assert health(*arguments).returncode == 2
