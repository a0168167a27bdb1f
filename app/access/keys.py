"""API keys: how one is made, how it is recognised, and what it allows."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, get_args

Scope: TypeAlias = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)  # each includes those before it

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", re.ASCII)
LONGEST = 200  # characters; ours have 49

_PREFIX = "goods_"  # so that who finds one knows what it is, and scanners for secrets do as well


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key. The key itself is known to its holder only."""

    id: int
    name: str
    scope: Scope
    digest: bytes
    expires_at: datetime | None
    revoked_at: datetime | None

    def allows(self, needed: Scope) -> bool:
        return SCOPES.index(self.scope) >= SCOPES.index(needed)


def new_key() -> str:
    """A key of 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(32)


def digest_of(key: str) -> bytes:
    """What is stored of a key. Without salt and stretching: those help words that can be guessed, which no key is."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
