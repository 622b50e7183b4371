"""The history of the schema. Each migration runs SQL from a file beside it, and its docstring states the locks that it takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tortoise import Tortoise
from tortoise.migrations.operations import TortoiseOperation
from tortoise.migrations.schema_generator.state import ModelState, State

_END: Final = re.compile(r"^((?:(?!--).)*;)[ \t]*(?:--.*)?$", re.MULTILINE)
"""The line on which a statement ends. A comment may follow."""


def statements_beside(module: str) -> list[str]:
    """The statements of a migration's SQL file, one by one: a cluster passes the text of a definition on, and cannot pass on several at once."""
    text = Path(module).with_suffix(".sql").read_text(encoding="utf-8")
    pieces = _END.sub(r"\1\0", text).split("\0")
    assert not re.sub(r"--.*", "", pieces[-1]).strip(), module  # noqa: S101  # the file ends with a statement
    return [piece.strip() for piece in pieces[:-1]]


class DeclareModels(TortoiseOperation):
    """Tells Tortoise's commands that the SQL creates the tables of models.py. Otherwise `makemigrations` would create them again."""

    def state_forward(self, app_label: str, state: State) -> None:
        for name, model in (Tortoise.apps or {})[app_label].items():
            state.models[app_label, name] = ModelState.make_from_model(app_label, model)
