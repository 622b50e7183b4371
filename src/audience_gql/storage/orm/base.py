"""The base of all models of the ORM."""

from __future__ import annotations

from typing import Any

from tortoise.models import Model as OrmModel
from tortoise.models import ModelMeta


class _WithoutComments(ModelMeta):
    """Makes a model without looking for comments of its fields.

    The ORM keeps such comments for the tables that it creates, and our migrations create ours. To find them, Python parses the whole module
    again for each of its models, which was a sixth of a worker's start.
    """

    def __new__(
        cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]
    ) -> ModelMeta:  # Any: what a class holds
        return super().__new__(cls, name, bases, {**attributes, "_no_comments": True})


class Model(OrmModel, metaclass=_WithoutComments):
    """One row of a table."""

    class Meta:
        abstract = True
