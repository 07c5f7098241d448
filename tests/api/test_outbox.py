"""A worker that dies while it sends a mail: the mail is sent once more, and then no more."""

from __future__ import annotations

import socket

import psycopg
from helpers import eventually
from stack import Stack, stop_process

PATIENCE = 60


def test_a_worker_that_dies_in_mid_sending(server: Stack, db: psycopg.Connection) -> None:
    sql = (
        "INSERT INTO deliveries (channel, recipient, subject, body)"
        " VALUES ('mail', 'crash@example.com', 's', 'b') RETURNING id"
    )
    row = db.execute(sql).fetchone()[0]
    look = "SELECT state, attempts, unsettled, next_attempt_at > now() + interval '9 minutes' FROM deliveries WHERE id = %s"
    # A mail server that takes the call and never says a word: where it hung up, nobody knows what it did.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
        for death in (1, 2):
            worker = server.start_worker(
                "notify", METRICS_PORT="0", SMTP_URL=f"smtp://127.0.0.1:{silent.getsockname()[1]}"
            )
            call, _ = silent.accept()
            worker.kill()
            worker.wait()
            call.close()
            assert db.execute(look, (row,)).fetchone() == ("waiting", death, death, True)
            db.execute("UPDATE deliveries SET next_attempt_at = now() WHERE id = %s", (row,))

    worker = server.start_worker("notify", METRICS_PORT="0")
    eventually(lambda: db.execute(look, (row,)).fetchone()[0] != "waiting")
    stop_process(worker)
    assert db.execute(look, (row,)).fetchone()[:3] == ("failed", 2, 2)
    sent = [file for file in (server.folder / "mail").glob("*") if "crash@example.com" in file.read_text()]
    assert sent == []
