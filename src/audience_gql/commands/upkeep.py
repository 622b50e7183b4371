"""`audience-gql migrate`, `recompute`, `restored`, `timezone` and `week-start`: what operators do to a deployment."""
# ruff: noqa: PLC0415  # imports are inside the commands and after the settings, so that `--help` and a missing setting are told at once

from __future__ import annotations

import argparse
import asyncio

from audience_gql.commands.environment import read_settings


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    commands.add_parser("migrate", help="bring the database schema up to date").set_defaults(run=_migrate)
    recompute = commands.add_parser(
        "recompute", help="compute every membership again from the facts, and wait for the end"
    )
    recompute.set_defaults(run=_recompute)
    restored = commands.add_parser(
        "restored",
        help="make clients' cursors expire; run it after restoring a backup, before starting a process",
    )
    restored.set_defaults(run=_restored)
    zone = commands.add_parser("timezone", help="change the time zone of a workspace")
    zone.add_argument("--workspace", required=True, help="name of the workspace")
    zone.add_argument("zone", help="name from the IANA time zone database, for example Europe/Vilnius")
    zone.set_defaults(run=_change_timezone)
    week = commands.add_parser("week-start", help="change the day on which the weeks of a workspace begin")
    week.add_argument("--workspace", required=True, help="name of the workspace")
    week.add_argument("day", choices=["monday", "saturday", "sunday"], help="the first day of the week")
    week.set_defaults(run=_change_week_start)


def _migrate(_: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.storage.schema import migrate

    asyncio.run(migrate(settings.database_url))
    return 0


def _recompute(_: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.maintenance import recompute_all

    count = asyncio.run(recompute_all(settings))
    segments = "1 segment" if count == 1 else f"{count} segments"
    print(
        f"{segments} recomputed; the worker's log shows the memberships that were wrong and are now repaired"
    )
    return 0


def _restored(_: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.maintenance import expire_cursors

    asyncio.run(expire_cursors(settings))
    print("all earlier cursors have expired; clients must begin again with a snapshot")
    return 0


def _change_timezone(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.maintenance import change_timezone_of

    asyncio.run(change_timezone_of(settings, workspace=parsed.workspace, timezone=parsed.zone))
    return 0


def _change_week_start(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.maintenance import change_week_start_of

    asyncio.run(change_week_start_of(settings, workspace=parsed.workspace, day=parsed.day))
    return 0
