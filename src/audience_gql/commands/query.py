"""`audience-gql query`: sends one GraphQL document to a running server and prints the answer as JSON.

Imports of `client` wait until the command runs, so that `--help` is fast.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from audience_gql.commands.environment import in_words

_LONGEST_SECONDS: Final = 86_400
_EPILOG: Final = """Without a URL and a token, the document goes to the demo or `up` that you started last on this machine.
Exit codes: 0 the answer has no errors, 1 it has errors or there is no answer, 2 the options are wrong."""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `query` and its options to the command line."""
    query = commands.add_parser(
        "query",
        help="send a GraphQL document to a running server, and print the answer as JSON",
        epilog=_EPILOG,
    )
    document = query.add_mutually_exclusive_group(required=True)
    document.add_argument(
        "document", nargs="?", metavar="DOCUMENT", help="a query or mutation; - reads it from standard input"
    )
    document.add_argument("--file", type=Path, help="read the document from this file")
    query.add_argument(
        "--variables",
        type=_object,
        default={},
        metavar="JSON",
        help="the document's variables, a JSON object",
    )
    query.add_argument("--url", help="URL of the GraphQL endpoint (default: AUDIENCE_URL)")
    query.add_argument("--token", help="API token (default: AUDIENCE_TOKEN)")
    query.add_argument(
        "--timeout",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="give up when the server is silent for this long (default: 60)",
    )
    query.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Print the answer to standard output, errors and their details included, and each error's message to standard error."""
    from audience_gql.client import NotAnswered, ask  # noqa: PLC0415  # see above
    from audience_gql.config import client_from_environment  # noqa: PLC0415
    from audience_gql.connection_file import newest_client  # noqa: PLC0415

    try:
        client = client_from_environment(url=parsed.url, token=parsed.token, default=newest_client)
        document = _document(parsed)
        answer = ask(client, document, parsed.variables, timeout_seconds=parsed.timeout)
    except (NotAnswered, OSError) as error:
        print(f"audience-gql: {in_words(error)}", file=sys.stderr)
        return 1
    except UnicodeDecodeError:
        print("audience-gql: the document is not UTF-8", file=sys.stderr)
        return 1
    print(_as_text(answer), flush=True)
    messages = list(_messages(answer))
    for message in messages:
        print(f"audience-gql: {message}", file=sys.stderr)
    return 1 if messages else 0


def _document(parsed: argparse.Namespace) -> str:
    if parsed.file is not None:
        return str(parsed.file.read_text(encoding="utf-8-sig"))
    if parsed.document == "-":
        return sys.stdin.buffer.read().decode("utf-8-sig")
    return str(parsed.document)


def _as_text(answer: Mapping[str, Any]) -> str:  # Any: JSON
    """Escapes other characters than ASCII only for a terminal or file that cannot take them."""
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(answer, indent=2, ensure_ascii=not is_unicode)


def _messages(answer: Mapping[str, Any]) -> Iterator[str]:  # Any: JSON
    """Each error in a line: its message, its code and its place in the document."""
    for error in answer.get("errors", ()):
        code = error.get("extensions", {}).get("code")
        places = [f"line {place['line']}, column {place['column']}" for place in error.get("locations", ())]
        details = ", ".join(filter(None, [code, *places[:1]]))
        yield f"{error['message']} ({details})" if details else error["message"]


def _object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError('expected a JSON object, such as {"name": "Loyal"}')
    return value


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(f"expected seconds, more than 0 and at most {_LONGEST_SECONDS}")
    return seconds
