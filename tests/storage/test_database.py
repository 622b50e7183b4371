"""How connections are set up for what they are used for."""

from __future__ import annotations


async def test_fills_are_planned_for_their_bucket_and_ticks_once(tick_pool):
    """A plan for a bucket of ten people, taken for one of 23,570 among hundreds of such, ran for more than a minute."""
    async with tick_pool.filling() as filling, tick_pool.transaction() as ticking:
        modes = [await connection.fetchval("SHOW plan_cache_mode") for connection in (filling, ticking)]

    assert modes == ["force_custom_plan", "force_generic_plan"]
