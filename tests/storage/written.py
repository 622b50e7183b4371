"""The statements as the storage package's source has them: those that are written out, and the places that put one together."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import audience_gql.storage
from audience_gql.storage.statements import load_statements

FOLDER = Path(audience_gql.storage.__file__).parent
SENDS = frozenset({
    "cursor", "execute", "execute_query", "execute_query_dict", "execute_script", "executemany", "fetch", "fetchrow", "fetchval",
    "_fetch", "prepare",
})  # fmt: skip
"""Methods that take a statement first."""


@dataclass(frozen=True, slots=True)
class Place:
    """A call that sends a statement, by its file and lines. `text` is None where the statement is put together there."""

    file: str
    first: int
    last: int
    text: str | None

    def __str__(self) -> str:
        return f"{self.file}:{self.first}"


def named_statements() -> Iterator[tuple[str, str]]:
    """Those of the .sql files."""
    for path in _files("*.sql"):
        for name, text in load_statements(str(path)).items():
            yield f"{path.name}:{name}", text


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
    """Of the package and its rooms; migrations are another matter."""
    return sorted(path for path in FOLDER.rglob(pattern) if path.parent.name != "migrations")


def _is_named(given: ast.expr) -> bool:
    """Whether it comes from a .sql file, all of whose statements are judged."""
    return isinstance(given, ast.Subscript) and isinstance(given.value, ast.Name) and given.value.id == "_SQL"


def _is_handed_on(given: ast.expr, path: Path) -> bool:
    """Whether it is what a door of database.py was given."""
    return path.name == "database.py" and isinstance(given, ast.Name) and given.id == "sql"


def _text(given: ast.expr, module: ModuleType | None) -> str | None:
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        return given.value
    if isinstance(given, ast.Name) and isinstance(value := getattr(module, given.id, None), str):
        return value
    return None
