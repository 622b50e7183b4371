"""Plays the demo: customers of the log buy again, about one per second, while a table shows who enters and leaves lists, and what the automations do."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.live import Live

from audience_gql.audience.people.events import track_events
from audience_gql.audience.ports import Ports
from audience_gql.demo.audience_feed import Listener, listen
from audience_gql.demo.opening import repeated, rhythm_of
from audience_gql.demo.scoreboard import Scoreboard
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Unavailable

_REDRAW_SECONDS: Final = 0.5
_LINE_SECONDS: Final = 10.0

logger = logging.getLogger(__name__)


async def play(*, ports: Ports, workspace: Workspace, websocket_url: str, token: str) -> None:
    """Play until cancelled. Purchases are skipped while Postgres is unavailable."""
    board = Scoreboard()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch(websocket_url, token, board))
        tasks.create_task(buy(ports, workspace, board))
        tasks.create_task(_show(board, Console()))


async def watch(websocket_url: str, token: str, board: Scoreboard) -> None:
    """Show on the board what the socket receives."""
    listener = Listener(
        on_change=lambda heard: board.changed(heard, time.monotonic()),
        on_state=lambda state: setattr(board, "state", state),
    )
    await listen(websocket_url, token, listener)


async def buy(ports: Ports, workspace: Workspace, board: Scoreboard) -> None:
    """Make customers buy again, without end."""
    rhythm = await rhythm_of(workspace)
    for replayed in rhythm.since(datetime.now(UTC)):
        await asyncio.sleep((replayed.at - datetime.now(UTC)).total_seconds())
        try:
            await track_events(
                ports=ports, workspace=workspace, items=[repeated(replayed, datetime.now(UTC))]
            )
        except Unavailable:
            logger.warning("Postgres is unavailable; purchase %s is skipped", replayed.key)
            continue
        board.purchased(replayed.purchase.customer_id, replayed.purchase.dollars, time.monotonic())


async def _show(board: Scoreboard, console: Console) -> None:
    if not console.is_terminal:
        while True:
            await asyncio.sleep(_LINE_SECONDS)
            console.print(board.line(time.monotonic()), soft_wrap=True, highlight=False)
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(board.table(time.monotonic()), refresh=True)
            await asyncio.sleep(_REDRAW_SECONDS)
