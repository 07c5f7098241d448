"""Stopping while peers send malformed requests: libmicrohttpd 0.9.75 crashed in 18 of 25 such stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("TRACKERD", ROOT / "build" / "trackerd")).absolute().parent
SERVER = FOLDER / "tests" / "unit" / "http" / "http_test_server"
MALFORMED = b"GET /echo HTTP/1.1\r\nHost: x\r\nno colon here\r\n\r\n"
UNFINISHED = b"GET /live HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("attempt", range(5))
def test_stop_is_clean(attempt: int) -> None:
    with subprocess.Popen([SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        port = int(server.stdout.readline())
        over = threading.Event()

        def send() -> None:
            while not over.is_set():
                try:
                    with socket.create_connection(("127.0.0.1", port), timeout=1) as peer:
                        peer.sendall(MALFORMED)
                        peer.sendall(UNFINISHED)
                except OSError:
                    time.sleep(0.001)

        peers = [threading.Thread(target=send) for _ in range(6)]
        try:
            for peer in peers:
                peer.start()
            time.sleep(0.25)
            server.send_signal(signal.SIGTERM)
            assert server.wait(15) == 0
        finally:
            over.set()
            server.kill()
            for peer in peers:
                peer.join()
