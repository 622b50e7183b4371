"""Runs everything on one machine for the demo and `up`: it starts, watches and stops servers, web process and worker together.

Without DATABASE_URL and REDIS_URL it starts embedded servers. With them, it must not import the embedded package.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shlex
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audience_gql import connection_file
from audience_gql.audience.access import Doorkeeper, Unauthenticated, create_token
from audience_gql.audience.ports import Ports
from audience_gql.audience.tasks import end
from audience_gql.client import NotAnswered, sign_in_link
from audience_gql.config import Client
from audience_gql.opened_ports import open_ports
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.schema import OtherSchema, migrate

logger = logging.getLogger(__name__)

_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0
_RESTART_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.2
_KEY_FILE: Final = "secret.key"

Say = Callable[[str], None]
Prepare = Callable[[Ports], Awaitable[Workspace]]
"""Fills the database before the web process starts, and returns the workspace of the printed token."""


class NotStarted(Exception):
    """Something did not start. The message says what, and what to do."""


Play = Callable[[Ports, Workspace, "Addresses"], Coroutine[None, None, None]]
"""Runs beside the processes until it is cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of a started instance, as in connection.env."""

    graphql_url: str
    websocket_url: str
    console_url: str
    playground_url: str
    token: str
    connection_file: Path


async def run(
    *,
    state: Path,
    port: int,
    prepare: Prepare,
    say: Say,
    greet: Callable[[Addresses, str | None], None],
    play: Play | None = None,
    is_disposable: bool = False,
) -> None:
    """Start everything, run `play` if it is given, and return after SIGTERM or SIGINT.

    `greet` gets the addresses, and a link that signs a browser in once; None if there is no console, or no code for it.
    `is_disposable`: `prepare` can make the data again, so data of another version in the state folder is dropped.
    Raises NotStarted, OtherSchema, and EmbeddedError from the embedded servers.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    _refuse_taken_port(port)
    _make_state_folder(state)
    with _servers(state, say) as (database_url, redis_url):
        await _migrate(database_url, state, say, is_disposable=is_disposable)
        environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "AUDIENCE_SECRET_KEY": _secret_key(state),
        }
        async with _child("worker", ["worker"], environment, state):
            async with open_ports(database_url, redis_url) as ports:
                workspace = await prepare(ports)
                addresses = await _write_connection(ports, workspace, state, port, environment)
            async with _child("web", ["serve", "--port", str(port)], environment, state):
                await _wait_until_ready(port, state, stopped)
                if not stopped.is_set():
                    greet(addresses, await asyncio.to_thread(_link, addresses))
                async with _playing(play, database_url, redis_url, workspace, addresses):
                    await stopped.wait()
                say("Stopping.")


@asynccontextmanager
async def _playing(
    play: Play | None, database_url: str, redis_url: str, workspace: Workspace, addresses: Addresses
) -> AsyncIterator[None]:
    """Run `play` during the context, and cancel it at the end."""
    if play is None:
        yield
        return
    async with open_ports(database_url, redis_url) as ports:
        playing = asyncio.create_task(play(ports, workspace, addresses), name="play")
        try:
            yield
        finally:
            await end(playing)
            if not playing.cancelled() and (error := playing.exception()):
                logger.error("the demo has stopped playing", exc_info=error)


