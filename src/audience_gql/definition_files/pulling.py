"""Writes the definitions of a workspace to the files of a folder. Files that say the same already stay as they are, with their comments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from audience_gql.definition_files.folders import (
    FOLDERS,
    KINDS,
    DefinitionFile,
    Folder,
    NoFolder,
    Problems,
    file_name,
    folded,
    read_folder,
)
from audience_gql.definition_files.texts import written

_UNORDERED: Final = ("on", "causes")


@dataclass(slots=True, kw_only=True)
class Pulled:
    """What became of the files, by their paths in the folder."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: int = 0
    deleted: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Files of definitions that the workspace does not have."""


def pull(root: Path, definitions: Sequence[Mapping[str, Any]], *, prune: bool) -> Pulled:  # Any: JSON
    """Bring the files to these definitions. With `prune`, delete the files of others. Raises Problems for files that cannot be read, OSError."""
    try:
        folder = read_folder(root)
    except NoFolder:
        folder = Folder(files=(), problems=())
    if folder.problems:
        raise Problems(folder.problems)
    pulled = Pulled()
    wanted = set()
    for definition in definitions:
        name = FOLDERS[definition["kind"]]
        (root / name).mkdir(parents=True, exist_ok=True)
        wanted.add((KINDS[name], folded(definition["name"])))
        existing = _existing(folder, KINDS[name], definition["name"])
        if existing is None:
            pulled.created.append(_create(root, name, definition))
        elif _says(existing.value, definition["content"]):
            pulled.unchanged += 1
        else:
            _write(existing.path, existing.text.with_value(_with_own_words(existing, definition["content"])))
            pulled.updated.append(existing.shown)
    for file in _others(folder, wanted):
        if prune:
            file.path.unlink()
        (pulled.deleted if prune else pulled.left).append(file.shown)
    return pulled


def _existing(folder: Folder, kind: str, name: str) -> DefinitionFile | None:
    return next((it for it in folder.of_kind(kind) if it.name == folded(name)), None)


def _create(root: Path, name: str, definition: Mapping[str, Any]) -> str:  # Any: JSON
    taken = {path.name for path in (root / name).iterdir()}
    path = root / name / file_name(definition["name"], taken)
    _write(path, written(definition["content"]))
    return path.relative_to(root).as_posix()


def _others(folder: Folder, wanted: set[tuple[str, str]]) -> Iterator[DefinitionFile]:
    yield from (it for it in folder.files if (it.kind, it.name) not in wanted)


def _says(value: Mapping[str, Any], content: Mapping[str, Any]) -> bool:  # Any: JSON
    """Whether a file says what the workspace has. Defaults may be written out, and some lists may have another order."""
    return _compared(value) == _compared(content)


def _compared(value: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    usual: dict[str, Any] = {"on": ["ENTERED"], "paused": False}
    parts: dict[str, Any] = {  # Any: the same
        key: sorted(map(str, part)) if key in _UNORDERED and isinstance(part, list) else part
        for key, part in value.items()
        if part is not None and key != "renamedFrom"
    }
    if isinstance(parts.get("description"), str):
        parts["description"] = parts["description"].strip()
    return {key: part for key, part in parts.items() if part != usual.get(key)}


def _with_own_words(file: DefinitionFile, content: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """The content, and what only the file says."""
    own = {"renamedFrom": file.value["renamedFrom"]} if "renamedFrom" in file.value else {}
    if file.value.get("paused") is False and "paused" not in content:
        own["paused"] = False
    return {**content, **own}


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
