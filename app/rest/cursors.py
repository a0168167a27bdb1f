"""Page tokens: where a page ended, and of which list. They hold `[A-Za-z0-9._~-]` only.

A token is not secret and not signed: everything in it is checked again as if a client had written it.
"""

import base64
import binascii
import hashlib
import json
from typing import Any

from app.errors.domain import Fault, InvalidInput

_LONGEST = 2000  # characters: a name of 200 characters, escaped, stays far below


def fingerprint(*parts: object) -> str:
    """A short text that is equal for equal lists (the same filters, the same order)."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def encode(scope: str, *position: str | int) -> str:
    """A token for the place after `position` in the list with the fingerprint `scope`."""
    raw = json.dumps([scope, *position], separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(token: str, scope: str, *, length: int) -> list[Any]:
    """The `length` values of a token's position. Raises InvalidInput for any token that is not of this list."""
    parts = _parsed(token)
    if len(parts) != length + 1:
        raise bad_position()
    if parts[0] != scope:
        detail = "belongs to a list with other filters or another order: start again without it"
        raise InvalidInput([Fault("parameter", "after", detail)])
    return parts[1:]


def integer(token: str, scope: str, *, most: int) -> int:
    """The position of a token that has a single number from 1 to `most`. Raises InvalidInput like `decode`."""
    (value,) = decode(token, scope, length=1)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        raise bad_position()
    return value


def _parsed(token: str) -> list[Any]:
    if len(token) > _LONGEST:
        raise bad_position()
    try:
        parts = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError, binascii.Error):
        raise bad_position() from None
    if not isinstance(parts, list):
        raise bad_position()
    return parts


def bad_position() -> InvalidInput:
    """For what is no token, or one whose position can't be one."""
    return InvalidInput([Fault("parameter", "after", "is not a token of this service")])
