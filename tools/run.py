"""Starts a whole Tracker System with demo data, follows its logs, and stops all of it on Ctrl-C (`make run`).

State lives in var/ (or the folder that RUN_FOLDER names): the database, the logs of each process, generated secrets.
A second start keeps all of it.
Addresses can be changed with the settings that a taken port's message names: make run HTTP_PORT=8101
"""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from demo import ADMIN_EMAIL, PASSWORD, USER_EMAIL, DemoError, load_demo, write_profile, write_tags
from services import Postgres, Redis, ServiceError, die_with_parent, stop_process

ROOT = Path(__file__).resolve().parents[1]
VAR = Path(os.environ.get("RUN_FOLDER") or ROOT / "var").resolve()
TRACKERD = ROOT / "build" / "trackerd"
SITE = ROOT / "build" / "site"
READY_SECONDS = 30


@dataclass
class Process:
    """One process of the system: how it is started and how to see that it is ready."""

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    ready_url: str | None = None
    follow: bool = True  # show its log
    child: subprocess.Popen | None = None

    @property
    def log_file(self) -> Path:
        return VAR / f"{self.name}.log"

    def start(self, base_env: dict[str, str]) -> None:
        with open(self.log_file, "ab") as log:
            self.child = subprocess.Popen(
                self.command,
                env=base_env | self.env,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),
            )
        if self.ready_url:
            self.wait_ready()

    def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.child and self.child.poll() is not None:
                break
            try:
                with urllib.request.urlopen(self.ready_url, timeout=2):
                    return
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        tail = self.log_file.read_text(errors="replace").splitlines()[-5:]
        raise ServiceError(f"{self.name} did not start; the end of {self.log_file}:\n  " + "\n  ".join(tail))


def setting(name: str, default: str) -> str:
    return os.environ.get(name) or default


def port_setting(name: str, default: int) -> int:
    """A port from the environment, checked to be free, or an error that names the setting."""
    text = setting(name, str(default))
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ServiceError(f"{name}={text} is not a port number")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError:
            raise ServiceError(f"port {text} is taken; choose another one: make run {name}={int(text) + 1}") from None
    return int(text)


def load_secrets() -> dict[str, str]:
    """Secrets of this installation, made once; sealed values in the database depend on them."""
    file = VAR / "secrets.env"
    if not file.exists():
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        file.touch(mode=0o600)
        file.write_text(f"MASTER_KEY={key}\nJWT_SECRET={secrets.token_hex(32)}\n")
    return dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)


def hold_lock() -> object:
    """One `make run` at a time; the lock goes with the process."""
    lock = open(VAR / "run.pid", "a+")  # noqa: SIM115 - held until the process ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        raise ServiceError(f"`make run` is running already (process {lock.read().strip()})") from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


class Follower:
    """Prints what the processes add to their logs, each line with the process's name."""

    def __init__(self, files: dict[str, Path]) -> None:
        self.open = {name: self.at_end(path) for name, path in files.items()}

    @staticmethod
    def at_end(path: Path):
        file = open(path, errors="replace")  # noqa: SIM115 - followed until the end
        file.seek(0, os.SEEK_END)
        return file

    def poll(self) -> None:
        for name, file in self.open.items():
            for line in file:
                print(f"{name:<9} | {line.rstrip()}")
        sys.stdout.flush()


def database(postgres: Postgres, env: dict[str, str]) -> None:
    """Create and migrate the database and make the first admin; safe to repeat."""
    postgres.create_database()
    owner = env | {"DATABASE_URL": postgres.url()}
    subprocess.run([TRACKERD, "migrate"], env=owner, check=True)
    postgres.grant_logins()
    subprocess.run([TRACKERD, "places", "load", "--default", "--if-empty"], env=owner, check=True)
    if postgres.psql("SELECT count(*) FROM users WHERE role = 'admin'", "tracker") == "0":
        create = [TRACKERD, "user", "create", "--admin", "--email", ADMIN_EMAIL, "--name", "Demo Admin"]
        subprocess.run(create, env=owner, input=PASSWORD + "\n", text=True, check=True, stdout=subprocess.DEVNULL)


def processes(env: dict[str, str], ports: dict[str, int], worker_url: str) -> list[Process]:
    """The processes that exist, in the order of their start."""
    sim_url = f"http://127.0.0.1:{ports['SIM_APPLE_PORT']}/control/status"
    sim = [sys.executable, "-m", "findmy_sim", "--anisette-port", str(ports["SIM_ANISETTE_PORT"])]
    sim += ["--apple-port", str(ports["SIM_APPLE_PORT"]), "--tags-file", str(VAR / "sim" / "tags.jsonl")]
    docs_port = str(ports["DOCS_PORT"])
    docs = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(SITE), docs_port]
    return [
        Process("simulator", sim, {"PYTHONPATH": str(ROOT / "sim")}, sim_url),
        Process("api", [str(TRACKERD), "api"], env, f"http://127.0.0.1:{ports['HTTP_PORT']}/health/ready"),
        Process("worker", [str(TRACKERD), "worker"], env | {"DATABASE_URL": worker_url}),
        Process("scheduler", [str(TRACKERD), "scheduler"], env | {"DATABASE_URL": worker_url}),
        front_end("admin", ports["ADMIN_PORT"], ports),
        front_end("app", ports["APP_PORT"], ports),
        Process("docs", docs, ready_url=f"http://127.0.0.1:{docs_port}/", follow=False),
    ]


