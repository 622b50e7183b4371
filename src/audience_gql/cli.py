"""The command line: `audience-gql demo|up|serve|worker|import|query|ready|recompute|restored|migrate|schema|handbook|token|timezone`.

Each command only reads its arguments and calls the code that does the work. Imports are inside the commands, so that `--help` is fast.
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
    from audience_gql.config import Settings
    from audience_gql.standalone import Addresses, Play, Prepare
    from audience_gql.storage.models import Workspace


_ROWS_REFUSED = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 1 for a failure with a message, 3 for refused rows. Invalid arguments exit with 2."""
    zoneinfo.reset_tzpath(to=())  # use the zones of the pinned tzdata, the same on every machine
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
    """The failures that are reported in one line without a traceback: they are not bugs, and the user can fix the cause."""
    from audience_gql.audience.failures import Failure
    from audience_gql.config import MalformedSetting, MissingSetting
    from audience_gql.storage.database import Unavailable

    return Failure, MalformedSetting, MissingSetting, Unavailable


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="audience-gql", description="An audience backend over GraphQL with exact, live segments."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="run everything on this machine, with the data of a real shop")
    demo.add_argument(
        "--no-replay", action="store_true", help="do not replay purchases after loading the data"
    )
    up = commands.add_parser("up", help="run everything on this machine, without data")
    for command, run in ((demo, _demo), (up, _up)):
        command.add_argument("--port", type=int, default=8000, help="port of the web process (default: 8000)")
        command.add_argument(
            "--state",
            type=Path,
            help="folder for data and logs (default: in XDG_STATE_HOME, ~/.local/state, or /var/lib for root)",
        )
        command.set_defaults(run=run)

    serve = commands.add_parser("serve", help="run the web process")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=int, default=8000, help="port to listen on (default: 8000)")
    serve.set_defaults(run=_serve)
    worker = commands.add_parser("worker", help="run the process that keeps memberships exact")
    worker.set_defaults(run=_worker)
    for command in (serve, worker):
        command.add_argument(
            "--stop-with-stdin", action="store_true", help="stop when standard input is closed"
        )

    _add_import(commands)
    querying.add_command(commands)
    recompute = commands.add_parser(
        "recompute", help="compute every membership again from the facts, and wait for the end"
    )
    recompute.set_defaults(run=_recompute)
    restored = commands.add_parser(
        "restored",
        help="make clients' cursors expire; run it after restoring a backup, before starting a process",
    )
    restored.set_defaults(run=_restored)
    ready = commands.add_parser(
        "ready", help="show for each part that a process needs whether it is available"
    )
    ready.set_defaults(run=_ready)
    commands.add_parser("migrate", help="bring the database schema up to date").set_defaults(run=_migrate)

    schema = commands.add_parser("schema", help="print the GraphQL schema")
    handbook = commands.add_parser("handbook", help="print the handbook of conditions")
    for command, run in ((schema, _schema), (handbook, _handbook)):
        command.add_argument("--output", type=Path, help="write to this file instead of standard output")
        command.set_defaults(run=run)

    token = commands.add_parser("token", help="manage API tokens").add_subparsers(
        required=True, metavar="COMMAND"
    )
    create = token.add_parser("create", help="create a token and print it; it is never shown again")
    create.add_argument("--workspace", required=True, help="name of the workspace; created if it is missing")
    create.add_argument("--name", required=True, help="what the token is for")
    create.add_argument(
        "--scope",
        action="append",
        choices=["READ", "WRITE", "TRACK", "ADMIN"],
        help="what the token may do; can be given several times (default: READ)",
    )
    create.set_defaults(run=_create_token)

    zone = commands.add_parser("timezone", help="change the time zone of a workspace")
    zone.add_argument("--workspace", required=True, help="name of the workspace")
    zone.add_argument("zone", help="name from the IANA time zone database, for example Europe/Vilnius")
    zone.set_defaults(run=_change_timezone)
    return parser


