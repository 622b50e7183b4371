"""Reads a folder of definitions, one in each file, and finds the file of a definition and the place of a problem."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from audience_gql.definition_files.texts import Text, Unreadable

KINDS: Final[Mapping[str, str]] = {
    "fields": "customFields",
    "groups": "groups",
    "segments": "segments",
    "automations": "automations",
}
"""The folders, and the part of a set that each one holds."""
FOLDERS: Final[Mapping[str, str]] = {
    "CUSTOM_FIELD": "fields",
    "GROUP": "groups",
    "SEGMENT": "segments",
    "AUTOMATION": "automations",
}
"""The folder of each kind of definition."""
_ENDINGS: Final = {".yaml", ".yml"}
_LONGEST_SLUG: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong in a file. `path` is the way to it within the file, and `line` counts from 1."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class Problems(Exception):
    """The files are wrong, or do not fit the workspace. It has all problems that were found, sorted by place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = sorted(problems, key=lambda it: (it.file, it.line, it.path))


class NoFolder(Exception):
    """There is no folder of definitions at this path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionFile:
    kind: str
    """The part of a set that it belongs to, for example `segments`."""
    path: Path
    shown: str
    """The path as it is told to people."""
    text: Text

    @property
    def value(self) -> dict[str, Any]:  # Any: JSON
        value: dict[str, Any] = self.text.value  # Any: the same
        return value

    @property
    def name(self) -> str | None:
        """The definition's name, or a field's key, without upper and lower case; None if it is not a text."""
        name = self.value.get("key" if self.kind == "customFields" else "name")
        return folded(name) if isinstance(name, str) else None

    def problem(self, path: Sequence[str], message: str) -> Problem:
        return Problem(file=self.shown, line=self.text.line_of(path), path=".".join(path), message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The files of a folder, in the order of their paths."""

    files: Sequence[DefinitionFile]
    problems: Sequence[Problem]
    """Of files that cannot be read."""

    def without(self, files: Sequence[str]) -> Folder:
        """The same without these files."""
        return Folder(files=[it for it in self.files if it.shown not in files], problems=self.problems)

    def of_kind(self, kind: str) -> list[DefinitionFile]:
        return [it for it in self.files if it.kind == kind]

    def definitions(self) -> dict[str, list[dict[str, Any]]]:  # Any: JSON
        """The set that the files give."""
        return {kind: [it.value for it in self.of_kind(kind)] for kind in KINDS.values()}

    def place(self, path: Sequence[str], message: str) -> Problem | None:
        """A problem of the set at its place in a file; None if it is about no file. `path` begins with the part of the set."""
        match path:
            case [kind, index, *inner] if kind in KINDS.values() and index.isdigit():
                return self.of_kind(kind)[int(index)].problem(inner, message)
        return None


def read_folder(root: Path) -> Folder:
    """Read all definitions below a folder. Raises NoFolder if it has none of the folders of definitions."""
    if not any((root / name).is_dir() for name in KINDS):
        raise NoFolder(f"{root} has none of the folders {', '.join(KINDS)}")
    files: list[DefinitionFile] = []
    problems: list[Problem] = []
    for name, kind in KINDS.items():
        for path in _paths(root / name):
            shown = path.relative_to(root).as_posix()
            try:
                text = _read(path)
            except Unreadable as error:
                problems.append(Problem(file=shown, line=error.line, path="", message=error.message))
            else:
                files.append(DefinitionFile(kind=kind, path=path, shown=shown, text=text))
    return Folder(files=files, problems=problems)


def _read(path: Path) -> Text:
    """Raises Unreadable."""
    try:
        text = Text.read(path.read_text(encoding="utf-8-sig"))
        value = text.value
    except UnicodeDecodeError as error:
        raise Unreadable("the file is not UTF-8", 1) from error
    except RecursionError as error:
        raise Unreadable("the value contains itself, or is nested too deep", 1) from error
    if not isinstance(value, dict):
        raise Unreadable("expected a definition: lines such as `name: Loyal customers`", 1)
    return text


def file_name(name: str, taken: set[str]) -> str:
    """A name for a new file, made of a definition's name: `Loyal customers` becomes `loyal-customers.yaml`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")[:_LONGEST_SLUG].strip("-") or "definition"
    number, found = 1, f"{slug}.yaml"
    while found in taken:
        number += 1
        found = f"{slug}-{number}.yaml"
    return found


def folded(name: str) -> str:
    """The form in which two names are equal."""
    return unicodedata.normalize("NFC", name.strip()).casefold()


def _paths(folder: Path) -> Iterator[Path]:
    yield from sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in _ENDINGS and path.is_file() and not path.name.startswith(".")
    )
