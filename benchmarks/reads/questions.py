"""The questions, as each server is asked them. `comparing.plain` makes the answers equal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from audience_gql.api.ids import Kind, encode
from benchmarks.reads.data import Data

Variables: TypeAlias = dict[str, Any]  # Any: JSON
_DOCUMENTS: Final = Path(__file__).with_name("documents")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question. Its operation in a file of documents has the name `key`."""

    key: str
    about: str
    targets: Callable[[Data], tuple[int | None, ...]]
    """What is asked for in turn: segments, people, or nothing in particular."""


def _nothing(_: Data) -> tuple[int | None, ...]:
    return (None,)


def _segments(data: Data) -> tuple[int | None, ...]:
    return data.segment_ids


def _people(data: Data) -> tuple[int | None, ...]:
    return data.person_ids


QUESTIONS: Final = (
    Question(key="T1a", about="the caller's workspace", targets=_nothing),
    Question(key="T1b", about="a segment and its member count", targets=_segments),
    Question(key="T2", about="a person with 8 profile fields and their groups", targets=_people),
    Question(key="T3", about="50 members of a segment", targets=_segments),
    Question(key="T4", about="50 members of a segment, and its member count", targets=_segments),
    Question(key="T5", about="6 segments, 20 members of each, and their groups", targets=_nothing),
    Question(key="T6", about="the 50 newest people with custom fields and channels", targets=_nothing),
)


def our_bodies(question: Question, data: Data) -> tuple[str, ...]:
    """GraphQL with our opaque ids."""

    def variables(target: int) -> Variables:
        if question.targets is _people:
            return {"id": encode(Kind.SUBSCRIBER, data.bucket_id, target)}
        return {"id": encode(Kind.SEGMENT, target)}

    document = documents("ours")[question.key]
    return tuple(_body(document, {} if it is None else variables(it)) for it in question.targets(data))


def plain_bodies(dialect: str) -> Callable[[Question, Data], tuple[str, ...]]:
    """GraphQL with the numbers of storage as texts. An operation gets those variables that it declares."""

    def bodies(question: Question, data: Data) -> tuple[str, ...]:
        document = documents(dialect)[question.key]

        def variables(target: int | None) -> Variables:
            known = {"workspace": data.workspace_id, "bucket": data.bucket_id, "id": target}
            return {name: str(value) for name, value in known.items() if f"${name}:" in document}

        return tuple(_body(document, variables(it)) for it in question.targets(data))

    return bodies


def handwritten_bodies(question: Question, data: Data) -> tuple[str, ...]:
    """The values of the statement after the workspace."""
    bucket = [data.bucket_id] if question.targets is _people else []
    return tuple(json.dumps([] if it is None else [it, *bucket]) for it in question.targets(data))


@cache
def documents(dialect: str) -> Mapping[str, str]:
    """The operations of a file by their names. A client sends one without needless spaces."""
    text = (_DOCUMENTS / f"{dialect}.graphql").read_text(encoding="utf-8")
    operations = re.split(r"^(?=query )", text, flags=re.MULTILINE)[1:]
    return {re.split(r"\W", it)[1]: " ".join(it.split()) for it in operations}


def _body(document: str, variables: Variables) -> str:
    return json.dumps({"query": document, "variables": variables})
