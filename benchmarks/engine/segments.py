"""A hundred conditions of every kind, which match from one in a thousand people to three in five.

They refer to groups and segments by name; `with_ids` replaces the names by ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]  # Any: the shape of ConditionInput


def group_name(number: int) -> str:
    return f"Group {number}"


def with_ids(condition: Any, *, groups: Mapping[str, int], segments: Mapping[str, int]) -> Any:
    """The same condition with ids in place of the names of groups and segments."""
    if isinstance(condition, list):
        return [with_ids(child, groups=groups, segments=segments) for child in condition]
    if not isinstance(condition, dict):
        return condition
    known = {"group": groups, "segment": segments}
    return {
        key: {**value, "anyOf": [str(known[key][name]) for name in value["anyOf"]]}
        if key in known
        else with_ids(value, groups=groups, segments=segments)
        for key, value in condition.items()
    }


# ---- helpers for the conditions below


def _did(name: str, *, last: Json | None = None, at_least: int | None = None, **more: Any) -> Json:
    event: Json = {"name": name, **more}
    if last is not None:
        event["within"] = {"last": last}
    if at_least is not None:
        event["times"] = {"atLeast": at_least}
    return {"event": event}


def _all(*conditions: Json) -> Json:
    return {"all": list(conditions)}


def _any(*conditions: Json) -> Json:
    return {"any": list(conditions)}


def _not(condition: Json) -> Json:
    return {"not": condition}


def _total(name: str, function: str, number: Json, *, of: str = "value", last: Json | None = None) -> Json:
    total: Json = {"name": name, "of": of, "function": function, "is": number}
    if last is not None:
        total["within"] = {"last": last}
    return {"eventTotal": total}


def _when(kind: str, name: str, at: Json, **more: Any) -> Json:
    return {kind: {"name": name, "at": at, **more}}


def _group(*numbers: int, **more: Any) -> Json:
    return {"group": {"anyOf": [group_name(number) for number in numbers], **more}}


def _in(*names: str) -> Json:
    return {"segment": {"anyOf": list(names)}}


def _field(key: str, **tests: Any) -> Json:
    return {"field": {"key": key, **tests}}


def _channel(channel: str, *status: str, **more: Any) -> Json:
    state: Json = {"channel": channel, **more}
    if status:
        state["status"] = list(status)
    return {"channel": state}


def _country(*codes: str) -> Json:
    return {"country": {"in": list(codes)}}


def _property(key: str, **tests: Any) -> list[Json]:
    return [{"key": key, **tests}]


def _days(number: int) -> Json:
    return {"days": number}


def _hours(number: int) -> Json:
    return {"hours": number}


# ---- the segments; those that others read come first

_PROFILE: Final[Mapping[str, Json]] = {
    "From the US": {"country": {"is": "us"}},
    "From Germany or Austria": _country("DE", "AT"),
    "Baltic": _country("LT", "LV", "EE"),
    "In Munich": {"city": {"is": "MÜNCHEN"}},
    "In a city with an o": {"city": {"contains": "o"}},
    "Elsewhere in Germany": _all(_country("DE"), {"region": {"isNot": "Bayern"}}),
    "No region known": {"region": {"isSet": False}},
    "European clocks": {"timezone": {"startsWith": "Europe/"}},
    "Speaks English": {"language": {"startsWith": "en"}},
    "Phone in Poland": {"phone": {"startsWith": "+48"}},
    "Mail at a .de": {"email": {"endsWith": ".de"}},
    "Called Strauss": {"lastName": {"is": "STRAUSS"}},
    "Postal code 10": {"postalCode": {"startsWith": "10"}},
    "Adults under 30": {"age": {"between": {"from": 18, "to": 29}}},
    "Pensioners": {"age": {"gte": 67}},
    "Birthday this week": {"birthday": {"anniversaryInNext": _days(7)}},
    "Born in May": {"birthday": {"month": 5}},
    "New this month": {"createdAt": {"inLast": _days(30)}},
    "New this week": {"createdAt": {"inLast": _days(7)}},
    "Untouched for a year": {"updatedAt": {"notInLast": _days(365)}},
    "Sample of a tenth": {"sample": {"from": 0, "to": 10, "salt": "autumn"}},
    "Sample of one in a hundred": {"sample": {"from": 50, "to": 51, "salt": "spring"}},
}

_FIELDS: Final[Mapping[str, Json]] = {
    "On Pro": _field("plan", text={"is": "pro"}),
    "Paying": _field("plan", text={"in": ["plus", "pro", "enterprise"]}),
    "Score above 80": _field("score", number={"gt": 80}),
    "Score from 20 to 40": _field("score", number={"between": {"from": 20, "to": 40}}),
    "Likes football": _field("interests", list={"hasAny": ["FUSSBALL"]}),
    "Likes jazz and chess": _field("interests", list={"hasAll": ["jazz", "chess"]}),
    "Renews within a month": _field("renewal", date={"inNext": _days(30)}),
    "Renewed in the last week": _field("renewal", date={"inLast": _days(7)}),
    "Trial ends in three days": _field("trial_ends", time={"inNext": _days(3)}),
    "Trial ended": _field("trial_ends", time={"inLast": _days(30)}),
    "Partners": _field("partner", boolean={"is": True}),
}

_CHANNELS_AND_GROUPS: Final[Mapping[str, Json]] = {
    "Takes text messages": _channel("SMS", "ACTIVE"),
    "Left the emails lately": _channel("EMAIL", "UNSUBSCRIBED", changed={"inLast": _days(30)}),
    "Bounced or complained": _channel("EMAIL", "BOUNCED", "SPAM_REPORTED"),
    "Never asked about text messages": _not(_channel("SMS")),
    "In the largest group": _group(99),
    "In a middle group": _group(60),
    "In any small group": _group(10, 20, 30, 40),
    "Joined in the last week": _group(95, 97, joined={"inLast": _days(7)}),
    "In two groups": _all(_group(98), _group(96)),
    "Large group, not the other": _all(_group(97), _not(_group(94))),
}

_EVENTS: Final[Mapping[str, Json]] = {
    **{
        f"Opened in {label}": _did("email_opened", last=last)
        for label, last in (("an hour", _hours(1)), ("6 hours", _hours(6)), ("a day", _days(1)))
    },
    **{f"Opened in {days} days": _did("email_opened", last=_days(days)) for days in (3, 7, 14, 30, 90)},
    "Clicked in a week": _did("email_clicked", last=_days(7)),
    "Visited in an hour": _did("page_visited", last=_hours(1)),
    "Visited in a day": _did("page_visited", last=_days(1)),
    "Visited 10 times in a month": _did("page_visited", last=_days(30), at_least=10),
    "Opened 3 times in a month": _did("email_opened", last=_days(30), at_least=3),
    "Opened once or twice in a quarter": _did(
        "email_opened", within={"last": _days(90)}, times={"between": {"from": 1, "to": 2}}
    ),
    "Has not opened for 30 days": _not(_did("email_opened", last=_days(30))),
    "Never ordered": _did("order_placed", times={"exactly": 0}),
    "At most one visit in 60 days": _did("page_visited", within={"last": _days(60)}, times={"atMost": 1}),
    "Ordered in 30 days": _did("order_placed", last=_days(30)),
    "Ordered 30 to 60 days ago": _did("order_placed", within={"ago": {"from": _days(60), "to": _days(30)}}),
    "Five orders ever": _did("order_placed", at_least=5),
    "Ordered shoes": _did("order_placed", where=_property("category", text={"is": "schuhe"})),
    "Ordered three things at once": _did("order_placed", where=_property("items", number={"gte": 3})),
    "Looked at prices in two weeks": _did(
        "page_visited", last=_days(14), where=_property("path", text={"startsWith": "/pri"})
    ),
    "Looked at furniture": _did(
        "product_viewed", last=_days(30), where=_property("category", text={"is": "möbel"})
    ),
    "Asked for support": _did("support_asked", last=_days(60)),
    "Wrote a review": _did("review_written"),
    "Used a coupon in a week": _did("coupon_used", last=_days(7)),
}

_TOTALS_AND_TIMES: Final[Mapping[str, Json]] = {
    "Spent 100 in all": _total("order_placed", "SUM", {"gte": 100}),
    "Spent 200 in 90 days": _total("order_placed", "SUM", {"gt": 200}, last=_days(90)),
    "Spends 50 on average": _total("order_placed", "AVERAGE", {"gte": 50}),
    "One large order": _total("order_placed", "MAX", {"gte": 300}),
    "Ordered in three categories": _total("order_placed", "DISTINCT", {"gte": 3}, of="category"),
    "Viewed four categories in a month": _total(
        "product_viewed", "DISTINCT", {"gte": 4}, of="category", last=_days(30)
    ),
    "Last opened over 30 days ago": _when("lastEvent", "email_opened", {"notInLast": _days(30)}),
    "Last seen this week": _when("lastEvent", "app_opened", {"inLast": _days(7)}),
    "First ordered this month": _when("firstEvent", "order_placed", {"inLast": _days(30)}),
    "First ordered long ago": _when("firstEvent", "order_placed", {"notInLast": _days(120)}),
    "Cart left in a day": _when(
        "lastEvent", "cart_updated", {"inLast": _days(1)}, notFollowedBy={"name": "order_placed"}
    ),
    "Cart left in two weeks": _when(
        "lastEvent", "cart_updated", {"inLast": _days(14)}, notFollowedBy={"name": "order_placed"}
    ),
}

_MIXED: Final[Mapping[str, Json]] = {
    "Reachable and awake": _all(_channel("EMAIL", "ACTIVE"), _did("email_opened", last=_days(30))),
    "Wake these": _all(
        _channel("EMAIL", "ACTIVE"), _not(_did("email_opened", last=_days(30))), _did("order_placed")
    ),
    "American shoppers": _all(_country("US"), _did("order_placed", last=_days(60))),
    "Awake anywhere": _any(
        _did("email_opened", last=_days(7)),
        _did("page_visited", last=_days(7)),
        _did("app_opened", last=_days(7)),
    ),
    "Paying or partner, and new": _all(
        _any(_field("plan", text={"in": ["pro", "enterprise"]}), _field("partner", boolean={"is": True})),
        {"createdAt": {"inLast": _days(90)}},
    ),
    "Window shoppers": _all(
        _did("product_viewed", last=_days(14), at_least=3), _not(_did("order_placed", last=_days(14)))
    ),
    "Neither opens nor orders": _not(
        _any(_did("email_opened", last=_days(60)), _did("order_placed", last=_days(60)))
    ),
    "Grown-up Germans who read": _all(
        _country("DE"), {"age": {"gte": 30}}, _did("email_clicked", last=_days(60), at_least=2)
    ),
    "A pricing visit or a big basket": _any(
        _did("page_visited", last=_days(7), where=_property("path", text={"is": "/pricing"})),
        _all(_total("order_placed", "SUM", {"gte": 150}, last=_days(30)), _not(_group(90))),
    ),
    "Three deep": _all(
        _any(_group(98, 95), _all(_country("GB", "FR"), _not(_did("support_asked", last=_days(30))))),
        _not(
            _all(
                _did("email_delivered", last=_days(30), at_least=5),
                _not(_did("email_opened", last=_days(30))),
            )
        ),
    ),
}

_NESTED: Final[Mapping[str, Json]] = {
    "Awake and paying": _all(_in("Awake anywhere"), _in("Paying")),
    "Spenders who fade": _all(_in("Spent 100 in all"), _not(_in("Ordered in 30 days"))),
    "Any who read": _in("Opened in 7 days", "Clicked in a week"),
    "Baltic or Polish buyers": _all(_any(_in("Baltic"), _country("PL")), _not(_in("Never ordered"))),
    "Fading Americans": _all(_in("Spenders who fade"), _in("From the US")),
    "Neither awake nor new": _not(_any(_in("Awake anywhere"), _in("New this month"))),
    "Awake since this week": {"segment": {"anyOf": ["Reachable and awake"], "entered": {"inLast": _days(7)}}},
    "A tenth of the reachable": _all(_in("Reachable and awake"), _in("Sample of a tenth")),
}

SEGMENTS: Final[Mapping[str, Json]] = dict(
    chain.from_iterable(
        part.items()
        for part in (_PROFILE, _FIELDS, _CHANNELS_AND_GROUPS, _EVENTS, _TOTALS_AND_TIMES, _MIXED, _NESTED)
    )
)


def chosen(count: int) -> Iterator[tuple[str, Json]]:
    """`count` segments of all kinds, and before them those that they read."""
    names = list(SEGMENTS)
    if count >= len(names):
        yield from SEGMENTS.items()
        return
    wanted = {names[position * len(names) // count] for position in range(count)}
    for name in reversed(names):
        if name in wanted:
            wanted |= _read(SEGMENTS[name])
    yield from ((name, condition) for name, condition in SEGMENTS.items() if name in wanted)


def _read(condition: Any) -> set[str]:
    if isinstance(condition, list):
        return set().union(*map(_read, condition))
    if not isinstance(condition, dict):
        return set()
    named = set(condition["segment"]["anyOf"]) if "segment" in condition else set()
    return named.union(*(_read(value) for key, value in condition.items() if key != "segment"))
