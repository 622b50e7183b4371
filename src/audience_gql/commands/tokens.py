"""`audience-gql token create`, `list`, `revoke` and `rotate`."""
# ruff: noqa: PLC0415  # imports are inside the commands and after the settings, so that `--help` and a missing setting are told at once

from __future__ import annotations

import argparse
import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from audience_gql.commands.environment import read_settings

if TYPE_CHECKING:
    from audience_gql.storage.orm.models import ApiToken


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `token` with its commands to the command line."""
    token = commands.add_parser("token", help="manage API tokens")
    inner = token.add_subparsers(required=True, metavar="COMMAND")
    _add_create(inner)
    listing = inner.add_parser(
        "list", help="list the tokens of a workspace that are not revoked; never their secrets"
    )
    revoke = inner.add_parser("revoke", help="refuse a token from now on, for good")
    rotate = inner.add_parser(
        "rotate", help="create a token like another one, print it, and let the other one end"
    )
    for command in (listing, revoke, rotate):
        command.add_argument("--workspace", required=True, help="name of the workspace")
    for command in (revoke, rotate):
        command.add_argument("token", help="the eight characters after agq_, as `token list` shows them")
    rotate.add_argument(
        "--overlap-hours",
        type=_hours,
        default=24,
        help="for how many hours the old token still works (default: 24)",
    )
    listing.set_defaults(run=_list)
    revoke.set_defaults(run=_revoke)
    rotate.set_defaults(run=_rotate)


def _add_create(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    create = commands.add_parser("create", help="create a token and print it; it is never shown again")
    create.add_argument("--workspace", required=True, help="name of the workspace; created if it is missing")
    create.add_argument("--name", required=True, help="what the token is for")
    create.add_argument(
        "--scope",
        action="append",
        choices=["READ", "WRITE", "TRACK", "ADMIN"],
        help="what the token may do; can be given several times (default: READ)",
    )
    create.add_argument("--days", type=_days, help="after how many days it expires (default: never)")
    create.add_argument(
        "--network",
        action="append",
        help="a network from which it may be used, such as 203.0.113.0/24; can be given several times (default: all)",
    )
    create.add_argument(
        "--only-trusted-documents",
        action="store_true",
        help="limit it to the documents that are published with `documents publish`",
    )
    create.add_argument(
        "--with-console-documents",
        action="store_true",
        help="with --only-trusted-documents: let it run the console's documents, too, so that it can sign in there",
    )
    create.set_defaults(run=_create)


def _days(text: str) -> int:
    return _whole(text, 1, 36_500)


def _hours(text: str) -> int:
    return _whole(text, 0, 8_760)


def _whole(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}")
    return int(text)


def _create(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.administration import create_named_token

    secret = asyncio.run(
        create_named_token(
            settings,
            workspace=parsed.workspace,
            name=parsed.name,
            scopes=parsed.scope or ["READ"],
            days=parsed.days,
            networks=parsed.network,
            only_trusted_documents=parsed.only_trusted_documents,
            with_console_documents=parsed.with_console_documents,
        )
    )
    print(secret)
    return 0


def _list(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.administration import tokens_of

    tokens, now = asyncio.run(tokens_of(settings, workspace=parsed.workspace))
    for token in tokens:
        print(
            "\t".join(
                (token.prefix, token.name, ",".join(token.scopes), *_state(token, now), *_limits(token))
            )
        )
    return 0


def _state(token: ApiToken, now: datetime) -> tuple[str, str, str]:
    """Until when, from where and when last a token was used, in words."""
    if token.expires_at is None:
        expiry = "never expires"
    else:
        verb = "expired" if token.expires_at <= now else "expires"
        expiry = f"{verb} {token.expires_at:%Y-%m-%d %H:%M}"
    networks = "from anywhere" if token.networks is None else f"from {','.join(token.networks)}"
    if token.last_used_at is None:
        return expiry, networks, "never used"
    where = token.last_used_address or "an unknown address"
    agent = "" if token.last_used_agent is None else f" ({token.last_used_agent})"
    return expiry, networks, f"last used {token.last_used_at:%Y-%m-%d %H:%M} from {where}{agent}"


def _limits(token: ApiToken) -> tuple[str, ...]:
    if not token.only_trusted_documents:
        return ()
    return (
        "trusted documents and the console only"
        if token.with_console_documents
        else "trusted documents only",
    )


def _revoke(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.administration import revoke

    asyncio.run(revoke(settings, workspace=parsed.workspace, prefix=parsed.token))
    return 0


def _rotate(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.administration import rotate

    secret = asyncio.run(
        rotate(settings, workspace=parsed.workspace, prefix=parsed.token, overlap_hours=parsed.overlap_hours)
    )
    print(secret)
    return 0
