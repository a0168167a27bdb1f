"""`goods demo-traffic`: a realistic mix of requests for a while, so that dashboards have something to show.

It works through the public interface alone, changes and sells goods of its own, and takes them away at the end.
"""

import asyncio
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic

import httpx2
import typer

from app.commands.database import announce
from app.commands.demo_mix import MIX, DemoError, DemoShop

_AT_ONCE = 50
_TIMEOUT = 10.0  # seconds for each request


@dataclass(frozen=True, slots=True)
class Traffic:
    """Where it goes, how long it lasts, and how much there is of it. `key` is an API key that may write."""

    url: str
    seconds: float
    requests_per_second: float
    key: str | None = None


def demo_traffic(traffic: Traffic) -> None:
    """Make the traffic and print what was answered. Exits with 1 if the deployment cannot be used."""
    if not traffic.url.startswith(("http://", "https://")):
        sys.exit(f"goods: {traffic.url} is no URL of a deployment, which would be as http://127.0.0.1:8000")
    try:
        answers = asyncio.run(_run(traffic))
    except DemoError as error:
        sys.exit(f"goods: {traffic.url}: {error}")
    for name in (*MIX, "import", "clear up"):
        statuses = ", ".join(f"{status}: {count:,}" for status, count in sorted(answers.get(name, Counter()).items()))
        if statuses:
            typer.echo(f"{name:<26}{answers[name].total():>8,}   {statuses}")
    typer.echo(f"{'requests':<26}{sum(counter.total() for counter in answers.values()):>8,}")


async def _run(traffic: Traffic) -> dict[str, Counter[str]]:
    headers = {"X-API-Key": traffic.key} if traffic.key else {}
    limits = httpx2.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)
    async with httpx2.AsyncClient(base_url=traffic.url, headers=headers, timeout=_TIMEOUT, limits=limits) as client:
        shop = DemoShop(client)
        async with _stopping_early() as stopped:
            try:
                await shop.open()
                await _trade(shop, traffic, stopped)
            finally:
                left = await shop.close()
                if left:
                    announce(f"goods: left over, to be deleted by hand: {', '.join(left)}")
        return shop.answers


async def _trade(shop: DemoShop, traffic: Traffic, stopped: asyncio.Event) -> None:
    announce(
        f"about {traffic.requests_per_second:g} requests a second to {traffic.url} for {traffic.seconds:g} seconds;"
        " Ctrl-C ends it earlier"
    )
    places = asyncio.Semaphore(_AT_ONCE)

    async def act(name: str) -> None:
        try:
            await shop.act(name)
        finally:
            places.release()

    async with asyncio.TaskGroup() as group:
        group.create_task(shop.import_and_undo())
        acts = _dealt()
        async for _ in _ticks(traffic, stopped):
            await places.acquire()  # a deployment that answers slowly gets less
            group.create_task(act(next(acts)))


async def _ticks(traffic: Traffic, stopped: asyncio.Event) -> AsyncIterator[None]:
    """Moments at the wanted rate, until the time is over or somebody ends it. What was missed is not made up for."""
    due = monotonic()
    end = due + traffic.seconds
    while due < end and not stopped.is_set():
        yield
        due = max(due + 1 / traffic.requests_per_second, monotonic() - 1)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), max(0, due - monotonic()))


def _dealt() -> Iterator[str]:
    """Names of acts as from a shuffled pack: whatever is in the mix occurs in each hundred, however rare it is."""
    pack = [name for name, times in MIX.items() for _ in range(times)]
    while True:
        random.shuffle(pack)
        yield from pack


@asynccontextmanager
async def _stopping_early() -> AsyncIterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set, so that what was made is taken away again; a second one breaks it off."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        stopped.set()
        for each in signals:
            loop.remove_signal_handler(each)

    for each in signals:
        loop.add_signal_handler(each, stop)
    try:
        yield stopped
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
