"""A real server with a small customer, for the examples of the documentation, and the built site."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from stack import Postgres, Stack  # noqa: E402

BINARY = os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd"))
ADMIN_EMAIL = "admin@example.com"
PASSWORD = "correct horse battery staple"
TRACKERS = 12  # of a customer before an example runs


class Api(httpx.Client):
    """A signed-in client that raises at every refusal."""

    def __init__(self, url: str, email: str) -> None:
        login = httpx.post(url + "/api/v1/auth/login/json", json={"email": email, "password": PASSWORD}, timeout=30)
        assert login.status_code == 200, login.text
        token = login.json()["access_token"]
        super().__init__(base_url=url + "/api/v1", timeout=30, headers={"Authorization": f"Bearer {token}"})

    def made(self, path: str, **body: object) -> dict:
        answer = self.post(path, json=body)
        assert answer.is_success, f"{path}: {answer.text}"
        return answer.json()


@dataclass
class Customer:
    """What a reader of the integrators' pages has in hand: a manager's login and key, one client, some rows, a file of tags."""

    url: str
    email: str
    api_key: str
    client_id: int
    folder: Path  # where the reader works; holds trackers.csv

    def env(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "TRACKER_URL": self.url,
            "TRACKER_API_KEY": self.api_key,
            "TRACKER_EMAIL": self.email,
            "TRACKER_PASSWORD": PASSWORD,
            "CLIENT_ID": str(self.client_id),
        }


@pytest.fixture(scope="session")
def server() -> Iterator[Stack]:
    folder = Path(tempfile.mkdtemp(prefix="tracker-"))
    folder.chmod(0o711)
    try:
        with Stack(folder, BINARY) as stack:
            stack.create_user(ADMIN_EMAIL, PASSWORD, admin=True)
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def customer(server: Stack, tmp_path: Path) -> Customer:
    """A client of its own for each program, since examples count rows and use up names."""
    name = f"Docs {tmp_path.name}"
    email = f"{tmp_path.name}@example.com".lower()
    with Api(server.url, ADMIN_EMAIL) as admin:
        client = admin.made("/clients", name=name)["id"]
        admin.made("/brands", client_id=client, name="Aurora")
        admin.made("/trackers/generate", client_id=client, count=TRACKERS, name_prefix="Pallet ")
        admin.made("/users", email=email, name="Reader", role="manager", client_ids=[client], password=PASSWORD)
    with Api(server.url, email) as manager:
        key = manager.made("/api-keys", name="docs", scopes=["write"])["key"]
    write_tags(server, tmp_path / "trackers.csv")
    return Customer(server.url, email, key, client, tmp_path)


@pytest.fixture
def operator(server: Stack, customer: Customer) -> Iterator[dict[str, str]]:
    """The environment of an operator: the system in use, a folder for backups and an empty server to restore into."""
    backups = customer.folder / "backups"
    backups.mkdir()
    with Postgres(server.folder / "restored", durable=False) as empty:
        yield server.env("postgres") | {
            "PATH": f"{Path(BINARY).parent}:{os.environ['PATH']}",
            "BACKUP": str(backups),
            "RESTORE_URL": empty.url("postgres"),
            "RESTORED_URL": empty.url(),
        }


def write_tags(server: Stack, path: Path) -> None:
    """A file of three new tags, as an integrator gets it from their maker."""
    made = server.run("keys", "generate", "--count", "3").stdout
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ID/Name", "Private Key"])
        for number, line in enumerate(made.splitlines(), 1):
            if line:
                writer.writerow([f"Tag {number}", json.loads(line)["private_key"]])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    build = [str(ROOT / "tools" / "docs.sh"), str(folder)]
    result = subprocess.run(build, env=os.environ | {"TRACKERD": BINARY}, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, f"the documentation does not build:\n{result.stdout}{result.stderr}"
    return folder
