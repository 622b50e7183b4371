"""segment: another segment's condition matches at the same instant. The stored membership only says when a member entered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from audience_gql.conditions.base import DayEdge, Edge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.duration import DURATION, Duration
from audience_gql.conditions.filters.time import TIME_FILTER, TimeFilter
from audience_gql.conditions.input.named_lists import HOW_TO_NAME, list_id
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.reasoning.outlook import Part, next_of_all, next_of_any
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.sql.questions import InSegments, Inside, Parameters
from audience_gql.conditions.values import Json, instant_text
from audience_gql.conditions.vocabulary import IdCodec, SegmentAt, Vocabulary
from audience_gql.conditions.words.wording import memberships


@dataclass(frozen=True, slots=True, kw_only=True)
class InSegment(Leaf):
    """The condition of at least one of the segments matches, and when the person entered that segment passes the filter.

    Without a stored entry, the person enters at the instant of the evaluation. With `leaves_within`, the condition will not match any
    more when so much time has passed and nothing happens. With `enters_within`, it does not match yet, and will match then.
    """

    segment_ids: tuple[int, ...]
    entered: TimeFilter | None = None
    leaves_within: Duration | None = None
    enters_within: Duration | None = None

    def dump(self, ids: IdCodec) -> dict[str, Json]:
        segments: list[Json] = [ids.encode("segment", segment_id) for segment_id in self.segment_ids]
        options: dict[str, TimeFilter | Duration | None] = {
            "entered": self.entered,
            "leavesWithin": self.leaves_within,
            "entersWithin": self.enters_within,
        }
        given = {name: option.dump() for name, option in options.items() if option is not None}
        return {"segment": {"anyOf": segments, **given}}

    def summary(self, names: Names) -> str:
        segments = self._segments(names)
        if self.enters_within is not None:
            return f"who, if nothing happens, will enter {segments} within {self.enters_within.words()}"
        entered = "" if self.entered is None else f", entered {self.entered.words()}"
        if self.leaves_within is None:
            return f"who are in {segments}{entered}"
        leave = f"will leave {'it' if len(self.segment_ids) == 1 else 'that one'} within"
        return f"who are in {segments}{entered} and, if nothing happens, {leave} {self.leaves_within.words()}"

    def negation(self, names: Names) -> str | None:
        is_plain = self.entered is None and self.leaves_within is None and self.enters_within is None
        return f"who are not in {self._segments(names)}" if is_plain else None

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        return any(self._holds(segment_id, person, moment) for segment_id in self.segment_ids)

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:
        return [
            self._observed(segment_id, person, moment, ids)
            for segment_id in self.segment_ids
            if self._holds(segment_id, person, moment) or moment.verdicts[SegmentAt(segment_id, moment.later)]
        ]

    def reads(self) -> frozenset[Read]:
        return frozenset(Read(source="segment", ref=segment_id) for segment_id in self.segment_ids)

    def segments(self, later: timedelta) -> frozenset[SegmentAt]:
        instants = {later, later + self._ahead}
        if self.entered is not None:
            instants.add(timedelta())  # who is a member now has a stored entry
        return frozenset(SegmentAt(segment_id, at) for segment_id in self.segment_ids for at in instants)

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

    def sql(self, parameters: Parameters) -> InSegments:
        return InSegments(choices=tuple(self._choice(id_, parameters) for id_ in self.segment_ids))

    def _segments(self, names: Names) -> str:
        return memberships("segment", [names.segments.get(id_, "?") for id_ in self.segment_ids])

    @property
    def _ahead(self) -> timedelta:
        """How far ahead it looks."""
        within = self.leaves_within or self.enters_within
        return timedelta() if within is None else within.length

    def _holds(self, segment_id: int, person: Facts, moment: Moment) -> bool:
        matches = moment.verdicts[SegmentAt(segment_id, moment.later)]
        then = moment.verdicts[SegmentAt(segment_id, moment.later + self._ahead)]
        if self.enters_within is not None:
            return then and not matches
        if not matches or (self.leaves_within is not None and then):
            return False
        return self.entered is None or self.entered.matches(
            _entry(segment_id, person, moment) or moment.now, moment.now
        )

    def _observed(self, segment_id: int, person: Facts, moment: Moment, ids: IdCodec) -> Json:
        ahead: dict[str, Json] = {}
        if self._ahead:
            ahead["at"] = instant_text(moment.now + self._ahead)
            ahead["matchesThen"] = moment.verdicts[SegmentAt(segment_id, moment.later + self._ahead)]
        segment: dict[str, Json] = {"segment": ids.encode("segment", segment_id)}
        is_known = self.entered is not None or not moment.later
        if is_known and moment.verdicts[SegmentAt(segment_id, moment.later)]:
            segment["enteredAt"] = instant_text(_entry(segment_id, person, moment) or moment.now)
        return segment | ahead

    def _outlook(self, segment_id: int, person: Facts, moment: Moment) -> Part:
        """The verdict on one of the segments, and a lower bound of until when it lasts."""
        present = self._entered_outlook(segment_id, person, moment)
        if not self._ahead:
            return present
        verdict = SegmentAt(segment_id, moment.later + self._ahead)
        then, change = moment.verdicts[verdict], moment.next_changes.get(verdict)
        until = None if change is None else change - self._ahead
        if self.leaves_within is not None:
            parts = [present, (not then, until)]
        else:
            parts = [(not present[0], present[1]), (then, until)]
        return all(holds for holds, _ in parts), next_of_all(parts)

    def _entered_outlook(self, segment_id: int, person: Facts, moment: Moment) -> Part:
        """The same without what lies ahead."""
        verdict = SegmentAt(segment_id, moment.later)
        matched, until = moment.verdicts[verdict], moment.next_changes.get(verdict)
        if self.entered is None or not matched:
            return matched, until
        entry = _entry(segment_id, person, moment)
        if entry is None:
            turn = self.entered.next_change_of_now(moment.now)
        else:
            turn = self.entered.next_change(entry, moment.now)
        parts = [until, turn]
        if moment.later:
            parts.append(_present_change(segment_id, moment))
        first = min((at for at in parts if at is not None), default=None)
        return self.entered.matches(entry or moment.now, moment.now), first

    def _choice(self, segment_id: int, parameters: Parameters) -> Inside:
        present = SegmentAt(segment_id, parameters.later)
        then = SegmentAt(segment_id, parameters.later + self._ahead)
        if self.enters_within is not None:
            return Inside(segment=then, but_not=present)
        filter_ = self.entered
        return Inside(
            segment=present,
            but_not=None if self.leaves_within is None else then,
            entered=None if filter_ is None else lambda column: filter_.sql(column, parameters),
        )


def _entry(segment_id: int, person: Facts, moment: Moment) -> datetime | None:
    """When the person entered the segment: for a member of the present instant, the stored instant. None for the evaluated instant."""
    if not moment.later:
        return person.segments.get(segment_id)
    if moment.verdicts[SegmentAt(segment_id)]:
        return person.segments.get(segment_id, moment.now - moment.later)
    return None


def _present_change(segment_id: int, moment: Moment) -> datetime | None:
    """When the present verdict on the segment, which decides about the entry, may change; so much later as the moment is."""
    change = moment.next_changes.get(SegmentAt(segment_id))
    return None if change is None else change + moment.later


def _known(text: str, parsing: Parsing) -> int | None:
    segment_id = list_id("segment", text, parsing)
    if segment_id in parsing.vocabulary.paused_segment_ids:
        parsing.problem("CONFLICT", "this segment is paused: resume it first")
    return segment_id


def _build(given: Given, parsing: Parsing) -> InSegment:
    if "entersWithin" in given:
        for name in ("entered", "leavesWithin"):
            if name in given:
                parsing.problem("CONFLICT", "cannot be combined with entersWithin", name)
    return InSegment(
        segment_ids=given["anyOf"],
        entered=given.get("entered"),
        leaves_within=given.get("leavesWithin"),
        enters_within=given.get("entersWithin"),
    )


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
            description=f"At least one of these segments, {HOW_TO_NAME.format(kind='segment')}",
        ),
        InputField(name="entered", type=TIME_FILTER, description="When the person entered the same segment."),
        InputField(
            name="leavesWithin",
            type=DURATION,
            description="The person is in the same segment now, and will not be in it so much later if nothing happens.",
        ),
        InputField(
            name="entersWithin",
            type=DURATION,
            description="The person is not in the segment now, and will be in it so much later if nothing happens. It cannot be "
            "combined with `entered` or `leavesWithin`.",
        ),
    ),
    build=_build,
    example='{anyOf: ["Loyal"]}',
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