def front_end(name: str, port: int, ports: dict[str, int]) -> Process:
    """Serves the built files of web/NAME on port, with the API behind the same address, as nginx does in production."""
    web = ROOT / "web"
    settings = {
        "PATH": f"{web / 'node_modules' / '.bin'}:{os.environ['PATH']}",
        "WEB_PORT": str(port),
        "API_URL": f"http://127.0.0.1:{ports['HTTP_PORT']}",
        "ADMIN_URL": f"http://localhost:{ports['ADMIN_PORT']}",
        "APP_URL": f"http://localhost:{ports['APP_PORT']}",
    } | {key: os.environ[key] for key in ("MAP_STYLE_URL", "MAP_ATTRIBUTION") if key in os.environ}
    command = [str(web / "node_modules" / ".bin" / "vite"), "preview", "--config", str(web / name / "vite.config.ts")]
    return Process(name, [*command, str(web / name)], settings, f"http://127.0.0.1:{port}/")


def announce(ports: dict[str, int], postgres: Postgres) -> None:
    api = f"http://localhost:{ports['HTTP_PORT']}"
    print(
        f"""
  Admin panel    http://localhost:{ports["ADMIN_PORT"]}
  Front end      http://localhost:{ports["APP_PORT"]}
  API            {api}/api/v1
  API reference  {api}/docs
  Documentation  http://localhost:{ports["DOCS_PORT"]}
  Simulator      http://localhost:{ports["SIM_APPLE_PORT"]} (Apple), http://localhost:{ports["SIM_ANISETTE_PORT"]} (Anisette)
  Database       psql "{postgres.url()}"
  Logs           {VAR.relative_to(ROOT) if VAR.is_relative_to(ROOT) else VAR}/*.log

  Sign in        {ADMIN_EMAIL} (admin) or {USER_EMAIL} (customer), password: {PASSWORD}

Ctrl-C stops everything. `make reset` drops the data.
"""
    )
    sys.stdout.flush()


def follow(running: list[Process], files: dict[str, Path]) -> int:
    """Print logs until a signal comes or a process ends by itself."""
    follower = Follower(files)
    while True:
        follower.poll()
        for process in running:
            if process.child and process.child.poll() is not None:
                print(f"run: {process.name} ended with status {process.child.returncode}; see {process.log_file}")
                return 1
        time.sleep(0.2)


def main() -> int:
    VAR.mkdir(parents=True, exist_ok=True)

    def stop(signum: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    lock = None
    running: list[Process] = []
    services: list = []
    try:
        lock = hold_lock()
        ports = {
            "HTTP_PORT": port_setting("HTTP_PORT", 8100),
            "ADMIN_PORT": port_setting("ADMIN_PORT", 3000),
            "APP_PORT": port_setting("APP_PORT", 3100),
            "DOCS_PORT": port_setting("DOCS_PORT", 8001),
            "SIM_ANISETTE_PORT": port_setting("SIM_ANISETTE_PORT", 6969),
            "SIM_APPLE_PORT": port_setting("SIM_APPLE_PORT", 6970),
        }
        postgres, redis = Postgres(VAR / "postgres"), Redis(VAR / "redis")
        for service in (postgres, redis):
            service.start()
            services.append(service)
        env = dict(os.environ) | load_secrets()
        env |= {
            "DATABASE_URL": postgres.url(user="api_login"),
            "REDIS_URL": redis.url(),
            "HTTP_PORT": str(ports["HTTP_PORT"]),
            "PUBLIC_URL": setting("PUBLIC_URL", f"http://localhost:{ports['APP_PORT']}"),
            "ANISETTE_URL": f"http://localhost:{ports['SIM_ANISETTE_PORT']}",
            # The simulator bans nobody: once a minute shows what happens while one looks on.
            "FETCH_INTERVAL": setting("FETCH_INTERVAL", "1m"),
        }
        for name in ("ADMIN_PORT", "APP_PORT", "DOCS_PORT", "SIM_ANISETTE_PORT", "SIM_APPLE_PORT"):
            env.pop(name, None)
        database(postgres, env)
        tags = write_tags(TRACKERD, VAR / "sim" / "tags.jsonl")
        profile = write_profile(f"http://127.0.0.1:{ports['SIM_APPLE_PORT']}", VAR / "sim" / "profile.json")
        env["PROVIDER_PROFILE"] = str(profile)
        for process in processes(env, ports, postgres.url(user="worker_login")):
            running.append(process)
            process.start(env)
        load_demo(f"http://127.0.0.1:{ports['HTTP_PORT']}", tags)
        announce(ports, postgres)
        return follow(running, {p.name: p.log_file for p in running if p.follow} | {"postgres": postgres.log_file})
    except KeyboardInterrupt:
        print("\nrun: stopping")
        return 0
    except (ServiceError, DemoError, subprocess.CalledProcessError) as error:
        print(f"run: {error}", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for process in reversed(running):
            if process.child:
                stop_process(process.child)
        for service in reversed(services):
            service.stop()
        if lock:
            lock.close()


if __name__ == "__main__":
    sys.exit(main())
