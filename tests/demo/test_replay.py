"""The demo as a person starts it: it loads, greets, and plays; what it shows is what its socket hears."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys

import pytest

LINE = re.compile(
    r"last minute: (\d+) entered, (\d+) left, commit to socket (\d+) ms; .*Active buyers ([\d,]+)"
)


@pytest.mark.bulk
@pytest.mark.faults
async def test_customers_buy_again_and_the_socket_hears_of_it(empty_database_url, redis_url, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "audience_gql.cli", "demo", "--port", str(port), "--state", tmp_path),
        env={**os.environ, "DATABASE_URL": empty_database_url, "REDIS_URL": redis_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = []
    try:
        async with asyncio.timeout(240):
            while not is_playing(await said_next(process, said)):
                continue
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = await process.communicate()

    assert process.returncode == 0, rest
    assert "Traceback" not in rest.decode(), rest


def is_playing(line: str) -> bool:
    """Whether somebody has entered, and everybody who bought lately is there."""
    found = LINE.search(line)
    return found is not None and int(found[1]) > 0 and int(found[4].replace(",", "")) > 1_000


async def said_next(process, said: list[str]) -> str:
    line = (await process.stdout.readline()).decode()
    assert line, f"the demo has ended: {''.join(said)}"
    said.append(line)
    return line
