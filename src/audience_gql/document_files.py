"""Finds the GraphQL documents in files: each file of a folder, and the manifests that client tools write."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ENDINGS: Final = frozenset({".graphql", ".gql"})
_MANIFESTS: Final = frozenset({"persisted-query-manifest.json", "persisted-documents.json"})
_APOLLO: Final = "apollo-persisted-query-manifest"
_PREFIX: Final = "sha256:"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSource:
    """A document, and where it was found: a file, or an entry of a manifest."""

    place: str
    text: str


class UnreadableFile(Exception):
    """A file that holds no documents in a form that this program knows. The message begins with its name."""


class DocumentsRefused(Exception):
    """Documents that must not be published. `lines` names each reason with its file and place."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


def documents_in(path: Path) -> list[DocumentSource]:
    """The documents of a file or folder, in the order of the files' names. Raises UnreadableFile, OSError.

    In a folder, these are the files *.graphql and *.gql at any depth, and manifests by their usual names. Folders of packages and hidden
    ones are left out. A file is a manifest if its name ends with .json.
    """
    files = sorted(_files(path)) if path.is_dir() else [path]
    found = [source for file in files for source in _of_file(file)]
    if not found:
        raise UnreadableFile(f"{path}: there are no documents; they are in files *.graphql, or in a manifest")
    return found


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "node_modules" and not name.startswith(".")]
        for name in names:
            if Path(name).suffix in _ENDINGS or name in _MANIFESTS:
                yield Path(parent, name)


def _of_file(file: Path) -> Iterator[DocumentSource]:
    try:
        text = file.read_bytes().decode()  # exactly as it is, because clients hash it
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{file}: the file is not UTF-8") from error
    if file.suffix != ".json":
        yield DocumentSource(place=str(file), text=text)
        return
    try:
        manifest = json.loads(text)
    except ValueError as error:
        raise UnreadableFile(f"{file}: the file is not JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise UnreadableFile(f"{file}: a manifest is a JSON object")
    entries = _of_apollo(file, manifest) if "format" in manifest else _by_hash(file, manifest)
    for name, hash_, document in entries:
        if hash_.removeprefix(_PREFIX) != hashlib.sha256(document.encode(errors="surrogatepass")).hexdigest():
            message = (
                "is not the SHA-256 of its document; let the tool that writes the manifest use this hash"
            )
            raise UnreadableFile(f"{file}: the id of {name} {message}")
        yield DocumentSource(place=f"{file}: {name}", text=document)


def _of_apollo(file: Path, manifest: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """The entries of a manifest as Apollo's tools write it: each with its name, its hash and its document."""
    operations = manifest.get("operations")
    if manifest["format"] != _APOLLO or manifest.get("version") != 1 or not isinstance(operations, list):
        raise UnreadableFile(f"{file}: the format of the manifest is not {_APOLLO} in version 1")
    for number, entry in enumerate(operations):
        match entry:
            case {"id": str(hash_), "body": str(document)}:
                yield str(entry.get("name") or number), hash_, document
            case _:
                raise UnreadableFile(f"{file}: operation {number} of the manifest has no id or no body")


def _by_hash(file: Path, manifest: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """The entries of a manifest as GraphQL Code Generator and Relay write it: documents by their hashes."""
    for hash_, document in manifest.items():
        if not isinstance(document, str):
            raise UnreadableFile(f"{file}: {hash_[:80]} is not a document's text")
        yield hash_[:80], hash_, document
