"""Fixtures: a simulator on free ports of the loopback address, its client and its control API."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))

from client import Client

from findmy_sim.app import Config, Simulator

USER, PASSWORD = "person@example.com", "pässwörd-Ω-日本"
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Run:
    """A running simulator with everything a test needs."""

    sim: Simulator
    client: Client
    http: aiohttp.ClientSession
    apple: str
    anisette: str

    async def control(self, method: str, path: str, body: Any = None, expect: int | None = None) -> Any:
        """One call of the control API; its status must be good, or what is expected."""
        async with self.http.request(method, f"{self.apple}/control{path}", json=body) as answer:
            text = await answer.text()
            assert answer.status == expect if expect else answer.status < 400, text
            return await answer.json() if answer.content_type == "application/json" else text

    def another_client(self) -> Client:
        return Client(self.http, self.apple, self.anisette)


Starter = Callable[..., Awaitable[Run]]


@pytest_asyncio.fixture
async def start() -> AsyncIterator[Starter]:
    """Starts simulators; Config's fields as arguments."""
    async with AsyncExitStack() as stack:

        async def begin(**settings: Any) -> Run:
            sim = Simulator(Config(anisette_port=0, apple_port=0, **settings))
            sim.accounts.add({"username": USER, "password": PASSWORD, "iterations": 1200})
            anisette, apple = await sim.start()
            stack.push_async_callback(sim.stop)
            session = await stack.enter_async_context(aiohttp.ClientSession())
            apple_url, anisette_url = f"http://127.0.0.1:{apple}", f"http://127.0.0.1:{anisette}"
            return Run(sim, Client(session, apple_url, anisette_url), session, apple_url, anisette_url)

        yield begin


@pytest_asyncio.fixture
async def run(start: Starter) -> Run:
    """A simulator with a few tags, not signed in."""
    return await start(tags=5, seed="test", days=10)


@pytest_asyncio.fixture
async def signed_in(run: Run) -> Run:
    """The same with a client that may fetch."""
    await run.client.sign_in(USER, PASSWORD)
    return run


def vector_folders() -> list[Path]:
    """Folders with vector files: FINDMY_VECTORS (colon-separated), else the project's own and the shared ones."""
    text = os.environ.get("FINDMY_VECTORS")
    default = [ROOT / "tests" / "vectors", ROOT.parent / "shared" / "reference" / "vectors"]
    folders = [Path(p) for p in text.split(":") if p] if text else default
    return [f for f in folders if f.is_dir()]


@pytest.fixture(params=vector_folders(), ids=lambda p: p.parent.name + "-" + p.name)
def vectors(request: pytest.FixtureRequest) -> Path:
    return request.param
