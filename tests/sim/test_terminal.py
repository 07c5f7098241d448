"""At a terminal: secrets are asked for and not echoed, and one command does the whole sign-in."""

from __future__ import annotations

import os
import pty
import re
import select
import time

from apple import BINARY, DONE, Operator, Simulator


class Terminal:
    """The program on a pseudo-terminal."""

    def __init__(self, operator: Operator, *args: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(BINARY, [BINARY, *args], os.environ | operator.env | {"LOG_LEVEL": "error"})
        self.screen = ""

    def read_until(self, pattern: str, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not re.search(pattern, self.screen):
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert ready, f"no {pattern!r} in {self.screen!r}"
            try:
                self.screen += os.read(self.fd, 4096).decode()
            except OSError:  # the program has ended
                assert re.search(pattern, self.screen), self.screen
                return

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def end(self) -> int:
        try:
            while data := os.read(self.fd, 4096):
                self.screen += data.decode()
        except OSError:
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_whole_sign_in(sim: Simulator, operator: Operator) -> None:
    sim.account("terminal@example.com", "geheim-Ω", second_factor="trusted_device")
    adding = Terminal(operator, "account", "add", "a", "--username", "terminal@example.com")
    adding.read_until("Password: ")
    adding.type("geheim-Ω\n")
    assert adding.end() == DONE
    assert "geheim" not in adding.screen

    login = Terminal(operator, "account", "login", "a")
    login.read_until("Code: ")
    login.type("000000\n")
    login.read_until(r"bad-code[\s\S]*Code: $")
    code = sim.code("terminal@example.com")
    login.type(f"{code}\n")
    assert login.end() == DONE, login.screen
    assert code not in login.screen
    assert "signed in" in login.screen


def test_removal_is_confirmed(operator: Operator) -> None:
    operator.add("a", "u", "p")
    refusing = Terminal(operator, "account", "remove", "a")
    refusing.read_until("y/N")
    refusing.type("\n")
    assert refusing.end() != DONE
    agreeing = Terminal(operator, "account", "remove", "a")
    agreeing.read_until("y/N")
    agreeing.type("y\n")
    assert agreeing.end() == DONE
    assert operator.run("account", "status", "a").returncode != DONE
