"""`audience-gql citus check`, `distribute` and `undistribute`."""
# ruff: noqa: PLC0415  # imports are inside the commands and after the settings, so that `--help` and a missing setting are told at once

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from audience_gql.commands.environment import is_confirmed, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audience_gql.storage.cluster.citus import Step

_EPILOG = "docs/howto/scale-out.md describes each step. Make a backup and stop all processes before."


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `citus` with its commands to the command line."""
    citus = commands.add_parser("citus", help="distribute the database over the machines of a Citus cluster")
    inner = citus.add_subparsers(required=True, metavar="COMMAND")
    check = inner.add_parser(
        "check", help="tell what is left to do, and change nothing; the exit code is 0 if nothing is left"
    )
    check.set_defaults(run=_check)
    for name, is_distributing, about in (
        ("distribute", True, "move each bucket to one of the machines"),
        ("undistribute", False, "bring everything back to the coordinator"),
    ):
        change = inner.add_parser(name, help=about, epilog=_EPILOG)
        change.add_argument("--yes", action="store_true", help="do not ask")
        change.set_defaults(run=_change, is_distributing=is_distributing)


def _check(_: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.clustering import cluster_of

    cluster = asyncio.run(cluster_of(settings))
    print(f"Citus {cluster.version} on {len(cluster.machines)} machines:")
    for machine in cluster.machines:
        print(f"  {machine.host}:{machine.port}")
    if not cluster.to_distribute:
        print("The database is distributed.")
        return 0
    if not cluster.to_undistribute:
        print("The database is on the coordinator.")
    print("To distribute it:")
    _show(cluster.to_distribute)
    return 1


def _change(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.clustering import carry_out, cluster_of

    cluster = asyncio.run(cluster_of(settings))
    steps = cluster.to_distribute if parsed.is_distributing else cluster.to_undistribute
    if not steps:
        print("There is nothing left to do.")
        return 0
    if not parsed.yes:
        _show(steps)
        if not is_confirmed(f"Type yes to take these {len(steps)} steps: "):
            print("Nothing was changed.")
            return 1

    async def run() -> None:
        async for step in carry_out(settings, is_distributing=parsed.is_distributing):
            print(f"{step.about} …", flush=True)

    asyncio.run(run())
    after = asyncio.run(cluster_of(settings))
    left = after.to_distribute if parsed.is_distributing else after.to_undistribute
    _show(left)
    print("Done." if not left else "These steps are left; run the command again.")
    return 1 if left else 0


def _show(steps: Sequence[Step]) -> None:
    for step in steps:
        print(f"  {step.about}")
