"""What a stranger meets: every command has help, and says in one line what is wrong and what to do about it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

BINARY = os.environ.get("TRACKERD", str(Path(__file__).resolve().parents[2] / "build" / "trackerd"))

# Secrets that pass, and servers that are not there.
SETTINGS = {
    "MASTER_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "JWT_SECRET": "9f3c" + "0123456789abcdef" * 4,
    "DATABASE_URL": "postgresql://nobody:hidden@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1",
}

# Commands that need the database, with arguments that are right.
NEED_DATABASE = (
    "api",
    "worker",
    "scheduler",
    "migrate",
    "migrate --check",
    "user list",
    "tasks list",
    "judge",
    "import reports -",
    "export status-history",
    "places load --default",
    "keys rotate-master",
    "report recordings",
    "report recordings 1",
)

WRONG = {
    "nonsense": "unknown command nonsense",
    "api --nonsense": "--nonsense",
    "worker --nonsense": "unknown option --nonsense",
    "worker --queues=fetch,nonsense": 'no queue "nonsense"',
    "worker --queues=fetch,fetch": 'no queue "fetch", or it is named twice',
    "worker --threads=0": "--threads",
    "worker --metrics-port=70000": "--metrics-port",
    "worker extra": "unexpected argument extra",
    "scheduler extra": "unexpected argument extra",
    "migrate extra": "unexpected argument extra",
    "migrate --check --dry-run": "--check stands alone",
    "user": "which action? create, list",
    "user nonsense": "unknown action nonsense",
    "tasks": "which action? list, queues, schedules, show, retry, cancel or run",
    "tasks nonsense": "nonsense",
    "judge --nonsense": "unknown option --nonsense",
    "import": "what? reports",
    "import nonsense": "nonsense",
    "export": "status-history or events",
    "export nonsense": "nonsense",
    "places": "which action? load",
    "places load": "either a FILE or --default",
    "keys": "which? generate, derive, derive-rolling, read or rotate-master",
    "keys nonsense": "there is no nonsense",
    "keys rotate-master extra": "unexpected argument extra",
    "report": "which? decrypt, fetch or recordings",
    "report recordings 0": "0 is no id of a recording",
    "report recordings 1 2": "unexpected argument 2",
    "report recordings --out x": "--out needs the id",
    "report fetch": "--account and --keys are needed",
    "account": "which? add, login, 2fa, status, remove or profile",
    "config --nonsense": "unknown option --nonsense",
    "openapi --nonsense": "--nonsense",
    "health a b": "unexpected argument b",
}

COMMANDS = [
    "account",
    "api",
    "config",
    "export",
    "health",
    "import",
    "judge",
    "keys",
    "migrate",
    "openapi",
    "places",
    "report",
    "scheduler",
    "tasks",
    "user",
    "worker",
]


def run(line: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin"} | settings
    command = [BINARY, *line.split()]
    return subprocess.run(command, env=environment, input="", capture_output=True, text=True, timeout=60, check=False)


def test_help_names_every_command_and_the_exit_statuses() -> None:
    done = run("--help")
    assert done.returncode == 0 and not done.stderr
    listed = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ") and line[2] != "-"]
    assert sorted(listed) == sorted(COMMANDS)
    assert "Exit status: 0 done, 1 failed" in done.stdout
    alone = run("")
    assert alone.returncode == 2 and alone.stderr == done.stdout and not alone.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_needs_nothing_and_fits_a_terminal(command: str) -> None:
    done = run(f"{command} --help", DATABASE_POOLER="nonsense")  # not even settings that are right
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.startswith(f"Usage: trackerd {command}")
    assert max(len(line) for line in done.stdout.splitlines()) <= 110


@pytest.mark.parametrize("line", WRONG)
def test_wrong_arguments_come_before_settings(line: str) -> None:
    done = run(line)
    said, advice = done.stderr.splitlines()
    assert done.returncode == 2 and not done.stdout
    assert WRONG[line] in said and said.startswith("trackerd") and advice.startswith("Try: trackerd")


@pytest.mark.parametrize("line", NEED_DATABASE)
def test_a_missing_setting_is_named(line: str) -> None:
    present = {name: value for name, value in SETTINGS.items() if name != "DATABASE_URL"}
    done = run(line, **present)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr == "trackerd: DATABASE_URL is not set; `trackerd config` tells what it means\n"


# judge gives a server that restarts four seconds: too long for here.
@pytest.mark.parametrize("line", [line for line in NEED_DATABASE if line != "judge"])
def test_a_database_that_is_away_is_one_line_with_the_reason(line: str) -> None:
    done = run(line, **SETTINGS)
    assert done.returncode == 1 and not done.stdout
    (said,) = done.stderr.splitlines()
    assert "the database at DATABASE_URL is not reached: " in said and "127.0.0.1" in said and "refused" in said
    assert "hidden" not in said


@pytest.mark.parametrize(
    ("name", "value"), [("HTTP_PORT", "seventy"), ("DATABASE_POOLER", "x"), ("FETCH_CYCLE", "soon")]
)
def test_a_malformed_setting_is_named_with_what_is_right(name: str, value: str) -> None:
    done = run("scheduler", **SETTINGS | {name: value})
    (said,) = done.stderr.splitlines()
    assert done.returncode == 1 and said.startswith(f"trackerd: {name}") and "must be" in said


def test_nobody_at_the_address_of_a_health_check() -> None:
    done = run("health http://127.0.0.1:1/health/ready")
    (said,) = done.stderr.splitlines()
    assert done.returncode == 1 and "nothing answers at http://127.0.0.1:1/health/ready" in said
