"""Reads statements from the source of the storage package: complete statements, and the places that compose one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import audience_gql.storage
from audience_gql.storage.statements import NamedStatement, load_statements

FOLDER = Path(audience_gql.storage.__file__).parent
SENDS = frozenset({
    "cursor", "execute", "execute_query", "execute_query_dict", "execute_script", "executemany", "fetch", "fetchrow", "fetchval",
    "_fetch", "prepare",
})  # fmt: skip
"""Methods whose first argument is a statement."""


@dataclass(frozen=True, slots=True)
class Place:
    """A call that sends a statement, by its file and lines. `text` is None if the call composes the statement."""

    file: str
    first: int
    last: int
    text: str | None

    def __str__(self) -> str:
        return f"{self.file}:{self.first}"


def named_statements() -> Iterator[tuple[str, str]]:
    """The statements of the .sql files, as (file:name, text)."""
    for path in _files("*.sql"):
        for name, text in load_statements(str(path)).items():
            yield f"{path.name}:{name}", NamedStatement(text).text


def places() -> Iterator[Place]:
    for path in _files("*.py"):
        room = ".".join(("audience_gql.storage", *path.relative_to(FOLDER).parent.parts))
        module = import_module(f"{room}.{path.stem}") if path.stem != "__init__" else None
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            given = node.args[0]
            if node.func.attr in SENDS and not _is_named(given) and not _is_handed_on(given, path):
                yield Place(path.name, node.lineno, node.end_lineno or node.lineno, _text(given, module))


def copies() -> Iterator[tuple[str, ast.Call]]:
    """The calls that write by COPY."""
    for path in _files("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr.startswith(("copy_to", "copy_from", "copy_records")):
                yield f"{path.name}:{node.lineno}", node


def _files(pattern: str) -> list[Path]:
    """The files of the package and its rooms, without the migrations."""
    return sorted(path for path in FOLDER.rglob(pattern) if path.parent.name != "migrations")


def _is_named(given: ast.expr) -> bool:
    """Whether the statement comes from a .sql file: those are all checked separately."""
    return isinstance(given, ast.Subscript) and isinstance(given.value, ast.Name) and given.value.id == "_SQL"


def _is_handed_on(given: ast.expr, path: Path) -> bool:
    """Whether it is the statement that was passed to a method of database.py."""
    return path.name == "database.py" and isinstance(given, ast.Name) and given.id == "sql"


def _text(given: ast.expr, module: ModuleType | None) -> str | None:
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        return given.value
    if isinstance(given, ast.Name) and isinstance(value := getattr(module, given.id, None), str):
        return value
    return None
