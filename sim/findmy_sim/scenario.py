"""Scenario files: a JSON object that says how a run starts, and tag files (JSON lines)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from findmy_sim.app import Config, Simulator, check_limit
from findmy_sim.clock import parse_time
from findmy_sim.fetch import PRESETS
from findmy_sim.sightings import Habits

# Fields of a scenario that go straight into Config.
_PLAIN: dict[str, tuple[type, ...]] = {
    "speed": (int, float),
    "hold_at_wall": (bool,),
    "days": (int, float),
    "tags": (int,),
    "pace": (int, float),
    "retention_days": (int, float),
    "otp_lifetime": (int, float),
    "client_info_trap": (bool,),
    "strict_anisette": (bool,),
}
_OTHER = {"seed", "start", "limits", "habits", "accounts", "places", "register", "faults"}


def read_scenario(path: str) -> dict[str, Any]:
    """The file's object; ValueError names the file and what is wrong."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise ValueError(f"{path}: {err}") from err
    if not isinstance(data, dict):
        raise ValueError(f"{path}: a scenario is a JSON object")
    unknown = sorted(set(data) - set(_PLAIN) - _OTHER)
    if unknown:
        raise ValueError(f"{path}: unknown field {unknown[0]!r}")
    return data


def configure(config: Config, data: dict[str, Any]) -> Config:
    """A config with the scenario's settings."""
    changes: dict[str, Any] = {}
    for name, kinds in _PLAIN.items():
        if name not in data:
            continue
        if not isinstance(data[name], kinds) or (isinstance(data[name], bool) and bool not in kinds):
            raise ValueError(f"{name} has the wrong type")
        changes[name] = data[name]
    if "seed" in data:
        changes["seed"] = str(data["seed"])
    if data.get("start") is not None:
        changes["start"] = parse_time(data["start"])
    if "limits" in data:
        changes["limits"] = _limits(data["limits"])
    if "habits" in data:
        changes["habits"] = _habits(data["habits"])
    return replace(config, **changes)


def _limits(data: object) -> Any:
    if isinstance(data, str):
        data = {"preset": data}
    if not isinstance(data, dict) or data.get("preset", "observed") not in PRESETS:
        raise ValueError(f"limits must be an object or one of {', '.join(PRESETS)}")
    limits = replace(PRESETS[data.get("preset", "observed")])
    for name, value in data.items():
        if name != "preset":
            setattr(limits, name, check_limit(name, value))
    return limits


def _habits(data: object) -> Habits:
    known = {f.name for f in fields(Habits)}
    if not isinstance(data, dict) or set(data) - known:
        raise ValueError(f"habits must be an object with {', '.join(sorted(known))}")
    for name, value in data.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(f"habits.{name} must be a number of at least 0")
    return Habits(**{name: float(value) for name, value in data.items()})


def furnish(sim: Simulator, data: dict[str, Any]) -> None:
    """Add the scenario's accounts, places, tags and faults to a simulator."""
    for account in data.get("accounts", []):
        sim.accounts.add(account)
    for place in data.get("places", []):
        sim.registry.add_place(place)
    now = sim.clock.now()
    for tag in data.get("register", []):
        sim.registry.add_tag(tag, now)
    for fault in data.get("faults", []):
        sim.faults.add(fault)


def read_tags(path: str) -> Iterator[dict[str, Any]]:
    """The objects of a tag file, one per line; blank lines and lines that start with # are skipped."""
    with Path(path).open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            try:
                yield json.loads(text)
            except ValueError as err:
                raise ValueError(f"{path}, line {number}: {err}") from err


def load_tags(sim: Simulator, path: str) -> int:
    """Register a tag file's tags; gives their number."""
    now, count = sim.clock.now(), 0
    for count, data in enumerate(read_tags(path), 1):
        try:
            sim.registry.add_tag(data, now)
        except ValueError as err:
            raise ValueError(f"{path}, tag {count}: {err}") from err
    return count
