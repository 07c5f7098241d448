#!/usr/bin/env python3
"""Starts compose.yaml and deploy/compose.fetchers.yaml as for a business, with the built images and with the simulator in Apple's place,
and proves that they work together: sign in, import, fetch, judge, and see it on the page.

    var/venv/bin/python deploy/smoke.py [--engine podman|docker] [--keep SECONDS]

Networks, volumes, secrets, limits, users and health checks are those of the compose files; only ports, subnet and project names are
ours, so that it runs beside another deployment. Everything is removed at the end. Needs root, to look at the containers' processes; podman
needs neither daemon nor systemd.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from containers import ContainerError, Engine, Project  # noqa: E402
from demo import ADMIN_EMAIL, PASSWORD, Api, load_demo, write_profile, write_tags  # noqa: E402

JUDGED_SECONDS = 600
OUTAGE_SECONDS = 30  # within which everything works again after the database was away
PAGE_SECONDS = 60
MAX_IMAGE_BYTES = 150_000_000
IMAGES = ("trackerd", "web", "docs", "sim", "postgres", "redis")
OURS = ("api", "worker", "scheduler", "nginx", "docs")  # containers that compose.yaml confines
FETCHERS = ("report-fetcher", "history-refresher", "batch-geocoding")


def say(text: str) -> None:
    print(f"smoke: {text}", flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait(what: str, ready: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise ContainerError(f"{what}: not within {seconds:.0f} s")
        time.sleep(1)
    say(what)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def make_certificate(folder: Path) -> Path:
    """A certificate of our own for localhost, which this process trusts; nginx's user must be able to read its key."""
    folder.mkdir(mode=0o755)
    chain, key = folder / "fullchain.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(
        ["openssl", "req", "-x509", *curve, *subject, "-keyout", key, "-out", chain], check=True, capture_output=True
    )
    key.chmod(0o644)
    return chain


def settings(folder: Path, prefix: str, ports: dict[str, int], project: str) -> dict[str, str]:
    """What an operator would write into .env."""
    images = {name: f"{prefix}/{name}:latest" for name in IMAGES}
    return {
        "PUBLIC_URL": f"https://localhost:{ports['admin']}",
        "ADMIN_PORT": f"127.0.0.1:{ports['admin']}",
        "APP_PORT": f"127.0.0.1:{ports['app']}",
        "API_PORT": f"127.0.0.1:{ports['api']}",
        "DOCS_PORT": str(ports["docs"]),
        "EDGE_SUBNET": "172.31.251.0/24",
        "TLS_FOLDER": str(folder / "tls"),
        "TLS_CERTIFICATE": "/run/tls/fullchain.pem",
        "TLS_KEY": "/run/tls/key.pem",
        "SECRETS_FOLDER": str(folder / "secrets"),
        "TRACKERD_IMAGE": images["trackerd"],
        "WEB_IMAGE": images["web"],
        "DOCS_IMAGE": images["docs"],
        "SIM_IMAGE": images["sim"],
        "TRACKER_POSTGRES_IMAGE": images["postgres"],
        "POSTGRES_DATA": "/var/lib/postgresql/data",
        "TRACKER_REDIS_IMAGE": images["redis"],
        "APPLICATION_NETWORK": f"{project}_application",
        "DATA_NETWORK": f"{project}_data",
        "SMOKE_FOLDER": str(folder / "smoke"),
    }


def make_tags(engine: Engine, prefix: str, folder: Path) -> list[dict]:
    """The demo's tags, with keys that the image itself makes, and the provider profile that leads to the simulator."""
    folder.mkdir(mode=0o755)
    wrapper = folder / "trackerd"
    conf = f"CONTAINERS_CONF={engine.env.get('CONTAINERS_CONF', '')}"
    wrapper.write_text(f'#!/bin/sh\n{conf} exec {" ".join(engine.command)} run --rm {prefix}/trackerd "$@"\n')
    wrapper.chmod(0o755)
    tags = write_tags(wrapper, folder / "tags.jsonl")
    profile = write_profile("http://anisette:6970", folder / "profile.json")
    profile.write_text(json.dumps(json.loads(profile.read_text()) | {"allow_plain_http": True}))
    for file in (folder / "tags.jsonl", profile):
        file.chmod(0o644)
    return tags


def check_images(engine: Engine, prefix: str) -> None:
    size = engine.image_bytes(f"{prefix}/trackerd:latest")
    say(f"the image of trackerd has {size / 1e6:.0f} MB")
    if size > MAX_IMAGE_BYTES:
        raise ContainerError("it may have 150 MB")
    for name in IMAGES:
        if not engine.has_health_check(f"{prefix}/{name}:latest"):
            raise ContainerError(f"the image {name} has no health check")


def start(system: Project) -> None:
    """In the order of depends_on, as `up` alone does where Docker or systemd looks after health."""
    system.up("postgres", "redis")
    system.wait_healthy("postgres", "redis")
    system.up("migrate")
    system.wait_ended("migrate")
    run = ["run", "--rm", "--no-deps"]
    system(*run, "migrate", "places", "load", "--default", "--if-empty")
    system.up("api", "worker", "scheduler", scale={"api": 2})
    system.wait_healthy("api", "worker", "scheduler")
    system.up("nginx", "docs")
    system.wait_healthy("nginx", "docs")
    say(f"compose.yaml runs with {len(system.containers('api'))} replicas of the API; all are healthy")
    create = ["trackerd", "user", "create", "--admin", "--email", ADMIN_EMAIL, "--name", "Smoke"]
    system("exec", "-T", "api", *create, stdin=PASSWORD + "\n")


