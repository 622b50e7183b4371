"""The command line `audience-gql`: finds the command, runs it, and reports failures that are not bugs in one line."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import sys
import threading
import zoneinfo
from typing import TYPE_CHECKING, Any, Final

from audience_gql.commands import (
    citus,
    definitions,
    documents,
    exporting,
    generated,
    importing,
    local,
    mcp,
    processes,
    query,
    sign_in,
    tokens,
    upkeep,
    workspaces,
)
from audience_gql.telemetry.logs import write_logs

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS: Final = (
    local,
    mcp,
    processes,
    importing,
    exporting,
    query,
    definitions,
    sign_in,
    workspaces,
    tokens,
    documents,
    upkeep,
    citus,
    generated,
)
_YOUNG_OBJECTS: Final = 50_000
"""How many new objects there are before Python looks for garbage among them. Its default of 700 takes a tenth of a start, because most
objects that a program makes when it imports modules stay."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 1 for a failure with a message, 3 for refused rows, 4 for a plan with changes. Invalid arguments exit with 2."""
    gc.set_threshold(_YOUNG_OBJECTS)
    zoneinfo.reset_tzpath(to=())  # use the zones of the pinned tzdata, the same on every machine
    parsed = _parser().parse_args(arguments)
    if not logging.getLogger().handlers:  # a program that calls this function may have its own
        write_logs("text", "INFO")
    if getattr(parsed, "stop_with_stdin", False):
        threading.Thread(target=_stop_with_stdin, daemon=True).start()
    try:
        code: int = parsed.run(parsed)
    except _explained() as error:
        print(f"audience-gql: {error}", file=sys.stderr)
        return 1
    return code


def _explained() -> tuple[type[Exception], ...]:
    """The failures that are reported in one line without a traceback: they are not bugs, and the user can fix the cause."""
    from audience_gql.audience.failures import Failure  # noqa: PLC0415  # `--help` must be fast
    from audience_gql.config import MalformedSetting, MissingSetting  # noqa: PLC0415
    from audience_gql.storage.postgres.database import Unavailable  # noqa: PLC0415
    from audience_gql.storage.schema import OtherSchema  # noqa: PLC0415
    from audience_gql.telemetry.traces import TracesNotInstalled  # noqa: PLC0415

    return Failure, MalformedSetting, MissingSetting, OtherSchema, TracesNotInstalled, Unavailable


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="audience-gql", description="An audience backend over GraphQL with exact, live segments."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in _COMMANDS:
        module.add_commands(commands)
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser whose commands, and the commands of these, describe themselves with the line that the list of commands has."""

    def __init__(self, **options: Any) -> None:  # Any: those of the library
        super().__init__(**options)
        self.register("action", "parsers", _Commands)


class _Commands(argparse._SubParsersAction):  # type: ignore[type-arg]  # noqa: SLF001  # the library has no public name for it; it is generic only in the stubs
    def add_parser(self, name: str, **options: Any) -> Any:  # Any: those of the library
        line = options.get("help")
        if line:
            options.setdefault("description", f"{line[:1].upper()}{line[1:]}.")
        return super().add_parser(name, **options)


def _stop_with_stdin() -> None:
    """Stop this process when its parent ends: the parent's end of the pipe closes, however the parent dies."""
    while sys.stdin.buffer.read(4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
