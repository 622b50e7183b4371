"""Which group or segment a condition names: by its id, or in a new condition also by its name."""

from __future__ import annotations

from typing import Final

from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.values import fold
from audience_gql.conditions.vocabulary import IdKind
from audience_gql.conditions.words.similar import did_you_mean, similar

HOW_TO_NAME: Final = (
    "each by its id or its name. Upper and lower case do not matter in a name. The ids are stored, "
    "so renaming a {kind} later changes nothing. A text in the form of an id is never read as a name."
)
"""For descriptions of inputs."""


def list_id(kind: IdKind, text: str, parsing: Parsing) -> int | None:
    """The id of the list that the text names. If there is none, it notes a problem and returns None."""
    vocabulary = parsing.vocabulary
    known, by_name = {
        "group": (vocabulary.group_ids, vocabulary.groups_by_name),
        "segment": (vocabulary.segment_ids, vocabulary.segments_by_name),
    }[kind]
    decoded = parsing.ids.decode(kind, text)
    if decoded is not None:
        if decoded in known:
            return decoded
        parsing.problem("UNKNOWN", f"there is no {kind} with this id")
        return None
    named = by_name.get(fold(text.strip()))
    if named is not None:
        return named.id
    near = similar(text, (other.name for other in by_name.values()))
    parsing.problem("UNKNOWN", f"there is no {kind} with this id or name{did_you_mean(near)}")
    return None
