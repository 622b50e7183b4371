"""Models are made without parsing the source of their module, so that each process starts quickly."""

from __future__ import annotations

import inspect

import tortoise
from tortoise.fields import BigIntField

from audience_gql.storage.orm import base


def asked_for_source(base: type, monkeypatch) -> list[str]:
    """The classes whose source the ORM asks for while it makes a model."""
    asked: list[str] = []

    def source(of: type) -> str:
        asked.append(of.__name__)
        return ""

    with monkeypatch.context() as patched:
        patched.setattr(inspect, "getsource", source)
        type(base)("Shelf", (base,), {"id": BigIntField(primary_key=True)})
    return asked


def test_no_source_is_read(monkeypatch):
    assert asked_for_source(base.Model, monkeypatch) == []
    assert asked_for_source(tortoise.Model, monkeypatch) == ["Shelf"]
