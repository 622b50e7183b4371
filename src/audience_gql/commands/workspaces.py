"""`audience-gql workspace create`, `list`, `rename` and `delete`."""
# ruff: noqa: PLC0415  # imports are inside the commands and after the settings, so that `--help` and a missing setting are told at once

from __future__ import annotations

import argparse
import asyncio
import sys

from audience_gql.commands.environment import read_settings


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `workspace` with its commands to the command line."""
    workspace = commands.add_parser("workspace", help="manage workspaces")
    inner = workspace.add_subparsers(required=True, metavar="COMMAND")
    create = inner.add_parser("create", help="create an empty workspace")
    create.add_argument("name", help="name of the new workspace, unique in the deployment")
    create.add_argument(
        "--timezone", default="UTC", help="name from the IANA time zone database (default: UTC)"
    )
    create.set_defaults(run=_create)
    inner.add_parser("list", help="list all workspaces").set_defaults(run=_list)
    rename = inner.add_parser("rename", help="give a workspace another name")
    rename.add_argument("workspace", help="its present name")
    rename.add_argument("name", help="its new name")
    rename.set_defaults(run=_rename)
    delete = inner.add_parser(
        "delete", help="delete a workspace and everything in it, for good; run it again if it was interrupted"
    )
    delete.add_argument("workspace", help="name of the workspace")
    delete.add_argument("--confirm", required=True, metavar="NAME", help="name of the workspace once more")
    delete.set_defaults(run=_delete)


def _create(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.administration import create_named_workspace

    asyncio.run(create_named_workspace(settings, name=parsed.name, timezone=parsed.timezone))
    return 0


def _list(_: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.administration import all_workspaces

    for row in asyncio.run(all_workspaces(settings)):
        state = "" if row.deleted_at is None else "\tbeing deleted: run `workspace delete` again"
        print(f"{row.name}\t{row.timezone}\tcreated {row.created_at:%Y-%m-%d}{state}")
    return 0


def _rename(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.administration import rename

    asyncio.run(rename(settings, workspace=parsed.workspace, name=parsed.name))
    return 0


def _delete(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.administration import delete

    async def run() -> None:
        async for removed in delete(settings, workspace=parsed.workspace, confirmed_name=parsed.confirm):
            print(f"\r{removed:,} rows removed", end="", file=sys.stderr)
        print(file=sys.stderr)

    asyncio.run(run())
    print(f"{parsed.workspace} is deleted; its data is still in backups")
    return 0
