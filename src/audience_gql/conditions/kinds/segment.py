"""segment: another segment's condition matches at the same instant. The stored membership only says when a member entered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from audience_gql.conditions.base import DayEdge, Edge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.time import TIME_FILTER, TimeFilter
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.reasoning.outlook import Part, next_of_any
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.sql.questions import InSegments, Parameters
from audience_gql.conditions.values import Json, instant_text
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary
from audience_gql.conditions.words.wording import memberships


@dataclass(frozen=True, slots=True, kw_only=True)
class InSegment(Leaf):
    """The condition of at least one of the segments matches, and when the person entered that segment passes the filter.

    Without a stored entry, the person enters now.
    """

    segment_ids: tuple[int, ...]
    entered: TimeFilter | None = None

    def dump(self, ids: IdCodec) -> dict[str, Json]:
        entered: dict[str, Json] = {} if self.entered is None else {"entered": self.entered.dump()}
        segments: list[Json] = [ids.encode("segment", segment_id) for segment_id in self.segment_ids]
        return {"segment": {"anyOf": segments, **entered}}

    def summary(self, names: Names) -> str:
        segments = memberships("segment", [names.segments.get(id_, "?") for id_ in self.segment_ids])
        entered = "" if self.entered is None else f", entered {self.entered.words()}"
        return f"who are in {segments}{entered}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        return any(
            self.entered is None
            or self.entered.matches(person.segments.get(segment_id, moment.now), moment.now)
            for segment_id in self.segment_ids
            if moment.verdicts[segment_id]
        )

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:
        return [
            {
                "segment": ids.encode("segment", segment_id),
                "enteredAt": instant_text(person.segments.get(segment_id, moment.now)),
            }
            for segment_id in self.segment_ids
            if moment.verdicts[segment_id]
        ]

    def reads(self) -> frozenset[Read]:
        return frozenset(Read(source="segment", ref=segment_id) for segment_id in self.segment_ids)

    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge | DayEdge]:  # noqa: ARG002  # the inner conditions have their own
        if self.entered is None:
            return frozenset()
        # The entry's own instant is an edge too: a fill stores the entry without a mark.
        return frozenset(
            Edge(table="segment_members", ref=segment_id, offset=offset)
            for segment_id in self.segment_ids
            for offset in {timedelta(), *self.entered.offsets()}
        )

    def next_change(self, person: Facts, moment: Moment) -> datetime | None:
        """A lower bound. A change of a segment that lasts only a moment may change nothing here."""
        return next_of_any(self._outlook(segment_id, person, moment) for segment_id in self.segment_ids)

    def _outlook(self, segment_id: int, person: Facts, moment: Moment) -> Part:
        """The verdict on one of the segments, and a lower bound of until when it lasts."""
        matched, until = moment.verdicts[segment_id], moment.next_changes.get(segment_id)
        if self.entered is None or not matched:
            return matched, until
        entry = person.segments.get(segment_id)
        if entry is None:
            turn = self.entered.next_change_of_now(moment.now)
        else:
            turn = self.entered.next_change(entry, moment.now)
        first = min((at for at in (until, turn) if at is not None), default=None)
        return self.entered.matches(entry or moment.now, moment.now), first

    def sql(self, parameters: Parameters) -> InSegments:
        if self.entered is None:
            return InSegments(ids=self.segment_ids)
        entered = self.entered
        return InSegments(ids=self.segment_ids, entered=lambda column: entered.sql(column, parameters))


def _known(text: str, parsing: Parsing) -> int | None:
    segment_id = parsing.ids.decode("segment", text)
    if segment_id is None or segment_id not in parsing.vocabulary.segment_ids:
        parsing.problem("UNKNOWN", "there is no segment with this id")
        return None
    if segment_id in parsing.vocabulary.paused_segment_ids:
        parsing.problem("CONFLICT", "this segment is paused: resume it first")
    return segment_id


def _build(given: Given, _: Parsing) -> InSegment:
    return InSegment(segment_ids=given["anyOf"], entered=given.get("entered"))


_SEGMENT_FILTER: Final = Shape(
    name="SegmentFilter",
    description="Membership in segments. It evaluates their conditions at the same instant.",
    fields=(
        InputField(
            name="anyOf",
            type=Scalar.ID,
            many=True,
            required=True,
            check=_known,
            description="At least one of these segments.",
        ),
        InputField(name="entered", type=TIME_FILTER, description="When the person entered the same segment."),
    ),
    build=_build,
)

register(
    Kind(
        name="segment",
        label="segment",
        description="Another segment's condition matches.",
        type=_SEGMENT_FILTER,
        build=lambda condition, _: condition,
        example={"anyOf": ["41"]},
    )
)
