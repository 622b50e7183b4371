"""`audience-gql demo` and `up`: everything on one machine, with the data of a real shop or without."""
# ruff: noqa: PLC0415  # imports are inside the commands, so that `--help` is fast

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from audience_gql.commands.environment import port

if TYPE_CHECKING:
    from audience_gql.audience.ports import Ports
    from audience_gql.standalone import Addresses, Play, Prepare
    from audience_gql.storage.orm.models import Workspace


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser("demo", help="run everything on this machine, with the data of a real shop")
    demo.add_argument(
        "--no-replay", action="store_true", help="do not replay purchases after loading the data"
    )
    up = commands.add_parser("up", help="run everything on this machine, without data")
    for command, run in ((demo, _demo), (up, _up)):
        command.add_argument(
            "--port", type=port, default=8000, help="port of the web process (default: 8000)"
        )
        command.add_argument(
            "--state",
            type=Path,
            help="folder for data and logs (default: in XDG_STATE_HOME, ~/.local/state, or /var/lib for root)",
        )
        command.set_defaults(run=run)


def _demo(parsed: argparse.Namespace) -> int:
    async def prepare(ports: Ports) -> Workspace:
        from audience_gql.demo import loading, opening

        workspace = await loading.open_workspace(ports=ports)
        if not await loading.is_loaded(workspace):
            await _load(ports, workspace)
        if not parsed.no_replay:
            await opening.open_shop(ports=ports, workspace=workspace)
        _say("Starting the web process.")
        return workspace

    async def play(ports: Ports, workspace: Workspace, addresses: Addresses) -> None:
        from audience_gql.demo import replay

        await replay.play(
            ports=ports, workspace=workspace, websocket_url=addresses.websocket_url, token=addresses.token
        )

    return _stand_alone(parsed, "demo", prepare, None if parsed.no_replay else play, is_disposable=True)


async def _load(ports: Ports, workspace: Workspace) -> None:
    """Load the demo's data, with a bar of the progress in a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from audience_gql.demo import cdnow, loading

    _say(
        f"Loading the data: {cdnow.CUSTOMERS:,} people and {cdnow.PURCHASES:,} purchases. This takes about 15 s, the first time only."
    )
    columns = (BarColumn(), TextColumn("{task.completed:,} of {task.total:,}"), TimeElapsedColumn())
    console = Console()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("load", total=loading.STEPS)
        await loading.load(ports=ports, workspace=workspace, advance=lambda n: progress.advance(task, n))


def _up(parsed: argparse.Namespace) -> int:
    async def prepare(ports: Ports) -> Workspace:
        from audience_gql.audience.failures import NameTaken
        from audience_gql.audience.workspaces import create_workspace
        from audience_gql.storage.orm.models import Workspace

        try:
            return await create_workspace(ports=ports, name="Audience")
        except NameTaken:
            return await Workspace.get(name="Audience")

    return _stand_alone(parsed, "up", prepare)


def _stand_alone(
    parsed: argparse.Namespace,
    name: str,
    prepare: Prepare,
    play: Play | None = None,
    *,
    is_disposable: bool = False,
) -> int:
    import uvloop

    from audience_gql import connection_file, standalone
    from audience_gql.config import log_format_from_environment, log_level_from_environment
    from audience_gql.telemetry.logs import write_logs

    write_logs(log_format_from_environment(), log_level_from_environment("WARNING"))
    state = parsed.state or connection_file.default_state(name)
    try:
        uvloop.run(
            standalone.run(
                state=state.absolute(),
                port=parsed.port,
                prepare=prepare,
                say=_say,
                greet=_greet,
                play=play,
                is_disposable=is_disposable,
            )
        )
    except standalone.NotStarted as error:
        print(f"audience-gql: {error}", file=sys.stderr)
        return 1
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


def _greet(addresses: Addresses, link: str | None) -> None:
    _say("")
    if link is not None:
        _say(f"  console    {link}")
        _say(
            f"             This link signs in once, within ten minutes. `{_program()} sign-in` prints another one."
        )
    _say(f"  playground {addresses.playground_url}")
    _say(f"  GraphQL    {addresses.graphql_url}")
    _say(f"  websocket  {addresses.websocket_url}")
    _say(f"  token      {addresses.token}")
    _say("")
    _say(
        f"  Run `. {addresses.connection_file}` in a shell to set AUDIENCE_URL, AUDIENCE_WS_URL and AUDIENCE_TOKEN."
    )
    _say("  Ctrl-C stops everything and keeps the data.")


def _program() -> str:
    """How to type audience-gql in this shell: in a checkout, it is not on the path."""
    if shutil.which("audience-gql") or not Path("dev").is_file():
        return "audience-gql"
    return "python3 dev run audience-gql"
