"""Projects of Docker Compose or of podman-compose, and what the kernel says of their containers. For deploy/smoke.py."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEALTHY_SECONDS = 120
# What must not lie in an image that runs in business
COMPILERS = {"as", "c++", "c99", "cargo", "cc", "clang", "cpp", "g++", "gcc", "go", "ld", "make", "rustc", "tcc"}
# Where podman has neither systemd nor the right to raise limits
PODMAN_CONF = """[engine]
runtime = "runc"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
"""


class ContainerError(RuntimeError):
    """A command of the engine failed, or a container is not as it should be; the message says how."""


class Engine:
    """Docker or podman, and the command that does `compose` with it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.env = dict(os.environ)
        if name == "docker":
            self.command, self.compose = ["docker"], ["docker", "compose"]
        else:
            self.command, self.compose = ["podman"], [str(ROOT / "var" / "venv" / "bin" / "podman-compose")]
            self.env["CONTAINERS_CONF"] = str(folder / "containers.conf")
            (folder / "containers.conf").write_text(PODMAN_CONF)

    def run(self, command: list[str], stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=self.env, cwd=ROOT)
        if check and done.returncode != 0:
            raise ContainerError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done

    def __call__(self, *args: str, check: bool = True) -> str:
        return self.run([*self.command, *args], check=check).stdout.strip()

    def image_bytes(self, image: str) -> int:
        return int(self("image", "inspect", "--format", "{{.Size}}", image))

    def has_health_check(self, image: str) -> bool:
        facts = json.loads(self("image", "inspect", image))[0]
        return bool(facts.get("HealthCheck") or facts.get("Healthcheck") or facts["Config"].get("Healthcheck"))


class Project:
    """The services of some compose files. Use as a context manager: containers, networks and volumes end with it."""

    def __init__(self, engine: Engine, name: str, *files: Path, profile: str = "") -> None:
        self.engine, self.name = engine, name
        self.base = [*engine.compose, "-p", name]
        for file in files:
            self.base += ["-f", str(file)]
        if profile:
            self.base += ["--profile", profile]

    def __call__(self, *args: str, stdin: str = "", check: bool = True) -> str:
        return self.engine.run([*self.base, *args], stdin, check).stdout

    def up(self, *services: str, scale: dict[str, int] | None = None) -> None:
        """Start just these; the caller keeps the order, since podman without systemd cannot wait for health."""
        scales = [word for service, n in (scale or {}).items() for word in ("--scale", f"{service}={n}")]
        self("up", "-d", "--no-build", "--no-deps", "--no-recreate", *scales, *services)

    def containers(self, service: str) -> list[str]:
        """Names of the containers of a service, ended ones too."""
        names = self.labelled(f"com.docker.compose.service={service}")
        if not names:
            raise ContainerError(f"{service} was not started")
        return names

    def labelled(self, *labels: str) -> list[str]:
        labels = (f"com.docker.compose.project={self.name}", *labels)
        filters = [word for label in labels for word in ("--filter", f"label={label}")]
        return sorted(self.engine("ps", "--all", *filters, "--format", "{{.Names}}").split())

    def wait_ended(self, service: str) -> None:
        (name,) = self.containers(service)
        status = self.engine("wait", name)
        if status != "0":
            raise ContainerError(f"{service} ended with status {status}:\n{self.logs(name)}")

    def healthy(self, name: str) -> bool:
        """Runs the container's health check (podman has nobody else who does), or asks Docker what it last said."""
        if self.engine.name == "podman":
            return self.engine.run(["podman", "healthcheck", "run", name], check=False).returncode == 0
        return self.engine("inspect", "--format", "{{.State.Health.Status}}", name) == "healthy"

    def wait_healthy(self, *services: str, seconds: float = HEALTHY_SECONDS) -> None:
        for name in [name for service in services for name in self.containers(service)]:
            deadline = time.monotonic() + seconds
            while not self.healthy(name):
                if time.monotonic() > deadline:
                    raise ContainerError(f"{name} did not become healthy within {seconds:.0f} s:\n{self.logs(name)}")
                time.sleep(1)

    def logs(self, name: str) -> str:
        done = self.engine.run([*self.engine.command, "logs", "--tail", "15", name], check=False)
        return done.stdout + done.stderr

    def check_confined(self, service: str) -> None:
        """No root, no right to become it, no capability, a root file system that cannot be written, and no compiler on it."""
        for name in self.containers(service):
            pid = int(self.engine("inspect", "--format", "{{.State.Pid}}", name))
            status = dict(
                line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
            )
            wrong = []
            if "0" in status["Uid"].split():
                wrong.append("runs as root")
            if int(status["CapEff"], 16) or int(status["CapBnd"], 16):
                wrong.append(f"has capabilities: {status['CapEff']} of {status['CapBnd']}")
            if status["NoNewPrivs"] != "1":
                wrong.append("can gain rights")
            mounts = [line.split() for line in Path(f"/proc/{pid}/mounts").read_text().splitlines()]
            if not any(mount[1] == "/" and "ro" in mount[3].split(",") for mount in mounts):
                wrong.append("can write its root file system")
            found = compilers(Path(f"/proc/{pid}/root"))
            if found:
                wrong.append(f"has compilers: {', '.join(found)}")
            if wrong:
                raise ContainerError(f"{name} " + "; ".join(wrong))

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        # podman-compose's `down` forgets replicas beyond the first.
        names = self.labelled()
        if names:
            self.engine("stop", "--time", "10", *names, check=False)
            self.engine("rm", "--force", *names, check=False)
        self("down", "--volumes", check=False)


def compilers(root: Path) -> list[str]:
    """Names of compilers and of what goes with them, below the root of a container."""
    folders = [root / "usr" / "bin", root / "usr" / "local" / "bin"]
    # gcc-14, x86_64-linux-gnu-gcc
    return sorted(
        path.name
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
        if path.name in COMPILERS or path.name.split("-")[0] in COMPILERS or path.name.split("-")[-1] in COMPILERS
    )
