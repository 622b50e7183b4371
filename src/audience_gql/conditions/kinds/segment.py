"""segment: whoever another segment's condition matches, at the same instant. The stored list is not asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audience_gql.conditions.base import Edge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.parsing import Parsing
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.sql import InSegments, Parameters
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary
from audience_gql.conditions.wording import listed, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class InSegment(Leaf):
    """Matched by the condition of at least one of the segments."""

    segment_ids: tuple[int, ...]

    def dump(self, ids: IdCodec) -> dict[str, Json]:
        return {"segment": {"anyOf": [ids.encode("segment", segment_id) for segment_id in self.segment_ids]}}

    def summary(self, names: Names) -> str:
        segments = listed([quoted(names.segments.get(segment_id, "?")) for segment_id in self.segment_ids])
        return f"who are in the segment{'' if len(self.segment_ids) == 1 else 's'} {segments}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:  # noqa: ARG002  # the verdicts are this person's
        return any(moment.verdicts[segment_id] for segment_id in self.segment_ids)

    def reads(self) -> frozenset[Read]:
        return frozenset(Read(source="segment", ref=segment_id) for segment_id in self.segment_ids)

    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge]:  # noqa: ARG002  # the inner conditions have their own
        return frozenset()

    def sql(self, parameters: Parameters) -> InSegments:  # noqa: ARG002  # binds nothing
        return InSegments(ids=self.segment_ids)


def _known(text: str, parsing: Parsing) -> int | None:
    segment_id = parsing.ids.decode("segment", text)
    if segment_id is None or segment_id not in parsing.vocabulary.segment_ids:
        parsing.problem("UNKNOWN", "there is no segment with this id")
        return None
    return segment_id


def _build(given: Given, _: Parsing) -> InSegment:
    return InSegment(segment_ids=given["anyOf"])


_SEGMENT_FILTER: Final = Shape(
    name="SegmentFilter",
    description="Membership in segments, decided anew from their conditions at the same instant.",
    fields=(
        InputField(
            name="anyOf",
            type=Scalar.ID,
            many=True,
            required=True,
            check=_known,
            description="At least one of these segments.",
        ),
    ),
    build=_build,
)

register(
    Kind(
        name="segment",
        label="segment",
        description="Matched by another segment's condition.",
        type=_SEGMENT_FILTER,
        build=lambda condition, _: condition,
    )
)
