"""Runs a whole system for the browser tests of the user front end and prints its address and ids as one line of JSON.

A worker judges and notifies; tests let goods move by sending lines for `trackerd import reports` to the address `reports`. It ends, with
everything that it started, when its standard input is closed. Usage: python serve_app.py TRACKERD
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import app_world
from stack import Stack, stop_process


@contextmanager
def worker(stack: Stack) -> Iterator[None]:
    process = stack.start_worker("judge,notify")
    yield
    stop_process(process)


@contextmanager
def report_intake(stack: Stack) -> Iterator[str]:
    """An address that takes reports in, as an import does, and wakes the worker."""

    class Intake(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            lines = self.rfile.read(int(self.headers["Content-Length"])).decode()
            result = stack.run("import", "reports", "-", stdin=lines, check=False)
            stack.redis.command("XADD", "{tracker}:hints", "*", "name", "judge.inbox")
            self.send_response(204 if result.returncode == 0 else 500)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Tests tell themselves what went wrong."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Intake) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tracker-e2e-") as name:
        folder = Path(name)
        with Stack(folder, sys.argv[1], {"MEDIA_FOLDER": str(folder / "media")}) as stack:
            world = app_world.build(stack)
            with worker(stack), report_intake(stack) as reports:
                print(json.dumps({"url": stack.url, "reports": reports} | world), flush=True)
                sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
