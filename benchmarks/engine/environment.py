"""Describes the environment of a measurement: the machine, the versions and Postgres' settings. Linux only."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import asyncpg


async def describe(database_url: str) -> dict[str, str]:
    """Texts by "machine", "versions" and "settings"."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            "SELECT name, current_setting(name) AS value FROM pg_settings "
            "WHERE (source = 'command line' OR name = 'huge_pages_status') "
            "AND name NOT IN ('port', 'listen_addresses', 'unix_socket_directories') "
            "AND category NOT LIKE 'File Locations%' ORDER BY name"
        )
        postgres = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    return {
        "machine": f"{os.cpu_count()} cores of {_processor()}, {_memory_gb():.0f} GB, {platform.system()}; Postgres on the same machine",
        "versions": f"Postgres {postgres}, Python {platform.python_version()}, asyncpg {version('asyncpg')}",
        "settings": ", ".join(f"{row['name']} {row['value']}" for row in rows),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _memory_gb() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
