"""`audience-gql export`: has a list written to a file by a running server, and downloads the file. It only uses the public HTTP API.

A broken connection is opened again, and the download continues where it stopped.
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, Final
from urllib.parse import urljoin, urlsplit

from audience_gql.client import NotAnswered, ask
from audience_gql.config import Client

_READ_BYTES: Final = 64 * 1024
_POLL_SECONDS: Final = 0.5
_TIMEOUT_SECONDS: Final = 60.0
_WAITS_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
"""How long to wait after each failure in a row. A failure after the last one ends the download."""
_IDS: Final = {"SEGMENT": re.compile(r"seg_[\w-]+"), "GROUP": re.compile(r"grp_[\w-]+")}
_FIND: Final = {
    "SEGMENT": "query ($key: SegmentKey!) { found: segment(by: $key) { id } }",
    "GROUP": "query ($key: GroupKey!) { found: group(by: $key) { id } }",
}
_EXPORT: Final = """mutation ($input: ExportListInput!) { exportList(input: $input) {
  __typename
  ... on ExportListPayload { downloadUrl export { id } }
  ... on UserError { message }
  ... on InvalidInput { issues { message path } }
} }"""
_PROGRESS: Final = "query ($id: ID!) { export(id: $id) { state total rows bytes failure } }"
_EXPIRE: Final = "mutation ($id: ID!) { expireExport(input: {id: $id}) { __typename } }"


class DownloadRefused(Exception):
    """The server did not export the list, or the file could not be downloaded. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to export. `list` is an id or a name."""

    list: str
    is_group: bool = False
    format: str = "CSV"
    fields: Sequence[str] | None = None
    escape_formulas: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an export and its download are."""

    rows: int
    total: int | None
    received: int


Advance = Callable[[Progress], None]


def export_file(
    *, client: Client, wanted: Wanted, output: BinaryIO, can_rewind: bool, advance: Advance
) -> Progress:
    """Write the whole file to `output`, then have the server delete it. Returns how much it was. Raises DownloadRefused.

    `can_rewind` says that `output` can be emptied if the server has to begin the file again.
    """
    started = _start(client, wanted)
    export_id = started["export"]["id"]
    try:
        with _told(client, export_id, advance) as told:
            target = _Target(output, can_rewind, told)
            _receive(urljoin(client.url, started["downloadUrl"]), target)
        found = _progress(client, export_id)
        return Progress(rows=found["rows"], total=found["total"], received=target.position)
    finally:
        _expire(client, export_id)


def _start(client: Client, wanted: Wanted) -> Mapping[str, Any]:  # Any: JSON
    kind = "GROUP" if wanted.is_group or _IDS["GROUP"].fullmatch(wanted.list) else "SEGMENT"
    list_id = wanted.list if _IDS[kind].fullmatch(wanted.list) else _find(client, kind, wanted.list)
    given: dict[str, object] = {
        "list": {f"{kind.lower()}Id": list_id},
        "format": wanted.format,
        "escapeFormulas": wanted.escape_formulas,
    }
    if wanted.fields is not None:
        given["fields"] = list(wanted.fields)
    started: Mapping[str, Any] = _ask(client, _EXPORT, input=given)["exportList"]
    if started["__typename"] != "ExportListPayload":
        issues = [f"{issue['message']} ({'.'.join(issue['path'])})" for issue in started.get("issues", ())]
        raise DownloadRefused("; ".join(issues) or started["message"])
    return started


def _find(client: Client, kind: str, name: str) -> str:
    found = _ask(client, _FIND[kind], key={"name": name})["found"]
    if found is None:
        hint = "" if kind == "GROUP" else "; for a group, add --group"
        raise DownloadRefused(f"there is no {kind.lower()} {name!r}{hint}")
    return str(found["id"])


# ---- the file


