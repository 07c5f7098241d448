"""Puts the parts together: the world, the two HTTP applications, their start and their stop."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import multiprocessing
import os
import signal
import ssl
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from findmy_sim import crypto
from findmy_sim.accounts import Accounts
from findmy_sim.anisette import OTP_LIFETIME, Anisette, AnisetteServer
from findmy_sim.clock import VirtualClock, format_time, parse_time
from findmy_sim.control import MAX_BODY, Control
from findmy_sim.faults import Faults
from findmy_sim.fetch import PRESETS, FetchService, Limits
from findmy_sim.gsa import GrandSlam
from findmy_sim.httpfaults import JOURNAL_LENGTH, Journal, middleware
from findmy_sim.mobileme import MobileMe
from findmy_sim.registry import Registry
from findmy_sim.sightings import Habits
from findmy_sim.trips import DAY
from findmy_sim.world import World

log = logging.getLogger("findmy_sim")

ANISETTE_PORT = 6969
APPLE_PORT = 6970
STOP_SECONDS = 2.0  # how long requests may go on after a stop signal


@dataclass(slots=True)
class Config:
    """Everything that is set before the start. Times are virtual Unix seconds; None = wall time now."""

    host: str = "127.0.0.1"
    anisette_port: int = ANISETTE_PORT
    apple_port: int = APPLE_PORT
    seed: str = "1"
    start: float | None = None
    speed: float = 1.0
    hold_at_wall: bool = False
    days: float = 14.0
    tags: int = 0
    pace: float = 1.0
    workers: int = 0
    limits: Limits = field(default_factory=lambda: replace(PRESETS["observed"]))
    habits: Habits = field(default_factory=Habits)
    retention_days: float = 7.0
    otp_lifetime: float = OTP_LIFETIME
    client_info_trap: bool = True
    strict_anisette: bool = True
    tls_cert: str = ""
    tls_key: str = ""


def worker_count() -> int:
    """Processes for bulk encryption: all processors, but not more than eight."""
    return min(8, os.cpu_count() or 1)


def _quiet_worker() -> None:
    """A worker leaves the stopping to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Simulator:
    """One simulated world with its servers."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config = config or Config()
        self.clock = VirtualClock(config.start, config.speed, config.hold_at_wall)
        self.world = World(config.seed, config.habits, config.retention_days * DAY)
        self.registry = Registry(self.world)
        self.faults = Faults(config.seed)
        self.accounts = Accounts(config.seed, self.clock.wall)
        self.anisette = Anisette(config.seed, self.clock.wall, config.otp_lifetime)
        self.gsa = GrandSlam(
            config.seed, self.accounts, self.anisette, self.faults, self.clock, config.client_info_trap
        )
        self.mobileme = MobileMe(self.accounts, self.anisette, self.faults, self.clock)
        self.fetch = FetchService(
            config.seed,
            self.world,
            self.accounts,
            self.anisette,
            self.faults,
            self.clock,
            config.limits,
            self.pool,
            config.strict_anisette,
        )
        self.counters: Counter[str] = Counter()
        self.journal: Journal = deque(maxlen=JOURNAL_LENGTH)
        self._pool: ProcessPoolExecutor | None = None
        self._runners: list[web.AppRunner] = []
        if config.tags:
            self.world.populate(config.tags, int(self.clock.now() - config.days * DAY), config.pace)

    # --- parts ----------------------------------------------------------------------------------------

    def pool(self) -> Executor | None:
        """The process pool for bulk encryption, started when first needed; None if it is switched off."""
        if self.config.workers == 0:
            return None
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPoolExecutor(self.config.workers, context, _quiet_worker)
        return self._pool

    def set_limits(self, data: dict[str, Any]) -> None:
        """Change limits by name, or take a preset; ValueError if a name or value is wrong."""
        values = dict(data)
        preset = values.pop("preset", None)
        if preset is not None and preset not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}")
        limits = replace(PRESETS[preset] if preset is not None else self.fetch.limits)
        for name, value in values.items():
            setattr(limits, name, check_limit(name, value))
        self.fetch.limits = limits

    def stats(self) -> dict[str, object]:
        """Counters for the control API and the log."""
        tables = [tag.seen for tag in self.world.tags.values()]
        return {
            "now": format_time(self.clock.now()),
            "tags": len(tables),
            "reports_made": sum(len(t.table) + len(t.manual) for t in tables),
            "payloads_encrypted": self.world.encrypted,
            "accounts": sum(1 for _ in self.accounts),
            "faults_in_force": len(self.faults.active),
            "fetch": dict(self.fetch.stats),
            "http": dict(self.counters),
        }

    def export_lines(self) -> Iterator[str]:
        """The made-up tags as JSON lines: keys, company, name, places - what an operator would import."""
        for tag in self.world.tags.values():
            if not tag.privates:
                continue
            private = tag.privates[0]
            adv = crypto.advertisement_key(private)
            company = self.world.companies.get(tag.company)
            line = {
                "id": tag.id,
                "name": tag.name,
                "company": company.name if company else "",
                "private_key": base64.b64encode(private).decode(),
                "advertisement_key": base64.b64encode(adv).decode(),
                "hashed_advertisement_key": crypto.report_id(adv),
                "mac_address": crypto.mac_address(adv),
                "places": [p.as_json() for p in company.places] if company else [],
            }
            yield json.dumps(line, ensure_ascii=False) + "\n"

    # --- servers ---------------------------------------------------------------------------------------

    def apple_app(self) -> web.Application:
        """All of Apple's hosts on one port, told apart by path, and the control API."""
        spoil = middleware(self.faults, self.accounts, self.counters, self.gsa.edge, self.journal)
        app = web.Application(middlewares=[spoil], client_max_size=MAX_BODY)
        for part in (self.gsa, self.mobileme, self.fetch, Control(self)):
            app.add_routes(part.routes())
        return app

    def anisette_app(self) -> web.Application:
        """The Anisette server."""
        app = web.Application(middlewares=[middleware(self.faults, self.accounts, self.counters)])
        app.add_routes(AnisetteServer(self.anisette, self.faults).routes())
        return app

    async def start(self) -> tuple[int, int]:
        """Listen; gives the ports (anisette, apple), which matter when 0 was asked for."""
        tls = None
        if self.config.tls_cert:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(self.config.tls_cert, self.config.tls_key or None)
        anisette = await self._listen(self.anisette_app(), self.config.anisette_port, None)
        apple = await self._listen(self.apple_app(), self.config.apple_port, tls)
        log.info(
            "listening",
            extra={"host": self.config.host, "anisette_port": anisette, "apple_port": apple, "tls": tls is not None},
        )
        return anisette, apple

    async def _listen(self, app: web.Application, port: int, tls: ssl.SSLContext | None) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_SECONDS)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, self.config.host, port, ssl_context=tls)
        await site.start()
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening, let running requests end, end the workers."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        log.info("stopped")

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sig, stop.set)
        await self.start()
        try:
            await stop.wait()
        finally:
            await self.stop()


def check_limit(name: str, value: object) -> object:
    """A limit's value, or ValueError."""
    if name in ("ids_per_list", "reports_per_key", "reports_per_answer"):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"{name} must be a whole number; 0 means no limit")
        return value
    if name in ("first_object_only", "honour_dates"):
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false")
        return value
    if name == "over_limit":
        if value not in ("ignore", "reject"):
            raise ValueError("over_limit must be ignore or reject")
        return value
    if name == "date_published_until":
        return parse_time(value)
    raise ValueError(f"no limit is called {name!r}")
