"""`audience-gql import`: imports people from a CSV file into a running server."""
# ruff: noqa: PLC0415  # imports are inside the commands, so that `--help` is fast

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from audience_gql.commands.environment import in_words

_ROWS_REFUSED = 3


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    importing = commands.add_parser(
        "import",
        help="import people from a CSV file into a running server",
        epilog="Without a URL and a token, the file goes to the demo or `up` that you started last on this machine. "
        "Exit codes: 0 every row was accepted, 1 the import failed or did not start, 2 invalid arguments, 3 rows were refused.",
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


def _import(parsed: argparse.Namespace) -> int:
    from rich.progress import Progress

    from audience_gql import uploading
    from audience_gql.config import client_from_environment
    from audience_gql.connection_file import newest_client

    client = client_from_environment(url=parsed.url, token=parsed.token, default=newest_client)
    try:
        wanted = uploading.Wanted(
            columns=[uploading.column(text) for text in parsed.map],
            delimiter=parsed.delimiter,
            empty_clears=parsed.empty_clears,
            dry_run=parsed.dry_run,
            add_to_group_ids=parsed.add_to_group,
            file_name=parsed.file.name,
        )
        with Progress(transient=True, disable=not sys.stdout.isatty()) as progress:
            tasks = {phase: progress.add_task(phase, total=1.0) for phase in ("Sending", "Writing")}
            outcome = uploading.import_file(
                file=parsed.file,
                client=client,
                wanted=wanted,
                advance=lambda phase, part: progress.update(tasks[phase], completed=part),
            )
    except (uploading.UploadRefused, ValueError, OSError) as error:
        print(f"audience-gql: {in_words(error)}", file=sys.stderr)
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
