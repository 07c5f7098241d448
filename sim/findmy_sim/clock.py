"""The simulator's clock: virtual seconds that run at a settable speed from a settable start.

The world (trips, reports, retention) lives in virtual time. The protocol's short-lived things
(one-time passwords, PET, second-factor codes) live in wall time, because the client's own clock does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

MAX_SPEED = 1_000_000.0  # a year in half a minute; beyond that only a jump makes sense


class VirtualClock:
    """now() = min(anchor + speed * elapsed wall seconds, wall time if hold_at_wall)."""

    def __init__(
        self,
        start: float | None = None,
        speed: float = 1.0,
        hold_at_wall: bool = False,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.wall = wall
        self.hold_at_wall = hold_at_wall
        self._anchor_wall = wall()
        self._anchor = self._anchor_wall if start is None else start
        self._speed = _checked(speed)

    @property
    def speed(self) -> float:
        """Virtual seconds per wall second; 0 = stopped."""
        return self._speed

    def now(self) -> float:
        """Virtual time in Unix seconds."""
        wall = self.wall()
        virtual = self._anchor + (wall - self._anchor_wall) * self._speed
        return min(virtual, wall) if self.hold_at_wall else virtual

    def set(self, now: float | None = None, speed: float | None = None) -> None:
        """Jump to a time and/or change the speed; what is not given goes on as it was."""
        current = self.now() if now is None else now
        self._speed = self._speed if speed is None else _checked(speed)
        self._anchor_wall, self._anchor = self.wall(), current

    def advance(self, seconds: float) -> None:
        """Jump ahead (or back, when negative)."""
        self.set(now=self.now() + seconds)


def _checked(speed: float) -> float:
    if not 0 <= speed <= MAX_SPEED:
        raise ValueError(f"speed must be between 0 and {MAX_SPEED:g}")
    return float(speed)


def parse_time(value: object) -> float:
    """Unix seconds from a number, or from an RFC 3339 text with a zone."""
    if isinstance(value, bool):
        raise ValueError("a time is a number of Unix seconds or an RFC 3339 text")
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        raise ValueError("a time is a number of Unix seconds or an RFC 3339 text")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as err:
        raise ValueError(f"not an RFC 3339 time: {value!r}") from err
    if moment.tzinfo is None:
        raise ValueError(f"the time {value!r} names no zone; end it in Z")
    return moment.timestamp()


def format_time(seconds: float) -> str:
    """RFC 3339 in UTC, whole seconds, e.g. 2026-05-09T06:14:21Z."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