def _refuse_taken_port(port: int) -> None:
    """Raise NotStarted if the port is taken. Checked before any start, so that another server's answers are not taken for ours."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise NotStarted(f"port {port} is taken; choose another one with --port") from error


@contextmanager
def _servers(state: Path, say: Say) -> Iterator[tuple[str, str]]:
    """The addresses of the servers: those of the environment, or of embedded ones."""
    if _has_servers():
        yield os.environ["DATABASE_URL"], os.environ["REDIS_URL"]
        return
    from audience_gql.embedded import EmbeddedError, Servers  # noqa: PLC0415  # a deployment with its own servers does not need this package

    say("Starting Postgres and Valkey.")
    try:
        servers = Servers.start(state)
    except EmbeddedError as error:
        raise NotStarted(str(error)) from error
    with servers:
        yield servers.addresses.database_url, servers.addresses.redis_url


def _has_servers() -> bool:
    """Whether the environment names the servers."""
    return bool(os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"))


async def _migrate(database_url: str, state: Path, say: Say, *, is_disposable: bool) -> None:
    if _has_servers():
        await migrate(database_url)
        return
    try:
        is_dropped = await migrate(database_url, drop_other=is_disposable)
    except OtherSchema as error:
        raise NotStarted(
            f"the data in {state} belongs to another version of this program (its last migration is {error.last}): "
            "use that version, or delete this folder to start without data"
        ) from error
    if is_dropped:
        say("The data belonged to another version of this program, and is made again.")
        (state / _KEY_FILE).unlink(missing_ok=True)  # cursors of the dropped log must not be taken for ours


@asynccontextmanager
async def _child(
    name: str, arguments: list[str], environment: Mapping[str, str], state: Path
) -> AsyncIterator[None]:
    """Run a child process during the context. It is restarted when it dies, and its stdin ends it if this process is killed."""
    stopping = asyncio.Event()
    watch = asyncio.create_task(_keep_running(name, arguments, environment, state, stopping))
    try:
        yield
    finally:
        stopping.set()
        await watch


async def _keep_running(
    name: str, arguments: list[str], environment: Mapping[str, str], state: Path, stopping: asyncio.Event
) -> None:
    command = [sys.executable, "-m", "audience_gql.cli", *arguments, "--stop-with-stdin"]
    while not stopping.is_set():
        with (state / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(environment),
                start_new_session=True,
            )
        stop = asyncio.create_task(stopping.wait())
        exited = asyncio.create_task(process.wait())
        await asyncio.wait((stop, exited), return_when=asyncio.FIRST_COMPLETED)
        if not exited.done():
            process.terminate()
            try:
                await asyncio.wait_for(asyncio.shield(exited), _STOP_SECONDS)
            except TimeoutError:
                process.kill()
        await exited
        stop.cancel()
        if not stopping.is_set():
            try:
                await asyncio.wait_for(stopping.wait(), _RESTART_SECONDS)
            except TimeoutError:
                continue


async def _wait_until_ready(port: int, state: Path, stopped: asyncio.Event) -> None:
    deadline = asyncio.get_running_loop().time() + _READY_SECONDS
    while not stopped.is_set():
        if await asyncio.to_thread(_is_ready, port):
            return
        if asyncio.get_running_loop().time() > deadline:
            raise NotStarted(
                f"the web process is not ready after {_READY_SECONDS:.0f} s; see {state / 'web.log'}"
            )
        try:
            await asyncio.wait_for(stopped.wait(), 0.1)
        except TimeoutError:
            continue


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004  # HTTP's OK
    except (urllib.error.URLError, OSError):
        return False


async def _write_connection(
    ports: Ports, workspace: Workspace, state: Path, port: int, environment: Mapping[str, str]
) -> Addresses:
    """Write connection.env, readable only by its owner. A token of an earlier start is kept while it is valid."""
    path = state / connection_file.NAME
    token = connection_file.read(path).get("AUDIENCE_TOKEN")
    if token is None or not await _opens(ports, token, workspace):
        _, token = await create_token(ports=ports, workspace=workspace, name="local", scopes=["ADMIN"])
    addresses = Addresses(
        graphql_url=f"http://127.0.0.1:{port}/graphql",
        websocket_url=f"ws://127.0.0.1:{port}/graphql",
        console_url=f"http://127.0.0.1:{port}/",
        playground_url=f"http://127.0.0.1:{port}/graphiql",
        token=token,
        connection_file=path,
    )
    values = {
        "AUDIENCE_URL": addresses.graphql_url,
        "AUDIENCE_WS_URL": addresses.websocket_url,
        "AUDIENCE_TOKEN": token,
        "DATABASE_URL": environment["DATABASE_URL"],
        "REDIS_URL": environment["REDIS_URL"],
    }
    _write_private(path, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items()))
    return addresses


def _link(addresses: Addresses) -> str | None:
    try:
        return sign_in_link(Client(url=addresses.graphql_url, token=addresses.token))
    except NotAnswered:
        return None


async def _opens(ports: Ports, token: str, workspace: Workspace) -> bool:
    try:
        return (await Doorkeeper(ports).authenticate(token)).workspace.id == workspace.id
    except Unauthenticated:
        return False


def _make_state_folder(state: Path) -> None:
    state.mkdir(mode=0o700, parents=True, exist_ok=True)


def _secret_key(state: Path) -> str:
    """The instance's key for cursors, created at its first start."""
    path = state / _KEY_FILE
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8")


def _write_private(path: Path, text: str) -> None:
    """Write a file that only the owner can read, completely or not at all."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
