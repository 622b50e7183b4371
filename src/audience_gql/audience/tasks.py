"""Ends tasks for certain."""

from __future__ import annotations

import asyncio
from typing import Any, Final

_CANCEL_AGAIN_SECONDS: Final = 0.5


async def end(*tasks: asyncio.Task[Any]) -> None:  # Any: nobody asks what they would have given
    """Cancel tasks and wait until all have ended.

    Once is not enough: redis-py and asyncpg await with `asyncio.wait_for`, which in Python 3.11 swallows a cancellation that comes
    together with the answer, and the task goes on.
    """
    while waiting := [task for task in tasks if not task.done()]:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=_CANCEL_AGAIN_SECONDS)
