"""The compose files: whole, confined, with secrets as files, and with nothing published that should not be."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd"))
FILES = [ROOT / "compose.yaml", ROOT / "deploy" / "compose.fetchers.yaml"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
# Variables of images that are not ours
FOREIGN = {"POSTGRES_PASSWORD_FILE", "POSTGRES_DB", "PGDATA"}
# Variables of our scripts: nginx/start.sh, dev-web.sh
SCRIPTS = (ROOT / "deploy" / "nginx" / "start.sh").read_text() + (ROOT / "deploy" / "dev-web.sh").read_text()
INTERPOLATION = re.compile(r"\$\{(\w+)(?::?([-?])([^}]*))?\}")


def settings() -> set[str]:
    out = subprocess.run(
        [BINARY, "config", "--format", "env"], env={}, capture_output=True, text=True, check=True
    ).stdout
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", out, re.MULTILINE))


def services(path: Path) -> dict[str, dict]:
    return yaml.safe_load(path.read_text())["services"]


def profile(name: str) -> dict[str, dict]:
    return {key: value for key, value in services(FILES[0]).items() if name in value["profiles"]}


PROD = profile("prod") | services(FILES[1])
EVERY = [(path, name) for path in FILES for name in services(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_everything_named_is_declared(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    for name, service in document["services"].items():
        assert set(service.get("networks", [])) <= set(document["networks"]), name
        assert set(service.get("secrets", [])) <= set(document["secrets"]), name
        depends = service.get("depends_on", [])
        assert set(depends) <= set(document["services"]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith((".", "$")) or source in document["volumes"], (name, volume)
        target = service.get("build", {}).get("target")
        assert target is None or re.search(rf"^FROM \S+ AS {target}$", DOCKERFILE, re.MULTILINE), (name, target)


def test_production_publishes_nginx_only() -> None:
    for name, service in PROD.items():
        for port in service.get("ports", []):
            assert name == "nginx" or port.startswith("${DOCS_BIND:-127.0.0.1}:"), (name, port)
    assert PROD["postgres"]["networks"] == ["data"], "only what needs the database shares a network with it"
    assert yaml.safe_load(FILES[0].read_text())["networks"]["data"]["internal"] is True
    assert "data" not in PROD["nginx"]["networks"]
    assert PROD["anisette"].get("ports") is None


@pytest.mark.parametrize("name", PROD)
def test_production_is_confined(name: str) -> None:
    service = PROD[name]
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    assert service["logging"]["options"]["max-size"]
    if name != "migrate":
        assert service["deploy"]["resources"]["limits"]["memory"]
    if "tracker/" in service["image"] and name != "postgres":
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", [name for name, service in PROD.items() if "TRACKERD_IMAGE" in service["image"]])
def test_production_processes(name: str) -> None:
    service = PROD[name]
    environment = service["environment"]
    assert environment["ENVIRONMENT"] == "production"
    for secret in ("MASTER_KEY", "JWT_SECRET", "DATABASE_URL"):
        assert secret not in environment
        file = environment[f"{secret}_FILE"]
        assert Path(file).parent == Path("/run/secrets")
        assert Path(file).name in service["secrets"]
    if name != "migrate":
        assert service["healthcheck"]["test"][:3] == ["CMD", "trackerd", "health"]
        assert service["environment"]["DATABASE_URL_FILE"] != "/run/secrets/database_url_owner"


@pytest.mark.parametrize(("path", "name"), EVERY, ids=[name for _, name in EVERY])
def test_environment_is_known(path: Path, name: str) -> None:
    known = settings()
    for variable in services(path)[name].get("environment", {}):
        plain = variable.removesuffix("_FILE")
        assert plain in known or variable in FOREIGN or variable in SCRIPTS, variable


def test_what_is_asked_of_the_operator_is_explained() -> None:
    example = (ROOT / ".env.example").read_text()
    for path in FILES:
        for variable, _, _ in INTERPOLATION.findall(path.read_text()):
            assert (
                re.search(rf"^#?{variable}=", example, re.MULTILINE)
                or variable in ("TOOLCHAIN_IMAGE", "SIM_IMAGE")
                or (variable == "TRACKER_POSTGRES_DEV_IMAGE")
            ), variable


def test_the_example_is_what_the_binary_says() -> None:
    made = subprocess.run(
        [ROOT / "tools" / "env-example.sh", BINARY], capture_output=True, text=True, check=True
    ).stdout
    assert (ROOT / ".env.example").read_text() == made, "run tools/env-example.sh > .env.example"


def test_secrets_are_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make = [ROOT / "deploy" / "secrets.sh", folder]
    subprocess.run(make, check=True, capture_output=True)
    before = {file.name: file.read_text() for file in folder.iterdir()}
    assert set(before) == set(yaml.safe_load(FILES[0].read_text())["secrets"]) - {"development_password"}
    assert folder.stat().st_mode & 0o077 == 0, "nobody else enters"
    subprocess.run(make, check=True, capture_output=True)
    assert before == {file.name: file.read_text() for file in folder.iterdir()}
    # What the program itself thinks of them
    environment = {"ENVIRONMENT": "production", "DATABASE_URL": "postgresql:///nowhere?host=/nonexistent"}
    files = {"MASTER_KEY_FILE": str(folder / "master_key"), "JWT_SECRET_FILE": str(folder / "jwt_secret")}
    ended = subprocess.run([BINARY, "api"], env=environment | files, capture_output=True, text=True, timeout=60)
    assert "MASTER_KEY" not in ended.stderr
    assert "JWT_SECRET" not in ended.stderr


def test_production_refuses_the_secrets_of_development() -> None:
    development = profile("dev")["backend-dev"]["environment"]
    environment = {key: development[key] for key in ("MASTER_KEY", "JWT_SECRET", "DATABASE_URL")}
    ended = subprocess.run(
        [BINARY, "api"], env=environment | {"ENVIRONMENT": "production"}, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert "MASTER_KEY" in ended.stderr or "JWT_SECRET" in ended.stderr
