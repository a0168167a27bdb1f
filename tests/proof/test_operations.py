"""Ten thousand random operations never make the books disagree."""

import asyncio
from time import perf_counter
from typing import Any

import pytest

from tests.api.random_operations import run_operations
from tests.conftest import Service
from tests.proof.conftest import Report

pytestmark = pytest.mark.proof

_OPERATIONS = 10_000


async def test_ten_thousand_random_operations(service: Service, connection: Any, report: Report) -> None:
    began = perf_counter()
    loop = asyncio.get_running_loop()
    done = await asyncio.to_thread(run_operations, service, connection, loop, examples=60, steps=80)
    kinds = ("create", "move", "basket", "replace", "set_stock", "rename", "bulk", "delete", "import_file")
    total = sum(done[kind] for kind in kinds)
    assert total >= _OPERATIONS
    report.write(
        "The books agree, whatever is done",
        f"{total:,} random operations of every kind by up to 6 connections at once, half of them with a key and sent"
        " three times. After each round of them stock was the sum of the ledger for every good, those deleted included,"
        " each balance followed from the one before, and nothing was negative; after every 80 rounds, the feed replayed"
        " from nothing was the goods that the export gave.",
        ("operation", "times"),
        [*sorted(done.items()), ("seconds", f"{perf_counter() - began:.0f}")],
    )
