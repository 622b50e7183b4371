"""`audience-gql sign-in`: prints a link that signs a browser in once, to the console of a running server.

Imports of `client` wait until the command runs, so that `--help` is fast.
"""

from __future__ import annotations

import argparse
import sys
from typing import Final

_EPILOG: Final = """Without a URL and a token, the link is for the demo or `up` that you started last on this machine.
The link contains a code in place of the token. Whoever opens it first is signed in with the token."""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `sign-in` and its options to the command line."""
    sign_in = commands.add_parser(
        "sign-in",
        help="print a link that signs a browser in to the console, once, within ten minutes",
        epilog=_EPILOG,
    )
    sign_in.add_argument("--url", help="URL of the GraphQL endpoint (default: AUDIENCE_URL)")
    sign_in.add_argument("--token", help="API token (default: AUDIENCE_TOKEN)")
    sign_in.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Print the link, or why there is none."""
    from audience_gql.client import NotAnswered, sign_in_link  # noqa: PLC0415  # see above
    from audience_gql.config import client_from_environment  # noqa: PLC0415
    from audience_gql.connection_file import newest_client  # noqa: PLC0415

    client = client_from_environment(url=parsed.url, token=parsed.token, default=newest_client)
    try:
        print(sign_in_link(client))
    except NotAnswered as error:
        print(f"audience-gql: {error}", file=sys.stderr)
        return 1
    return 0
