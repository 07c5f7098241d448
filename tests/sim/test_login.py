"""Signing in: password forms, Unicode, second factors, refusals."""

from __future__ import annotations

import itertools
import random

import pytest
from apple import CODE_DUE, DONE, FAILED, LATER, PERSON, USAGE, Operator, Simulator

names = (f"user{n}@example.com" for n in itertools.count())

ALPHABETS = {
    "ascii": "".join(map(chr, range(33, 127))),
    "latin": "äöüßéñçøå ÆŒ",
    "greek": "αβγδΩΨ",
    "japanese": "パスワード鍵",
    "emoji": "🔑🗝️🛰️",
    "xml": "<>&\"'%;]]>",
}


def random_passwords() -> list[str]:
    """Repeatable passwords of every alphabet and length class."""
    rng = random.Random("passwords")
    mixed = "".join(ALPHABETS.values())
    made = ["x", "a" * 64, "&amp;", " lead and trail ", "e\u0301 is not \u00e9"]
    for alphabet in [*ALPHABETS.values(), mixed]:
        made += ["".join(rng.choices(alphabet, k=rng.choice((1, 8, 31)))) for _ in range(2)]
    return made


@pytest.mark.parametrize("protocol", ["s2k", "s2k_fo"])
def test_random_passwords(sim: Simulator, operator: Operator, protocol: str) -> None:
    for n, password in enumerate(random_passwords()):
        username = next(names)
        sim.account(username, password, protocol=protocol, iterations=1000 + n)
        operator.add(f"{protocol}-{n}", username, password)
        assert operator.login(f"{protocol}-{n}") == DONE, repr(password)


@pytest.mark.parametrize("protocol", ["s2k", "s2k_fo"])
def test_wrong_password_is_tried_once(sim: Simulator, operator: Operator, protocol: str) -> None:
    username = next(names)
    sim.account(username, "right", protocol=protocol)
    operator.add("a", username, "wrong")
    assert operator.login("a") == PERSON
    status = operator.status("a")
    assert (status["outcome"], status["code"]) == ("bad-credentials", -22406)
    fetched = operator.fetch("a", operator.keys(sim.tag()))
    assert fetched.returncode in (PERSON, DONE)  # attended: one more try is a person's wish
    done = operator.run("account", "login", "a", "--password-stdin", input="right\n")
    assert done.returncode == DONE, done.stderr


def test_username_with_another_case_and_markup(sim: Simulator, operator: Operator) -> None:
    sim.account("o'brien&co@example.com", "pw")
    operator.add("a", "o'brien&co@example.com", "pw")
    assert operator.login("a") == DONE


def test_trusted_device(sim: Simulator, operator: Operator) -> None:
    username = next(names)
    sim.account(username, "pw", second_factor="trusted_device")
    operator.add("a", username, "pw")
    assert operator.login("a") == CODE_DUE
    status = operator.status("a")
    assert (status["status"], status["second_factor"], status["code_state"]) == ("needs_code", "device", "sent")
    assert operator.run("account", "2fa", "a", "12345").returncode == CODE_DUE  # not six digits
    assert operator.run("account", "2fa", "a", "000000").returncode == CODE_DUE
    assert operator.status("a")["outcome"] == "bad-code"
    assert operator.run("account", "2fa", "a", sim.code(username)).returncode == DONE
    assert operator.status("a")["status"] == "ready"


def test_leading_zeros_of_codes_are_kept(sim: Simulator, operator: Operator) -> None:
    username = next(names)
    sim.account(username, "pw", second_factor="trusted_device", fixed_code="000123")
    operator.add("a", username, "pw")
    assert operator.login("a") == CODE_DUE
    assert operator.run("account", "2fa", "a", "-", input="000123\n").returncode == DONE


def test_text_message_to_a_chosen_phone(sim: Simulator, operator: Operator) -> None:
    username = next(names)
    phones = [{"id": 3, "number": "+49 151 0000042"}, {"id": 8, "number": "+49 151 0000077"}]
    sim.account(username, "pw", second_factor="sms", phones=phones)
    operator.add("a", username, "pw")
    assert operator.login("a", "--no-code") == CODE_DUE
    listed = operator.run("account", "2fa", "a", "--phones")
    assert listed.stdout.split() == ["3", "...42", "sms", "8", "...77", "sms"]
    assert operator.run("account", "2fa", "a", "--send", "--phone", "8").returncode == DONE
    pending = sim.call("GET", f"/accounts/{username}/code?channel=sms:8")
    assert operator.run("account", "2fa", "a", pending["code"]).returncode == DONE


def test_listing_phones_may_send_a_message(sim: Simulator, operator: Operator) -> None:
    username = next(names)
    sim.account(username, "pw", second_factor="sms", list_sends_sms=True)
    operator.add("a", username, "pw")
    assert operator.login("a") == CODE_DUE
    assert sim.call("GET", f"/accounts/{username}")["pending_codes"] == 1
    assert operator.run("account", "2fa", "a", sim.code(username)).returncode == DONE


def test_repeated_login_sends_no_second_code(sim: Simulator, operator: Operator) -> None:
    username = next(names)
    sim.account(username, "pw", second_factor="sms")
    operator.add("a", username, "pw")
    for _ in range(3):
        assert operator.login("a") == CODE_DUE
    assert sim.call("GET", f"/accounts/{username}")["pending_codes"] == 1
    assert operator.run("account", "2fa", "a", sim.code(username)).returncode == DONE


