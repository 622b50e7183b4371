"""The file `connection.env`: the addresses and the token of a demo or `up`, for other programs of the same user."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Final

from audience_gql.config import Client

NAME: Final = "connection.env"


def default_state(command: str) -> Path:
    """The state folder of `demo` or `up` without --state. Their data never mix."""
    base = os.environ.get("XDG_STATE_HOME")
    if base:
        return Path(base) / "audience-gql" / command
    if os.geteuid() == 0:
        return Path("/var/lib/audience-gql") / command
    return Path.home() / ".local" / "state" / "audience-gql" / command


def read(path: Path) -> dict[str, str]:
    """The variables that the file sets, by name. Empty when there is no file."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.removeprefix("export ").partition("=") for line in lines if "=" in line)
    return {name: "".join(shlex.split(value)) for name, _, value in pairs}


def newest_client() -> Client | None:
    """The server of the demo or `up` that was started last with its default state folder. None when there was none."""
    files = [path for name in ("demo", "up") if (path := default_state(name) / NAME).exists()]
    if not files:
        return None
    found = read(max(files, key=lambda path: path.stat().st_mtime))
    if not {"AUDIENCE_URL", "AUDIENCE_TOKEN"} <= found.keys():
        return None
    return Client(url=found["AUDIENCE_URL"], token=found["AUDIENCE_TOKEN"])
