"""How many requests one caller may make in a time, where the deployment has a limit."""

import ipaddress
import math
import time
from collections.abc import Mapping
from typing import Any

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from app.errors.domain import RateLimited

_IPV6_PREFIX = 64  # bits: whoever has one address of such a network has them all

Headers = list[tuple[bytes, bytes]]


class RateLimiter:
    """Counts in this process alone: a deployment of four processes lets four times as much through.

    `text` is in the notation of the `limits` package: `100/second`, `20/second;1000/minute`.
    """

    def __init__(self, text: str) -> None:
        self._items: list[RateLimitItem] = parse_many(text)
        self._windows = SlidingWindowCounterRateLimiter(MemoryStorage())
        policies = (f'"{_name(item)}";q={item.amount};w={item.get_expiry()}' for item in self._items)
        self._policy = ", ".join(policies).encode()

    async def spend(self, caller: str) -> Headers:
        """Count one request of a caller, and give the headers that say what is left.

        The headers are those of draft-ietf-httpapi-ratelimit-headers-10. Raises RateLimited.
        """
        allowed = [await self._windows.hit(item, caller) for item in self._items]
        now = time.time()
        states = []
        for item in self._items:
            stats = await self._windows.get_window_stats(item, caller)
            states.append((stats.remaining, max(1, math.ceil(stats.reset_time - now)), item))
        remaining, seconds, item = min(states, key=lambda state: state[:2])
        left = f'"{_name(item)}";r={remaining};t={seconds}'.encode()
        headers = [(b"ratelimit-policy", self._policy), (b"ratelimit", left)]
        if not all(allowed):
            longest = max(seconds for (_, seconds, _), fits in zip(states, allowed, strict=True) if not fits)
            raise RateLimited(longest, {name.decode(): value.decode() for name, value in headers})
        return headers


def address_of(scope: Mapping[str, Any]) -> str:
    """Whom an address stands for: itself, or its network for IPv6."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "address:unknown"
    if address.version == 4:
        return f"address:{address}"
    return f"address:{ipaddress.ip_network((address, _IPV6_PREFIX), strict=False)}"


def _name(item: RateLimitItem) -> str:
    return str(item.GRANULARITY.name)