@pytest.mark.parametrize(
    ("kind", "endpoint", "outcome", "code", "exit_status"),
    [
        ("wrong_password", "gsa", "bad-credentials", -22406, PERSON),
        ("locked", "gsa", "account-locked", -20209, PERSON),
        ("bad_anisette", "gsa", "bad-anisette", -22421, LATER),
        ("unable", "gsa", "refused", -36607, PERSON),
        ("reprovision", "gsa", "reprovision", 433, LATER),
        ("resync", "gsa", "reprovision", 434, LATER),
        ("bad_m2", "gsa", "bad-server-proof", 0, LATER),
        ("bad_np", "gsa", "bad-server-proof", 0, LATER),
        ("unknown_sp", "gsa", "unsupported-protocol", 0, PERSON),
        ("zero_b", "gsa", "unsupported-protocol", 0, PERSON),
        ("few_iterations", "gsa", "unsupported-protocol", 0, PERSON),
        ("unsupported_step", "gsa", "unsupported-step", 0, PERSON),
        ("503", "gsa.init", "server-error", 503, LATER),
        ("500", "gsa.init", "server-error", 500, LATER),
        ("429", "gsa.init", "server-error", 429, LATER),
        ("empty_body", "gsa.init", "bad-response", 0, LATER),
        ("not_json", "gsa.init", "bad-response", 0, LATER),
        ("truncated", "gsa.init", "bad-response", 0, LATER),
        ("cut_body", "gsa.init", "server-error", 0, LATER),
        ("reset", "gsa.init", "server-error", 0, LATER),
        ("hang", "gsa.init", "server-error", 0, LATER),
        ("account_limit", "delegates", "account-limit", 1, PERSON),
        ("server_problem", "delegates", "server-error", 1, LATER),
        ("pet_expired", "delegates", "delegate-error", 1, LATER),
        ("503", "delegates", "server-error", 503, LATER),
        ("401", "delegates", "delegate-error", 401, LATER),
        ("not_json", "delegates", "bad-response", 0, LATER),
    ],
)
def test_refusals(
    sim: Simulator, operator: Operator, kind: str, endpoint: str, outcome: str, code: int, exit_status: int
) -> None:
    username = next(names)
    sim.account(username, "pw")
    operator.add("a", username, "pw")
    sim.fault(
        kind, endpoint="*" if kind in DOMAIN_FAULTS else endpoint, account=username if kind in DOMAIN_FAULTS else ""
    )
    assert operator.login("a") == exit_status
    status = operator.status("a")
    assert (status["outcome"], status["code"]) == (outcome, code), status
    sim.clear_faults()
    assert operator.login("a") == DONE, operator.output[-1]


DOMAIN_FAULTS = {
    "wrong_password", "locked", "bad_anisette", "unable", "reprovision", "resync", "bad_m2", "bad_np", "unknown_sp",
    "zero_b", "few_iterations", "unsupported_step", "account_limit", "server_problem", "pet_expired",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "outcome"), [("too_many_codes", "too-many-codes"), ("cannot_send", "phone-refused")])
def test_messages_that_cannot_be_sent(sim: Simulator, operator: Operator, kind: str, outcome: str) -> None:
    username = next(names)
    sim.account(username, "pw", second_factor="sms")
    operator.add("a", username, "pw")
    sim.fault(kind, account=username)
    assert operator.login("a") == CODE_DUE
    assert operator.status("a")["outcome"] == outcome
    assert operator.status("a")["code_state"] == "not_sent"
    sim.clear_faults()
    assert operator.run("account", "2fa", "a", "--send").returncode == DONE
    assert operator.run("account", "2fa", "a", sim.code(username)).returncode == DONE


def test_account_commands_check_their_input(sim: Simulator, operator: Operator) -> None:
    assert operator.run("account", "add", "a").returncode == USAGE
    assert operator.run("account", "add", "../a", "--username", "u", input="p\n").returncode == FAILED
    assert operator.run("account", "add", "a", "--username", "u", input="").returncode == FAILED
    assert operator.run("account", "add", "a", "--username", "u", "--password", "p").returncode == USAGE
    assert operator.run("account", "login", "nobody").returncode == FAILED
    assert operator.run("account", "login", "a", "--method", "pigeon").returncode == USAGE
    assert operator.run("account", "2fa", "a", "1", "2").returncode == USAGE
    operator.add("a", "u", "p")
    assert operator.run("account", "add", "a", "--username", "u", input="p\n").returncode == FAILED  # exists
    assert operator.run("account", "remove", "a").returncode == FAILED  # nobody there to confirm
    assert operator.run("account", "remove", "a", "--yes").returncode == DONE
    assert operator.run("account", "status", "a").returncode == FAILED
    no_key = operator.run("account", "status", MASTER_KEY="")
    assert no_key.returncode == FAILED and "MASTER_KEY" in no_key.stderr


def test_two_processes_do_not_work_on_one_account(sim: Simulator, operator: Operator) -> None:
    username = next(names)
    sim.account(username, "pw")
    operator.add("a", username, "pw")
    sim.fault("slow", endpoint="gsa.init", count=1, params={"seconds": 2})
    first = operator.start("account", "login", "a")
    while all(fault["hits"] == 0 for fault in sim.call("GET", "/faults")["items"]):
        assert first.poll() is None
    second = operator.run("account", "login", "a")
    assert second.returncode == FAILED and "in use" in second.stderr
    assert first.wait(30) == DONE
    first.communicate()
