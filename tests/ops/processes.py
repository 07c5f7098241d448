"""Processes of trackerd beside those of a Stack, and a stand-in for what starts them again when they die (systemd, Docker, ECS)."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stack import Stack, die_with_parent, stop_process

LOGINS = {"api": "api_login"}  # everything else is a worker's


class Process:
    """One process of trackerd, running. `prefix` is a command to run it under; `settings` win over those of the stack."""

    def __init__(
        self,
        stack: Stack,
        name: str,
        *command: str,
        settings: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.log = stack.folder / f"{name}.log"
        self.command = [*prefix, stack.binary, *command]
        self.env = stack.env(LOGINS.get(command[0], "worker_login")) | (settings or {})
        self.start()

    def start(self) -> None:
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(death_signal=signal.SIGKILL),
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        stop_process(self.process)
        return self.process.returncode


class Supervisor:
    """Starts again what has ended, a second after it is noticed. Use as a context manager."""

    PAUSE = 1.0

    def __init__(self, watched: list[tuple[Callable[[], bool], Callable[[], None]]]) -> None:
        """watched: what tells whether a process is alive, and what starts it."""
        self.watched = watched
        self.restarts = 0
        self.trouble: list[BaseException] = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self) -> None:
        while not self.over.wait(self.PAUSE):
            for alive, start in self.watched:
                try:
                    if not alive():
                        start()
                        self.restarts += 1
                except Exception as error:  # told by the test, which would else wait for what never comes
                    self.trouble.append(error)

    def __enter__(self) -> Supervisor:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
        if self.trouble:
            raise self.trouble[0]