class _Target:
    """Where the file goes, and which version of it has arrived up to which byte."""

    def __init__(self, output: BinaryIO, can_rewind: bool, told: _Told) -> None:
        self._output = output
        self._can_rewind = can_rewind
        self._told = told
        self.position = 0
        self.etag: str | None = None

    def begin(self, etag: str | None) -> None:
        """Take a file from its beginning. Raises DownloadRefused if a part of another version cannot be taken back."""
        if self.position:
            if not self._can_rewind:
                raise DownloadRefused("the server has begun the file again; what was printed is not complete")
            self._output.seek(0)
            self._output.truncate()
        self.position, self.etag = 0, etag

    def write(self, part: bytes) -> None:
        """Raises DownloadRefused if the part cannot be written: that is no failure of the connection."""
        try:
            self._output.write(part)
        except OSError as error:
            raise DownloadRefused(f"the file cannot be written: {error}") from error
        self.position += len(part)
        self._told.received = self.position


def _receive(url: str, target: _Target) -> None:
    """Download the whole file, with as many connections as it takes. Raises DownloadRefused."""
    failures = 0
    while True:
        before = target.position
        try:
            if (pause := _receive_some(url, target)) is None:
                return
        except (http.client.HTTPException, OSError) as error:
            failures = 1 if target.position > before else failures + 1
            if failures > len(_WAITS_SECONDS):
                raise DownloadRefused(f"the file could not be downloaded: {error!r}") from error
            pause = _WAITS_SECONDS[failures - 1]
        time.sleep(pause)


def _receive_some(url: str, target: _Target) -> float | None:
    """Download as much as one connection gives. Returns how long to wait before the next one; None after the end of the file.

    Raises DownloadRefused, OSError, HTTPException.
    """
    address = urlsplit(url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.netloc, timeout=_TIMEOUT_SECONDS)
    headers = {}
    if target.position and target.etag:
        headers = {"Range": f"bytes={target.position}-", "If-Range": target.etag}
    try:
        connection.request("GET", address.path, headers=headers)
        answer = connection.getresponse()
        match answer.status:
            case http.client.OK:
                target.begin(answer.headers["etag"])
            case http.client.PARTIAL_CONTENT:
                pass
            case http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                return None  # the connection broke right after the last byte
            case http.client.SERVICE_UNAVAILABLE:
                return float(answer.headers.get("retry-after") or 1)
            case status:
                said = answer.read().decode(errors="replace").strip()
                raise DownloadRefused(f"the file cannot be downloaded ({status}): {said}")
        _copy(answer, target)
    finally:
        connection.close()
    return None


def _copy(answer: http.client.HTTPResponse, target: _Target) -> None:
    """Raises IncompleteRead if the end of the answer is missing."""
    missing = answer.length
    while part := answer.read(_READ_BYTES):
        target.write(part)
        if missing is not None:
            missing -= len(part)
    if missing:
        raise http.client.IncompleteRead(b"", missing)


# ---- progress


@dataclass(slots=True)
class _Told:
    received: int = 0


@contextmanager
def _told(client: Client, export_id: str, advance: Advance) -> Iterator[_Told]:
    """Report the progress twice a second, beside the download. A poll that fails reports nothing."""
    told, is_over = _Told(), threading.Event()

    def report() -> None:
        while not is_over.wait(_POLL_SECONDS):
            try:
                found = _progress(client, export_id)
            except DownloadRefused:
                continue
            advance(Progress(rows=found["rows"], total=found["total"], received=told.received))

    reporting = threading.Thread(target=report, daemon=True)
    reporting.start()
    try:
        yield told
    finally:
        is_over.set()
        reporting.join()


def _progress(client: Client, export_id: str) -> Mapping[str, Any]:  # Any: JSON
    found: Mapping[str, Any] | None = _ask(client, _PROGRESS, id=export_id)["export"]
    if found is None:
        raise DownloadRefused("the export is not there any more")
    return found


def _expire(client: Client, export_id: str) -> None:
    with suppress(DownloadRefused):  # the server deletes the file by itself after a day
        _ask(client, _EXPIRE, id=export_id)


def _ask(client: Client, query: str, **variables: object) -> dict[str, Any]:  # Any: JSON
    try:
        answer = ask(client, query, variables)
    except NotAnswered as error:
        raise DownloadRefused(str(error)) from error
    if answer.get("errors"):
        raise DownloadRefused("; ".join(error["message"] for error in answer["errors"]))
    data: dict[str, Any] = answer["data"]
    return data
