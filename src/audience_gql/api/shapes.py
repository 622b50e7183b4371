"""Inputs that reach a resolver exactly as the caller gave them: a plain mapping with the given keys only.

For inputs in which leaving out and null differ, and for those whose declaration is data: conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strawberry.types.arguments import InputContext
from strawberry.types.base import get_object_definition


def as_given(declaration: type) -> type:
    """Have values of this input arrive as mappings, keyed as in the schema, coerced to the schema's types."""
    get_object_definition(declaration, strict=True).from_input = _unchanged
    return declaration


def _unchanged(_: type, value: Mapping[str, Any], __: InputContext) -> Mapping[str, Any]:  # Any: the fields' own types
    return value
