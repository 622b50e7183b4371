"""Connections and transactions of requests, with callbacks that run only after a commit.

It must not know a table: the modules beside it read and write those.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, overload

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.context import TortoiseContext, _current_context
from tortoise.exceptions import DBConnectionError, IntegrityError

from audience_gql.storage.cluster import citus
from audience_gql.storage.event_names import EventNames
from audience_gql.storage.ids import IdBlocks
from audience_gql.storage.postgres.connections import close_pool
from audience_gql.storage.postgres.orm_config import tortoise_config
from audience_gql.storage.postgres.pool import Pool, PoolUse
from audience_gql.storage.turns.fair_queue import Bounds, FairQueue, Place

if TYPE_CHECKING:
    from audience_gql.storage.postgres.presence import Presence

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
T = TypeVar("T")
RecordType = TypeVar("RecordType", bound=asyncpg.Record)

_RETRIES = 8
_BEGIN_SNAPSHOT: Final = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = force_custom_plan"
)
"""Two commands in one message. Neither takes the snapshot: the caller's first read does, so that nothing committed before it is missing."""


class Unavailable(Exception):
    """Postgres cannot be reached, or no connection became free in time. Nothing was written, so the caller can retry."""

    has_no_values = True


class OutcomeUnknown(Unavailable):
    """The connection was lost during a commit: whether anything was written is unknown."""


UNREACHABLE: tuple[type[Exception], ...] = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.PostgresIOError,  # raised while rows are copied to a machine of a cluster that is lost
    asyncpg.InternalClientError,  # raised by a connection that died in the middle of a statement
    Unavailable,
)
"""What a driver call raises while Postgres, or a machine of its cluster, is not available. It says nothing about the statement, so the caller can retry.

A connection of ours raises ConnectionLost, a PostgresConnectionError, for errors that mean the same, although their classes do not say so.
"""

NO_CONNECTION: tuple[type[Exception], ...] = (*UNREACHABLE, asyncpg.InterfaceError)
"""What taking a connection from a pool, and the beginning and the end of a transaction, raise while Postgres is not available. None of them has values,
so an InterfaceError never tells of wrong values here."""

_REFUSALS: tuple[type[Exception], ...] = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    DBConnectionError,  # how the ORM wraps the class above
)
"""What a wrong user, password or database name in the URL raises."""


class RunAgain(Exception):
    """What the transaction read has changed before it was locked. Nothing was written; Database.run runs the transaction again."""


RETRIABLE: tuple[type[Exception], ...] = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, RunAgain)
"""Postgres asks the client to run the transaction again, or the work itself does."""

BUSY: tuple[type[Exception], ...] = (*RETRIABLE, asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)
"""Another transaction holds a lock that the statement needs, or the statement took too long. Nothing was done."""

UNIQUE_VIOLATION: tuple[type[Exception], ...] = (asyncpg.UniqueViolationError, IntegrityError)
"""A name or key is already taken; raised by the driver or by the ORM."""


