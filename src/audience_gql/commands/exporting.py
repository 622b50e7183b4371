"""`audience-gql export`: exports a list of a running server to a file."""
# ruff: noqa: PLC0415  # imports are inside the commands, so that `--help` is fast

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from audience_gql.commands.environment import in_words

if TYPE_CHECKING:
    from audience_gql import downloading
    from audience_gql.config import Client

_STDOUT = "-"


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    exporting = commands.add_parser(
        "export",
        help="export a segment or group of a running server to a file",
        epilog="Without a URL and a token, the list comes from the demo or `up` that you started last on this machine. "
        "Exit codes: 0 the file is complete, 1 there is no file, 2 invalid arguments.",
    )
    exporting.add_argument("list", metavar="LIST", help="name or id of a segment, or id of a group")
    exporting.add_argument("--group", action="store_true", help="LIST is the name of a group")
    exporting.add_argument(
        *("--output", "-o"),
        default=_STDOUT,
        metavar="FILE",
        help="file to write, which is replaced when the export is complete; - prints it (default: -)",
    )
    exporting.add_argument(
        "--format", choices=["csv", "ndjson"], default="csv", help="format of the file (default: csv)"
    )
    exporting.add_argument(
        "--fields",
        metavar="NAME,NAME",
        help="the columns: id, enteredAt, fields of the profile, keys of custom fields, names of channels "
        "(default: id,externalId,email,enteredAt)",
    )
    exporting.add_argument(
        "--escape-formulas",
        action="store_true",
        help="put an apostrophe before texts that a spreadsheet would take for a formula",
    )
    exporting.add_argument("--url", help="URL of the GraphQL endpoint (default: AUDIENCE_URL)")
    exporting.add_argument("--token", help="API token with the scope READ (default: AUDIENCE_TOKEN)")
    exporting.set_defaults(run=_export)


def _export(parsed: argparse.Namespace) -> int:
    from audience_gql import downloading
    from audience_gql.config import client_from_environment
    from audience_gql.connection_file import newest_client

    client = client_from_environment(url=parsed.url, token=parsed.token, default=newest_client)
    wanted = downloading.Wanted(
        list=parsed.list,
        is_group=parsed.group,
        format=parsed.format.upper(),
        fields=None if parsed.fields is None else [name.strip() for name in parsed.fields.split(",")],
        escape_formulas=parsed.escape_formulas,
    )
    try:
        written = _download(client, wanted, parsed.output)
    except (downloading.DownloadRefused, OSError) as error:
        print(f"audience-gql: {in_words(error)}", file=sys.stderr)
        return 1
    told = sys.stderr if parsed.output == _STDOUT else sys.stdout
    print(f"DONE: {written.rows} rows, {written.received} bytes", file=told)
    return 0


def _download(client: Client, wanted: downloading.Wanted, output: str) -> downloading.Progress:
    from rich.console import Console
    from rich.progress import Progress

    from audience_gql import downloading

    shown = Progress(transient=True, console=Console(stderr=True), disable=not sys.stderr.isatty())
    with shown as progress, _opened(output) as file:
        writing = progress.add_task("Exporting", total=None)

        def advance(now: downloading.Progress) -> None:
            said = f"{now.rows:,} of {now.total or 0:,} rows, {now.received:,} bytes received"
            progress.update(writing, total=now.total, completed=now.rows, description=said)

        return downloading.export_file(
            client=client, wanted=wanted, output=file, can_rewind=output != _STDOUT, advance=advance
        )


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    """Standard output, or a file `.part` beside the wanted one, which it replaces in the end. After a failure it is removed."""
    if output == _STDOUT:
        # A stream of its own: what a full or closed output does not take must not be written again at the end of the process.
        with open(sys.stdout.fileno(), "wb", closefd=False) as printed:  # no path
            yield printed
        return
    part = Path(f"{output}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
