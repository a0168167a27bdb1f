"""Places for requests: who waits gets the next one, in order, and none is ever lost."""

import asyncio
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from app.errors.domain import Overloaded
from app.metrics.http import HttpMetrics
from app.middleware.admission import Admission

Make = Callable[..., Admission]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def places(registry: CollectorRegistry) -> Make:
    metrics = HttpMetrics(registry)

    def make(most: int, *, most_waiting: int = 10, seconds: float = 30) -> Admission:
        return Admission(most, most_waiting=most_waiting, seconds=seconds, metrics=metrics)

    return make


def free(admission: Admission) -> int:
    """How many places there are for the taking; they are taken, and given back."""
    taken = 0
    while admission.has_room():
        taken += 1
    for _ in range(taken):
        admission.leave()
    return taken


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_so_many_enter_and_the_next_waits_until_one_leaves(places: Make, registry: CollectorRegistry) -> None:
    admission = places(2)
    await admission.enter()
    await admission.enter()
    third = asyncio.create_task(admission.enter())
    await turns()
    assert not third.done()
    assert registry.get_sample_value("http_requests_queued") == 1
    admission.leave()
    await third
    assert registry.get_sample_value("http_requests_queued") == 0
    assert not admission.has_room()


async def test_those_who_wait_come_in_their_order_and_nobody_passes_them(places: Make) -> None:
    admission = places(1)
    await admission.enter()
    came: list[int] = []

    async def enter(number: int) -> None:
        await admission.enter()
        came.append(number)

    waiting = [asyncio.create_task(enter(n)) for n in range(3)]
    await turns()
    admission.leave()
    assert not admission.has_room(), "the place is the first one's, though it has not run yet"
    await turns()
    admission.leave()
    await turns()
    admission.leave()
    await asyncio.gather(*waiting)
    assert came == [0, 1, 2]


async def test_too_many_who_wait_are_turned_away_at_once(places: Make, registry: CollectorRegistry) -> None:
    admission = places(1, most_waiting=1)
    await admission.enter()
    waiting = asyncio.create_task(admission.enter())
    await turns()
    with pytest.raises(Overloaded):
        await admission.enter()
    assert registry.get_sample_value("http_requests_turned_away_total") == 1
    admission.leave()
    await waiting


async def test_who_waits_too_long_is_turned_away_and_takes_no_place(places: Make, registry: CollectorRegistry) -> None:
    admission = places(1, seconds=0.01)
    await admission.enter()
    with pytest.raises(Overloaded):
        await admission.enter()
    assert registry.get_sample_value("http_requests_turned_away_total") == 1
    assert registry.get_sample_value("http_requests_queued") == 0
    admission.leave()
    assert free(admission) == 1


@pytest.mark.parametrize("after_its_turn", [False, True])
async def test_a_place_is_not_lost_with_who_waited_for_it(places: Make, *, after_its_turn: bool) -> None:
    admission = places(1)
    await admission.enter()
    leaving, staying = asyncio.create_task(admission.enter()), asyncio.create_task(admission.enter())
    await turns()
    if after_its_turn:
        admission.leave()  # the place is given to the one that goes away before it can take it
        leaving.cancel()
    else:
        leaving.cancel()
        admission.leave()
    await staying
    assert leaving.cancelled() or ((await asyncio.wait([leaving])) and leaving.cancelled())
    admission.leave()
    assert free(admission) == 1
