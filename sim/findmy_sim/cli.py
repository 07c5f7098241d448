"""The `findmy-sim` command line."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace

from findmy_sim import __version__
from findmy_sim.app import ANISETTE_PORT, APPLE_PORT, Config, Simulator, worker_count
from findmy_sim.clock import format_time, parse_time
from findmy_sim.fetch import PRESETS
from findmy_sim.log import set_up
from findmy_sim.scenario import configure, furnish, load_tags, read_scenario

log = logging.getLogger("findmy_sim")

DEMO_ACCOUNT = "demo@example.com:find-my-demo"

EPILOG = """\
examples:
  findmy-sim                                      an empty world and the account demo@example.com
  findmy-sim --tags 500 --seed 7 --days 30        500 made-up tags that have been travelling for 30 days
  findmy-sim --tags-file demo-tags.jsonl          tags that move between given places (see the docs page)
  findmy-sim --start 2026-05-01T00:00:00Z --speed 3600 --hold-at-wall
                                                  an hour per second until the clock meets the wall clock
  findmy-sim --bench --tags 10000 --days 7        measure generation and encryption, print, exit

The same seed, scenario and start give the same truth and the same encrypted reports.
The control API is under http://HOST:APPLE_PORT/control; docs/developers/simulator.md describes it.
"""


def parser() -> argparse.ArgumentParser:
    """All options; defaults stand in the help."""
    p = argparse.ArgumentParser(
        prog="findmy-sim",
        description="A simulator of Apple's Find My servers and of an Anisette server, for development and tests.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    net = p.add_argument_group("network")
    net.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    net.add_argument(
        "--anisette-port", type=int, default=ANISETTE_PORT, metavar="PORT", help=f"default {ANISETTE_PORT}; 0 = any"
    )
    net.add_argument(
        "--apple-port", type=int, default=APPLE_PORT, metavar="PORT", help=f"default {APPLE_PORT}; 0 = any"
    )
    net.add_argument("--tls-cert", default="", metavar="FILE", help="serve the Apple port with TLS: certificate chain")
    net.add_argument("--tls-key", default="", metavar="FILE", help="private key, if it is not in --tls-cert")

    world = p.add_argument_group("world")
    world.add_argument("--scenario", metavar="FILE", help="JSON scenario; options given here win over it")
    world.add_argument(
        "--tags-file", action="append", default=[], metavar="FILE", help="JSON lines of tags to register"
    )
    world.add_argument("--tags", type=int, metavar="N", help="make up N tags of made-up companies")
    world.add_argument("--days", type=float, metavar="D", help="how long they have been travelling (default 14)")
    world.add_argument("--pace", type=float, metavar="F", help="scales the days they stay at places (default 1)")
    world.add_argument("--density", type=float, metavar="F", help="scales how often tags are seen (default 1)")
    world.add_argument("--seed", metavar="S", help="any text; the same seed gives the same run (default 1)")

    clock = p.add_argument_group("clock")
    clock.add_argument("--start", metavar="TIME", help="virtual time at the start, RFC 3339 (default: now)")
    clock.add_argument("--speed", type=float, metavar="X", help="virtual seconds per second, 0 = stopped (default 1)")
    clock.add_argument("--hold-at-wall", action="store_true", default=None, help="never run ahead of the wall clock")

    apple = p.add_argument_group("Apple's side")
    apple.add_argument(
        "--account", action="append", default=[], metavar="USER:PASSWORD[:FACTOR]",
        help=f"an account; FACTOR none, trusted_device or sms (default {DEMO_ACCOUNT} if there is none)",
    )  # fmt: skip
    apple.add_argument("--limits", choices=sorted(PRESETS), help="limits of the report server (default observed)")
    apple.add_argument(
        "--workers", type=int, metavar="N", default=worker_count(),
        help="processes for bulk encryption, 0 = none (default: processors, at most 8)",
    )  # fmt: skip

    p.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"], help="default info")
    p.add_argument("--export", metavar="FILE", help="write the made-up tags with their keys and places, then exit")
    p.add_argument("--bench", action="store_true", help="measure how fast reports are made and encrypted, then exit")
    return p


def build(options: argparse.Namespace) -> Simulator:
    """A furnished simulator; ValueError when something given is wrong."""
    scenario = read_scenario(options.scenario) if options.scenario else {}
    config = Config(
        host=options.host,
        anisette_port=options.anisette_port,
        apple_port=options.apple_port,
        tls_cert=options.tls_cert,
        tls_key=options.tls_key,
        workers=options.workers,
    )
    config = configure(config, scenario)
    given = {n: getattr(options, n) for n in ("seed", "days", "tags", "pace", "speed", "hold_at_wall")}
    config = replace(config, **{name: value for name, value in given.items() if value is not None})
    if options.start is not None:
        config.start = parse_time(options.start)
    if options.limits is not None:
        config.limits = replace(PRESETS[options.limits])
    if options.density is not None:
        config.habits = replace(config.habits, density=options.density)
    if config.tags < 0 or config.days < 0 or config.pace <= 0 or config.habits.density < 0:
        raise ValueError("tags, days and density must not be negative, and pace must be above 0")
    sim = Simulator(config)
    furnish(sim, scenario)
    for text in options.account or ([] if scenario.get("accounts") else [DEMO_ACCOUNT]):
        sim.accounts.add(parse_account(text))
    for path in options.tags_file:
        log.info("tags registered", extra={"file": path, "count": load_tags(sim, path)})
    return sim


def parse_account(text: str) -> dict[str, object]:
    """USER:PASSWORD[:FACTOR]; the factor is only split off if it is one, so passwords may hold colons."""
    user, _, rest = text.partition(":")
    head, _, factor = rest.rpartition(":")
    if head and factor in ("none", "trusted_device", "sms"):
        return {"username": user, "password": head, "second_factor": factor}
    return {"username": user, "password": rest}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point: 0 = stopped as asked, 2 = bad usage, 1 = could not run."""
    options = parser().parse_args(argv)
    set_up(options.log_level)
    try:
        sim = build(options)
    except ValueError as err:
        print(f"findmy-sim: {err}", file=sys.stderr)
        return 2
    if options.export:
        with open(options.export, "w", encoding="utf-8") as file:
            file.writelines(sim.export_lines())
        return 0
    if options.bench:
        from findmy_sim.bench import run_bench

        return run_bench(sim)
    log.info("world", extra={"now": format_time(sim.clock.now()), "seed": sim.config.seed, "tags": len(sim.world.tags)})
    try:
        asyncio.run(sim.run())
    except OSError as err:
        print(f"findmy-sim: {err}", file=sys.stderr)
        return 1
    return 0
