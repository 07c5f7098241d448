#!/usr/bin/env python3
"""Starts the built images and proves that they work together: sign in, import, fetch, judge, and see it on the page.

    deploy/smoke.py [--engine podman|docker] [--prefix localhost/tracker]

Everything runs on the host's network on free loopback ports, confined as compose.yaml confines it (read-only root, no
capabilities, a user of its own), and is removed at the end. Podman needs no daemon.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests")]

from demo import ADMIN_EMAIL, PASSWORD, Api, load_demo, write_profile, write_tags  # noqa: E402
from stack import free_port  # noqa: E402

JUDGED_SECONDS = 600
MAX_IMAGE_BYTES = 150_000_000
CONFINED = ["--read-only", "--tmpfs", "/tmp:rw,mode=1777", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
# Podman without systemd and without the right to raise limits
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]


class Engine:
    """Containers that end with us."""

    def __init__(self, command: list[str], prefix: str, folder: Path) -> None:
        self.command, self.prefix, self.folder = command, prefix, folder
        self.started: list[str] = []

    def run_arguments(self, image: str, env: dict[str, str], mounts: dict[Path, str]) -> list[str]:
        arguments = ["--network", "host", *LIMITS, *CONFINED]
        for name, value in env.items():
            arguments += ["--env", f"{name}={value}"]
        for source, target in mounts.items():
            arguments += ["--volume", f"{source}:{target}"]
        return [*arguments, f"{self.prefix}/{image}"]

    def start(
        self, name: str, image: str, *args: str, env: dict[str, str] | None = None, **mounts: tuple[Path, str]
    ) -> None:
        full = f"tracker-smoke-{os.getpid()}-{name}"
        options = self.run_arguments(image, env or {}, dict(mounts.values()))
        subprocess.run(
            [*self.command, "run", "--detach", "--name", full, *options, *args], check=True, stdout=subprocess.DEVNULL
        )
        self.started.append(full)
        print(f"smoke: started {name}", flush=True)

    def call(self, image: str, *args: str, env: dict[str, str], stdin: str = "", **mounts: tuple[Path, str]) -> str:
        options = self.run_arguments(image, env, dict(mounts.values()))
        done = subprocess.run(
            [*self.command, "run", "--rm", "--interactive", *options, *args],
            input=stdin,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise SystemExit(f"smoke: {image} {' '.join(args)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def logs(self) -> None:
        for name in self.started:
            print(f"---- {name}")
            subprocess.run([*self.command, "logs", "--tail", "15", name], check=False)

    def stop(self) -> None:
        for name in reversed(self.started):
            subprocess.run(
                [*self.command, "rm", "--force", "--time", "20", name], stdout=subprocess.DEVNULL, check=False
            )


def wait(what: str, ready, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"smoke: {what} did not happen within {seconds:.0f} s")
        time.sleep(1)
    print(f"smoke: {what}", flush=True)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def secret_files(folder: Path, database_port: int) -> Path:
    """As deploy/secrets.sh makes them, for a database on another port."""
    place = folder / "secrets"
    subprocess.run([ROOT / "deploy" / "secrets.sh", place], check=True, stdout=subprocess.DEVNULL)
    place.chmod(0o755)
    for file in place.glob("database_url_*"):
        text = file.read_text().replace("@postgres/", f"@127.0.0.1:{database_port}/")
        file.chmod(0o644)
        file.write_text(text)
    return place


def smoke(engine: Engine) -> None:
    folder = engine.folder
    port = {
        name: free_port()
        for name in (
            "database",
            "redis",
            "anisette",
            "apple",
            "api",
            "admin",
            "app",
            "edge",
            "check",
            "docs",
            "metrics",
        )
    }
    files = (secret_files(folder, port["database"]), "/run/secrets:ro")
    tags_folder = folder / "tags"
    tags_folder.mkdir(mode=0o755)

    # The keys of the demo's tags, made by the image itself.
    wrapper = folder / "trackerd"
    options = " ".join(engine.run_arguments("trackerd", {}, {}))
    wrapper.write_text(f'#!/bin/sh\nexec {" ".join(engine.command)} run --rm {options} "$@"\n')
    wrapper.chmod(0o755)
    tags = write_tags(wrapper, tags_folder / "tags.jsonl")
    (tags_folder / "tags.jsonl").chmod(0o644)
    profile = write_profile(f"http://127.0.0.1:{port['apple']}", tags_folder / "profile.json")
    profile.chmod(0o644)
    tags_mount = (tags_folder, "/tags:ro")

    env = {
        "ENVIRONMENT": "production",
        "REDIS_URL": f"redis://127.0.0.1:{port['redis']}/0",
        "MASTER_KEY_FILE": "/run/secrets/master_key",
        "JWT_SECRET_FILE": "/run/secrets/jwt_secret",
        "PUBLIC_URL": f"http://127.0.0.1:{port['admin']}",
        "COOKIE_SECURE": "false",
        "ANISETTE_URL": f"http://127.0.0.1:{port['anisette']}",
        "PROVIDER_PROFILE": "/tags/profile.json",
        "FETCH_INTERVAL": "15s",
        "MAIL_FOLDER": "/tmp/mail",
        "ACCOUNT_FOLDER": "/tmp/accounts",
    }
    api_env = env | {"DATABASE_URL_FILE": "/run/secrets/database_url_api"}
    worker_env = env | {"DATABASE_URL_FILE": "/run/secrets/database_url_worker"}

    engine.start(
        "postgres", "postgres", "-p", str(port["database"]),
        env={"POSTGRES_PASSWORD_FILE": "/run/secrets/postgres_password", "ADDRESSES": "127.0.0.1", "PGDATA": "/tmp/data"}, files=files,
    )  # fmt: skip
    engine.start("redis", "redis", "--port", str(port["redis"]), "--bind", "127.0.0.1")
    engine.start(
        "sim", "sim", "--anisette-port", str(port["anisette"]), "--apple-port", str(port["apple"]), "--tags-file", "/tags/tags.jsonl",
        tags=tags_mount,
    )  # fmt: skip
    migrate = [
        "migrate",
        "--api-login",
        "/run/secrets/database_url_api",
        "--worker-login",
        "/run/secrets/database_url_worker",
    ]
    owner_env = env | {"DATABASE_URL_FILE": "/run/secrets/database_url_owner"}
    for attempt in range(60):
        try:
            print(
                "smoke:",
                engine.call("trackerd", *migrate, env=owner_env, files=files, tags=tags_mount).splitlines()[-1],
            )
            break
        except SystemExit:
            if attempt == 59:
                raise
            time.sleep(1)
    engine.call("trackerd", "places", "load", "--default", "--if-empty", env=owner_env, files=files, tags=tags_mount)
    create = ["user", "create", "--admin", "--email", ADMIN_EMAIL, "--name", "Smoke"]
    engine.call("trackerd", *create, env=api_env, stdin=PASSWORD + "\n", files=files, tags=tags_mount)

    engine.start(
        "api",
        "trackerd",
        env=api_env | {"HTTP_PORT": str(port["api"]), "HTTP_ADDRESS": "127.0.0.1"},
        files=files,
        tags=tags_mount,
    )
    engine.start(
        "worker",
        "trackerd",
        "worker",
        env=worker_env | {"METRICS_PORT": str(port["metrics"])},
        files=files,
        tags=tags_mount,
    )
    engine.start("scheduler", "trackerd", "scheduler", env=worker_env, files=files, tags=tags_mount)
    engine.start(
        "web", "web",
        env={
            "API_HOST": f"127.0.0.1:{port['api']}", "ADMIN_PORT": str(port["admin"]), "APP_PORT": str(port["app"]),
            "PORT": str(port["edge"]), "CHECK_PORT": str(port["check"]),
        },
    )  # fmt: skip
    edge = f"http://127.0.0.1:{port['edge']}"
    wait("the API answers behind nginx", lambda: answers(f"{edge}/health/ready"))
    health = ["health", f"http://127.0.0.1:{port['metrics']}/health/live"]
    print("smoke: worker says", engine.call("trackerd", *health, env={}).strip())

    load_demo(edge, tags)
    print(f"smoke: imported {len(tags)} trackers", flush=True)
    api = Api(edge)
    api.sign_in(ADMIN_EMAIL, PASSWORD)

    def judged() -> bool:
        return api.call("GET", "/trackers?limit=1&status=DELIVERED,IN_STORAGE,IN_TRANSIT&count=true")["total"] > 0

    wait("trackers were fetched, decrypted and judged", judged, JUDGED_SECONDS)
    for site in ("admin", "app"):
        text = page(f"http://127.0.0.1:{port[site]}/")
        assert '<div id="root">' in text, text[:500]
    tracker = api.call("GET", "/trackers?limit=1&status=DELIVERED,IN_STORAGE,IN_TRANSIT")["items"][0]
    print("smoke:", json.dumps({key: tracker[key] for key in ("name", "status", "status_since", "last_place")}))


def image_bytes(command: list[str], image: str) -> int:
    shown = subprocess.run(
        [*command, "image", "inspect", "--format", "{{.Size}}", image], capture_output=True, text=True, check=True
    )
    return int(shown.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--engine", choices=["podman", "docker"], default="docker" if shutil.which("docker") else "podman"
    )
    parser.add_argument(
        "--prefix", default="", help="of the images (default tracker, or localhost/tracker with podman)"
    )
    options = parser.parse_args()
    command = ["podman", "--runtime", "runc"] if options.engine == "podman" else ["docker"]
    prefix = options.prefix or ("localhost/tracker" if options.engine == "podman" else "tracker")
    size = image_bytes(command, f"{prefix}/trackerd")
    print(f"smoke: the image of trackerd has {size / 1e6:.0f} MB")
    assert size <= MAX_IMAGE_BYTES, "it may have 150 MB"
    folder = Path(tempfile.mkdtemp(prefix="tracker-smoke-"))
    folder.chmod(0o755)
    engine = Engine(command, prefix, folder)
    try:
        smoke(engine)
    except BaseException:
        engine.logs()
        raise
    finally:
        engine.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print("smoke: everything works together")
    return 0


if __name__ == "__main__":
    sys.exit(main())
