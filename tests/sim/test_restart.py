"""Killed with SIGKILL at any moment, the program goes on where it was, with the same device, and sends no second code."""

from __future__ import annotations

import itertools
import random
import time

import pytest
from apple import CODE_DUE, DONE, Operator, Simulator

names = (f"restart{n}@example.com" for n in itertools.count())

# Every request of a login, in order; "slow" holds each one open long enough to be killed in the middle.
STEPS = ["anisette", "gsa.lookup", "gsa.provisioning", "gsa.init", "gsa.complete", "delegates"]
CODE_STEPS = ["2fa", "gsa.init", "gsa.complete", "delegates"]


def kill_during(operator: Operator, sim: Simulator, endpoint: str, *args: str) -> None:
    """Start a command with one slow end point and kill it while it waits there."""
    sim.fault("slow", endpoint=endpoint, count=1, params={"seconds": 2})
    process = operator.start(*args)
    deadline = time.monotonic() + 10
    while all(fault["hits"] == 0 for fault in sim.call("GET", "/faults")["items"]):
        assert process.poll() is None and time.monotonic() < deadline, f"{endpoint} was never asked"
        time.sleep(0.02)
    time.sleep(0.05)
    assert process.poll() is None, "it did not wait"
    process.kill()
    process.communicate()
    sim.clear_faults()


@pytest.mark.parametrize("step", STEPS)
def test_killed_while_signing_in(sim: Simulator, operator: Operator, step: str) -> None:
    username = next(names)
    sim.account(username, "pw")
    operator.add("a", username, "pw")
    device = operator.status("a")["device"]
    kill_during(operator, sim, step, "account", "login", "a")
    assert operator.login("a") == DONE
    assert operator.status("a")["device"] == device
    assert operator.fetch("a", operator.keys(sim.tag())).returncode == DONE


@pytest.mark.parametrize("factor", ["trusted_device", "sms"])
@pytest.mark.parametrize("step", CODE_STEPS)
def test_killed_during_the_second_factor(sim: Simulator, operator: Operator, factor: str, step: str) -> None:
    username = next(names)
    sim.account(username, "pw", second_factor=factor)
    operator.add("a", username, "pw")
    assert operator.login("a") == CODE_DUE
    code = sim.code(username)
    kill_during(operator, sim, step, "account", "2fa", "a", code)
    state = operator.status("a")["phase"]
    if (state == "code_due" and operator.status("a")["code_state"] == "sent") or operator.login("a") == CODE_DUE:
        assert operator.run("account", "2fa", "a", code).returncode == DONE
    assert operator.status("a")["status"] == "ready"


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_random_moments(sim: Simulator, operator: Operator, seed: int) -> None:
    rng = random.Random(seed)
    username = next(names)
    sim.account(username, "pw", iterations=5000)
    operator.add("a", username, "pw")
    tag = sim.tag()
    keys = operator.keys(tag)
    for _ in range(8):
        process = operator.start(
            *rng.choice([("account", "login", "a"), ("report", "fetch", "--account", "a", "--keys", keys)])
        )
        time.sleep(rng.uniform(0, 0.15))
        process.kill()
        process.communicate()
        assert operator.status("a")["status"] in ("ready", "waits")  # readable at any time
    assert operator.login("a") == DONE
    assert operator.fetch("a", keys).returncode == DONE
