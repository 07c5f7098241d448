"""A whole Tracker System in one folder, for tests: PostgreSQL, Redis and the processes of trackerd under test."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from services import Postgres, Redis, die_with_parent, postgres_bin, stop_process  # noqa: F401 - postgres_bin is for benchmarks

START_SECONDS = 20


def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stack:
    """Use as a context manager. `settings` are environment variables for the API on top of the test defaults."""

    def __init__(self, folder: Path, binary: str, settings: dict[str, str] | None = None, redis: bool = True) -> None:
        # The database user must be able to enter the folder, which pytest makes for its own user only.
        for parent in [folder, *folder.parents]:
            if str(parent).startswith("/tmp/") and parent.stat().st_uid == os.getuid():
                parent.chmod(parent.stat().st_mode | 0o011)
        self.folder = folder
        self.binary = binary
        self.postgres = Postgres(folder / "postgres", durable=False)
        self.redis = Redis(folder / "redis") if redis else None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.master_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self.settings = {
            "ENVIRONMENT": "test",
            "HTTP_PORT": str(self.port),
            "JWT_SECRET": secrets.token_hex(32),
            "MASTER_KEY": self.master_key,
            "MAIL_FOLDER": str(folder / "mail"),
            "MEDIA_FOLDER": str(folder / "media"),
            "PASSWORD_MEMORY": "8M",
            "RATE_LIMIT": "0",
            "RATE_LIMIT_ANONYMOUS": "0",
            "LOG_LEVEL": "info",
        } | (settings or {})
        self.api: subprocess.Popen | None = None
        self.api_log = folder / "api.log"

    def env(self, login: str = "api_login") -> dict[str, str]:
        """Environment of a trackerd process that signs in to the database as login."""
        own = {"DATABASE_URL": self.postgres.url(user=login)}
        if self.redis:
            own["REDIS_URL"] = self.redis.url()
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder)} | self.settings | own

    def run(
        self, *args: str, login: str = "postgres", stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess:
        """Run a trackerd subcommand to its end."""
        result = subprocess.run(
            [self.binary, *args], input=stdin, capture_output=True, text=True, env=self.env(login), timeout=120
        )
        if check:
            assert result.returncode == 0, f"trackerd {args}: exit {result.returncode}\n{result.stderr}"
        return result

    def migrate(self) -> None:
        self.postgres.create_database()
        self.run("migrate")
        self.postgres.grant_logins()

    def add_town(self) -> None:
        """A town, so that the offline geocoder has something to answer with."""
        columns = "id, name, ascii_name, country_code, population, position"
        values = "2950159, 'Berlin', 'Berlin', 'DE', 3426354, 'POINT(13.41053 52.52437)'"
        self.postgres.psql(f"INSERT INTO places ({columns}) VALUES ({values})", "tracker")

    def create_user(
        self, email: str, password: str, admin: bool = False, role: str = "user", clients: tuple[str, ...] = ()
    ) -> None:
        args = ["user", "create", "--email", email, "--name", email.split("@")[0]]
        args += ["--admin"] if admin else ["--role", role]
        for client in clients:
            args += ["--client", client]
        self.run(*args, login="api_login", stdin=password + "\n")

    def start_api(self) -> None:
        with open(self.api_log, "ab") as log:
            self.api = subprocess.Popen(
                [self.binary, "api"],
                env=self.env(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(death_signal=signal.SIGKILL),
            )
        self.wait_ready()

    def start_worker(self, queues: str, **settings: str) -> subprocess.Popen:
        """A worker of these queues, which the caller stops; its log is worker.log."""
        with open(self.folder / "worker.log", "ab") as log:
            return subprocess.Popen(
                [self.binary, "worker", f"--queues={queues}"],
                env=self.env("worker_login") | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(death_signal=signal.SIGKILL),
            )

    def wait_ready(self, path: str = "/health/ready", seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.api is None or self.api.poll() is None, "the API ended:\n" + self.log_tail()
            try:
                if httpx.get(self.url + path, timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"{path} is not answered with 200:\n" + self.log_tail())

    def log_tail(self, lines: int = 20) -> str:
        return "\n".join(self.api_log.read_text(errors="replace").splitlines()[-lines:])

    def stop_api(self) -> int:
        """Stop it gracefully; its exit status."""
        assert self.api is not None
        stop_process(self.api)
        status = self.api.returncode
        self.api = None
        return status

    def kill_api(self) -> None:
        assert self.api is not None
        self.api.kill()
        self.api.wait()
        self.api = None

    def __enter__(self) -> Stack:
        self.postgres.start()
        if self.redis:
            self.redis.start()
        try:
            self.migrate()
            self.start_api()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self.api:
            stop_process(self.api)
        if self.redis:
            self.redis.stop()
        self.postgres.stop()
