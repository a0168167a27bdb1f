"""Who may do what: judged by method, path and key alone, before anything else is looked at."""

import logging
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from app.access.directory import KeyDirectory
from app.access.keys import LONGEST, Key, Scope
from app.errors.domain import InvalidKey, KeyRequired, ScopeTooSmall
from app.logs.context import ANONYMOUS
from app.metrics.access import AccessMetrics

log = logging.getLogger("goods.access.keys")

Mode: TypeAlias = Literal["off", "writes", "all"]

# What says nothing about the goods, or must answer whoever watches.
_OPEN = frozenset({"/", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/problems"})
_OPEN_BELOW = ("/problems/", "/docs/assets/")
_ADMINS = re.compile(r"/imports/[^/]+/(?:apply|undo)")
_BEARER = "bearer "


class Guard:
    """Judges each request by the deployment's mode and the key that it brings; paths in `closed` need one always."""

    def __init__(
        self, mode: Mode, directory: KeyDirectory, metrics: AccessMetrics, *, closed: frozenset[str] = frozenset()
    ) -> None:
        self._mode = mode
        self._closed = closed
        self._directory = directory
        self._metrics = metrics

    def actor_of(self, scope: Mapping[str, Any]) -> str:
        """The name of whoever asks, if they may.

        Raises KeyRequired, InvalidKey, ScopeTooSmall, and DatabaseUnavailable when the keys are not known.
        """
        path: str = scope["path"]
        closed = path in self._closed
        if is_open(path) and not closed:
            return ANONYMOUS
        needed = needed_scope(scope["method"], path)
        presented = self._presented(scope["headers"])
        if presented is None:
            if not closed and (self._mode == "off" or (self._mode == "writes" and needed == "read")):
                return ANONYMOUS
            self._metrics.refused("missing")
            raise KeyRequired
        now = datetime.now(UTC)
        key = self._valid(presented, now)
        if not key.allows(needed):
            self._refuse("scope", key)
            raise ScopeTooSmall(key.scope, needed)
        self._directory.note_use(key, now)
        return key.name

    def _presented(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """The key in either header; the same one in both is one. Raises InvalidKey for anything else."""
        found = set()
        for name, value in headers:
            if name == b"x-api-key":
                found.add(value.decode("latin-1").strip())
            elif name == b"authorization":
                text = value.decode("latin-1").strip()
                # Of another scheme it is no key of ours: the empty one is nobody's.
                found.add(text[len(_BEARER) :].strip() if text.lower().startswith(_BEARER) else "")
        if not found:
            return None
        key = found.pop()
        if found or not 0 < len(key) <= LONGEST:
            self._metrics.refused("unknown")
            raise InvalidKey
        return key

    def _valid(self, presented: str, now: datetime) -> Key:
        key = self._directory.find(presented)
        if key is None:
            self._metrics.refused("unknown")
            raise InvalidKey
        if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
            self._refuse("expired" if key.revoked_at is None else "revoked", key)
            raise InvalidKey
        return key

    def _refuse(self, reason: str, key: Key) -> None:
        self._metrics.refused(reason)
        log.warning(
            "a request with the API key %s was refused: %s", key.name, reason, extra={"event": "access.refused"}
        )


def is_open(path: str) -> bool:
    """Whether keys are not even looked at there."""
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def needed_scope(method: str, path: str) -> Scope:
    """The scope that a request needs where keys are asked for."""
    if method in ("GET", "HEAD"):
        return "read"
    return "admin" if _ADMINS.fullmatch(path) else "write"
