"""The real server on a private PostgreSQL and Redis, shared by all API tests of a run.

server      the running stack: base address, database access, restart and kill
anonymous   an HTTP client without a login
admin       an HTTP client signed in as an admin
make_user   make_user("manager", clients=[1]) -> signed-in HTTP client (its .user has id, email, password)
make_client a new client (tenant) with an unused name -> its JSON
db          psycopg connection as the superuser, autocommit
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from stack import Stack  # noqa: E402

ADMIN_EMAIL = "admin@example.com"
PASSWORD = "correct horse battery staple"


class ApiClient(httpx.Client):
    """An HTTP client below /api/v1 that signs in and carries its token."""

    def __init__(self, base_url: str, **kwargs) -> None:
        super().__init__(base_url=base_url + "/api/v1", timeout=30, **kwargs)
        self.user: dict = {}

    def sign_in(self, email: str, password: str) -> ApiClient:
        answer = self.post("/auth/login/json", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        self.headers["Authorization"] = f"Bearer {body['access_token']}"
        self.user = {**body["user"], "password": password}
        return self


@pytest.fixture(scope="session")
def server() -> Iterator[Stack]:
    # Not pytest's own folder: another pytest that starts takes the database user's right to enter it away.
    folder = Path(tempfile.mkdtemp(prefix="tracker-"))
    folder.chmod(0o711)
    try:
        # Tokens outlast the run, however slow the machine.
        settings = {"ACCESS_TOKEN_EXPIRE_MINUTES": "120"}
        with Stack(
            folder, binary=os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd")), settings=settings
        ) as stack:
            stack.add_town()
            stack.create_user(ADMIN_EMAIL, PASSWORD, admin=True)
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def anonymous(server: Stack) -> Iterator[ApiClient]:
    with ApiClient(server.url) as client:
        yield client


@pytest.fixture(scope="session")
def admin(server: Stack) -> Iterator[ApiClient]:
    with ApiClient(server.url) as client:
        yield client.sign_in(ADMIN_EMAIL, PASSWORD)


@pytest.fixture(scope="session")
def make_client(admin: ApiClient) -> Callable[..., dict]:
    numbers = itertools.count(1)

    def make(name: str | None = None) -> dict:
        answer = admin.post("/clients", json={"name": name or f"Client {next(numbers)} {uuid.uuid4().hex[:6]}"})
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


@pytest.fixture(scope="session")
def make_user(server: Stack, admin: ApiClient) -> Iterator[Callable[..., ApiClient]]:
    made: list[ApiClient] = []

    def make(role: str = "user", clients: list[int] | tuple[int, ...] = ()) -> ApiClient:
        email = f"{role}-{uuid.uuid4().hex[:10]}@example.com"
        body = {"email": email, "name": f"Test {role}", "password": PASSWORD, "role": role, "client_ids": list(clients)}
        answer = admin.post("/users", json=body)
        assert answer.status_code == 201, answer.text
        client = ApiClient(server.url).sign_in(email, PASSWORD)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def db(server: Stack) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.postgres.url(), autocommit=True) as connection:
        yield connection
