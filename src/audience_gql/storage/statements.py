"""Reads named SQL statements from .sql files, which lie beside the modules that run them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_PARAMETER: Final = re.compile(r"--[^\n]*|'(?:[^']|'')*'|(?<!:):([a-z_]+)\b")
"""A parameter's name, or a comment or a text, in which a colon means nothing."""


class NamedStatement:
    """A statement whose parameters have names in the file, for example `:bucket_id`."""

    def __init__(self, text: str) -> None:
        self.names = tuple(dict.fromkeys(name for name in _PARAMETER.findall(text) if name))
        """The names in the order of their numbers."""
        self.text = _PARAMETER.sub(lambda it: f"${self.names.index(it[1]) + 1}" if it[1] else it[0], text)
        """The statement with numbered parameters, as the driver wants it."""

    def arguments(self, **values: object) -> list[object]:
        """The values in the order of the numbers. Raises KeyError unless each parameter has exactly one value."""
        if unknown := values.keys() - set(self.names):
            raise KeyError(*sorted(unknown))
        return [values[name] for name in self.names]


def load_statements(module_file: str) -> dict[str, str]:
    """The statements of the .sql file beside this module file, keyed by the name in their `-- name:` line."""
    parts = _NAME.split(Path(module_file).with_suffix(".sql").read_text(encoding="utf-8"))
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}
