"""docs/operators/backup-and-restore.md, rehearsed: a dump of a system at work is restored into an empty server, and the system goes on there."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[2]
for folder in ("tests", "tests/docs", "tests/pipeline"):
    sys.path.insert(0, str(ROOT / folder))

from examples import EXAMPLE  # noqa: E402
from faults import QUEUES, WORKERS, FaultRun, Load, fault_run  # noqa: E402
from processes import Process  # noqa: E402
from stack import Postgres  # noqa: E402
from system import until  # noqa: E402

PAGE = ROOT / "docs" / "operators" / "backup-and-restore.md"
# How long the simulated days take; the dump is made in their midst. The long form: BACKUP_SECONDS=120.
SECONDS = float(os.environ.get("BACKUP_SECONDS", "8"))
SEED = 20261124


def commands() -> tuple[str, str, str]:
    """What the page tells to do: dump, restore, check the master key."""
    dump, restore, check = (match["code"] for match in EXAMPLE.finditer(PAGE.read_text()))
    assert "pg_dump " in dump and "pg_restore " in restore and "rotate-master --dry-run" in check
    return dump, restore, check


def shell(script: str, env: dict[str, str], status: int = 0) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], env=env, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == status, f"{script}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def stop_everything(run: FaultRun, scheduler: Process) -> None:
    stack = run.system.stack
    assert scheduler.stop() == 0
    for worker in run.system.workers:
        worker.stop()
    run.system.workers.clear()
    stack.stop_api()
    run.system.db.close()


def move(run: FaultRun, restored: Postgres) -> None:
    """What the page says last: Redis forgets, and the processes start on the restored database."""
    system, stack = run.system, run.system.stack
    stack.postgres.stop()
    stack.postgres = restored
    stack.redis.command("FLUSHALL")
    system.db = psycopg.connect(restored.url(), autocommit=True)
    stack.start_api()
    for _ in range(WORKERS):
        system.start_worker(QUEUES)


def test_a_backup_under_load_becomes_a_working_system(tmp_path: Path) -> None:
    dump, restore, check = commands()
    with fault_run(SEED, SECONDS) as run, Process(run.system.stack, "scheduler", "scheduler") as scheduler:
        stack = run.system.stack
        backup = stack.folder / "backup"
        backup.mkdir()
        restored = Postgres(stack.folder / "restored", durable=False)
        env = stack.env("postgres") | {
            "PATH": f"{Path(stack.binary).parent}:{os.environ['PATH']}",
            "BACKUP": str(backup),
            "RESTORE_URL": restored.url("postgres"),
            "RESTORED_URL": restored.url(),
        }
        run.feed.clock(speed=run.feed.speed)
        with Load(run.system, run.feed, run.imported, list(run.seen.values()), run.locations, SEED) as load:
            until("reports are fetched and imported", lambda: both_ways(run) and load.counts["batches imported"] >= 10)
            acknowledged = set(load.acknowledged)
            shell(dump, env)
            after = load.counts["batches imported"]
            until("work goes on after the dump", lambda: load.counts["batches imported"] > after)
        assert not load.trouble, load.trouble
        stop_everything(run, scheduler)
        run.feed.clock(speed=0)

        restored.start()
        try:
            assert "the schema is current" in shell(restore, env)
            with psycopg.connect(restored.url()) as db:
                assert both_ways_in(db, run), "the dump was taken before anything had happened"
            assert "apple_accounts.session_sealed" in shell(check, env)
            other = base64.b64encode(secrets.token_bytes(32)).decode()
            assert "values do not open" in shell(check, env | {"MASTER_KEY": other}, status=1)

            move(run, restored)
            run.expected = run.feed.reports(run.seen)
            run.expected.certain |= acknowledged
            run.expected.possible |= load.attempted
            run.settle(run.expected, 120)
            run.check()
        finally:
            restored.stop()


def both_ways_in(db: psycopg.Connection, run: FaultRun) -> bool:
    """Have reports been stored that were fetched, and such that were imported?"""
    stored = {row[0] for row in db.execute("SELECT DISTINCT tracker_id FROM location_reports").fetchall()}
    return bool(stored & set(run.seen.values())) and bool(stored & set(run.imported))


def both_ways(run: FaultRun) -> bool:
    return both_ways_in(run.system.db, run)
