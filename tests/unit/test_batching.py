"""Concurrent look-ups share a query without ever seeing less, or failing more, than one each would."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from app.database.batching import Batcher
from app.errors.domain import DatabaseUnavailable


class Store:
    """A look-up that waits until it is told to answer, and remembers what it was asked."""

    def __init__(self, *, held: bool = False) -> None:
        self.values: dict[int, str] = {}
        self.asked: list[list[int]] = []
        self.running = 0
        self.most_running = 0
        self.failing: Exception | None = None
        self._go = asyncio.Event()
        if not held:
            self._go.set()

    async def lookup(self, keys: list[int]) -> dict[int, str]:
        self.asked.append(keys)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        # What a query sees is settled when it is sent, not when its answer arrives.
        seen = {key: self.values[key] for key in keys if key in self.values}
        try:
            await self._go.wait()
        finally:
            self.running -= 1
        if self.failing:
            raise self.failing
        return seen

    def answer(self) -> None:
        self._go.set()


async def turns(count: int = 10) -> None:
    """Let everything that can run, run."""
    for _ in range(count):
        await asyncio.sleep(0)


def getting(batcher: Batcher[int, str], *keys: int) -> list[asyncio.Task[str | None]]:
    return [asyncio.create_task(batcher.get(key)) for key in keys]


@pytest.fixture
async def complaints() -> AsyncIterator[Callable[[], list[Any]]]:
    """What the event loop had to complain of, errors that nobody retrieved among it."""
    loop = asyncio.get_running_loop()
    heard: list[Any] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: heard.append(context))

    def collected() -> list[Any]:
        gc.collect()
        return heard

    yield collected
    loop.set_exception_handler(before)


async def test_a_lone_key_is_answered_at_once() -> None:
    store = Store()
    store.values = {1: "one"}
    assert await Batcher(store.lookup).get(1) == "one"
    assert store.asked == [[1]]


async def test_a_key_without_a_value_is_none() -> None:
    assert await Batcher(Store().lookup).get(1) is None


async def test_keys_of_one_turn_share_a_query() -> None:
    store = Store()
    store.values = {n: str(n) for n in range(32)}
    batcher = Batcher(store.lookup)
    assert await asyncio.gather(*getting(batcher, *range(32))) == [str(n) for n in range(32)]
    assert store.asked == [list(range(32))]


async def test_the_same_key_asked_for_many_times_is_looked_up_once() -> None:
    store = Store()
    store.values = {7: "seven"}
    assert await asyncio.gather(*getting(Batcher(store.lookup), *[7] * 20)) == ["seven"] * 20
    assert store.asked == [[7]]


async def test_keys_that_come_while_all_queries_run_share_the_next() -> None:
    store = Store(held=True)
    batcher = Batcher(store.lookup, width=1)
    first = getting(batcher, 1)
    await turns()
    later = getting(batcher, 2)
    await turns()
    later += getting(batcher, 3, 4)
    await turns()
    assert store.asked == [[1]]
    store.answer()
    await asyncio.gather(*first, *later)
    assert store.asked == [[1], [2, 3, 4]]


async def test_a_key_that_is_being_looked_up_is_looked_up_again_for_who_comes_later() -> None:
    """A write that was acknowledged meanwhile has to be seen by the later reader."""
    store = Store(held=True)
    store.values = {1: "before"}
    batcher = Batcher(store.lookup)
    early = getting(batcher, 1)
    await turns()
    assert store.asked == [[1]]
    store.values = {1: "after"}
    late = getting(batcher, 1)
    await turns()
    store.answer()
    assert await early[0] == "before"
    assert await late[0] == "after"


async def test_reads_see_every_write_that_was_acknowledged_before_they_began() -> None:
    version = 0

    async def lookup(keys: list[int]) -> dict[int, int]:
        seen = version
        for _ in range(key_cost):
            await asyncio.sleep(0)
        return dict.fromkeys(keys, seen)

    batcher: Batcher[int, int] = Batcher(lookup)
    readers: list[tuple[int, asyncio.Task[int | None]]] = []
    for step in range(500):
        key_cost = step % 4
        version = step
        readers.append((step, asyncio.create_task(batcher.get(step % 3))))
        if step % 5:
            await asyncio.sleep(0)
    for written, reader in readers:
        assert (await reader or 0) >= written


async def test_an_error_reaches_every_waiter_and_the_next_query_works(
    complaints: Callable[[], list[Any]],
) -> None:
    store = Store(held=True)
    store.failing = ConnectionResetError("gone")
    batcher = Batcher(store.lookup, width=1)
    failing = getting(batcher, 1, 1, 2)
    await turns()
    store.answer()
    outcomes = await asyncio.gather(*failing, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionResetError] * 3
    store.failing = None
    store.values = {1: "one"}
    assert await batcher.get(1) == "one"
    del failing, outcomes
    assert complaints() == []


async def test_waiters_of_the_next_batch_are_served_after_a_failed_one() -> None:
    store = Store(held=True)
    store.values = {2: "two"}
    batcher = Batcher(store.lookup, width=1)
    first = getting(batcher, 1)
    await turns()
    second = getting(batcher, 2)
    await turns()
    store.failing = ConnectionResetError("gone")
    store.answer()
    with pytest.raises(ConnectionResetError):
        await first[0]
    store.failing = None
    assert await second[0] == "two"


@pytest.mark.parametrize("outcome", ["answer", "error"])
async def test_a_cancelled_waiter_harms_nobody(outcome: str, complaints: Callable[[], list[Any]]) -> None:
    store = Store(held=True)
    store.values = {1: "one", 2: "two"}
    store.failing = None if outcome == "answer" else ConnectionResetError("gone")
    batcher = Batcher(store.lookup)
    tasks = getting(batcher, 1, 1, 2)
    await turns()
    tasks[0].cancel()
    await turns()
    assert store.running == 1, "the others' query goes on"
    store.answer()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    if outcome == "answer":
        assert results[1:] == ["one", "two"]
    else:
        assert [type(result) for result in results[1:]] == [ConnectionResetError] * 2
    del tasks, results
    assert complaints() == []


async def test_a_query_that_everybody_left_ends_without_a_complaint(
    complaints: Callable[[], list[Any]],
) -> None:
    store = Store(held=True)
    store.failing = ConnectionResetError("gone")
    batcher = Batcher(store.lookup)
    tasks = getting(batcher, 1, 2)
    await turns()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    store.answer()
    await turns()
    assert store.running == 0
    del tasks
    assert complaints() == []


async def test_who_waits_behind_hanging_queries_gives_up_in_time(complaints: Callable[[], list[Any]]) -> None:
    store = Store(held=True)
    store.values = {1: "one", 2: "two"}
    batcher = Batcher(store.lookup, width=1, patience=0.05)
    first = getting(batcher, 1)
    await turns()
    behind = getting(batcher, 2, 3)
    outcomes = await asyncio.gather(*behind, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 2
    assert store.asked == [[1]], "what nobody waits for any more is not looked up"
    later = getting(batcher, 2)
    await turns()
    store.answer()
    assert await first[0] == "one", "the query itself has its own deadline"
    assert await later[0] == "two"
    del behind, outcomes
    assert complaints() == []


async def test_who_waits_gives_up_in_time_though_other_queries_end_meanwhile() -> None:
    """Each one's time is counted from its own arrival."""
    loop = asyncio.get_running_loop()
    patience = 0.2

    async def lookup(keys: list[int]) -> dict[int, int]:
        await asyncio.sleep(0.04)
        return {key: key for key in keys}

    batcher: Batcher[int, int] = Batcher(lookup, width=1, size=1, patience=patience)

    async def waited(key: int) -> tuple[bool, float]:
        begun = loop.time()
        try:
            assert await batcher.get(key) == key
        except DatabaseUnavailable:
            return False, loop.time() - begun
        return True, loop.time() - begun

    early = [asyncio.create_task(waited(key)) for key in range(20)]
    await asyncio.sleep(patience / 2)
    late = asyncio.create_task(waited(20))
    outcomes = await asyncio.gather(*early)
    assert outcomes[0][0]
    given_up = [seconds for answered, seconds in outcomes if not answered]
    assert given_up
    assert min(given_up) >= patience, "nobody gives up before their time"
    assert not late.done(), "nor does who came later"
    answered, seconds = await late
    assert answered
    assert seconds > patience / 2


