"""The compose files: whole, confined, with secrets as files, and with nothing published that should not be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy"))

from containers import compilers  # noqa: E402

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


def compose_command() -> list[str]:
    """Docker Compose 2, which also knows the specification's schema, where it is installed; else podman-compose, without podman."""
    plugin = Path("/usr/libexec/docker/cli-plugins/docker-compose")
    for command in ([str(plugin)], ["docker", "compose"]):
        if shutil.which(command[0]) and subprocess.run([*command, "version"], capture_output=True).returncode == 0:
            return command
    return [sys.executable, "-m", "podman_compose", "--dry-run"]


def config(*files: Path, profile: str = "", **env: str) -> dict:
    """The files as `config` resolves them: merged, with variables, anchors and defaults in their places."""
    command = [*compose_command(), "-p", "tracker-test"]
    for file in files:
        command += ["-f", str(file)]
    if profile:
        command += ["--profile", profile]
    env |= {"PATH": os.environ["PATH"]}
    done = subprocess.run([*command, "config"], env=env, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "not set" not in done.stderr, "a variable without a default"
    return yaml.safe_load(done.stdout)


def published(service: dict) -> str:
    """The port of the host, as either tool writes it."""
    (port,) = service["ports"]
    return f"{port.get('host_ip', '')}:{port['published']}" if isinstance(port, dict) else port.rpartition(":")[0]


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_file_resolves(name: str) -> None:
    made = config(FILES[0], profile=name, DOCS_PORT="8099", PUBLIC_URL="https://tracker.example.com")
    assert set(profile(name)) <= set(made["services"])
    assert published(made["services"]["docs"]) == "127.0.0.1:8099"
    if name == "prod":
        api = made["services"]["api"]
        assert api["environment"]["PUBLIC_URL"] == "https://tracker.example.com"
        assert api["environment"]["ENVIRONMENT"] == "production", "what services share is merged in"
        assert api["read_only"] is True
        assert made["services"]["postgres"]["image"] == "timescale/timescaledb-ha:pg17"


def test_the_fetchers_resolve_with_and_without_the_simulator() -> None:
    made = config(FILES[1], REDIS_URL="rediss://elsewhere:6380")
    assert made["services"]["report-fetcher"]["environment"]["REDIS_URL"] == "rediss://elsewhere:6380"
    smoke = config(FILES[1], ROOT / "deploy" / "compose.smoke.yaml", SMOKE_FOLDER="/srv/smoke")
    assert smoke["services"]["anisette"]["image"] == "tracker/sim:latest"
    fetcher = smoke["services"]["report-fetcher"]
    assert fetcher["environment"]["ENVIRONMENT"] == "production", "laid over, not in the place of"
    assert fetcher["environment"]["PROVIDER_PROFILE"] == "/smoke/profile.json"
    assert len(fetcher["volumes"]) == len(made["services"]["report-fetcher"]["volumes"]) + 1


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


IMAGES = {
    name: text
    for name, text in re.findall(r"^FROM \S+ AS (\w+)$(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
}
SERVED = ("trackerd", "web", "docs", "sim", "postgres", "redis")


@pytest.mark.parametrize("name", SERVED)
def test_images_are_small_and_humble(name: str) -> None:
    """What deploy/smoke.py sees of the built images, as far as the Dockerfile says it."""
    text = IMAGES[name]
    assert re.search(r"^USER (?!root$|0$)\S+$", text, re.MULTILINE), "runs as a user of its own"
    assert re.search(r"^HEALTHCHECK --interval=\d+s --timeout=\d+s", text, re.MULTILINE)
    assert re.search(r"^ENTRYPOINT|^CMD", text, re.MULTILINE)
    for install in re.findall(r"apt-get install.*", text):
        assert "--no-install-recommends" in install
        assert not re.search(r"\b(gcc|clang|make|build-essential|lib\S+-dev|npm)\b", install), "no compiler"
        assert "rm -rf /var/lib/apt/lists/*" in text, "no list of packages"
    base = re.search(rf"^FROM (\S+) AS {name}$", DOCKERFILE, re.MULTILINE)
    assert base and base[1] in ("scratch", "${BASE}"), "not on a stage that has compilers"


def test_a_compiler_is_known_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "usr" / "bin"
    folder.mkdir(parents=True)
    assert compilers(tmp_path) == []
    for name in ("gcc-14", "x86_64-linux-gnu-gcc", "cc", "python3", "curl", "make"):
        (folder / name).touch()
    assert compilers(tmp_path) == ["cc", "gcc-14", "make", "x86_64-linux-gnu-gcc"]


def test_images_keep_their_health_checks() -> None:
    assert "buildah bud --format docker" in (ROOT / "deploy" / "images.sh").read_text(), "OCI images have none"


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


@pytest.mark.parametrize("secret", ["MASTER_KEY", "JWT_SECRET", "DATABASE_URL"])
@pytest.mark.parametrize("content", [None, "", "\n"], ids=["missing", "empty", "blank"])
def test_production_refuses_to_start_without_a_secret(tmp_path: Path, secret: str, content: str | None) -> None:
    folder = tmp_path / "secrets"
    subprocess.run([ROOT / "deploy" / "secrets.sh", folder], check=True, capture_output=True)
    files = {"MASTER_KEY": "master_key", "JWT_SECRET": "jwt_secret", "DATABASE_URL": "database_url_api"}
    file = folder / files[secret]
    file.unlink()
    if content is not None:
        file.write_text(content)
    environment = {f"{name}_FILE": str(folder / path) for name, path in files.items()} | {"ENVIRONMENT": "production"}
    ended = subprocess.run([BINARY, "api"], env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert secret in ended.stderr, ended.stderr
