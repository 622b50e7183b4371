"""Keeps the tokens' budgets of points in Redis, so that all web processes share them. Losing them only fills the budgets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from redis.exceptions import RedisError

from audience_gql.audience.ports import LedgerAway
from audience_gql.messaging.connections import for_signals

_ANSWER_SECONDS: Final = 0.5
_SETTLE: Final = """
local most, rate, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end
local balances = {}
for i, key in ipairs(KEYS) do
  local held = redis.call('HMGET', key, 'points', 'at')
  local points, at = tonumber(held[1]) or most, tonumber(held[2]) or now
  points = math.min(most, points + math.max(0, now - at) * rate) - tonumber(ARGV[3 + i])
  balances[i] = string.format('%.3f', points)
  redis.call('HSET', key, 'points', balances[i], 'at', string.format('%.6f', math.max(at, now)))
  redis.call('PEXPIRE', key, math.ceil((most - points) / rate * 1000) + 1000)
end
return balances
"""
"""Refills each budget up to now, and then takes what was spent. A key disappears when its budget is full again."""


class RedisLedger:
    """The budgets in one Redis database. Create it inside a running event loop, and close it."""

    def __init__(self, url: str, now: Callable[[], float] | None = None) -> None:
        """`now` replaces the clock of Redis, in seconds."""
        self._redis = for_signals(url)
        self._script = self._redis.register_script(_SETTLE)
        self._now = now

    async def settle(self, spent: Mapping[int, int], *, most: int, per_second: int) -> dict[int, float]:
        keys = [f"audience:points:{token_id}" for token_id in spent]
        now = "" if self._now is None else f"{self._now():.6f}"
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                balances = await self._script(keys=keys, args=[most, per_second, now, *spent.values()])
        except (RedisError, OSError) as error:
            raise LedgerAway(str(error) or type(error).__name__) from error
        return dict(zip(spent, map(float, balances), strict=True))

    async def aclose(self) -> None:
        await self._redis.aclose(close_connection_pool=True)