@dataclass(slots=True)
class Transaction:
    """One open transaction. ORM calls inside its block use it automatically."""

    connection: Connection
    _callbacks: list[Callable[[], None]] = field(default_factory=list)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this once the transaction is committed, and never if it is not."""
        self._callbacks.append(callback)

    def run_callbacks(self) -> None:
        for callback in self._callbacks:
            callback()


@contextmanager
def connecting() -> Iterator[None]:
    """Wraps the opening of a connection. Raises Unavailable, which says whether Postgres is unreachable or refuses the connection."""
    try:
        yield
    except _REFUSALS as error:  # before UNREACHABLE, because the ORM's exception is also an OSError
        raise Unavailable(f"Postgres refuses the connection: {error}") from error
    except NO_CONNECTION as error:
        raise Unavailable("Postgres cannot be reached") from error


class Database:
    """The pools of one process."""

    def __init__(
        self,
        context: TortoiseContext,
        pool: Pool,
        queue: FairQueue | None,
        *,
        pool_wait_seconds: float,
    ) -> None:
        self._context = context
        self._pool = pool
        self._queue = queue
        self._pool_wait_seconds = pool_wait_seconds
        self.ids = IdBlocks()
        self.event_names = EventNames()

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        pool_size: int = 10,
        statement_timeout_seconds: float = 5.0,
        lock_timeout_seconds: float = 2.0,
        pool_wait_seconds: float = 2.0,
        is_default: bool = True,
        presence: Presence | None = None,
        bounds: Bounds | None = None,
    ) -> Database:
        """Connect. The default database also serves models outside transactions; a process has exactly one default.

        `presence` terminates the connections when the server is silent. `bounds` limit how many connections a token may hold at a time.
        Raises Unavailable when the server cannot be reached or refuses the connection.
        """
        context = TortoiseContext()
        with context:
            await context.init(
                config=tortoise_config(
                    url, pool_size, statement_timeout_seconds, lock_timeout_seconds, presence=presence
                ),
                _enable_global_fallback=is_default,  # requests and jobs run in tasks that do not inherit this context
            )
        client = context.connections.get("default")
        try:
            with connecting():
                await client.create_connection(with_db=True)
        except Unavailable:
            await context.close_connections()
            raise
        queue = None if bounds is None else FairQueue(bounds)
        opened = cls(context, client._pool, queue, pool_wait_seconds=pool_wait_seconds)  # noqa: SLF001  # the ORM and set work share one pool, so that both see one transaction
        async with opened.acquire() as connection:
            opened.is_cluster = await citus.version(connection) is not None
        return opened

    @property
    def is_cluster(self) -> bool:
        """Whether this is a Citus cluster's coordinator."""
        return self._pool.is_cluster

    @is_cluster.setter
    def is_cluster(self, is_cluster: bool) -> None:
        self._pool.is_cluster = is_cluster

    async def close(self) -> None:
        await close_pool(self._pool)
        await self._context.close_connections()

    @property
    def client(self) -> AsyncpgDBClient:
        """The ORM's own client, for the ORM's tools."""
        client: AsyncpgDBClient = self._context.connections.get("default")  # type: ignore[assignment]  # it is of this backend
        return client

    @property
    def use(self) -> PoolUse:
        """What its pool does at present."""
        return self._pool.use

    def acquire(self) -> AbstractAsyncContextManager[Connection]:
        """A connection for reads outside a transaction, during a context. It must not be used after that.

        Raises Unavailable when none becomes free in time, Overloaded when the queue is too long.
        """
        return self._borrow()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """A connection whose reads all see the database as of the first read. It cannot write or lock.

        Postgres plans each of its statements for the statement's values. Otherwise the sixth execution of a compiled condition can get a
        plan for any values, which can be a hundred times slower. Raises Unavailable when no connection becomes free in time.
        """
        async with self.acquire() as connection:
            await _begin(connection, connection.execute(_BEGIN_SNAPSHOT))
            try:
                yield connection
            finally:
                with suppress(*UNREACHABLE):  # nothing was written, so nothing can be lost
                    await connection.execute("ROLLBACK")

    def _borrow(self) -> _Loan:
        place = None if self._queue is None else self._queue.place()
        return _Loan(self._pool, place, self._pool_wait_seconds)

    @overload
    async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]: ...

    @overload
    async def fetch(self, sql: str, *values: object, record_class: type[RecordType]) -> list[RecordType]: ...

    async def fetch(
        self, sql: str, *values: object, record_class: type[asyncpg.Record] | None = None
    ) -> list[Any]:  # Any: as the overloads say
        async with self.acquire() as connection:
            return await connection.fetch(sql, *values, record_class=record_class)

    async def fetchrow(self, sql: str, *values: object) -> asyncpg.Record | None:
        async with self.acquire() as connection:
            return await connection.fetchrow(sql, *values)

    async def fetchval(self, sql: str, *values: object) -> Any:  # Any: the type is the column's
        async with self.acquire() as connection:
            return await connection.fetchval(sql, *values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """One transaction for a whole use case. Never nest it, and never wait inside it for anything except Postgres.

        Raises Unavailable when no connection becomes free in time, OutcomeUnknown when the connection is lost during the commit.
        """
        async with self._borrow() as connection:
            block = connection.transaction()
            await _begin(connection, block.start())
            transaction = Transaction(connection)
            with self._models_in(connection):
                try:
                    yield transaction
                except BaseException:
                    with suppress(*NO_CONNECTION):  # a lost connection has rolled back already
                        await block.rollback()
                    raise
                try:
                    await block.commit()
                except NO_CONNECTION as error:
                    raise OutcomeUnknown("the database connection was lost during a commit") from error
        transaction.run_callbacks()

    @contextmanager
    def models(self) -> Iterator[None]:
        """Models outside of transactions read from this database during the context, also if another one is the default."""
        token = _current_context.set(self._context)
        try:
            yield
        finally:
            _current_context.reset(token)

    @contextmanager
    def _models_in(self, connection: Connection) -> Iterator[None]:
        """Make models use this connection. The ORM's own context manager leaves a dead connection in the task when its start fails."""
        connections = self._context.connections
        wrapper = TransactionWrapper(self.client)
        wrapper._connection = connection  # noqa: SLF001  # as its own context manager does
        with self.models():
            token = connections.set("default", wrapper)
            try:
                yield
            finally:
                connections.reset(token)

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in a transaction. After a deadlock, a serialization failure or RunAgain, run it again from the start, up to 8 times in total."""

        async def once() -> T:
            async with self.transaction() as transaction:
                return await work(transaction)

        return await _repeated(once)

    async def rehearse(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` like `run`, and roll back what it has written."""
        return await _repeated(lambda: self._rehearsed(work, None))

    async def rehearse_in_snapshot(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` once, on the database as of its first statement, and roll back what it has written.

        Raises one of RETRIABLE if it writes a row that others have changed since.
        """
        return await self._rehearsed(work, "repeatable_read")

    async def _rehearsed(
        self, work: Callable[[Transaction], Awaitable[T]], isolation: Literal["repeatable_read"] | None
    ) -> T:
        async with self._borrow() as connection:
            block = connection.transaction(isolation=isolation)
            await _begin(connection, block.start())
            with self._models_in(connection):
                try:
                    return await work(Transaction(connection))
                finally:
                    with suppress(*NO_CONNECTION):  # a lost connection has rolled back already
                        await block.rollback()


class _Loan:
    """A connection during a context, with a place in the queue. A generator for each would cost several times as much."""

    __slots__ = ("_connection", "_place", "_pool", "_wait_seconds")

    def __init__(self, pool: Pool, place: Place | None, wait_seconds: float) -> None:
        self._pool = pool
        self._place = place
        self._wait_seconds = wait_seconds

    async def __aenter__(self) -> Connection:
        if self._place is not None and not self._place.enter_now():
            await self._place.enter()
        try:
            self._connection = self._pool.acquire_now() or await self._pool.acquire(self._wait_seconds)
        except BaseException as error:
            self._leave()
            if isinstance(error, NO_CONNECTION):
                raise Unavailable("no database connection became free in time") from error
            raise
        return self._connection

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is GeneratorExit:
            # Nobody awaits the caller any more, so nothing can wait for the statement that may be under way. The driver does not notice:
            # it would count the connection as at rest, and the next caller would find the dropped one's transaction open.
            self._connection.terminate()
        tidying = self._pool.release_now(self._connection)
        if tidying is None:
            self._leave()
        else:
            tidying.add_done_callback(self._leave)
            await asyncio.shield(tidying)

    def _leave(self, _: object = None) -> None:
        if self._place is not None:
            self._place.leave()


async def _repeated(once: Callable[[], Awaitable[T]]) -> T:
    for attempt in range(_RETRIES):
        try:
            return await once()
        except RETRIABLE:
            if attempt == _RETRIES - 1:
                raise
            await asyncio.sleep(0.01 * 2**attempt)
    raise AssertionError("unreachable")


async def _begin(connection: Connection, beginning: Awaitable[object]) -> None:
    """Begin a transaction. If the caller is cancelled meanwhile, nobody knows whether it has begun, so the connection is terminated."""
    try:
        await beginning
    except NO_CONNECTION as error:
        raise Unavailable("the database connection was lost") from error
    except asyncio.CancelledError:
        connection.terminate()
        raise
