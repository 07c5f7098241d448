"""A whole Tracker System that fetches from the simulator: servers, API, workers, accounts, trackers."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg

ROOT = Path(__file__).resolve().parents[2]
for folder in ("tests", "tests/sim", "tools", "sim"):
    sys.path.insert(0, str(ROOT / folder))

from apple import Simulator  # noqa: E402
from services import ServiceError, die_with_parent, stop_process  # noqa: E402, F401 - ServiceError for others
from stack import Stack  # noqa: E402

ADMIN_EMAIL, PASSWORD = "admin@example.com", "correct horse battery staple"
PATIENCE = 60.0  # seconds that anything may take on a busy machine


def until(what: str, condition: Callable[[], Any], seconds: float = PATIENCE, pause: float = 0.1) -> Any:
    """Wait until the condition gives something true, and give that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(pause)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def profile(sim: Simulator, **sections: dict[str, Any]) -> dict[str, Any]:
    """A provider profile that leads to the simulator, with waits that suit a test."""
    gsa = f"{sim.apple}/grandslam/GsService2"
    document: dict[str, Any] = {
        "format": 1,
        "name": "simulator",
        "endpoints": {
            "gsa": gsa,
            "lookup": f"{gsa}/lookup",
            "validate": f"{gsa}/validate",
            "trusted_device": f"{sim.apple}/auth/verify/trusteddevice",
            "phones": f"{sim.apple}/auth",
            "phone": f"{sim.apple}/auth/verify/phone",
            "phone_code": f"{sim.apple}/auth/verify/phone/securitycode",
            "delegates": f"{sim.apple}/setup/iosbuddy/loginDelegates",
            "fetch_v1": f"{sim.apple}/acsnservice/fetch",
            "fetch_v2": f"{sim.apple}/findmyservice/v2/fetch",
        },
        "fetch": {"timeout": "5s", "retry": "1s"},
        "login": {"timeout": "10s", "retry": "1s", "relogin_interval": "1s"},
        "anisette": {"timeout": "10s", "provision_timeout": "20s", "cache": "0s", "retry": "1s"},
    }
    for name, section in sections.items():
        document[name] = document.get(name, {}) | section
    return document


