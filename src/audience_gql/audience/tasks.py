"""Ends tasks reliably."""

from __future__ import annotations

import asyncio
from typing import Any, Final

_CANCEL_AGAIN_SECONDS: Final = 0.5


async def end(
    *tasks: asyncio.Task[Any],  # Any: the results are not used
    again_after: float = _CANCEL_AGAIN_SECONDS,
) -> None:
    """Cancel tasks and wait until all have ended. Their results and failures stay in the tasks.

    One cancellation is not enough: redis-py awaits with `asyncio.wait_for`, which in Python 3.11 swallows a cancellation that arrives
    together with the result, and the task continues. So a task that has not ended is cancelled again every `again_after` seconds.
    A task that needs longer than that for its cleanup must be given more time, because the second cancellation interrupts the cleanup.
    """
    while waiting := [task for task in tasks if not task.done()]:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=again_after)
