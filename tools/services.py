"""Private PostgreSQL, PgBouncer and Redis servers for `make run` and the tests.

Each server lives in one folder, listens on Unix sockets only (so that it cannot collide with another server of the machine), and
dies with the process that started it. PostgreSQL refuses to run as root: then it runs as the user `postgres`.

    with Postgres(Path("var/postgres")) as pg, Redis(Path("var/redis")) as redis:
        print(pg.url(), redis.url())
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
# sockaddr_un holds 108 bytes; PostgreSQL appends "/.s.PGSQL.5432.lock"
MAX_SOCKET_FOLDER = 80
START_SECONDS = 60
# Orphaned backends look for their postmaster at least once a second when they wait.
ORPHANS_SECONDS = 30
# Valkey serves as well: REDIS_SERVER=valkey-server
REDIS_SERVER = os.environ.get("REDIS_SERVER", "redis-server")
REDIS_CLI = REDIS_SERVER.replace("-server", "-cli")


class ServiceError(RuntimeError):
    """A server did not start; the message says why and what to do."""


def die_with_parent(user: str | None = None, death_signal: int = signal.SIGTERM) -> Callable[[], None]:
    """Return a preexec function: own session, optional user, and death_signal when the parent dies."""
    entry = pwd.getpwnam(user) if user else None

    def prepare() -> None:
        os.setsid()
        if entry:
            os.setgid(entry.pw_gid)
            os.initgroups(entry.pw_name, entry.pw_gid)
            os.setuid(entry.pw_uid)
        LIBC.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)

    return prepare


def stop_process(process: subprocess.Popen, stop_signal: int = signal.SIGTERM, seconds: float = 20) -> None:
    """Ask a process to stop, and kill it when it does not."""
    if process.poll() is not None:
        return
    process.send_signal(stop_signal)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def children_of(parent: int) -> list[int]:
    """Process ids of the direct children."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # pid (name) state ppid …; the name may hold spaces and brackets
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                children.append(int(stat.parent.name))
    return children


def server_user() -> str | None:
    """The user PostgreSQL must run as: None for the caller's own."""
    return "postgres" if os.getuid() == 0 else None


