"""One table from what PostgreSQL and its driver raise to the errors that the domain knows."""

import asyncio
from collections.abc import Callable

import asyncpg

from app.errors.domain import DatabaseUnavailable, GoodsApiError, IdempotencyKeyInUse, NameTaken, NotReady, SkuTaken

# The constraint's name decides, not the SQLSTATE alone: it says which rule of ours was broken.
_BY_CONSTRAINT: dict[str, Callable[[], GoodsApiError]] = {
    "goods_sku_key": SkuTaken,
    "access_keys_name_key": NameTaken,
    "idempotency_records_pkey": IdempotencyKeyInUse,
}

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNAVAILABLE = (
    "08",  # connection exception
    "28",  # invalid authorization: our own credentials, nothing that the caller can mend
    "3D",  # the database does not exist (yet)
    "53",  # insufficient resources: out of connections, memory or disk
    "57",  # operator intervention: shutdown, starting up, statement time-out
    "58",  # system error
    "25006",  # read-only transaction: a failover has left us on a standby
    "40",  # transaction rollback: serialization failure, deadlock
    "55P03",  # lock not available within lock_timeout
)
# Data, a constraint, a rollback (but 40003, which does not know), a lock that others hold, a trigger that raises.
_ROLLED_BACK = ("22", "23", "40001", "40002", "40P01", "55", "P0")


class NotSent(asyncpg.InternalClientError):  # type: ignore[misc]  # asyncpg has no types
    """The statement did not leave this process, so even a write may be tried on another connection."""


def was_not_sent(error: asyncpg.InternalClientError) -> bool:
    """Whether the driver refused to send, for the server has said goodbye on this connection.

    Between that and the connection's end the driver takes it for open; only the message tells (asyncpg 0.32).
    """
    return "cannot switch to state" in str(error)


def is_connection_loss(error: BaseException) -> bool:
    """Whether the connection went away under the statement, so that a read may be tried on another one."""
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate).startswith(("08", "57P"))
    if isinstance(error, (TimeoutError, ValueError)):  # a value that the driver can't encode is no loss
        return False
    return isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError))


def is_rolled_back(error: BaseException) -> bool:
    """Whether a statement failed for what it found (data, constraints, locks), and so has certainly changed nothing.

    Takes what `Pool.fetch` raises. Where this is false, nobody knows, or a second try would fare no better.
    """
    found = error if isinstance(error, asyncpg.PostgresError) else error.__cause__
    return isinstance(found, asyncpg.PostgresError) and str(found.sqlstate).startswith(_ROLLED_BACK)


def translate(error: BaseException) -> GoodsApiError | None:
    """The domain's error for one of the driver's; None for what only a fault of ours can cause."""
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        known = _BY_CONSTRAINT.get(error.constraint_name or "")
        return known() if known else None
    if isinstance(error, asyncpg.UndefinedTableError):
        return NotReady("The database has no schema yet: run `goods migrate`.")
    if isinstance(error, (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)):
        # What it waited for is only in the context: the index entry of somebody who is using the same key.
        in_use = "idempotency_records" in (getattr(error, "context", None) or "")
        return IdempotencyKeyInUse() if in_use else DatabaseUnavailable()
    if isinstance(error, asyncpg.PostgresError):
        unavailable = str(error.sqlstate).startswith(_UNAVAILABLE)
        return DatabaseUnavailable() if unavailable else None
    if isinstance(error, (OSError, TimeoutError, asyncio.IncompleteReadError)) or is_connection_loss(error):
        return DatabaseUnavailable()
    return None
