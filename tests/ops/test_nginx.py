"""nginx with the configuration of deploy/nginx before three API processes: headers, limits, the live stream, and a rolling restart
under load in which no request fails."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from stack import Stack, die_with_parent, free_port  # noqa: E402

EMAIL, PASSWORD = "admin@example.com", "correct horse battery staple"
REPLICAS = 3
ROUNDS = 2
LOAD_THREADS = 6


class Replica:
    """One API process on a port that it keeps."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.stack, self.port = stack, free_port()
        self.log = stack.folder / f"{name}.log"
        self.start()

    def start(self) -> None:
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.stack.binary, "api"],
                env=self.stack.env() | {"HTTP_PORT": str(self.port), "TRUSTED_PROXIES": "127.0.0.1"},
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(death_signal=signal.SIGKILL),
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/health/ready").status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.05)
        raise AssertionError(self.log.read_text()[-2000:])

    def restart(self) -> None:
        self.process.terminate()
        assert self.process.wait(60) == 0
        self.start()


class Edge:
    def __init__(self, folder: Path, replicas: list[Replica], **settings: str) -> None:
        self.folder = folder
        ports = {name: str(free_port()) for name in ("ADMIN_PORT", "APP_PORT", "PORT", "CHECK_PORT")}
        self.admin, self.app, self.api, self.check = (f"http://127.0.0.1:{port}" for port in ports.values())
        hosts = " ".join(f"127.0.0.1:{replica.port}" for replica in replicas)
        for site in ("admin", "app"):
            (folder / "web" / site / "assets").mkdir(parents=True)
            (folder / "web" / site / "index.html").write_text(f"<!doctype html><title>{site}</title>")
            (folder / "web" / site / "assets" / "main-4f2a.js").write_text("// " + "x" * 4000)
        self.process = subprocess.Popen(
            [ROOT / "deploy" / "nginx" / "start.sh"],
            env={
                "PATH": os.environ["PATH"] + ":/usr/sbin",
                "NGINX_RUN": str(folder / "run"),
                "WEB_FOLDER": str(folder / "web"),
            }
            | ports
            | {"API_HOST": hosts, "API_LOOK_SECONDS": "1"}
            | settings,
            stdout=open(folder / "nginx.log", "ab"),  # noqa: SIM115 - the child's
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(death_signal=signal.SIGTERM),
        )

    def wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.check}/health/ready", verify=False).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.05)
        raise AssertionError((self.folder / "nginx.log").read_text()[-2000:])

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="tracker-ops-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[Stack]:
    (folder / "stack").mkdir(mode=0o711)
    with Stack(folder / "stack", binary=os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd"))) as running:
        running.create_user(EMAIL, PASSWORD, admin=True)
        yield running


@pytest.fixture(scope="module")
def replicas(stack: Stack) -> Iterator[list[Replica]]:
    running = [Replica(stack, f"replica{n}") for n in range(REPLICAS)]
    yield running
    for replica in running:
        replica.process.terminate()
        replica.process.wait(60)


@pytest.fixture(scope="module")
def edge(folder: Path, replicas: list[Replica]) -> Iterator[Edge]:
    running = Edge(folder / "edge", replicas)
    running.wait()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def token(edge: Edge) -> dict[str, str]:
    answer = httpx.post(f"{edge.admin}/api/v1/auth/login/json", json={"email": EMAIL, "password": PASSWORD}, timeout=30)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_pages_and_their_headers(edge: Edge) -> None:
    for site, name in ((edge.admin, "admin"), (edge.app, "app")):
        for path in ("/", "/trackers/17?q=x"):  # a page of the application, whatever its address
            page = httpx.get(site + path)
            assert (page.status_code, name in page.text) == (200, True)
            assert page.headers["Cache-Control"] == "no-cache"
            policy = page.headers["Content-Security-Policy"]
            assert "script-src 'self';" in policy
            assert page.headers["X-Content-Type-Options"] == "nosniff"
            assert page.headers["X-Frame-Options"] == "DENY"
            assert "Strict-Transport-Security" not in page.headers, "this is plain HTTP"
        asset = httpx.get(f"{site}/assets/main-4f2a.js")
        assert asset.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert asset.headers["Content-Encoding"] == "gzip"
        assert asset.headers["X-Content-Type-Options"] == "nosniff"
        assert httpx.get(f"{site}/assets/gone.js").status_code == 404
        assert httpx.get(f"{site}/config.json").json() == {}


def test_the_api_behind_the_pages(edge: Edge, token: dict[str, str]) -> None:
    for base in (edge.admin, edge.app, edge.api):
        me = httpx.get(f"{base}/api/v1/users/me", headers=token)
        assert me.json()["email"] == EMAIL
        assert httpx.get(f"{base}/metrics").status_code in (200, 404)
        assert "http_requests_total" not in httpx.get(f"{base}/metrics").text, "figures stay inside"
        assert httpx.get(f"{base}/openapi.json").json()["openapi"] == "3.1.0"


def test_a_body_beyond_the_limit_is_refused_as_the_api_would(edge: Edge, token: dict[str, str]) -> None:
    answer = httpx.post(f"{edge.admin}/api/v1/brands", headers=token, content=b"x" * (2 << 20))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_guessing_is_slowed_down(edge: Edge) -> None:
    answers = [
        httpx.post(
            f"{edge.app}/api/v1/auth/login/json", json={"email": f"{n}@example.com", "password": "wrong"}, timeout=60
        )
        for n in range(60)
    ]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited, [answer.status_code for answer in answers]
    assert all(answer.headers["Retry-After"] for answer in limited)


def test_the_stream_arrives_at_once(edge: Edge, token: dict[str, str]) -> None:
    """Unbuffered: its head and the first comment come although nothing ends it."""
    with httpx.stream("GET", f"{edge.app}/api/v1/stream", headers=token, timeout=20) as stream:
        assert stream.status_code == 200
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert "Content-Encoding" not in stream.headers


def test_rolling_restart_fails_no_request(edge: Edge, replicas: list[Replica], token: dict[str, str]) -> None:
    """Reads and writes go on while one process after the other is restarted; every write is there once."""
    client_id = httpx.post(f"{edge.api}/api/v1/clients", headers=token, json={"name": "rolling"}, timeout=30).json()[
        "id"
    ]
    failures: list[str] = []
    written: list[str] = []
    done = threading.Event()

    def load(number: int) -> None:
        with httpx.Client(base_url=f"{edge.api}/api/v1", headers=token, timeout=60) as client:
            n = 0
            while not done.is_set():
                name = f"{number}-{n}"
                calls = [
                    ("POST", "/brands", {"client_id": client_id, "name": name}),
                    ("GET", "/users/me", None),
                    ("GET", f"/clients/{client_id}", None),
                ]
                for method, path, body in calls:
                    try:
                        answer = client.request(method, path, json=body)
                        if answer.status_code not in (200, 201):
                            failures.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
                        elif method == "POST":
                            written.append(name)
                    except httpx.HTTPError as error:
                        failures.append(f"{method} {path}: {error!r}")
                n += 1
                time.sleep(0.05)  # below nginx's limit for one address

    threads = [threading.Thread(target=load, args=(number,)) for number in range(LOAD_THREADS)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1)
        for replica in replicas * ROUNDS:  # without a pause: nobody may be struck off for a failure of a second ago
            replica.restart()
        time.sleep(1)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(written) > 100
    found: list[str] = []
    cursor = None
    while True:
        query = {"client_id": client_id, "limit": 500} | ({"cursor": cursor} if cursor else {})
        page = httpx.get(f"{edge.api}/api/v1/brands", headers=token, params=query, timeout=30).json()
        found += [row["name"] for row in page["items"]]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    assert sorted(found) == sorted(written)


def test_a_killed_replica_is_passed_over(edge: Edge, replicas: list[Replica], token: dict[str, str]) -> None:
    replicas[0].process.kill()
    replicas[0].process.wait()
    answers = [httpx.get(f"{edge.api}/api/v1/users/me", headers=token, timeout=30).status_code for _ in range(50)]
    assert set(answers) == {200}
    replicas[0].start()


def test_tls(folder: Path, replicas: list[Replica]) -> None:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    make += ["-subj", "/CN=localhost", "-keyout", key, "-out", certificate]
    subprocess.run(make, check=True, capture_output=True)
    edge = Edge(
        folder / "tls", replicas, TLS_CERTIFICATE=str(certificate), TLS_KEY=str(key), MAP_STYLE_URL='https://x/"s"'
    )
    try:
        edge.wait()
        curl = [
            "curl",
            "-sk",
            "--http2",
            "-o",
            "/dev/null",
            "-w",
            "%{http_version}",
            edge.admin.replace("http:", "https:"),
        ]
        assert subprocess.run(curl, capture_output=True, text=True, check=True).stdout == "2"
        page = httpx.get(edge.admin.replace("http:", "https:") + "/config.json", verify=False)
        assert page.headers["Strict-Transport-Security"]
        assert page.json() == {"map_style": 'https://x/"s"'}
    finally:
        assert edge.stop() == 0


def test_a_certificate_that_is_missing_is_named(folder: Path) -> None:
    edge = Edge(folder / "broken", [], TLS_CERTIFICATE="/nonexistent/cert.pem", TLS_KEY="/nonexistent/key.pem")
    assert edge.process.wait(30) == 1
    assert "/nonexistent/cert.pem cannot be read" in (edge.folder / "nginx.log").read_text()
