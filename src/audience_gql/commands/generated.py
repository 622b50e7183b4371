"""`audience-gql schema`, `handbook` and `limits`: print what is generated from the code."""
# ruff: noqa: PLC0415  # imports are inside the commands, so that `--help` is fast

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    schema = commands.add_parser(
        "schema",
        help="print the GraphQL schema, or compare it with an older one",
        epilog="Exit codes with --check: 0 nothing breaks, 1 there are breaking changes, 2 the older schema cannot be read.",
    )
    handbook = commands.add_parser("handbook", help="print the handbook of conditions")
    limits = commands.add_parser("limits", help="print the page about all limits")
    for command, run in ((schema, _schema), (handbook, _handbook), (limits, _limits)):
        command.add_argument("--output", type=Path, help="write to this file instead of standard output")
        command.set_defaults(run=run)
    schema.add_argument(
        "--clients", type=Path, help="also write into this folder what front ends generate code from"
    )
    schema.add_argument(
        "--check",
        type=Path,
        metavar="OLD",
        help="print the breaking and the dangerous changes since the schema in this file, instead of the schema",
    )


def _schema(parsed: argparse.Namespace) -> int:
    from audience_gql.api.derived.client_files import client_files
    from audience_gql.api.schema import Schema

    text = Schema().as_text()
    if parsed.check is not None:
        return _check(parsed.check, text)
    if parsed.clients is not None:
        parsed.clients.mkdir(parents=True, exist_ok=True)
        for name, content in client_files(text).items():
            _write(content, parsed.clients / name)
    return _write(text, parsed.output)


def _check(older: Path, text: str) -> int:
    from audience_gql.api.derived.schema_changes import NotASchema, changes_since

    try:
        found = changes_since(older.read_text(encoding="utf-8"), text)
    except (NotASchema, OSError, UnicodeDecodeError) as error:
        print(f"audience-gql: {older}: {error}", file=sys.stderr)
        return 2
    for kind, changes in (("breaking", found.breaking), ("dangerous", found.dangerous)):
        for change in changes:
            print(f"{kind}: {change}")
    print(f"{len(found.breaking)} breaking and {len(found.dangerous)} dangerous changes", file=sys.stderr)
    return 1 if found.breaking else 0


def _handbook(parsed: argparse.Namespace) -> int:
    from audience_gql.conditions.words.handbook import handbook

    return _write(handbook(), parsed.output)


def _limits(parsed: argparse.Namespace) -> int:
    from audience_gql.commands.limits_page import limits_page

    return _write(limits_page(), parsed.output)


def _write(text: str, output: Path | None) -> int:
    if output is None:
        print(text, end="")
    else:
        output.write_text(text, encoding="utf-8")
    return 0
