"""The simulator and the program under test: start and stop, control API, one operator's folder."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd"))
# The simulator may need another interpreter than the tests.
SIM_PYTHON = os.environ.get("FINDMY_SIM_PYTHON", sys.executable)

# Exit statuses of `trackerd account` and `trackerd report fetch`.
DONE, FAILED, USAGE, CODE_DUE, LATER, PERSON = range(6)


class Simulator:
    """findmy-sim as a child process on ports of its own. Use as a context manager."""

    def __init__(self, *options: str) -> None:
        env = os.environ | {"PYTHONPATH": str(ROOT / "sim")}
        command = [SIM_PYTHON, "-m", "findmy_sim", "--anisette-port", "0", "--apple-port", "0", *options]
        self.process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.log: list[str] = []
        self.scheme = "https" if "--tls-cert" in options else "http"
        listening = self._wait_for("listening")
        self.anisette_port, self.apple_port = listening["anisette_port"], listening["apple_port"]
        self.apple = f"{self.scheme}://127.0.0.1:{self.apple_port}"
        self.anisette = f"http://127.0.0.1:{self.anisette_port}"
        self.client = httpx.Client(base_url=f"{self.apple}/control", timeout=60, verify=False, trust_env=False)

    def _wait_for(self, event: str) -> dict[str, Any]:
        """Read the log up to an event; a thread keeps reading after it, so that the pipe never fills."""
        assert self.process.stderr is not None and self.process.stdout is not None
        stream = self.process.stderr
        for line in stream:
            self.log.append(line)
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("event") == event:
                threading.Thread(target=self.log.extend, args=(stream,), daemon=True).start()
                return entry
        raise RuntimeError("the simulator ended:\n" + "".join(self.log))

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def call(self, method: str, path: str, **body: Any) -> Any:
        """One call of the control API; fails on any status but success."""
        answer = self.client.request(method, path, json=body or None)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def account(self, username: str, password: str, **fields: Any) -> None:
        self.call("POST", "/accounts", username=username, password=password, **fields)

    def code(self, username: str) -> str:
        return self.call("GET", f"/accounts/{username}/code")["code"]

    def fault(self, kind: str, **fields: Any) -> None:
        self.call("POST", "/faults", kind=kind, **fields)

    def clear_faults(self) -> None:
        self.call("DELETE", "/faults")

    def tag(self, **fields: Any) -> dict[str, Any]:
        """Register one tag with a fresh key; gives id and private_key."""
        key = base64.b64encode(secrets.token_bytes(27).rjust(28, b"\x01")).decode()
        made = self.call(
            "POST", "/tags", **({"private_key": key, "position": {"latitude": 52, "longitude": 13}} | fields)
        )
        return made["items"][0] | {"private_key": fields.get("private_key", key)}

    def logins(self, username: str) -> int:
        return self.call("GET", f"/accounts/{username}")["logins"]


class Operator:
    """Somebody with a folder of accounts who runs the program under test."""

    def __init__(self, folder: Path, sim: Simulator, profile: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.master_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self.profile = folder / "profile.json"
        self.output: list[str] = []  # everything the program ever wrote
        self.env = {
            "MASTER_KEY": self.master_key,
            "ANISETTE_URL": sim.anisette,
            "ACCOUNT_FOLDER": str(folder / "accounts"),
            "PROVIDER_PROFILE": str(self.profile),
            "LOG_LEVEL": "debug",
        }
        self.write_profile(sim, **(profile or {}))

    def write_profile(self, sim: Simulator, **sections: Any) -> None:
        """A profile that leads to the simulator; sections override the test's own short waits."""
        gsa = f"{sim.apple}/grandslam/GsService2"
        document = {
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
            "fetch": {"pause": "0s", "empty_retries": ["10ms", "20ms"], "timeout": "3s"},
            "login": {"timeout": "3s"},
            "anisette": {"timeout": "3s", "provision_timeout": "5s", "cache": "0s"},
        }
        for name, section in sections.items():
            document[name] = document.get(name, {}) | section
        self.profile.write_text(json.dumps(document))

    def start(self, *args: str, **env: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        settings = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS")}
        return subprocess.Popen(
            [BINARY, *args], stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=settings | self.env | env
        )

    def run(self, *args: str, input: str = "", timeout: float = 60, **env: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*args, **env)
        try:
            out, err = process.communicate(input, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        self.output += [out, err]
        assert process.returncode >= 0, f"died of signal {-process.returncode}: {err}"
        assert "ERROR: AddressSanitizer" not in err and "runtime error" not in err, err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def add(self, name: str, username: str, password: str) -> None:
        done = self.run("account", "add", name, "--username", username, input=password + "\n")
        assert done.returncode == DONE, done.stderr

    def login(self, name: str, *options: str, timeout: float = 60) -> int:
        return self.run("account", "login", name, *options, timeout=timeout).returncode

    def status(self, name: str) -> dict[str, Any]:
        return json.loads(self.run("account", "status", name, "--json").stdout)

    def keys(self, *tags: dict[str, Any]) -> str:
        path = self.folder / "keys.txt"
        path.write_text("".join(f"{tag['private_key']}\n" for tag in tags))
        return str(path)

    def fetch(self, name: str, keys: str, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return self.run("report", "fetch", "--account", name, "--keys", keys, *options, **more)


def plain(report: dict[str, Any]) -> tuple[Any, ...]:
    """What a report and its truth must agree on."""
    return (
        report["hashed_advertisement_key"],
        report["timestamp"],
        round(report["latitude"] * 1e7),
        round(report["longitude"] * 1e7),
        report["horizontal_accuracy"],
        report["confidence"],
        report["status"],
        report["battery"],
    )
