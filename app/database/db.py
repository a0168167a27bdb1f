"""Access to PostgreSQL: pools, deadlines, and one place where a statement runs.

Every statement runs in autocommit, alone: one round trip, committed when the call returns. What belongs
together is one statement with CTEs. So no connection is ever left inside a transaction, and nothing depends
on the session: it works through PgBouncer in transaction mode.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import asyncpg

from app.config.conf import Settings
from app.database.errors import NotSent, is_connection_loss, translate, was_not_sent
from app.errors.domain import DatabaseUnavailable, Overloaded

Row: TypeAlias = Any  # asyncpg.Record, which has no types
# What the driver and the system raise when a statement fails or its connection does.
_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
_AT_ONCE = 0.001  # seconds: what taking a free connection may cost


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where a database is and who we are there. A host that begins with a slash is a Unix socket's folder."""

    host: str
    port: int
    database: str
    user: str
    password: str | None
    sslmode: str
    prepared: bool = True

    @classmethod
    def of(cls, settings: Settings, *, host: str | None = None) -> "DatabaseAddress":
        """The configured database, or the same one at another host (a replica, a direct address)."""
        chosen = host or settings.db_host
        if chosen is None:
            raise DatabaseUnavailable
        password = settings.db_password.get_secret_value() if settings.db_password else None
        return cls(
            chosen,
            settings.db_port,
            settings.db_name,
            settings.db_user,
            password,
            settings.db_sslmode,
            settings.db_prepared_statements,
        )

    def connect_arguments(self) -> dict[str, Any]:
        """What asyncpg's connect() and create_pool() take."""
        return {
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "user": self.user,
            "password": self.password,
            "ssl": "disable" if self.host.startswith("/") else self.sslmode,
            **({} if self.prepared else {"statement_cache_size": 0}),
        }


class PoolObserver(Protocol):
    """Who wants to know how a pool fares: the metrics."""

    def waited(self, pool: str, seconds: float) -> None: ...
    def exhausted(self, pool: str) -> None: ...


