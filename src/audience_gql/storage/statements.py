"""Reads named SQL statements from .sql files, which lie beside the modules that run them."""

from __future__ import annotations

import re
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load_statements(module_file: str) -> dict[str, str]:
    """The statements of the .sql file beside this module file, keyed by the name in their `-- name:` line."""
    parts = _NAME.split(Path(module_file).with_suffix(".sql").read_text(encoding="utf-8"))
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}
