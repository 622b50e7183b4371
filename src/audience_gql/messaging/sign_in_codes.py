"""Keeps the codes of sign-in links in Redis, which forgets them by itself. Losing them costs nothing but the links."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from audience_gql.audience.signing_in import CodesAway
from audience_gql.messaging.connections import for_signals


class RedisCodes:
    """Codes in one Redis database. Create it inside a running event loop, and close it."""

    def __init__(self, url: str) -> None:
        self._redis = for_signals(url)

    async def count(self, owner: str, *, seconds: int) -> int:
        key = f"audience:sign-in:count:{owner}"
        with _answering():
            async with self._redis.pipeline() as pipeline:
                pipeline.incr(key)
                pipeline.expire(key, seconds, nx=True)
                asked, _ = await pipeline.execute()
            return int(asked)

    async def keep(self, digest: str, sealed: bytes, *, seconds: int) -> None:
        with _answering():
            await self._redis.set(f"audience:sign-in:{digest}", sealed, ex=seconds)

    async def take(self, digest: str) -> bytes | None:
        with _answering():
            found: bytes | None = await self._redis.getdel(f"audience:sign-in:{digest}")
            return found

    async def aclose(self) -> None:
        await self._redis.aclose(close_connection_pool=True)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise CodesAway from error
