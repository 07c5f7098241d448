"""Reads with a streaming standby, and Redis going away: what src/store does when the servers behind it stop and start."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests")]

from services import Postgres, Redis, stop_process  # noqa: E402
from standby import Standby  # noqa: E402

PROBE = Path(os.environ.get("TRACKERD", ROOT / "build" / "trackerd")).parent / "tests" / "store" / "outage_probe"
REDIS_TIMEOUT = 0.2  # as in outage_probe.c
SLACK = 0.5  # a busy machine


class Probe:
    """One outage_probe process: ask("read") -> its line."""

    def __init__(self, primary: str = "", replica: str = "", redis: str = "") -> None:
        self.process = subprocess.Popen(
            [str(PROBE), primary, replica, redis], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, command: str) -> str:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the probe ended with {self.process.wait()} at: {command}"
        return line.strip()

    def ask_until(self, command: str, wanted: str, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while (answer := self.ask(command)) != wanted:
            assert time.monotonic() < deadline, f"{command} still answers {answer}, not {wanted}"
            time.sleep(0.1)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            stop_process(self.process)
        assert self.process.returncode == 0


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Not pytest's own: the database's user must be able to enter it."""
    path = Path(tempfile.mkdtemp(prefix="tracker-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def primary(folder: Path) -> Iterator[Postgres]:
    with Postgres(folder / "primary", durable=False) as server:
        server.create_database()
        server.psql("CREATE TABLE written (what text, at timestamptz DEFAULT now())", "tracker")
        yield server


@pytest.fixture
def standby(folder: Path, primary: Postgres) -> Iterator[Standby]:
    with Standby(folder / "standby", primary) as server:
        yield server


@pytest.fixture
def redis(folder: Path) -> Iterator[Redis]:
    with Redis(folder / "redis") as server:
        yield server


@pytest.fixture
def probe() -> Iterator[Callable[..., Probe]]:
    made: list[Probe] = []

    def make(**urls: str) -> Probe:
        made.append(Probe(**urls))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_reads_go_to_the_standby_and_nothing_else_does(primary: Postgres, standby: Standby, probe) -> None:
    p = probe(primary=primary.url(), replica=standby.url())
    assert p.ask("read") == "standby"
    assert p.ask("query") == "primary"
    assert p.ask("readtx") == "primary"  # a transaction reads its own writes


def test_without_a_standby_reads_go_to_the_primary(primary: Postgres, probe) -> None:
    assert probe(primary=primary.url()).ask("read") == "primary"


def test_a_standby_that_crashes_costs_no_read(primary: Postgres, standby: Standby, probe) -> None:
    p = probe(primary=primary.url(), replica=standby.url())
    assert p.ask("read") == "standby"
    standby.kill()
    # The very next read finds the connection dead: it is answered by the primary, not refused.
    assert [p.ask("read") for _ in range(5)] == ["primary"] * 5
    standby.start()
    p.ask_until("read", "standby")


def test_an_idle_primary_does_not_look_like_lag(primary: Postgres, standby: Standby, probe) -> None:
    p = probe(primary=primary.url(), replica=standby.url())
    time.sleep(3)  # longer than the probe's replica_max_lag of 2 s, nothing is written meanwhile
    assert p.ask("read") == "standby"


def test_a_standby_that_falls_behind_is_not_read(primary: Postgres, standby: Standby, probe) -> None:
    p = probe(primary=primary.url(), replica=standby.url())
    assert p.ask("read") == "standby"
    standby.psql("SELECT pg_wal_replay_pause()")
    deadline = time.monotonic() + 15
    while p.ask("read") != "primary":
        assert time.monotonic() < deadline, "a paused standby is still read"
        primary.psql("INSERT INTO written DEFAULT VALUES", "tracker")
        time.sleep(0.2)
    standby.psql("SELECT pg_wal_replay_resume()")
    p.ask_until("read", "standby")


def test_writes_fail_fast_while_the_primary_is_away_and_recover(primary: Postgres, probe) -> None:
    p = probe(primary=primary.url())
    assert p.ask("query") == "primary"
    primary.kill()
    try:
        p.ask_until("query", "status 1")  # backends outlive their killed postmaster by a moment
        for _ in range(5):
            begin = time.monotonic()
            assert p.ask("query") == "status 1"  # DB_UNAVAILABLE
            assert time.monotonic() - begin < SLACK
    finally:
        primary.start()
    p.ask_until("query", "primary")


END_PROBES = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'outage_probe'"


def written(primary: Postgres, what: str) -> int:
    return int(primary.psql(f"SELECT count(*) FROM written WHERE what = '{what}'", "tracker"))


def test_a_write_after_the_server_hung_up_is_not_refused(primary: Postgres, probe) -> None:
    """An idle connection that was closed is replaced before anything is sent, so that a write may go out too."""
    p = probe(primary=primary.url())
    assert p.ask("write before") == "ok"
    primary.psql(END_PROBES)
    time.sleep(0.3)  # the farewell and the end of the stream arrive
    assert p.ask("write after") == "ok"
    assert written(primary, "after") == 1


def test_a_transaction_whose_connection_broke_writes_nothing(primary: Postgres, probe) -> None:
    """Only rollback is left: what follows must not go out on a new connection, each statement for itself."""
    p = probe(primary=primary.url())
    assert p.ask("begin") == "ok"
    assert p.ask("write half") == "ok"
    primary.psql(END_PROBES)
    time.sleep(0.3)
    assert p.ask("write half").startswith("status")
    assert p.ask("write half").startswith("status")
    assert p.ask("commit") != "ok"
    assert written(primary, "half") == 0
    assert p.ask("write whole") == "ok"  # the next unit of work is served


@pytest.mark.parametrize("transaction", [False, True])
def test_a_plan_that_a_migration_outdated_is_made_again(primary: Postgres, probe, transaction: bool) -> None:
    primary.psql("DROP TABLE IF EXISTS shaped; CREATE TABLE shaped (a int)", "tracker")
    p = probe(primary=primary.url())
    assert p.ask("shape") == "1"
    primary.psql("ALTER TABLE shaped ADD b int", "tracker")
    answers = []
    for _ in range(3):  # the first transaction may be lost, as at a conflict; not every one for ever
        if transaction:
            assert p.ask("begin") == "ok"
        answers.append(p.ask("shape"))
        if transaction:
            assert p.ask("rollback") == "ok"
    assert answers[-1] == "2", answers
    assert transaction or answers == ["2"] * 3


def test_redis_comes_back_by_itself(redis: Redis, probe) -> None:
    p = probe(redis=redis.url())
    assert p.ask("set a 1") == "ok"
    assert p.ask("get a") == "1"
    assert p.ask("get missing") == "nil"
    redis.kill()
    assert p.ask("get a") == "failed"
    redis.start()
    p.ask_until("set a 2", "ok")
    assert p.ask("get a") == "2"


def test_a_hung_redis_costs_one_timeout(redis: Redis, probe) -> None:
    p = probe(redis=redis.url())
    assert p.ask("set a 1") == "ok"
    redis.process.send_signal(signal.SIGSTOP)  # connections stay open and nobody answers
    try:
        begin = time.monotonic()
        assert [p.ask("get a") for _ in range(10)] == ["failed"] * 10
        # ten commands one after the other would wait 2 s without the breaker
        assert time.monotonic() - begin < REDIS_TIMEOUT + SLACK
    finally:
        redis.process.send_signal(signal.SIGCONT)
    p.ask_until("get a", "1")


def test_a_reply_left_unread_is_not_the_next_ones(redis: Redis, probe) -> None:
    p = probe(redis=redis.url())
    assert p.ask("set a mine") == "ok"
    assert p.ask("unread") == "ok"
    assert p.ask("get a") == "mine"


def test_without_redis_every_command_fails_softly(probe) -> None:
    p = probe()
    assert p.ask("set a 1") == "failed"
    assert p.ask("get a") == "failed"
