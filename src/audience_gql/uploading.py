"""`audience-gql import`: sends a CSV file to a running server and reports its progress. It only uses the public HTTP API."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import urljoin, urlsplit

from audience_gql.client import NotAnswered, ask
from audience_gql.conditions.profile import COLUMNS, NAMES
from audience_gql.config import Client

_PIECE_BYTES: Final = 256 * 1024
_POLL_SECONDS: Final = 0.5
_TIMEOUT_SECONDS: Final = 60.0
_REJECTS_SHOWN: Final = 20
_OVER: Final = {"DONE", "FAILED", "CANCELLED"}
_PROFILE: Final = {name.lower(): column.upper() for name, column in zip(NAMES, COLUMNS, strict=True)}
"""The values of ProfileColumn, by the headers that stand for them."""
_START: Final = """mutation ($input: StartImportInput!) { startImport(input: $input) {
  __typename
  ... on StartImportPayload { uploadUrl import { id } }
  ... on UserError { message }
  ... on InvalidInput { issues { message path } }
} }"""
_PROGRESS: Final = """query ($id: ID!, $first: Int) { node(id: $id) { ... on Import {
  state fraction rowsRead created updated rejected noticed failure
  rejects(first: $first) { edges { node { line message } } }
  notices(first: $first) { edges { node { line message } } }
} } }"""


class UploadRefused(Exception):
    """The server did not accept the import or the file. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How to import the file. The fields are those of StartImportInput."""

    columns: Sequence[Mapping[str, object]]
    delimiter: str = ","
    empty_clears: bool = False
    dry_run: bool = False
    add_to_group_ids: Sequence[str] = ()
    file_name: str | None = None

    def as_input(self) -> dict[str, object]:
        return {
            "columns": self.columns,
            "delimiter": self.delimiter,
            "emptyClears": self.empty_clears,
            "dryRun": self.dry_run,
            "addToGroupIds": self.add_to_group_ids,
            "fileName": self.file_name,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an import ended."""

    state: str
    rows_read: int
    created: int
    updated: int
    rejected: int
    failure: str | None
    rejects: Sequence[tuple[int, str]]
    """The first refused rows, as (line, reason)."""
    noticed: int
    notices: Sequence[tuple[int, str]]
    """The first rows that were written except for some part, as (line, what was not written)."""


Advance = Callable[[str, float], None]
"""Called with a phase, "Sending" or "Writing", and the part of it that is done, from 0 to 1."""


def column(text: str) -> dict[str, object]:
    """Parse a column, for example `E-Mail=email`, `Plan=field:plan`, `News=channel:EMAIL` or `VIP=group:grp_…`. Raises ValueError."""
    header, separator, target = text.rpartition("=")
    if not separator or not header:
        raise ValueError(f"{text!r} has no header and target: write HEADER=TARGET")
    kind, _, rest = target.partition(":")
    if kind in ("field", "channel") and rest:
        return {"header": header, "to": {kind: rest}}
    if kind == "group" and rest:
        return {"header": header, "to": {"groupId": rest}}
    profile = _PROFILE.get(target.replace("_", "").lower())
    if profile is None:
        raise ValueError(f"{target!r} is neither a profile field nor field:KEY, channel:NAME or group:ID")
    return {"header": header, "to": {"profile": profile}}


def import_file(*, file: Path, client: Client, wanted: Wanted, advance: Advance) -> Outcome:
    """Upload a file, and wait until its rows are written. Raises UploadRefused."""
    started = _ask(client, _START, input=wanted.as_input())["startImport"]
    if started["__typename"] != "StartImportPayload":
        issues = [f"{issue['message']} ({'.'.join(issue['path'])})" for issue in started.get("issues", ())]
        raise UploadRefused("; ".join(issues) or started["message"])
    with file.open("rb") as content:
        _put(urljoin(client.url, started["uploadUrl"]), content, file.stat().st_size, advance)
    return _follow(client, started["import"]["id"], advance)


def _put(url: str, content: BinaryIO, size: int, advance: Advance) -> None:
    address = urlsplit(url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.netloc, timeout=_TIMEOUT_SECONDS)
    try:
        headers = {"content-type": "text/csv", "content-length": str(size)}
        connection.request("PUT", address.path, body=_pieces(content, size, advance), headers=headers)
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace")
    except OSError as error:
        raise UploadRefused(f"the file could not be sent: {error}") from error
    finally:
        connection.close()
    if answer.status != http.client.ACCEPTED:
        raise UploadRefused(f"the file was not accepted ({answer.status}): {said.strip()}")


def _pieces(content: BinaryIO, size: int, advance: Advance) -> Iterator[bytes]:
    sent = 0
    while piece := content.read(_PIECE_BYTES):
        yield piece
        sent += len(piece)
        advance("Sending", sent / size)


def _follow(client: Client, import_id: str, advance: Advance) -> Outcome:
    while True:
        found = _ask(client, _PROGRESS, id=import_id, first=_REJECTS_SHOWN)["node"]
        advance("Writing", found["fraction"])
        if found["state"] in _OVER:
            return Outcome(
                state=found["state"],
                rows_read=found["rowsRead"],
                created=found["created"],
                updated=found["updated"],
                rejected=found["rejected"],
                failure=found["failure"],
                rejects=_lines(found["rejects"]),
                noticed=found["noticed"],
                notices=_lines(found["notices"]),
            )
        time.sleep(_POLL_SECONDS)


def _lines(connection: Mapping[str, Any]) -> list[tuple[int, str]]:  # Any: JSON
    return [(edge["node"]["line"], edge["node"]["message"]) for edge in connection["edges"]]


def _ask(client: Client, query: str, **variables: object) -> dict[str, Any]:  # Any: JSON
    try:
        answer = ask(client, query, variables)
    except NotAnswered as error:
        raise UploadRefused(str(error)) from error
    if answer.get("errors"):
        raise UploadRefused("; ".join(error["message"] for error in answer["errors"]))
    data: dict[str, Any] = answer["data"]
    return data