def _add_import(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    importing = commands.add_parser(
        "import",
        help="import people from a CSV file into a running instance",
        epilog="Exit codes: 0 every row was accepted, 1 the import failed or did not start, 2 invalid arguments, 3 rows were refused.",
    )
    importing.add_argument("file", type=Path, help="CSV file in UTF-8; its first line names the columns")
    importing.add_argument(
        *("--map", "-m"),
        action="append",
        required=True,
        metavar="HEADER=TARGET",
        help="a column and its target, for example Mail=email, Plan=field:plan, News=channel:EMAIL or VIP=group:ID; "
        "can be given several times, also for the same column",
    )
    importing.add_argument(
        "--add-to-group",
        action="append",
        default=[],
        metavar="ID",
        help="group to put everybody into; can be given several times",
    )
    importing.add_argument(
        "--delimiter",
        default=",",
        type=lambda text: "\t" if text == r"\t" else text,
        help=r"character between two cells (default: ,); \t means tab",
    )
    importing.add_argument(
        "--empty-clears", action="store_true", help="an empty cell clears the stored value"
    )
    importing.add_argument(
        "--dry-run", action="store_true", help="report what would change, but write nothing"
    )
    importing.add_argument("--url", help="URL of the GraphQL endpoint (default: AUDIENCE_URL)")
    importing.add_argument(
        "--token", help="API token with the scopes READ and WRITE (default: AUDIENCE_TOKEN)"
    )
    importing.set_defaults(run=_import)


def _demo(parsed: argparse.Namespace) -> int:
    async def prepare(ports: Ports) -> Workspace:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        from audience_gql.demo import loading

        workspace = await loading.open_workspace(ports=ports)
        if not await loading.is_loaded(workspace):
            columns = (
                TextColumn("Loading the data"),
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
    from audience_gql.config import log_level_from_environment

    logging.getLogger().setLevel(log_level_from_environment("WARNING"))
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
        f"  Run `. {addresses.connection_file}` in a shell to set AUDIENCE_URL, AUDIENCE_WS_URL and AUDIENCE_TOKEN."
    )
    _say("  Ctrl-C stops everything and keeps the data.")


def _settings() -> Settings:
    """The settings from the environment. Also sets the log level of this process."""
    from audience_gql.config import settings_from_environment

    settings = settings_from_environment()
    logging.getLogger().setLevel(settings.log_level)
    return settings


def _serve(parsed: argparse.Namespace) -> int:
    from audience_gql.app import create_app
    from audience_gql.serving import serve

    settings = _settings()
    serve(create_app(settings), host=parsed.host, port=parsed.port, settings=settings)
    return 0


def _worker(_: argparse.Namespace) -> int:
    from audience_gql import worker

    worker.run(_settings())
    return 0


def _ready(_: argparse.Namespace) -> int:
    from audience_gql.standalone import readiness_of

    found = asyncio.run(readiness_of(_settings()))
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
    from audience_gql.standalone import recompute_all

    count = asyncio.run(recompute_all(_settings()))
    segments = "1 segment" if count == 1 else f"{count} segments"
    print(
        f"{segments} recomputed; the worker's log shows the memberships that were wrong and are now repaired"
    )
    return 0


def _restored(_: argparse.Namespace) -> int:
    from audience_gql.standalone import expire_cursors

    asyncio.run(expire_cursors(_settings()))
    print("all earlier cursors have expired; clients must begin again with a snapshot")
    return 0


def _migrate(_: argparse.Namespace) -> int:
    from audience_gql.storage.schema import migrate

    asyncio.run(migrate(_settings().database_url))
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
    from audience_gql.standalone import create_named_token

    settings = _settings()
    secret = asyncio.run(
        create_named_token(
            settings, workspace=parsed.workspace, name=parsed.name, scopes=parsed.scope or ["READ"]
        )
    )
    print(secret)
    return 0


def _change_timezone(parsed: argparse.Namespace) -> int:
    from audience_gql.standalone import change_timezone_of

    asyncio.run(change_timezone_of(_settings(), workspace=parsed.workspace, timezone=parsed.zone))
    return 0


def _stop_with_stdin() -> None:
    """Stop this process when its parent ends: the parent's end of the pipe closes, however the parent dies."""
    while sys.stdin.buffer.read(4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
