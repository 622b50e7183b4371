"""An explanation agrees with the evaluation, now and until it says; and says no less than it can."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from audience_gql.conditions.base import AnyEdge, CalendarEdge, Condition, DayEdge, Leaf
from audience_gql.conditions.calendar import anniversary, day_start, zone_of
from audience_gql.conditions.evaluator import evaluate
from audience_gql.conditions.facts import ChannelFact, Event, Facts
from audience_gql.conditions.filters import date as date_filter
from audience_gql.conditions.filters.calendar_window import CalendarWindow, SlidingCalendarWindow
from audience_gql.conditions.filters.duration import Duration
from audience_gql.conditions.filters.interval import Interval
from audience_gql.conditions.filters.selection import EventSelection
from audience_gql.conditions.filters.sliding import SlidingWindow
from audience_gql.conditions.filters.time import TimeFilter
from audience_gql.conditions.kinds.later import Later
from audience_gql.conditions.kinds.segment import InSegment
from audience_gql.conditions.reasoning import verdicts
from audience_gql.conditions.reasoning.dependencies import edges
from audience_gql.conditions.reasoning.explanation import Finding, explain
from audience_gql.conditions.values import date_of, instant_of, instant_text
from audience_gql.conditions.vocabulary import BIRTHDAY_DATE, PLAIN_IDS
from tests.conditions.chance import NOON, Chance, share, turns_of
from tests.conditions.world import EVENT_NAMES, NAMES, SEGMENTS, VOCABULARY, condition_of

IS_LONG = bool(os.environ.get("AUDIENCE_FUZZ_LONG"))
CASES = 30_000 if IS_LONG else share(2_000)
MICROSECOND = timedelta(microseconds=1)
YEARS_AHEAD = 12
HOME = VOCABULARY.timezone


@dataclass(frozen=True)
class Case:
    """One person, one instant, one condition with those that it reads."""

    condition: Condition
    inner: Mapping[int, Condition]
    person: Facts
    now: datetime

    def at(self, now: datetime) -> Case:
        return replace(self, now=now)

    def holds(self, condition: Condition, *, later: timedelta = timedelta()) -> bool:
        if later:
            minutes = Duration(unit="minutes", amount=later // timedelta(minutes=1))
            condition = Later(by=minutes, condition=condition)
        return evaluate(condition, self.person, self.now, self.inner, timezone=HOME)

    def explained(self, condition: Condition | None = None) -> tuple[Finding, ...]:
        return explain(
            condition or self.condition,
            self.person,
            self.now,
            self.inner,
            timezone=HOME,
            names=NAMES,
            ids=PLAIN_IDS,
        )

    def ticked(self) -> Case:
        """With the membership that a tick at this instant leaves behind."""
        entered = {
            id_: self.person.segments.get(id_, self.now)
            for id_, condition in self.inner.items()
            if self.holds(condition)
        }
        return replace(self, person=replace(self.person, segments=entered))


def random_cases(
    seed: int, count: int, *, depth: int | None = None, about: str | None = None
) -> Iterator[Case]:
    chance = Chance(seed, about=about)
    for number in range(count):
        inner: dict[int, Condition] = {}
        for segment_id in SEGMENTS:
            inner[segment_id] = chance.condition(segment_ids=list(inner), depth=1)
        condition = chance.condition(segment_ids=list(inner), depth=depth)
        person = chance.facts(number)
        case = Case(condition, inner, person, chance.now(condition, person))
        yield case.ticked() if chance.random.random() < 0.8 else case


def turning_points(case: Case) -> list[datetime]:
    """Where the verdict of anything in it can change at all, found from the edges, and each side of it."""
    found = {case.now + timedelta(days=days) for days in (1, 59, 365, 366, 1461, 366 * YEARS_AHEAD)}
    for condition in (case.condition, *case.inner.values()):
        for edge in edges(condition, VOCABULARY):
            found.update(passings(edge, case.person))
    return sorted({at + beside for at in found for beside in (-MICROSECOND, timedelta(), MICROSECOND)})


def passings(edge: AnyEdge, person: Facts) -> list[datetime]:
    """When this edge passes this person."""
    if isinstance(edge, CalendarEdge):
        return turns_of(edge, person)
    if isinstance(edge, DayEdge):
        day = person.birthday if edge.field_id == BIRTHDAY_DATE else date_of(str(person.fields.get(16)))
        if day is None:
            return []
        years = range(NOON.year - 1, NOON.year + YEARS_AHEAD)
        days = [anniversary(day, year) for year in years] if edge.yearly else [day]
        zone = zone_of(person.profile.get("timezone"), HOME)
        return [day_start(one + timedelta(days=edge.days), zone) - edge.lead for one in days]
    trial_ends = instant_of(str(person.fields.get(17)))
    times: Mapping[str, list[tuple[object, datetime | None]]] = {
        "events": [(EVENT_NAMES[event.name], event.occurred_at) for event in person.events],
        "subscriber_dates": [(1, person.created_at), (2, person.updated_at), (17, trial_ends)],
        "group_members": list(person.groups.items()),
        "channel_states": [(channel, state.changed_at) for channel, state in person.channels.items()],
        "segment_members": list(person.segments.items()),
    }
    return [at + edge.offset for ref, at in times[edge.table] if ref == edge.ref and at is not None]


def what_is_wrong_with(case: Case, findings: tuple[Finding, ...]) -> Iterator[str]:
    """Each claim of an explanation that is not so."""
    if findings[0].matches is not case.holds(case.condition):
        yield "the whole is not what the evaluation says"
    points = turning_points(case)
    for finding in findings:
        where = ".".join(finding.path) or "root"
        later = finding.evaluated_at - case.now
        if finding.matches is not case.holds(finding.condition, later=later):
            yield f"{where} is not what the evaluation says"
        until = finding.next_change
        if until is not None and until <= case.now:
            yield f"{where} changes in the past"
        before = [] if until is None else [until - MICROSECOND]
        before += [at for at in points if case.now < at and (until is None or at < until)]
        if any(case.at(at).holds(finding.condition, later=later) is not finding.matches for at in before):
            yield f"{where} changes before {until}"
        is_exact = isinstance(finding.condition, Leaf) and not isinstance(finding.condition, InSegment)
        if not is_exact or until is None:
            continue
        if case.at(until).holds(finding.condition, later=later) is finding.matches:
            yield f"{where} does not change at {until}"


def mistakes(*, seed: int, cases: int, stops: bool = False, about: str | None = None) -> list[str]:
    found = []
    for case in random_cases(seed, cases, about=about):
        for wrong in what_is_wrong_with(case, case.explained()):
            found.append(f"{wrong}: {case}")
            if stops:
                return found
    return found


def test_every_node_is_right_now_and_until_it_says():
    seed = int(os.environ.get("AUDIENCE_FUZZ_SEED", "20260331"))

    found = mistakes(seed=seed, cases=CASES)

    assert found[:3] == [], f"seed {seed}: {len(found)}"


def with_the_last_change_of_all(monkeypatch) -> None:
    monkeypatch.setattr(
        verdicts, "next_of_all", lambda parts: max((at for _, at in parts if at is not None), default=None)
    )


def with_events_that_have_always_been_there(monkeypatch) -> None:
    honest = SlidingWindow.turns
    monkeypatch.setattr(SlidingWindow, "turns", lambda self, after: {*honest(self, after)} - {*self._times})


def with_windows_closed_at_both_ends(monkeypatch) -> None:
    honest = SlidingWindow.range_at

    def wrong(self, now):
        first, end = honest(self, now)
        return (first - 1 if first and self._times[first - 1] in opening(self, now) else first), end

    def opening(self, now):
        return [now - self._interval.start] if isinstance(self._interval.start, timedelta) else []

    monkeypatch.setattr(SlidingWindow, "range_at", wrong)


def without_next_year(monkeypatch) -> None:
    monkeypatch.setattr(date_filter, "_YEARS_AHEAD", 1)


def without_the_ends_of_entries(monkeypatch) -> None:
    monkeypatch.setattr(TimeFilter, "next_change", lambda *_: None)


def with_past_periods_that_last(monkeypatch) -> None:
    monkeypatch.setattr(
        CalendarWindow,
        "turns_of",
        lambda self, time, calendar: iter((calendar.start_of(self.period, time, moved=1),)),
    )


def with_days_of_utc(monkeypatch) -> None:
    honest = SlidingCalendarWindow.__init__
    monkeypatch.setattr(
        SlidingCalendarWindow,
        "__init__",
        lambda self, times, window, calendar: honest(self, times, window, replace(calendar, zone="UTC")),
    )


def with_sequences_as_old_as_their_last_event(monkeypatch) -> None:
    honest = Interval.span
    monkeypatch.setattr(Interval, "span", lambda self, _, last: honest(self, last, last))


_ABOUT: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    with_sequences_as_old_as_their_last_event: "eventSequence",
    with_past_periods_that_last: "event",
    with_days_of_utc: "event",
}
"""The kind that a planted bug is in, if it is in one."""


@pytest.mark.fuzz
@pytest.mark.parametrize(
    "plant",
    [
        with_sequences_as_old_as_their_last_event,
        with_past_periods_that_last,
        with_days_of_utc,
        with_the_last_change_of_all,
        with_events_that_have_always_been_there,
        with_windows_closed_at_both_ends,
        without_next_year,
        without_the_ends_of_entries,
    ],
)
def test_a_planted_bug_is_found(monkeypatch, plant):
    plant(monkeypatch)

    assert mistakes(seed=1, cases=20_000, stops=True, about=_ABOUT.get(plant))


# ---- from prediction to prediction


def walk(case: Case, *, until: datetime) -> tuple[int, int]:
    """How often the person was predicted to enter or leave, and how often they did, when a tick looks at each prediction."""
    predictions = changes = 0
    case = case.ticked()
    while True:
        root, *inner = [case.explained(it)[0] for it in (case.condition, *case.inner.values())]
        ahead = [it.next_change for it in (root, *inner) if it.next_change is not None]
        if not ahead or min(ahead) > until:
            return predictions, changes
        case = case.at(min(ahead)).ticked()
        changes += case.holds(case.condition) is not root.matches
        if case.now == root.next_change:
            predictions += 1
        else:
            assert case.holds(case.condition) is root.matches, f"unannounced change: {case}"


def test_nearly_every_prediction_comes_true():
    predictions = changes = 0
    start = NOON - timedelta(days=40)

    for case in random_cases(5, CASES // 4, depth=3):
        as_new = replace(case, now=start, person=replace(case.person, segments={}))
        predicted, changed = walk(as_new, until=NOON + timedelta(days=40))
        predictions, changes = predictions + predicted, changes + changed

    assert changes > CASES // 80
    assert predictions < 1.25 * changes


# ---- what chance seldom finds


def one_case(condition: object, now: str, **facts: object) -> Case:
    created = datetime(2020, 1, 1, tzinfo=UTC)
    person = Facts(id=1, created_at=created, updated_at=created, **facts)  # type: ignore[arg-type]  # each test's own
    return Case(condition_of(condition), {}, person, datetime.fromisoformat(now))


def born(day: str, zone: str = "UTC") -> dict[str, object]:
    return {"birthday": date_of(day), "profile": {"timezone": zone}}


def bought(**more: object) -> object:
    return {"event": {"name": "order_placed", **more}}


def ordered(*times: str, zone: str = "UTC") -> dict[str, object]:
    events = tuple(Event(name="order_placed", occurred_at=datetime.fromisoformat(time)) for time in times)
    return {"events": events, "profile": {"timezone": zone}}


@pytest.mark.parametrize(
    ("condition", "facts", "now", "expected"),
    [
        # Only in leap years do two anniversaries lie 366 days apart; from 1896 and 2096 it is eight years to the next one.
        ({"birthday": {"anniversaryInNext": {"days": 365}}}, born("1990-05-01"), "2026-05-02T12:00:00Z", "2027-05-02T00:00:00Z"),
        ({"birthday": {"anniversaryInNext": {"days": 365}}}, born("1990-05-01"), "2096-06-02T12:00:00Z", "2103-05-02T00:00:00Z"),
        ({"birthday": {"anniversaryInLast": {"days": 365}}}, born("1990-05-01"), "2096-06-02T12:00:00Z", "2104-04-30T00:00:00Z"),
        ({"birthday": {"anniversaryInLast": {"days": 366}}}, born("1990-05-01"), "2026-05-02T12:00:00Z", None),
        # 29 February is celebrated on 1 March in other years.
        ({"age": {"gte": 18}}, born("2008-02-29"), "2026-02-28T12:00:00Z", "2026-03-01T00:00:00Z"),
        ({"age": {"gte": 20}}, born("2008-02-29"), "2026-03-31T12:00:00Z", "2028-02-29T00:00:00Z"),
        ({"birthday": {"anniversaryInNext": {"days": 1}}}, born("2008-02-29"), "2026-03-02T12:00:00Z", "2027-03-01T00:00:00Z"),
        # A day is not its own anniversary, and one of the future has none until a year after it.
        ({"birthday": {"anniversaryInNext": {"days": 1}}}, born("2026-03-31"), "2026-03-31T12:00:00Z", "2027-03-31T00:00:00Z"),
        ({"birthday": {"anniversaryInLast": {"days": 3}}}, born("2026-03-30"), "2026-03-31T12:00:00Z", "2027-03-30T00:00:00Z"),
        ({"birthday": {"anniversaryInNext": {"days": 366}}}, born("2060-05-01"), "2026-03-31T12:00:00Z", "2060-05-01T00:00:00Z"),
        ({"birthday": {"anniversaryInLast": {"days": 1}}}, born("2060-05-01"), "2026-03-31T12:00:00Z", "2061-05-01T00:00:00Z"),
        # Where a day begins: ahead of and behind everybody, at one o'clock, and where there was none.
        ({"birthday": {"inLast": {"days": 1}}}, born("2026-04-01", "Pacific/Kiritimati"), "2026-03-31T09:00:00Z", "2026-03-31T10:00:00Z"),
        ({"birthday": {"inLast": {"days": 1}}}, born("2026-04-01", "Etc/GMT+12"), "2026-03-31T09:00:00Z", "2026-04-01T12:00:00Z"),
        ({"birthday": {"inNext": {"days": 1}}}, born("2026-09-06", "America/Santiago"), "2026-09-05T12:00:00Z", "2026-09-06T04:00:00Z"),
        ({"birthday": {"inLast": {"days": 1}}}, born("2011-12-30", "Pacific/Apia"), "2011-12-30T09:00:00Z", None),
        # Calendar windows: a month of New York, a week, a day without midnight, and a count that falls when a day leaves.
        (bought(within={"calendar": "THIS_MONTH"}), ordered("2026-03-01T05:00:00Z", zone="America/New_York"), "2026-03-31T12:00:00Z", "2026-04-01T04:00:00Z"),
        (bought(within={"calendar": "LAST_WEEK"}), ordered("2026-03-31T12:00:00Z"), "2026-03-31T12:00:00Z", "2026-04-06T00:00:00Z"),
        (bought(within={"calendar": "LAST_WEEK"}), ordered("2026-03-27T12:00:00Z"), "2026-03-31T12:00:00Z", "2026-04-06T00:00:00Z"),
        (bought(within={"calendar": "TODAY"}), ordered("2026-09-05T12:00:00Z", zone="America/Santiago"), "2026-09-05T12:00:00Z", "2026-09-06T04:00:00Z"),
        (bought(onDays={"atLeast": 2}, within={"last": {"calendarDays": 3}}), ordered("2026-03-29T12:00:00Z", "2026-03-30T12:00:00Z", "2026-03-30T13:00:00Z"), "2026-03-31T12:00:00Z", "2026-04-01T00:00:00Z"),
        (bought(onDays={"atLeast": 2}, within={"last": {"days": 3}}), ordered("2026-03-29T12:00:00Z", "2026-03-30T12:00:00Z"), "2026-03-31T12:00:00Z", "2026-04-01T12:00:00Z"),
        (bought(inMonths={"atLeast": 2}), ordered("2026-02-28T12:00:00Z", "2026-03-30T12:00:00Z"), "2026-03-31T12:00:00Z", None),
        # Ages that take longer than anybody lives.
        ({"age": {"gte": 150}}, born("2026-01-01"), "2026-03-31T12:00:00Z", "2176-01-01T00:00:00Z"),
        ({"age": {"gte": 18}}, born("2100-01-01"), "2026-03-31T12:00:00Z", "2118-01-01T00:00:00Z"),
        ({"age": {"isSet": True}}, born("2026-06-01"), "2026-03-31T12:00:00Z", "2026-06-01T00:00:00Z"),
        ({"age": {"isSet": True}}, born("2026-03-01"), "2026-03-31T12:00:00Z", None),
    ],
)  # fmt: skip
def test_calendars(condition, facts, now, expected):
    case = one_case(condition, now, **facts)

    (finding,) = case.explained()

    assert list(what_is_wrong_with(case, (finding,))) == []
    assert finding.next_change == (None if expected is None else datetime.fromisoformat(expected))


MINUTE = timedelta(minutes=1)


def opened(*minutes: float, name: str = "email_opened", **more: object) -> tuple[Event, ...]:
    """Events so long after noon."""
    return tuple(Event(name=name, occurred_at=NOON + at * MINUTE, **more) for at in minutes)  # type: ignore[arg-type]  # same


C1, C2 = {"cart": "c1"}, {"cart": "c2"}


def lasting(**follower: object) -> dict[str, object]:
    """Opened, and not followed by an order."""
    return {
        "lastEvent": {
            "name": "email_opened",
            "at": {"isSet": True},
            "notFollowedBy": {"name": "order_placed", **follower},
        }
    }


def in_order(more: dict[str, object], soon: object) -> dict[str, object]:
    """Opened, then ordered, in the last twenty minutes."""
    steps = [{"name": "email_opened"}, {"name": "order_placed", "within": soon}]
    return {"eventSequence": {"steps": steps, "within": {"last": {"minutes": 20}}, **more}}


@pytest.mark.parametrize(
    ("condition", "events", "minutes"),
    [
        ({"event": {"name": "email_opened", "within": {"last": {"minutes": 10}}}}, opened(-9, -5), 5),
        ({"event": {"name": "email_opened", "times": {"atLeast": 2}, "within": {"last": {"minutes": 10}}}}, opened(-9, -5), 1),
        ({"event": {"name": "email_opened", "times": {"atMost": 1}, "within": {"last": {"minutes": 10}}}}, opened(-9, -5, -1), 5),
        ({"event": {"name": "email_opened", "times": {"exactly": 3}}}, opened(-9, 2, 7), 7),
        ({"event": {"name": "email_opened", "within": {"since": "2026-03-31T12:05:00Z"}}}, opened(-9, 2, 7), 7),
        ({"event": {"name": "email_opened", "within": {"ago": {"from": {"minutes": 20}, "to": {"minutes": 10}}}}}, opened(-9), 1),
        ({"lastEvent": {"name": "email_opened", "at": {"notInLast": {"minutes": 10}}}}, opened(-9, -5, 3), 13),
        ({"firstEvent": {"name": "email_opened", "at": {"notInLast": {"minutes": 10}}}}, opened(-9, -5, 3), 1),
        ({"lastEvent": {"name": "email_opened", "at": {"isSet": True}, "notFollowedBy": {"name": "order_placed"}}},
         (*opened(-9), *opened(-10, 4, name="order_placed")), 4),
        ({"lastEvent": {"name": "unheard_of", "at": {"inLast": {"minutes": 10}}}}, opened(-9), None),
        # Nobody knows before the end of the hour, and who buys then has bought in time.
        (lasting(within={"minutes": 60}), opened(-9, 30), 90),
        (lasting(within={"minutes": 10}), (*opened(-9, -4), *opened(-5, name="order_placed")), 6),
        (lasting(within={"minutes": 10}), (*opened(-9, -4), *opened(6, name="order_placed")), None),
        (lasting(within={"minutes": 10}), (*opened(-15), *opened(6, name="order_placed")), None),
        (lasting(sameProperty="cart"), (*opened(-9, properties=C1), *opened(-8, properties=C2), *opened(5, name="order_placed", properties=C2)), None),
        (lasting(sameProperty="cart"), (*opened(-9, properties=C1), *opened(5, name="order_placed", properties=C1)), 5),
        (in_order({}, {"minutes": 3}), (*opened(-9), *opened(-7, name="order_placed")), 11),
        (in_order({}, {"minutes": 1}), (*opened(-9), *opened(-7, name="order_placed")), None),
        (in_order({}, {"minutes": 3}), (*opened(-9, -2), *opened(-7, 1, name="order_placed")), 18),
        (in_order({}, {"minutes": 3}), (*opened(1), *opened(2, name="order_placed")), 2),
        (in_order({"notFollowedBy": {"name": "email_clicked", "within": {"minutes": 10}}}, {"minutes": 3}),
         (*opened(-9), *opened(-7, name="order_placed")), 3),
        (in_order({"sameProperty": "cart"}, {"minutes": 3}), (*opened(-9, properties=C1), *opened(-7, name="order_placed", properties=C2)), None),
        ({"event": {"name": "email_opened", "times": {"atLeast": 2}, "perProperty": "cart", "within": {"last": {"minutes": 10}}}},
         (*opened(-9, -5, properties=C1), *opened(-7, -4, properties=C2)), 3),
    ],
)  # fmt: skip
def test_events(condition, events, minutes):
    case = one_case(condition, NOON.isoformat(), events=events)

    (finding,) = case.explained()

    assert list(what_is_wrong_with(case, (finding,))) == []
    assert finding.next_change == (None if minutes is None else NOON + minutes * MINUTE)


def test_an_entry_that_no_tick_has_stored_yet_is_of_the_present():
    limit = NOON + timedelta(hours=1)
    condition = {"segment": {"anyOf": ["41"], "entered": {"before": limit.isoformat()}}}
    case = replace(one_case(condition, NOON.isoformat()), inner={41: condition_of({"all": []})})

    assert case.explained()[0].next_change == limit
    assert case.ticked().explained()[0].next_change is None


# ---- what it was decided from


HUGE = {"value": Decimal("1.7e308")}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"event": {"name": "email_opened", "within": {"last": {"minutes": 5}}}},
         {"count": 2, "newest": ["2026-03-31T11:58:00Z", "2026-03-31T11:56:00Z"], "deciding": ["2026-03-31T12:01:00Z"]}),
        ({"event": {"name": "unheard_of"}}, {"count": 0, "newest": [], "deciding": []}),
        ({"eventTotal": {"name": "order_placed", "of": "value", "function": "SUM", "is": {"gt": 1}}},
         {"count": 2, "newest": ["2026-03-31T11:57:00Z", "2026-03-31T11:52:00Z"], "deciding": [], "value": "3.4E+308"}),
        ({"eventTotal": {"name": "order_placed", "of": "value", "function": "DISTINCT", "is": {"gt": 1}}},
         {"count": 2, "newest": ["2026-03-31T11:57:00Z", "2026-03-31T11:52:00Z"], "deciding": [], "value": 1}),
        ({"eventTotal": {"name": "email_opened", "of": "value", "function": "MIN", "is": {"gt": 1}}},
         {"count": 3, "newest": ["2026-03-31T11:58:00Z", "2026-03-31T11:56:00Z", "2026-03-31T11:51:00Z"], "deciding": [], "value": None}),
        ({"lastEvent": {"name": "email_opened", "at": {"isSet": True}}}, {"at": "2026-03-31T11:58:00Z"}),
        ({"lastEvent": {"name": "email_opened", "at": {"isSet": True}, "notFollowedBy": {"name": "order_placed"}}},
         {"at": "2026-03-31T11:58:00Z", "followedAt": None}),
        ({"eventSequence": {"steps": [{"name": "email_opened"}, {"name": "order_placed"}], "notFollowedBy": {"name": "email_opened"}}},
         {"steps": ["2026-03-31T11:56:00Z", "2026-03-31T11:57:00Z"], "followedAt": "2026-03-31T11:58:00Z"}),
        ({"eventSequence": {"steps": [{"name": "order_placed"}, {"name": "email_opened"}, {"name": "email_opened"}, {"name": "order_placed"}]}},
         {"steps": ["2026-03-31T11:52:00Z", "2026-03-31T11:56:00Z", "2026-03-31T11:58:00Z", None]}),
        ({"firstEvent": {"name": "email_opened", "at": {"isSet": True}, "notFollowedBy": {"name": "order_placed"}}},
         {"at": "2026-03-31T11:51:00Z", "followedAt": "2026-03-31T11:52:00Z"}),
        ({"age": {"gte": 18}}, {"age": 17, "birthday": "2008-05-01"}),
        ({"birthday": {"inLast": {"days": 3}}}, {"birthday": "2008-05-01", "today": "2026-03-31"}),
        ({"group": {"anyOf": ["21", "22"]}}, [{"group": "22", "joinedAt": "2026-03-31T12:00:00Z"}]),
        ({"channel": {"channel": "SMS"}}, {"status": "ACTIVE", "changedAt": "2026-03-31T12:00:00Z"}),
        ({"channel": {"channel": "EMAIL"}}, None),
        ({"field": {"key": "size", "number": {"gt": 3}}}, 5),
        ({"field": {"key": "plan", "text": {"is": "pro"}}}, None),
        ({"createdAt": {"inLast": {"days": 3}}}, "2020-01-01T00:00:00Z"),
        ({"city": {"is": "Vilnius"}}, None),
        ({"all": []}, None),
    ],
)  # fmt: skip
def test_what_it_was_decided_from(condition, expected):
    case = one_case(
        condition,
        NOON.isoformat(),
        events=(*opened(-9, -4, -2, 1), *opened(-8, -3, 2, name="order_placed", **HUGE)),
        groups={22: NOON},
        channels={"SMS": ChannelFact(status="ACTIVE", changed_at=NOON)},
        fields={13: 5},
        **born("2008-05-01"),
    )

    assert case.explained()[0].observed == expected


@pytest.mark.parametrize(
    ("times", "within", "minutes"),
    [
        # While there are enough, the n-th newest of them; while there are too many, the newest that is one too many.
        ({"atLeast": 12}, {"last": {"minutes": 60}}, [-12]),
        ({"atMost": 12}, {"last": {"minutes": 60}}, [-13]),
        ({"exactly": 20}, {"last": {"minutes": 60}}, [-20]),
        ({"atLeast": 3}, {"olderThan": {"minutes": 60}}, [-18]),
        ({"atMost": 0}, {"last": {"minutes": 60}}, [-1]),
        # Every minute one comes in as another goes out, until none is left to come in.
        ({"exactly": 10}, {"ago": {"from": {"minutes": 20}, "to": {"minutes": 10}}}, [-10]),
        ({"atLeast": 1}, {"since": "2020-01-01T00:00:00Z"}, []),
        ({"atLeast": 21}, {"last": {"minutes": 60}}, []),
    ],
)
def test_which_events_decide(times, within, minutes):
    condition = {"event": {"name": "email_opened", "times": times, "within": within}}
    case = one_case(condition, NOON.isoformat(), events=opened(*range(-20, 0)))

    (finding,) = case.explained()
    observed: Any = finding.observed  # Any: JSON

    assert observed["deciding"] == [instant_text(NOON + at * MINUTE) for at in minutes]


@pytest.mark.parametrize(
    ("function", "values", "expected"),
    [
        ("SUM", ["0.1", "0.2"], 0.3),
        ("SUM", ["9007199254740992", "1"], "9007199254740993"),
        ("SUM", ["1e15", "0.001", "0.001"], "1000000000000000.002"),
        ("MAX", ["1e22", "1"], 1e22),
        ("MIN", ["-0.5", "1"], -0.5),
        ("AVERAGE", ["1", "1", "0"], 0.666666666666667),
        ("AVERAGE", ["0.1", "0.2"], 0.15),
    ],
)
def test_totals_keep_their_digits(function, values, expected):
    condition = {"eventTotal": {"name": "order_placed", "of": "value", "function": function, "is": {"gt": 0}}}
    orders = [Event(name="order_placed", occurred_at=NOON, value=Decimal(value)) for value in values]
    case = one_case(condition, NOON.isoformat(), events=tuple(orders))

    observed: Any = case.explained()[0].observed  # Any: JSON
    value = observed["value"]

    assert (type(value), value) == (type(expected), expected)


@pytest.mark.slow
@pytest.mark.parametrize("function", ["SUM", "AVERAGE", "MIN", "MAX", "DISTINCT"])
@pytest.mark.parametrize(
    "within", [{"last": {"minutes": 20}}, {"ago": {"from": {"minutes": 20}, "to": {"minutes": 5}}}]
)
def test_totals_over_moving_windows(function, within):
    """Against the evaluation minute by minute: events and windows are of whole minutes, so nothing happens between."""
    chance = Random(f"{function} {within}")
    changes = 0
    for _ in range(200):
        values = [None, *map(Decimal, (1, 2, 2, 3, 5))]
        minutes = [chance.randrange(-30, 3) for _ in range(chance.randrange(12))]
        events = [event for at in minutes for event in opened(at, value=chance.choice(values))]
        total_is = chance.choice([{"gte": 2}, {"lt": 3}, {"eq": 2}, {"ne": 3}, {"isSet": True}])
        total = {
            "name": "email_opened",
            "of": "value",
            "function": function,
            "is": total_is,
            "within": within,
        }
        case = one_case({"eventTotal": total}, NOON.isoformat(), events=tuple(events))

        (finding,) = case.explained()

        later = (NOON + minute * MINUTE for minute in range(1, 40))
        first = next((at for at in later if case.at(at).holds(case.condition) is not finding.matches), None)
        assert finding.next_change == first, case
        changes += first is not None
    assert changes > 50


# ---- very many events


THOUSANDS = opened(*(-n / 7 for n in range(3_000)), properties={"price": 1}) + opened(
    1.5, name="order_placed"
)
LARGE: list[dict[str, Any]] = [  # Any: JSON
    {"times": {"exactly": 5}},
    {"times": {"atLeast": 1}, "where": [{"key": "price", "number": {"eq": 1}}]},
]


@pytest.mark.parametrize(
    "leaf",
    [
        *({"event": {**more, "within": {"last": {"weeks": 1}}}} for more in LARGE),
        {"eventTotal": {"of": "price", "function": "SUM", "is": {"lt": 3}, "within": {"last": {"weeks": 1}}}},
        {"eventTotal": {"of": "price", "function": "MAX", "is": {"isSet": False}, "within": {"last": {"weeks": 1}}}},
        {"eventTotal": {"of": "price", "function": "DISTINCT", "is": {"eq": 0}, "within": {"last": {"weeks": 1}}}},
        {"lastEvent": {"at": {"notInLast": {"weeks": 1}}}},
        {"firstEvent": {"at": {"notInLast": {"weeks": 1}}}},
    ],
)  # fmt: skip
def test_each_of_very_many_events_is_looked_at_a_few_times_only(leaf, monkeypatch):
    ((kind, value),) = leaf.items()
    case = one_case({kind: {"name": "email_opened", **value}}, NOON.isoformat(), events=THOUSANDS)
    looks = 0
    among, whenever = EventSelection.among, EventSelection.whenever

    def counting(honest):
        def look(self, person, at):
            nonlocal looks
            looks += 1
            return honest(self, person, at)

        return look

    monkeypatch.setattr(EventSelection, "among", counting(among))
    monkeypatch.setattr(EventSelection, "whenever", counting(whenever))
    (finding,) = case.explained()

    assert looks <= 4
    assert finding.next_change is not None
    before, after = case.at(finding.next_change - MICROSECOND), case.at(finding.next_change)
    assert before.holds(case.condition) is finding.matches is not after.holds(case.condition)
