"""Takes docs/images/live-table.svg: the demo's table after more than a minute of purchases. It fetches no fonts.

python3 dev demo --no-replay &          # the table's own replay makes the purchases
. ~/.local/state/audience-gql/demo/connection.env
python3 dev run docs/images/take_table.py
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from io import StringIO
from pathlib import Path

from rich.console import Console

from audience_gql.audience.ports import Ports
from audience_gql.demo.loading import open_workspace
from audience_gql.demo.opening import open_shop
from audience_gql.demo.replay import buy, watch
from audience_gql.demo.scoreboard import Scoreboard
from audience_gql.messaging.jobs import ArqJobs
from audience_gql.messaging.signals import RedisSignals
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.postgres.database import Database

_PICTURE = Path(__file__).with_name("live-table.svg")
_SECONDS = 70


async def main() -> None:
    database = await Database.open(os.environ["DATABASE_URL"])
    redis_url = os.environ["REDIS_URL"]
    ports = Ports(
        database=database, clock=DatabaseClock(), signals=RedisSignals(redis_url), jobs=ArqJobs(redis_url)
    )
    board = Scoreboard()
    workspace = await open_workspace(ports=ports)
    await open_shop(ports=ports, workspace=workspace)
    tasks = [
        asyncio.create_task(watch(os.environ["AUDIENCE_WS_URL"], os.environ["AUDIENCE_TOKEN"], board)),
        asyncio.create_task(buy(ports, workspace, board)),
    ]
    await asyncio.wait(tasks, timeout=_SECONDS)
    console = Console(record=True, width=84, file=StringIO())
    console.print(board.table(time.monotonic()))
    picture = console.export_svg(title="python3 dev demo", unique_id="live-table")
    _PICTURE.write_text(
        re.sub(r"@font-face {.*?}|<!--.*?-->", "", picture, flags=re.DOTALL), encoding="utf-8"
    )
    print(f"wrote {_PICTURE}")
    os._exit(0)  # nothing needs to be saved


if __name__ == "__main__":
    asyncio.run(main())