async def test_queries_that_end_in_time_make_nobody_give_up() -> None:
    async def lookup(keys: list[int]) -> dict[int, int]:
        await asyncio.sleep(0.01)
        return {key: key for key in keys}

    batcher: Batcher[int, int] = Batcher(lookup, width=1, size=4, patience=20)
    assert await asyncio.gather(*(batcher.get(key) for key in range(60))) == list(range(60))


async def test_what_does_not_fit_into_one_query_goes_into_all_that_may_run() -> None:
    store = Store(held=True)
    batcher = Batcher(store.lookup, width=2, size=8)
    tasks = getting(batcher, *range(20))
    await turns()
    assert [len(keys) for keys in store.asked] == [8, 8]
    store.answer()
    await asyncio.gather(*tasks)
    assert [len(keys) for keys in store.asked] == [8, 8, 4]


async def test_a_query_knows_nothing_of_who_began_it() -> None:
    """Otherwise what it logs would be said to be of the request that happened to come first."""
    request: ContextVar[str] = ContextVar("request")
    seen: list[str] = []

    async def lookup(keys: list[int]) -> dict[int, int]:
        seen.append(request.get("nobody"))
        return {key: key for key in keys}

    request.set("mine")
    await Batcher(lookup).get(1)
    assert seen == ["nobody"]


async def test_no_more_queries_than_the_width_run_at_a_time() -> None:
    store = Store(held=True)
    batcher = Batcher(store.lookup, width=3)
    tasks: list[asyncio.Task[str | None]] = []
    for key in range(20):
        tasks += getting(batcher, key)
        await turns(3)
    assert store.running == 3
    store.answer()
    await asyncio.gather(*tasks)
    assert store.most_running == 3
    assert len(store.asked) == 4, "three queries of one key, and one for all the rest"


async def test_no_query_asks_for_more_keys_than_the_size_and_none_is_lost() -> None:
    store = Store()
    store.values = {n: str(n) for n in range(1000)}
    batcher = Batcher(store.lookup, width=2, size=64)
    found = await asyncio.gather(*getting(batcher, *range(1000)))
    assert found == [str(n) for n in range(1000)]
    assert max(len(keys) for keys in store.asked) == 64
    assert sorted(key for keys in store.asked for key in keys) == list(range(1000))


async def test_nothing_is_left_over_when_all_are_answered() -> None:
    store = Store()
    batcher = Batcher(store.lookup, width=2, size=8)
    before = asyncio.all_tasks()
    for _ in range(5):
        await asyncio.gather(*getting(batcher, *range(50)))
    await turns()
    assert asyncio.all_tasks() <= before
    assert not batcher._waiting
    assert not batcher._running
    assert not batcher._scheduled