class Worker:
    """One worker process."""

    def __init__(self, stack: Stack, queues: str, number: int) -> None:
        self.log = stack.folder / f"worker-{number}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [stack.binary, "worker", f"--queues={queues}"],
                env=stack.env("worker_login"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(death_signal=signal.SIGKILL),
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        if self.process.poll() is None:
            stop_process(self.process)
        return self.process.returncode


class System:
    """Use as a context manager."""

    def __init__(self, folder: Path, sim: Simulator, settings: dict[str, str] | None = None) -> None:
        self.sim = sim
        self.profile_file = folder / "profile.json"
        self.profile_file.write_text(json.dumps(profile(sim)))
        self.stack = Stack(
            folder,
            binary=os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd")),
            settings={
                "ANISETTE_URL": sim.anisette,
                "PROVIDER_PROFILE": str(self.profile_file),
                "FETCH_INTERVAL": "1s",
                "FETCH_LEASE": "15s",
                "LOG_LEVEL": "debug",
            }
            | (settings or {}),
        )
        self.workers: list[Worker] = []
        self.api = httpx.Client(base_url=self.stack.url + "/api/v1", timeout=60, trust_env=False)

    def __enter__(self) -> System:
        self.stack.__enter__()
        self.stack.create_user(ADMIN_EMAIL, PASSWORD, admin=True)
        login = self.api.post("/auth/login/json", json={"email": ADMIN_EMAIL, "password": PASSWORD}).json()
        self.api.headers["Authorization"] = f"Bearer {login['access_token']}"
        self.db = psycopg.connect(self.stack.postgres.url("tracker"), autocommit=True)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
        self.api.close()
        self.db.close()
        self.stack.__exit__()

    # ---- questions ----

    def call(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = self.api.request(method, path, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def one(self, sql: str, *values: Any) -> Any:
        """The first column of the only row."""
        return self.db.execute(sql, values).fetchone()[0]

    def rows(self, sql: str, *values: Any) -> list[tuple]:
        return self.db.execute(sql, values).fetchall()

    # ---- processes ----

    def start_worker(self, queues: str = "fetch") -> Worker:
        worker = Worker(self.stack, queues, len(self.workers))
        self.workers.append(worker)
        return worker

    def stop_workers(self) -> None:
        for worker in self.workers:
            assert worker.stop() == 0, worker.log.read_text()[-2000:]
        self.workers.clear()

    def logs(self) -> str:
        """Everything that our processes have written."""
        return "".join(file.read_text(errors="replace") for file in self.stack.folder.glob("*.log"))

    # ---- tasks and accounts ----

    def task(self, task_id: str, state: str = "succeeded", seconds: float = PATIENCE * 2) -> Any:
        """The result of a task that ends in this state."""
        ended = until(
            f"task {task_id} ends",
            lambda: self.rows(
                "SELECT state, result, error FROM tasks WHERE id = %s AND finished_at IS NOT NULL", task_id
            ),
            seconds,
        )[0]
        assert ended[0] == state, ended
        return ended[1] if state == "succeeded" else ended[2]

    def start_task(self, path: str, **body: Any) -> str:
        return self.call("POST", path, 202, json=body or None)["task_id"]

    def add_account(self, username: str, password: str = "secret", sign_in: bool = True, **fields: Any) -> int:
        """An account that the simulator knows; signed in when a worker runs."""
        self.sim.account(username, password, **fields)
        body = {"name": username, "username": username, "password": password}
        account = self.call("POST", "/apple-accounts", 201, json=body)["id"]
        if sign_in:
            result = self.task(self.start_task(f"/apple-accounts/{account}/sign-in"))
            assert result["status"] == "ready", result
        return account

    def state(self, account: int) -> str:
        return self.one("SELECT state FROM apple_accounts WHERE id = %s", account)

    # ---- trackers ----

    def add_run(self, name: str = "run", **fields: Any) -> tuple[int, int]:
        """(client, run in progress)."""
        client = self.call("POST", "/clients", 201, json={"name": f"client of {name}"})["id"]
        brand = self.call("POST", "/brands", 201, json={"client_id": client, "name": "brand"})["id"]
        run = self.call("POST", "/production-runs", 201, json={"brand_id": brand, "name": name} | fields)["id"]
        return client, run

    def import_tags(self, client: int, run: int | None, tags: list[dict[str, Any]]) -> dict[str, int]:
        """Trackers of these tags {name, private_key}; their ids by name."""
        lines = ["ID/Name,Advertisement Key,Private Key,Hashed Adv Key,MAC Address"]
        lines += [f"{tag['name']},,{tag['private_key']},," for tag in tags]
        path = f"/trackers/import?client_id={client}" + (f"&production_run_id={run}" if run else "")
        self.call("POST", path, content="\n".join(lines), headers={"Content-Type": "text/csv"})
        return dict(self.rows("SELECT name, id FROM trackers WHERE client_id = %s", client))

    def add_tracker(self, client: int, run: int | None, name: str, **tag: Any) -> tuple[int, dict[str, Any]]:
        """A tracker and its tag in the simulator."""
        made = self.sim.tag(id=name, **tag) | {"name": name}
        return self.import_tags(client, run, [made])[name], made


def report(
    sim: Simulator, tag: str, minutes_ago: float, latitude: float = 52.5, longitude: float = 13.4, **fields: Any
) -> None:
    """Have a passer-by see the tag."""
    body = {"latitude": latitude, "longitude": longitude, "timestamp": f"-{minutes_ago}m", "horizontal_accuracy": 12}
    sim.call("POST", f"/tags/{tag}/reports", **(body | {"confidence": 3, "delay_seconds": 0} | fields))


def fresh_key() -> str:
    return base64.b64encode(b"\x01" + os.urandom(27)).decode()
