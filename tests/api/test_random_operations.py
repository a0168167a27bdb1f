"""Whatever clients do, in whatever order and at once: stock is the ledger, and the feed is the goods."""

import asyncio
from typing import Any

import pytest

from tests.api.random_operations import run_operations
from tests.conftest import Service

pytestmark = pytest.mark.slow


async def test_nothing_that_clients_do_makes_the_books_disagree(service: Service, connection: Any) -> None:
    loop = asyncio.get_running_loop()
    done = await asyncio.to_thread(run_operations, service, connection, loop, examples=5, steps=12)
    assert done.total() > 60
