"""Reads statements from the source of the storage package: complete statements, and the places that compose one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
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
_MARK = "  # never on a cluster"


@dataclass(frozen=True, slots=True)
class Place:
    """A call that sends a statement, by its file and lines. `text` is None if the call composes the statement."""

    name: str
    """The file below the storage package and the function, such as `reads/log.py:heads`."""
    file: str
    first: int
    last: int
    text: str | None

    def __str__(self) -> str:
        return f"{self.file}:{self.first}"


def named_statements() -> Iterator[tuple[str, str]]:
    """The statements of the .sql files, as (file:name, text). The file is told below the storage package."""
    for path in _files("*.sql"):
        for name, text in load_statements(str(path)).items():
            yield f"{path.relative_to(FOLDER)}:{name}", NamedStatement(text).text


@cache
def written_statements() -> tuple[tuple[str, str], ...]:
    """The statements that stand in the source in full, as (place, text)."""
    in_python = ((place.name, place.text) for place in places() if place.text is not None)
    return (*named_statements(), *in_python)


def places() -> Iterator[Place]:
    for path in _files("*.py"):
        room = ".".join(("audience_gql.storage", *path.relative_to(FOLDER).parent.parts))
        module = import_module(f"{room}.{path.stem}") if path.stem != "__init__" else None
        for function, node in _calls(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node.func, ast.Attribute) and node.args):
                continue
            given = node.args[0]
            if node.func.attr in SENDS and not _is_named(given) and not _is_handed_on(given, path):
                name = f"{path.relative_to(FOLDER)}:{function}"
                yield Place(
                    name, path.name, node.lineno, node.end_lineno or node.lineno, _text(given, module)
                )


def _calls(tree: ast.AST, within: str = "") -> Iterator[tuple[str, ast.Call]]:
    """(the function or method, the call) of each call. Functions inside of a function belong to it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            yield within, node
        if isinstance(node, ast.ClassDef):
            yield from _calls(node, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
            not within or within.endswith(".")
        ):
            yield from _calls(node, f"{within}{node.name}")
        else:
            yield from _calls(node, within)


@cache
def never_on_a_cluster() -> frozenset[tuple[str, int]]:
    """The lines of the calls that are marked: they are made only where `not database.is_cluster`."""
    lines = set()
    for path in _files("*.py"):
        text = path.read_text(encoding="utf-8")
        if _MARK not in text:
            continue
        marked = {number for number, line in enumerate(text.splitlines(), 1) if line.endswith(_MARK)}
        for _, node in _calls(ast.parse(text)):
            if node.lineno in marked:
                lines |= {
                    (path.name, number) for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
                }
    return frozenset(lines)


def copies() -> Iterator[tuple[str, ast.Call]]:
    """The calls that write by COPY."""
    for path in _files("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            is_handed_on = any(keyword.arg is None for keyword in node.keywords)
            if node.func.attr.startswith(("copy_to", "copy_from", "copy_records")) and not is_handed_on:
                yield f"{path.name}:{node.lineno}", node


def _files(pattern: str) -> list[Path]:
    """The files of the package and its rooms, without the migrations."""
    return sorted(path for path in FOLDER.rglob(pattern) if path.parent.name != "migrations")


def _is_named(given: ast.expr) -> bool:
    """Whether the statement comes from a .sql file: those are all checked separately."""
    return isinstance(given, ast.Subscript) and isinstance(given.value, ast.Name) and given.value.id == "_SQL"


def _is_handed_on(given: ast.expr, path: Path) -> bool:
    """Whether it is the statement that was passed to a method of database.py, or that connections.py hands to the driver."""
    if path.name == "connections.py" and isinstance(given, ast.Starred):
        return True
    return path.name == "database.py" and isinstance(given, ast.Name) and given.id == "sql"


def _text(given: ast.expr, module: ModuleType | None) -> str | None:
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        return given.value
    if isinstance(given, ast.Name) and isinstance(value := getattr(module, given.id, None), str):
        return value
    return None
