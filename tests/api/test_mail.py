"""Mails through SMTP: a small server of our own takes them, refuses them, or is not there yet."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
import time
import uuid
from collections.abc import Iterator

import httpx
import pytest
from accounts import link_token, second_api
from stack import free_port


class Mailbox(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a client needs; keeps envelopes and messages."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, refuse: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Conversation)
        self.refuse = refuse  # so many messages are turned away first
        self.taken: list[tuple[str, list[str], bytes]] = []
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def wait(self, to: str, seconds: float = 5) -> email.message.EmailMessage:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for _, recipients, data in self.taken:
                if recipients == [f"<{to}>"]:
                    return email.message_from_bytes(data, policy=email.policy.default)
            time.sleep(0.02)
        raise AssertionError(f"no mail to {to}: {self.taken}")

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        sender, recipients = "", []
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            command = line.decode().strip()
            verb = command.split(" ")[0].split(":")[0].upper()
            if verb == "MAIL":
                sender = command.split(":", 1)[1].split(" ")[0]
            elif verb == "RCPT":
                recipients.append(command.split(":", 1)[1])
            elif verb == "DATA":
                self.wfile.write(b"354 go on\r\n")
                data = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    data += part[1:] if part.startswith(b"..") else part
                if self.server.refuse > 0:
                    self.server.refuse -= 1
                    self.wfile.write(b"451 not now\r\n")
                    continue
                self.server.taken.append((sender, recipients, data))
            elif verb == "QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 fine\r\n")


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox(free_port())
    yield box
    box.stop()


def invite(admin, url: str, **fields) -> str:
    address = f"m-{uuid.uuid4().hex[:8]}@example.com"
    answer = httpx.post(
        url + "/api/v1/users",
        json={"email": address, "name": "Guest"} | fields,
        headers={"Authorization": admin.headers["Authorization"]},
        timeout=30,
    )
    assert answer.status_code == 201, answer.text
    return address


def test_smtp(server, admin, mailbox):
    port = mailbox.server_address[1]
    with second_api(server, SMTP_URL=f"smtp://127.0.0.1:{port}", MAIL_FROM="Größe & Co <tracker@example.com>") as url:
        english = mailbox.wait(invite(admin, url))
        german = mailbox.wait(invite(admin, url, language="de", name="Jörg Müller"))
    assert english["From"] == "Größe & Co <tracker@example.com>"
    assert mailbox.taken[0][0] == "<tracker@example.com>"
    assert english["Auto-Submitted"] == "auto-generated" and english["Message-ID"] and english["Date"]
    assert len(link_token(english)) == 43
    assert "Guten Tag Jörg Müller," in german.get_content() and len(link_token(german)) == 43
    for _, _, data in mailbox.taken:
        assert b"\n" not in data.replace(b"\r\n", b"")
        assert max(len(line) for line in data.split(b"\r\n")) <= 998
        assert data.isascii()


def test_refused_mail_is_tried_again(server, admin, mailbox):
    mailbox.refuse = 1
    with second_api(server, SMTP_URL=f"smtp://127.0.0.1:{mailbox.server_address[1]}") as url:
        address = invite(admin, url)
        assert mailbox.wait(address, seconds=15)
    log = (server.folder / "second-api.log").read_text()
    assert "mail not sent, will be tried again" in log and "451" in log
    assert "#token=" not in log


def test_mails_that_wait_are_sent_at_the_end(server, admin):
    """The server appears between the request and the stop of the process."""
    port = free_port()
    with second_api(server, SMTP_URL=f"smtp://127.0.0.1:{port}") as url:
        address = invite(admin, url)
        time.sleep(0.3)  # the first attempt fails
        box = Mailbox(port)
    try:
        assert box.wait(address)
    finally:
        box.stop()


def test_mail_is_not_waited_for(server, admin):
    """A mail server that takes the connection and says nothing costs no request its time."""
    silent = socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler)
    try:
        with second_api(server, SMTP_URL=f"smtp://127.0.0.1:{silent.server_address[1]}") as url:
            start = time.monotonic()
            invite(admin, url)
            assert time.monotonic() - start < 2
            start = time.monotonic()
        assert time.monotonic() - start < 10  # the stop gives up on it
    finally:
        silent.server_close()