def page(browser: str, url: str) -> str:
    """The page as the browser shows it."""
    with tempfile.TemporaryDirectory(prefix="tracker-smoke-browser-") as home:
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--ignore-certificate-errors",
            f"--user-data-dir={home}",
        ]
        budget = f"--virtual-time-budget={PAGE_SECONDS * 1000}"
        shown = subprocess.run(
            [browser, *options, budget, "--dump-dom", url], capture_output=True, text=True, timeout=PAGE_SECONDS * 2
        )
    return shown.stdout


def see_it(api: Api, ports: dict[str, int]) -> None:
    """On the page of a share link, which needs no login and so no more of a browser than to draw it."""
    for url in (f"https://localhost:{ports['admin']}/", f"http://127.0.0.1:{ports['docs']}/"):
        if not answers(url):
            raise ContainerError(f"{url} does not answer")
    tracker = api.call("GET", "/trackers?limit=1&status=DELIVERED,IN_STORAGE,IN_TRANSIT")["items"][0]
    say(json.dumps({key: tracker[key] for key in ("name", "status", "status_since", "last_place")}))
    link = api.call("POST", "/share-links", {"tracker_id": tracker["id"]})
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        say("NOT seen on the page: there is no Chromium here")
        return
    text = page(browser, f"https://localhost:{ports['app']}/s/{link['token']}")
    if tracker["name"] not in text:
        raise ContainerError(f"the tracker's page does not show its name:\n{text[-2000:]}")
    say("its page shows it")


def survive_an_outage(engine: Engine, system: Project, edge: str) -> None:
    """Health asks for more than a process: without the database the API says no, and nginx, which asks it; then all are back."""
    (database,) = system.containers("postgres")
    engine("stop", "--time", "20", database)
    wait(
        "without the database no API and no nginx is healthy",
        lambda: not any(system.healthy(name) for service in ("api", "nginx") for name in system.containers(service)),
        OUTAGE_SECONDS,
    )
    engine("start", database)
    wait("the database is back, and so is the API", lambda: answers(f"{edge}/health/ready"), OUTAGE_SECONDS)
    system.wait_healthy(*OURS, seconds=OUTAGE_SECONDS)


def smoke(engine: Engine, prefix: str, folder: Path, keep: float) -> None:
    name = f"tracker-smoke-{os.getpid()}"
    ports = {site: free_port() for site in ("admin", "app", "api", "docs")}
    engine.env |= settings(folder, prefix, ports, name)
    certificate = make_certificate(folder / "tls")
    os.environ["SSL_CERT_FILE"] = str(certificate)
    assert ssl.create_default_context().get_ca_certs()
    subprocess.run([ROOT / "deploy" / "secrets.sh", folder / "secrets"], check=True, stdout=subprocess.DEVNULL)
    check_images(engine, prefix)
    tags = make_tags(engine, prefix, folder / "smoke")
    edge = f"https://localhost:{ports['api']}"
    with Project(engine, name, ROOT / "compose.yaml", profile="prod") as system:
        start(system)
        wait("the API answers behind nginx, over TLS", lambda: answers(f"{edge}/health/ready"))
        files = (ROOT / "deploy" / "compose.fetchers.yaml", ROOT / "deploy" / "compose.smoke.yaml")
        with Project(engine, f"{name}-fetchers", *files) as fetchers:
            fetchers.up("anisette")
            fetchers.wait_healthy("anisette")
            fetchers.up(*FETCHERS)
            fetchers.wait_healthy(*FETCHERS)
            for project, services in ((system, OURS), (fetchers, FETCHERS)):
                for service in services:
                    project.check_confined(service)
            say("all of ours run without root, capabilities, compilers and a root file system that can be written")
            load_demo(edge, tags)
            say(f"imported {len(tags)} trackers")
            api = Api(edge)
            api.sign_in(ADMIN_EMAIL, PASSWORD)
            path = "/trackers?limit=1&status=DELIVERED,IN_STORAGE,IN_TRANSIT&count=true"
            wait(
                "trackers were fetched, decrypted and judged",
                lambda: api.call("GET", path)["total"] > 0,
                JUDGED_SECONDS,
            )
            see_it(api, ports)
            survive_an_outage(engine, system, edge)
            fetchers.wait_healthy(*FETCHERS, seconds=OUTAGE_SECONDS)
            if keep:
                say(f"look at https://localhost:{ports['admin']}/ for {keep:.0f} s: {ADMIN_EMAIL} {PASSWORD}")
                time.sleep(keep)


def found_engine() -> str:
    """Docker where its daemon answers, as deploy/images.sh chooses."""
    asked = shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True).returncode == 0
    return "docker" if asked else "podman"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["podman", "docker"], default=found_engine())
    parser.add_argument(
        "--prefix", default="", help="of the images (default tracker, or localhost/tracker with podman)"
    )
    parser.add_argument("--keep", type=float, default=0, metavar="SECONDS", help="before everything is removed")
    options = parser.parse_args()
    prefix = options.prefix or ("localhost/tracker" if options.engine == "podman" else "tracker")
    folder = Path(tempfile.mkdtemp(prefix="tracker-smoke-"))
    folder.chmod(0o755)
    try:
        smoke(Engine(options.engine, folder), prefix, folder, options.keep)
    except ContainerError as error:
        print(f"smoke: FAILED: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say("everything works together")
    return 0


if __name__ == "__main__":
    sys.exit(main())
