"""Helpers of the tests about signing in: tokens forged on purpose, mails, a second API process."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import hmac
import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import httpx
from stack import Stack, die_with_parent, free_port, stop_process


def segment(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_of(token: str) -> dict:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def sign(claims: dict, key: str, alg: str = "HS256") -> str:
    """A JWT with any claims, key and algorithm name; HS512 is really signed with SHA-512."""
    body = segment({"alg": alg, "typ": "JWT"}) + "." + segment(claims)
    digest = {"HS512": hashlib.sha512, "HS384": hashlib.sha384}.get(alg, hashlib.sha256)
    return body + "." + segment(hmac.new(key.encode(), body.encode(), digest).digest())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def refresh_cookie(answer: httpx.Response, name: str = "tracker_refresh") -> str:
    """Value of the refresh cookie that an answer sets."""
    for header in answer.headers.get_list("set-cookie"):
        if header.startswith(f"{name}="):
            return header.split(";")[0].split("=", 1)[1]
    raise AssertionError(f"no refresh cookie in {answer.headers}")


def mails(server: Stack) -> list[EmailMessage]:
    folder = Path(server.settings["MAIL_FOLDER"])
    files = sorted(folder.glob("*.eml")) if folder.exists() else []
    return [email.message_from_bytes(f.read_bytes(), policy=email.policy.default) for f in files]


def wait_for_mail(server: Stack, to: str, seconds: float = 5) -> EmailMessage:
    """The newest mail to an address; it is sent by a thread of its own."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = [m for m in mails(server) if m["To"] == to]
        if found:
            return found[-1]
        time.sleep(0.02)
    raise AssertionError(f"no mail to {to}")


def link_token(mail: EmailMessage) -> str:
    match = re.search(r"reset-password#token=([\w-]+)", mail.get_content())
    assert match, mail.get_content()
    return match[1]


@contextmanager
def second_api(server: Stack, **settings: str) -> Iterator[str]:
    """Another API process on the same database; yields its address."""
    port = free_port()
    environment = server.env() | {"HTTP_PORT": str(port)} | settings
    with open(server.folder / "second-api.log", "ab") as log:
        process = subprocess.Popen(
            [server.binary, "api"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(death_signal=signal.SIGKILL),
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None, (server.folder / "second-api.log").read_text()[-2000:]
            try:
                if httpx.get(url + "/health/ready", timeout=2).status_code == 200:
                    break
            except httpx.HTTPError:
                assert time.monotonic() < deadline
            time.sleep(0.05)
        yield url
    finally:
        stop_process(process)