class Pool:
    """A bounded set of connections to one address, with a deadline on every wait.

    Seconds: `connect_timeout` bounds opening a connection and waiting for a free one; `statement_timeout` is
    what the server itself enforces (see `app.database.migrate`), and one second more is the client's own
    deadline, for a server that does not answer at all.
    """

    def __init__(
        self, name: str, address: DatabaseAddress, *, size: int, settings: Settings, observer: PoolObserver
    ) -> None:
        self.name = name
        self.size = size
        self._address = address
        self.connect_timeout = settings.connect_timeout
        self._deadline = settings.statement_timeout + 1.0
        self._observer = observer
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        # No connection is opened yet: the service starts, and says that it is not ready, without a database.
        self._pool = await asyncpg.create_pool(
            **self._address.connect_arguments(),
            min_size=0,
            max_size=self.size,
            timeout=self.connect_timeout,
            init=_know_arrays,
            reset=_keep_as_it_is,
        )

    async def close(self) -> None:
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        try:
            async with asyncio.timeout(self._deadline):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    @property
    def open_connections(self) -> int:
        return self._pool.get_size() if self._pool else 0

    @property
    def idle_connections(self) -> int:
        return self._pool.get_idle_size() if self._pool else 0

    async def fetch(self, sql: str, *arguments: Any) -> Sequence[Row]:
        """Run one statement, committed when this returns, and give its rows.

        Raises Overloaded, DatabaseUnavailable or the domain's error for the constraint that it broke.
        """
        try:
            # The loser of a deadlock was rolled back whole, so it is tried again: it is no concern of the caller's.
            with suppress(asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
                return await self._fetch_over_live_connection(sql, arguments)
            return await self._fetch_over_live_connection(sql, arguments)
        except _FAILURES as error:
            known = translate(error)
            if known is None:
                raise
            raise known from error

    async def _fetch_over_live_connection(self, sql: str, arguments: tuple[Any, ...]) -> Sequence[Row]:
        # Each connection of the pool may turn out to be one that the server has left.
        for _ in range(self.size):
            with suppress(NotSent):
                return await self._fetch_once(sql, arguments)
        return await self._fetch_once(sql, arguments)

    async def _fetch_once(self, sql: str, arguments: tuple[Any, ...]) -> Sequence[Row]:
        async with self._connection() as connection:
            try:
                if self._address.prepared:
                    rows: Sequence[Row] = await connection.fetch(sql, *arguments, timeout=self._deadline)
                else:
                    # The statement is parsed in one round trip and run in another: a pooler must not part the two.
                    async with asyncio.timeout(self._deadline), connection.transaction():
                        rows = await connection.fetch(sql, *arguments)
            except TimeoutError:
                # It may be frozen or half-open: asking it to cancel would wait once more.
                connection.terminate()
                raise
            except asyncpg.InternalClientError as error:
                connection.terminate()
                if was_not_sent(error):
                    raise NotSent(*error.args) from None
                raise
            return rows

    async def read(self, sql: str, *arguments: Any) -> Sequence[Row]:
        """Like `fetch`, for statements that change nothing: tried once more when the connection was lost.

        After a restart of the server every pooled connection is dead, and nobody has to notice.
        """
        try:
            return await self.fetch(sql, *arguments)
        except DatabaseUnavailable as error:
            if error.__cause__ is None or not is_connection_loss(error.__cause__):
                raise
        return await self.fetch(sql, *arguments)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        pool = self._pool
        if pool is None:
            raise DatabaseUnavailable
        connection = await self._acquire(pool)
        try:
            yield connection
        finally:
            # A connection that cannot be given back is ended by the pool. What happened before counts: the rows of a
            # statement that was committed, or the cancellation of whoever waited for it.
            with suppress(*_FAILURES):
                await pool.release(connection, timeout=self.connect_timeout)

    async def _acquire(self, pool: asyncpg.Pool) -> Any:
        loop = asyncio.get_running_loop()
        started = loop.time()
        free = pool.get_idle_size() > 0
        try:
            return await pool.acquire(timeout=self.connect_timeout)
        except TimeoutError:
            # Others may have taken what was free a moment ago: only now it is known whether all were busy.
            if pool.get_size() == self.size:
                self._observer.exhausted(self.name)
                raise Overloaded from None
            raise
        finally:
            waited = loop.time() - started
            if not free or waited > _AT_ONCE:
                self._observer.waited(self.name, waited)


_ARRAYS = ((1007, "_int4", 23), (1009, "_text", 25), (1016, "_int8", 20), (1231, "_numeric", 1700))


async def _know_arrays(connection: Any) -> None:
    """Tell asyncpg of the array types that our statements take; their numbers are the same in every PostgreSQL.

    It would ask the server otherwise, on each new connection: three more round trips in somebody's request, and
    a SET for the session, which leaks through PgBouncer. There is no public way; a test counts the statements.
    """
    unused = dict.fromkeys(("basetype", "range_subtype", "attrtypoids", "attrnames"))
    for oid, name, element in _ARRAYS:
        array = {"oid": oid, "ns": "pg_catalog", "name": name, "kind": b"b", "elemtype": element, "elemdelim": ","}
        connection._protocol.get_settings().register_data_types([{**array, **unused}])  # noqa: SLF001 - see above


async def _keep_as_it_is(_: Any) -> None:
    """Stand in for asyncpg's reset query, which would double the round trips of a short read.

    Nothing here changes a session, so there is nothing to reset.
    """


class Database:
    """The three pools of one process.

    `primary` takes point reads and writes; `replica` takes lists, which may lag behind (the primary again
    when DB_READ_HOST is not set); `background` keeps health checks and gauges out of the callers' queue.
    """

    def __init__(self, settings: Settings, observer: PoolObserver) -> None:
        address = DatabaseAddress.of(settings)
        self.primary = Pool("primary", address, size=settings.db_pool_size, settings=settings, observer=observer)
        self.background = Pool("background", address, size=2, settings=settings, observer=observer)
        self.replica = self.primary
        if settings.db_read_host:
            self.replica = Pool(
                "replica",
                DatabaseAddress.of(settings, host=settings.db_read_host),
                size=settings.db_pool_size,
                settings=settings,
                observer=observer,
            )

    @property
    def pools(self) -> list[Pool]:
        """Each pool once."""
        pools = [self.primary, self.background]
        return pools if self.replica is self.primary else [*pools, self.replica]

    async def open(self) -> None:
        for pool in self.pools:
            await pool.open()

    async def close(self) -> None:
        # At once: each may have to wait for a server that does not answer.
        await asyncio.gather(*(pool.close() for pool in self.pools))