def reachable_by(user: str | None, folder: Path) -> bool:
    """Can the user enter every folder above this one?"""
    if user is None:
        return True
    entry = pwd.getpwnam(user)
    for parent in folder.absolute().parents:
        if parent.exists():
            stat = parent.stat()
            bit = 0o100 if stat.st_uid == entry.pw_uid else 0o010 if stat.st_gid == entry.pw_gid else 0o001
            if not stat.st_mode & bit:
                return False
    return True


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """A temporary folder that the server's user can enter, which pytest's cannot be relied on to be: every run of pytest closes it."""
    with tempfile.TemporaryDirectory(prefix="tracker-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def usable_folder(folder: Path, user: str | None) -> Path:
    """The folder itself, or one under /var/tmp with a link to it when the server's user cannot reach it (a checkout below /root).

    What is returned has no link in its path: following one needs the right to reach it.
    """
    folder = folder.absolute()
    if folder.exists() or folder.is_symlink() or reachable_by(user, folder):
        return folder.resolve()
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    elsewhere = Path(f"/var/tmp/trackerd-{folder.name}-{digest}")
    elsewhere.mkdir(mode=0o711, exist_ok=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(elsewhere)
    return elsewhere


def socket_folder(folder: Path) -> Path:
    """Where the socket goes: the folder itself, or a short one in the temporary folder when the path is too long for a socket."""
    if len(str(folder.resolve())) <= MAX_SOCKET_FOLDER:
        return folder.resolve()
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"trackerd-{digest}"


def postgres_bin() -> Path:
    """The folder of the newest installed PostgreSQL server."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: float(p.parts[-3]))
    if not versions:
        raise ServiceError("PostgreSQL is not installed; run: make deps")
    return versions[-1].parent


class Service:
    """A child process with a folder, a log file and a readiness check."""

    name = "service"

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.process: subprocess.Popen | None = None

    @property
    def log_file(self) -> Path:
        return self.folder / f"{self.name}.log"

    def launch(self, command: list[str], user: str | None, ready: Callable[[], bool]) -> None:
        """Start the command and wait until ready() holds."""
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(user, signal.SIGINT),
            )
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                tail = self.log_file.read_text(errors="replace").splitlines()[-5:]
                self.stop()
                raise ServiceError(f"{self.name} did not start; the end of {self.log_file}:\n  " + "\n  ".join(tail))
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a crash of the machine would: the process and its children (PostgreSQL's have sessions of their own) at once."""
        if self.process:
            for pid in [self.process.pid, *children_of(self.process.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        if self.process:
            stop_process(self.process, self.stop_signal)
            self.process = None

    stop_signal = signal.SIGTERM

    def start(self) -> None:
        raise NotImplementedError

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


class Postgres(Service):
    """A PostgreSQL cluster with trust authentication on a private Unix socket.

    durable=False is for tests: a crash of the machine (not of the server) may lose data.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast" shutdown

    def __init__(self, folder: Path, durable: bool = True, settings: dict[str, str] | None = None) -> None:
        super().__init__(folder)
        self.user = server_user()
        self.folder = usable_folder(self.folder, self.user)
        self.data = self.folder / "data"
        self.sockets = socket_folder(self.folder)
        self.settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "max_connections": "200",
            "shared_buffers": "256MB",
            "log_min_duration_statement": "2000",
            "log_line_prefix": "%m [%p] %u@%d ",
            "timezone": "UTC",
            "max_wal_size": "2GB",
        }
        if not durable:
            self.settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        self.settings |= settings or {}

    def run_tool(self, tool: str, *args: str) -> None:
        result = subprocess.run(
            [str(postgres_bin() / tool), *args],
            capture_output=True,
            text=True,
            cwd="/",
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            preexec_fn=die_with_parent(self.user),
        )
        if result.returncode != 0:
            raise ServiceError(f"{tool} failed: {(result.stderr or result.stdout).strip()}")

    def own(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        if self.user:
            shutil.chown(path.resolve(), self.user, self.user)

    def initialise(self) -> None:
        """Make the cluster when there is none; a folder that belongs to another major version is refused."""
        self.own(self.folder)
        self.own(self.sockets)
        self.sockets.chmod(0o700)
        version_file = self.data / "PG_VERSION"
        installed = postgres_bin().parts[-2]
        if not version_file.exists():
            self.run_tool(
                "initdb", "-D", str(self.data), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8"
            )
        elif version_file.read_text().strip() != installed:
            raise ServiceError(
                f"{self.data} was made by PostgreSQL {version_file.read_text().strip()}, {installed} is installed; "
                "`make reset` drops it"
            )

    def start(self) -> None:
        self.initialise()
        deadline = time.monotonic() + ORPHANS_SECONDS
        while True:
            try:
                return self.launch(self.command(), self.user, self.answers)
            except ServiceError as error:
                # A backend that was just being forked outlives a server that was killed, until it notices.
                if "pre-existing shared memory block" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def command(self) -> list[str]:
        command = [str(postgres_bin() / "postgres"), "-D", str(self.data)]
        for key, value in self.settings.items():
            command += ["-c", f"{key}={value}"]
        return command

    def answers(self) -> bool:
        check = [str(postgres_bin() / "pg_isready"), "-q", "-h", str(self.sockets)]
        return subprocess.run(check, capture_output=True).returncode == 0

    def url(self, database: str = "tracker", user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.sockets}"

    def psql(self, sql: str, database: str = "postgres") -> str:
        """Run SQL as the superuser; the answer as unaligned text."""
        result = subprocess.run(
            [str(postgres_bin() / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url(database)],
            input=sql,
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            raise ServiceError(f"psql: {result.stderr.strip()}")
        return result.stdout.strip()

    def create_database(self, name: str = "tracker") -> None:
        if self.psql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'") != "1":
            self.psql(f'CREATE DATABASE "{name}"')

    def grant_logins(self) -> None:
        """Login roles for the processes, members of the roles that the migrations made."""
        for login, group in {"api_login": "tracker_api", "worker_login": "tracker_worker"}.items():
            if self.psql(f"SELECT 1 FROM pg_roles WHERE rolname = '{login}'") != "1":
                self.psql(f"CREATE ROLE {login} LOGIN")
            self.psql(f"GRANT {group} TO {login}")


class Redis(Service):
    """A Redis server without persistence on a Unix socket: what it holds may be lost."""

    name = "redis"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.socket = socket_folder(self.folder) / "redis.sock"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        command = [REDIS_SERVER, "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.folder), "--maxmemory", "256mb"]
        self.launch(command, None, self.answers)

    def answers(self) -> bool:
        check = [REDIS_CLI, "-s", str(self.socket), "ping"]
        return subprocess.run(check, capture_output=True, text=True).stdout.strip() == "PONG"

    def command(self, *words: str) -> str:
        return subprocess.run(
            [REDIS_CLI, "-s", str(self.socket), *words], capture_output=True, text=True
        ).stdout.strip()

    def url(self, database: int = 0) -> str:
        return f"unix://{self.socket}?db={database}"


class PgBouncer(Service):
    """PgBouncer in transaction mode before a Postgres of this module."""

    name = "pgbouncer"
    stop_signal = signal.SIGINT

    def __init__(self, folder: Path, postgres: Postgres) -> None:
        super().__init__(folder)
        self.postgres = postgres
        self.user = server_user()
        self.folder = usable_folder(self.folder, self.user)
        self.sockets = socket_folder(self.folder)

    def start(self) -> None:
        for folder in {self.folder, self.sockets}:
            self.postgres.own(folder)
        config = self.folder / "pgbouncer.ini"
        users = self.folder / "users.txt"
        users.write_text("".join(f'"{name}" ""\n' for name in ("postgres", "api_login", "worker_login")))
        config.write_text(
            f"""[databases]
* = host={self.postgres.sockets}

[pgbouncer]
listen_addr =
unix_socket_dir = {self.sockets}
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = 20
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
"""
        )
        if self.user:
            shutil.chown(config, self.user, self.user)
        self.launch(["/usr/sbin/pgbouncer", str(config)], self.user, (self.sockets / ".s.PGSQL.6432").exists)

    def url(self, database: str = "tracker", user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.sockets}&port=6432"
