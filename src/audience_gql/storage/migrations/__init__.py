"""The history of the schema. Each migration runs SQL from a file beside it, and its docstring states the locks that it takes."""

from __future__ import annotations

from tortoise import Tortoise
from tortoise.migrations.operations import TortoiseOperation
from tortoise.migrations.schema_generator.state import ModelState, State


class DeclareModels(TortoiseOperation):
    """Tells Tortoise's commands that the SQL creates the tables of models.py. Otherwise `makemigrations` would create them again."""

    def state_forward(self, app_label: str, state: State) -> None:
        for name, model in (Tortoise.apps or {})[app_label].items():
            state.models[app_label, name] = ModelState.make_from_model(app_label, model)
