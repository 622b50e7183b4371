"""How a test waits for what another process makes: it looks again and again, and gives up so late that no slow machine is blamed.

A test that looks only once counts on a quick machine. A test that pauses first and looks then counts on it too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

PATIENCE_SECONDS: Final = 60.0
"""Hundreds of times as long as it takes on a quick machine. Only a test that fails waits for so long."""
SLACK_SECONDS: Final = 10.0
"""What a busy machine may add to a time that is promised. If the promise is broken, it takes much longer, or for ever."""
_PAUSE_SECONDS: Final = 0.05

Found = TypeVar("Found")


async def until(look: Callable[[], Awaitable[Found | None]], *, seconds: float = PATIENCE_SECONDS) -> Found:
    """What `look` finds, once it finds something: anything but None, False, 0 and what is empty."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):  # noqa: ASYNC110  # what another process makes sets no event here
            await asyncio.sleep(_PAUSE_SECONDS)
    return found
