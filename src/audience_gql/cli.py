"""The command line: `audience-gql demo|up|serve|worker|import|query|ready|recompute|restored|migrate|schema|handbook|token|timezone`.

Each command only reads its words and calls what does the work; imports wait until their command is asked for, so that help is quick.
"""
# ruff: noqa: PLC0415  # see above

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
import zoneinfo
from pathlib import Path
from typing import TYPE_CHECKING

from audience_gql import querying

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audience_gql.audience.ports import Ports
    from audience_gql.standalone import Addresses, Play, Prepare
    from audience_gql.storage.models import Workspace


_ROWS_REFUSED = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 for a failure that is explained, 2 for words that are off, 3 for refused rows."""
    zoneinfo.reset_tzpath(to=())  # the zones of the pinned tzdata, the same on every machine
    parsed = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    if getattr(parsed, "stop_with_stdin", False):
        threading.Thread(target=_stop_with_stdin, daemon=True).start()
    try:
        code: int = parsed.run(parsed)
    except _explained() as error:
        print(f"audience-gql: {error}", file=sys.stderr)
        return 1
    return code


def _explained() -> tuple[type[Exception], ...]:
    """What is told in a line: it is no bug, and whoever typed the command can mend it."""
    from audience_gql.audience.failures import Failure
    from audience_gql.config import MalformedSetting, MissingSetting
    from audience_gql.storage.database import Unavailable

    return Failure, MalformedSetting, MissingSetting, Unavailable


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="audience-gql", description="Who belongs to which audience, at every instant."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="a real shop's audience on servers of our own")
    demo.add_argument("--no-replay", action="store_true", help="do not replay purchases after the load")
    up = commands.add_parser("up", help="the same without data")
    for command, run in ((demo, _demo), (up, _up)):
        command.add_argument("--port", type=int, default=8000, help="of the web process (8000)")
        command.add_argument("--state", type=Path, help="folder for data and logs")
        command.set_defaults(run=run)

    serve = commands.add_parser("serve", help="the web process")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, default=8000, help="port to listen on (8000)")
    serve.set_defaults(run=_serve)
    worker = commands.add_parser("worker", help="the process that keeps memberships exact")
    worker.set_defaults(run=_worker)
    for command in (serve, worker):
        command.add_argument(
            "--stop-with-stdin", action="store_true", help="stop when standard input is closed"
        )

    _add_import(commands)
    querying.add_command(commands)
    recompute = commands.add_parser(
        "recompute", help="find every membership again from the facts, and wait for it"
    )
    recompute.set_defaults(run=_recompute)
    restored = commands.add_parser(
        "restored", help="after a restore and before anything is started: have clients' cursors expire"
    )
    restored.set_defaults(run=_restored)
    ready = commands.add_parser(
        "ready", help="whether everything that a process needs is there, part by part"
    )
    ready.set_defaults(run=_ready)
    commands.add_parser("migrate", help="bring the schema up to date").set_defaults(run=_migrate)

    schema = commands.add_parser("schema", help="print the GraphQL schema")
    handbook = commands.add_parser("handbook", help="print the handbook of conditions")
    for command, run in ((schema, _schema), (handbook, _handbook)):
        command.add_argument("--output", type=Path, help="write it to this file instead")
        command.set_defaults(run=run)

    token = commands.add_parser("token", help="API tokens").add_subparsers(required=True, metavar="COMMAND")
    create = token.add_parser("create", help="make a token, and print it once")
    create.add_argument("--workspace", required=True, help="name of the workspace; made when there is none")
    create.add_argument("--name", required=True, help="what the token is for")
    create.add_argument(
        "--scope",
        action="append",
        choices=["READ", "WRITE", "TRACK", "ADMIN"],
        help="may be given several times (READ)",
    )
    create.set_defaults(run=_create_token)

    zone = commands.add_parser("timezone", help="change the time zone of a workspace")
    zone.add_argument("--workspace", required=True, help="its name")
    zone.add_argument("zone", help="a name of the IANA database, such as Europe/Vilnius")
    zone.set_defaults(run=_change_timezone)
    return parser


def _add_import(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    importing = commands.add_parser(
        "import",
        help="people from a CSV file into a running instance",
        epilog="Exit codes: 0 every row was taken, 1 the import failed or was not started, 2 words that are off, 3 rows were refused.",
    )
    importing.add_argument("file", type=Path, help="CSV in UTF-8 whose first line names the columns")
    importing.add_argument(
        *("--map", "-m"),
        action="append",
        required=True,
        metavar="HEADER=TARGET",
        help="a column, such as Mail=email, Plan=field:plan, News=channel:EMAIL, VIP=group:ID; one column may have several targets",
    )
    importing.add_argument(
        "--add-to-group", action="append", default=[], metavar="ID", help="put everybody into it"
    )
    importing.add_argument(
        "--delimiter",
        default=",",
        type=lambda text: "\t" if text == r"\t" else text,
        help=r"what parts the cells (,); \t is a tab",
    )
    importing.add_argument("--empty-clears", action="store_true", help="an empty cell clears what was there")
    importing.add_argument("--dry-run", action="store_true", help="tell what would happen, and write nothing")
    importing.add_argument("--url", help="of the GraphQL endpoint (AUDIENCE_URL)")
    importing.add_argument("--token", help="with the scopes READ and WRITE (AUDIENCE_TOKEN)")
    importing.set_defaults(run=_import)


def _demo(parsed: argparse.Namespace) -> int:
    async def prepare(ports: Ports) -> Workspace:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        from audience_gql.demo import loading

        workspace = await loading.open_workspace(ports=ports)
        if not await loading.is_loaded(workspace):
            columns = (
                TextColumn("Loading the log"),
                BarColumn(),
                TextColumn("{task.completed:,}"),
                TimeElapsedColumn(),
            )
            with Progress(*columns) as progress:
                task = progress.add_task("load", total=loading.STEPS)
                await loading.load(
                    ports=ports, workspace=workspace, advance=lambda n: progress.advance(task, n)
                )
        return workspace

    async def play(ports: Ports, workspace: Workspace, addresses: Addresses) -> None:
        from audience_gql.demo import replay

        await replay.play(
            ports=ports, workspace=workspace, websocket_url=addresses.websocket_url, token=addresses.token
        )

    return _stand_alone(parsed, "demo", prepare, None if parsed.no_replay else play)


def _up(parsed: argparse.Namespace) -> int:
    async def prepare(ports: Ports) -> Workspace:
        from audience_gql.audience.failures import NameTaken
        from audience_gql.audience.workspaces import create_workspace
        from audience_gql.storage.models import Workspace

        try:
            return await create_workspace(ports=ports, name="Audience")
        except NameTaken:
            return await Workspace.get(name="Audience")

    return _stand_alone(parsed, "up", prepare)


def _stand_alone(parsed: argparse.Namespace, name: str, prepare: Prepare, play: Play | None = None) -> int:
    import uvloop

    from audience_gql import connection_file, standalone

    logging.getLogger().setLevel(logging.WARNING)
    state = parsed.state or connection_file.default_state(name)
    try:
        uvloop.run(
            standalone.run(
                state=state.absolute(), port=parsed.port, prepare=prepare, say=_say, greet=_greet, play=play
            )
        )
    except standalone.NotStarted as error:
        print(f"audience-gql: {error}", file=sys.stderr)
        return 1
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


def _greet(addresses: Addresses) -> None:
    _say("")
    _say(f"  playground {addresses.playground_url}")
    _say(f"  GraphQL    {addresses.graphql_url}")
    _say(f"  websocket  {addresses.websocket_url}")
    _say(f"  token      {addresses.token}")
    _say("")
    _say(
        f"  . {addresses.connection_file}   sets AUDIENCE_URL, AUDIENCE_WS_URL and AUDIENCE_TOKEN in a shell."
    )
    _say("  Ctrl-C stops everything; the data stays.")


def _serve(parsed: argparse.Namespace) -> int:
    from audience_gql.app import create_app
    from audience_gql.config import settings_from_environment
    from audience_gql.serving import serve

    settings = settings_from_environment()
    serve(create_app(settings), host=parsed.host, port=parsed.port, settings=settings)
    return 0


def _worker(_: argparse.Namespace) -> int:
    from audience_gql import worker
    from audience_gql.config import settings_from_environment

    worker.run(settings_from_environment())
    return 0


def _ready(_: argparse.Namespace) -> int:
    from audience_gql.config import settings_from_environment
    from audience_gql.standalone import readiness_of

    found = asyncio.run(readiness_of(settings_from_environment()))
    for name, problem in found.parts.items():
        print(f"{name}: {problem or 'ok'}")
    return 0 if found.is_ready else 1


def _import(parsed: argparse.Namespace) -> int:
    from rich.progress import Progress

    from audience_gql import uploading
    from audience_gql.config import client_from_environment

    client = client_from_environment(url=parsed.url, token=parsed.token)
    try:
        wanted = uploading.Wanted(
            columns=[uploading.column(text) for text in parsed.map],
            delimiter=parsed.delimiter,
            empty_clears=parsed.empty_clears,
            dry_run=parsed.dry_run,
            add_to_group_ids=parsed.add_to_group,
        )
        with Progress(transient=True) as progress:
            tasks = {phase: progress.add_task(phase, total=1.0) for phase in ("Sending", "Writing")}
            outcome = uploading.import_file(
                file=parsed.file,
                client=client,
                wanted=wanted,
                advance=lambda phase, part: progress.update(tasks[phase], completed=part),
            )
    except (uploading.UploadRefused, ValueError, OSError) as error:
        print(f"audience-gql: {error}", file=sys.stderr)
        return 1
    for line, message in outcome.rejects:
        print(f"{parsed.file}:{line}: {message}", file=sys.stderr)
    for line, message in outcome.notices:
        print(f"{parsed.file}:{line}: notice: {message}", file=sys.stderr)
    would = "would be " if parsed.dry_run else ""
    print(
        f"{outcome.state}: {outcome.rows_read} rows, {would}{outcome.created} created, {outcome.updated} updated, "
        f"{outcome.rejected} refused"
        + (f", {outcome.noticed} with a notice" if outcome.noticed else "")
        + (f"; {outcome.failure}" if outcome.failure else "")
    )
    if outcome.state != "DONE":
        return 1
    return _ROWS_REFUSED if outcome.rejected else 0


def _recompute(_: argparse.Namespace) -> int:
    from audience_gql.config import settings_from_environment
    from audience_gql.standalone import recompute_all

    count = asyncio.run(recompute_all(settings_from_environment()))
    segments = "1 segment" if count == 1 else f"{count} segments"
    print(f"{segments} recomputed; what was wrong is in the worker's log, and is right now")
    return 0


def _restored(_: argparse.Namespace) -> int:
    from audience_gql.config import settings_from_environment
    from audience_gql.standalone import expire_cursors

    asyncio.run(expire_cursors(settings_from_environment()))
    print("cursors from before have expired: clients begin again with a snapshot")
    return 0


def _migrate(_: argparse.Namespace) -> int:
    from audience_gql.config import settings_from_environment
    from audience_gql.storage.schema import migrate

    asyncio.run(migrate(settings_from_environment().database_url))
    return 0


def _schema(parsed: argparse.Namespace) -> int:
    from audience_gql.api.schema import export_sdl

    return _write(export_sdl(), parsed.output)


def _handbook(parsed: argparse.Namespace) -> int:
    from audience_gql.conditions.words.handbook import handbook

    return _write(handbook(), parsed.output)


def _write(text: str, output: Path | None) -> int:
    if output is None:
        print(text, end="")
    else:
        output.write_text(text, encoding="utf-8")
    return 0


def _create_token(parsed: argparse.Namespace) -> int:
    from audience_gql.config import settings_from_environment
    from audience_gql.standalone import create_named_token

    settings = settings_from_environment()
    secret = asyncio.run(
        create_named_token(
            settings, workspace=parsed.workspace, name=parsed.name, scopes=parsed.scope or ["READ"]
        )
    )
    print(secret)
    return 0


def _change_timezone(parsed: argparse.Namespace) -> int:
    from audience_gql.config import settings_from_environment
    from audience_gql.standalone import change_timezone_of

    asyncio.run(
        change_timezone_of(settings_from_environment(), workspace=parsed.workspace, timezone=parsed.zone)
    )
    return 0


def _stop_with_stdin() -> None:
    """End with whoever started us: her end of the pipe closes, however she dies."""
    while sys.stdin.buffer.read(4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
