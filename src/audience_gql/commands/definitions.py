"""`audience-gql pull`, `plan` and `apply`: definitions as files that can be reviewed.

Imports of the client wait until a command runs, so that `--help` is fast.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from audience_gql.commands.environment import in_words, is_confirmed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from audience_gql.config import Client

CHANGES: Final = 4
"""The exit code of `plan --detailed-exitcode` if there is something to change."""
_FILES: Final = """DIR has the folders fields, groups, segments and automations, with one definition in each file. Files name each other's definitions
by their names, so the same files fit every workspace."""
_SERVER: Final = "Without a URL and a token, the demo or `up` that you started last on this machine is asked."
_PULL: Final = f"{_FILES} {_SERVER} Exit codes: 0 done, 1 failed, 2 the options are wrong."
_PLAN: Final = f"""{_FILES} {_SERVER} Nothing is changed. Exit codes: 0 there is a plan, {CHANGES} the same with changes if
--detailed-exitcode is given, 1 failed or the files are wrong, 2 the options are wrong."""
_APPLY: Final = f"""{_FILES} {_SERVER} Everything is changed in one transaction, or nothing. Exit codes: 0 done or nothing to do, 1 failed or not
confirmed, 2 the options are wrong."""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `pull`, `plan` and `apply` to the command line."""
    _add_pull(commands)
    _add_plan(commands)
    _add_apply(commands)


def _add_pull(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    job = "the definitions of a workspace to files"
    pull = commands.add_parser("pull", help=f"write {job}", epilog=_PULL)
    _add_shared(pull, "READ")
    pull.add_argument(
        "--prune",
        action="store_true",
        help="delete the files of definitions that the workspace does not have",
    )
    pull.set_defaults(run=_guarded(_pull))


def _add_plan(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    job = "what the files would change in a workspace, and who would enter and leave"
    plan = commands.add_parser("plan", help=f"tell {job}", epilog=_PLAN)
    _add_shared(plan, "READ")
    _add_prune(plan)
    plan.add_argument("--json", action="store_true", help="print the plan as JSON")
    plan.add_argument(
        "--detailed-exitcode", action="store_true", help=f"exit with {CHANGES} if there are changes"
    )
    plan.set_defaults(run=_guarded(_plan))


def _add_apply(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    job = "a workspace to what the files say"
    apply = commands.add_parser("apply", help=f"bring {job}", epilog=_APPLY)
    _add_shared(apply, "READ and WRITE")
    _add_prune(apply)
    apply.add_argument("--yes", action="store_true", help="do not ask before the changes are made")
    apply.add_argument(
        "--if-plan",
        metavar="ID",
        help="apply nothing else than the plan with this id, which `plan --json` told",
    )
    apply.set_defaults(run=_guarded(_apply))


def _add_shared(parser: argparse.ArgumentParser, scopes: str) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of the definitions")
    parser.add_argument("--url", help="URL of the GraphQL endpoint (default: AUDIENCE_URL)")
    parser.add_argument("--token", help=f"API token with the scope {scopes} (default: AUDIENCE_TOKEN)")


def _add_prune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--prune",
        action="store_true",
        help="delete the definitions of the workspace that are not in the files",
    )


def _guarded(command: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """The command, with its failures told in lines on standard error."""

    def run(parsed: argparse.Namespace) -> int:
        from audience_gql.client import NotAnswered  # noqa: PLC0415  # see above
        from audience_gql.definition_files.asking import NotAsked, Outdated  # noqa: PLC0415
        from audience_gql.definition_files.folders import NoFolder, Problems  # noqa: PLC0415

        try:
            return command(parsed)
        except Problems as found:
            for problem in found.problems:
                print(f"{parsed.folder}/{problem}", file=sys.stderr)
            count = len(found.problems)
            said = "1 problem" if count == 1 else f"{count} problems"
            print(f"audience-gql: {said}; nothing was changed", file=sys.stderr)
        except Outdated as error:
            print(f"audience-gql: {error}. Nothing was applied.", file=sys.stderr)
        except (NotAnswered, NotAsked, NoFolder, OSError) as error:
            print(f"audience-gql: {in_words(error)}", file=sys.stderr)
        return 1

    return run


def _pull(parsed: argparse.Namespace) -> int:
    from audience_gql.definition_files.asking import definitions_of  # noqa: PLC0415  # see above
    from audience_gql.definition_files.pulling import pull  # noqa: PLC0415

    pulled = pull(parsed.folder, definitions_of(_client(parsed)), prune=parsed.prune)
    for verb, files in (("+", pulled.created), ("~", pulled.updated), ("-", pulled.deleted)):
        for file in files:
            print(f"{verb} {parsed.folder / file}")
    for file in pulled.left:
        print(
            f"  {parsed.folder / file} is kept, but the workspace has no such definition (--prune deletes it)"
        )
    counts = f"{len(pulled.created)} created, {len(pulled.updated)} changed, {len(pulled.deleted)} deleted"
    print(f"Files: {counts}, {pulled.unchanged} unchanged.")
    return 0


def _plan(parsed: argparse.Namespace) -> int:
    from audience_gql.definition_files.asking import plan_of  # noqa: PLC0415  # see above
    from audience_gql.definition_files.folders import read_folder  # noqa: PLC0415
    from audience_gql.definition_files.telling import counts_of, has_changes, told  # noqa: PLC0415

    plan = plan_of(_client(parsed), read_folder(parsed.folder), prune=parsed.prune)
    if parsed.json:
        print(json.dumps({**_shown(plan), "counts": counts_of(plan)}, indent=2))
    else:
        print("\n".join(told(plan)))
    return CHANGES if parsed.detailed_exitcode and has_changes(plan) else 0


def _apply(parsed: argparse.Namespace) -> int:
    from audience_gql.definition_files import asking  # noqa: PLC0415  # see above
    from audience_gql.definition_files.folders import read_folder  # noqa: PLC0415
    from audience_gql.definition_files.telling import has_changes, told  # noqa: PLC0415

    client, folder = _client(parsed), read_folder(parsed.folder)
    plan = asking.plan_of(client, folder, prune=parsed.prune)
    print("\n".join(told(plan)), flush=True)
    if parsed.if_plan is not None and parsed.if_plan != plan["id"]:
        raise asking.Outdated(f"this is not the plan {parsed.if_plan}")
    if not has_changes(plan):
        return 0
    if not parsed.yes and not is_confirmed("Type yes to make these changes: "):
        print("audience-gql: nothing was applied", file=sys.stderr)
        return 1
    applied = asking.apply(client, folder, prune=parsed.prune, plan_id=plan["id"])
    changes = len(applied["changes"])
    print(
        f"Applied: {changes} {'change' if changes == 1 else 'changes'}. People enter and leave in the background."
    )
    return 0


def _shown(plan: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    return {name: part for name, part in plan.items() if name != "__typename"}


def _client(parsed: argparse.Namespace) -> Client:
    from audience_gql.config import client_from_environment  # noqa: PLC0415  # see above
    from audience_gql.connection_file import newest_client  # noqa: PLC0415

    return client_from_environment(url=parsed.url, token=parsed.token, default=newest_client)
