"""Reads and writes the YAML of one file. It keeps comments, and knows the line of each value.

It must not know what a definition is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from math import isfinite
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.scalarstring import LiteralScalarString

_WIDTH: Final = 10_000
"""No line of text is broken, so that a change of one word is a change of one line."""


class _Resolver(VersionedResolver):
    """Leaves dates and times as they are written: they are texts, which the server reads."""

    @property
    def versioned_resolver(self) -> Any:  # Any: the library's own
        return {
            first: [(tag, pattern) for tag, pattern in rules if not str(tag).endswith(":timestamp")]
            for first, rules in super().versioned_resolver.items()
        }


class Unreadable(Exception):
    """The text is not the YAML of one value. `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Text:
    """A file's value, with its comments and lines."""

    _root: Any  # Any: what the library makes of the file

    @classmethod
    def read(cls, text: str) -> Text:
        """Raises Unreadable, also for a key that is there twice."""
        try:
            return cls(_yaml().load(text))
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            said = (error.problem or error.context or "not YAML").splitlines()[0]
            raise Unreadable(said, 1 if mark is None else mark.line + 1) from error
        except (YAMLError, ValueError) as error:
            raise Unreadable(str(error).splitlines()[0], 1) from error

    @property
    def value(self) -> Any:  # Any: JSON
        """The value as JSON. What JSON does not have stays a text."""
        return _plain(self._root)

    def line_of(self, path: Sequence[str]) -> int:
        """The line of the value at this path, or of the last part of the path that is there. Positions in lists are texts."""
        node, line = self._root, _line_of_node(self._root)
        for part in path:
            found = _line_in(node, part)
            if found is None:
                break
            node, line = found
        return line

    def with_value(self, value: Mapping[str, Any]) -> str:  # Any: JSON
        """The text with another value. Comments stay at what is still there."""
        _merge(self._root, value)
        return written(self._root)


def written(value: Mapping[str, Any]) -> str:  # Any: JSON
    """The text of a value. Equal values have equal texts."""
    text = StringIO()
    _yaml().dump(_block(value), text)
    return text.getvalue()


def _yaml() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.Resolver = _Resolver
    yaml.preserve_quotes = True
    yaml.allow_unicode = True
    yaml.width = _WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _plain(node: Any) -> Any:  # Any: JSON
    match node:
        case dict():
            return {str(key): _plain(value) for key, value in node.items()}
        case list():
            return [_plain(value) for value in node]
        case bool() | None:
            return node
        case int():
            return int(node)
        case float() if isfinite(node):
            return float(node)
    return str(node)


def _block(value: Any) -> Any:  # Any: JSON
    """The value with texts of several lines as blocks."""
    match value:
        case CommentedMap() | CommentedSeq():
            return value
        case dict():
            return CommentedMap({key: _block(part) for key, part in value.items()})
        case list():
            return CommentedSeq([_block(part) for part in value])
        case str() if "\n" in value:
            return LiteralScalarString(value)
    return value


def _merge(node: CommentedMap, value: Mapping[str, Any]) -> None:  # Any: JSON
    for key in [key for key in node if key not in value]:
        del node[key]
    for key, part in value.items():
        node[key] = _merged(node.get(key), part)


def _merged(node: Any, part: Any) -> Any:  # Any: JSON
    if _plain(node) == part and node is not None:
        return node
    if isinstance(node, CommentedMap) and isinstance(part, dict):
        _merge(node, part)
        return node
    if isinstance(node, CommentedSeq) and isinstance(part, list) and len(node) == len(part):
        for index, item in enumerate(part):
            node[index] = _merged(node[index], item)
        return node
    return _block(part)


def _line_of_node(node: Any) -> int:  # Any: as in Text
    place = getattr(node, "lc", None)
    return 1 if place is None or place.line is None else int(place.line) + 1


def _line_in(node: Any, part: str) -> tuple[Any, int] | None:  # Any: as in Text
    """The value at a key or position, and its line."""
    if isinstance(node, CommentedMap):
        key = next((key for key in node if str(key) == part), None)
        if key is None:
            return None
        return node[key], int(node.lc.key(key)[0]) + 1
    if isinstance(node, CommentedSeq) and part.isdigit() and int(part) < len(node):
        return node[int(part)], int(node.lc.item(int(part))[0]) + 1
    return None
