"""Templates: common conditions, ready to become a segment.

Each is plain input. A workspace's vocabulary decides which of them it can use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audience_gql.conditions.base import InvalidCondition
from audience_gql.conditions.codec import parse
from audience_gql.conditions.registry import Category
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import PLAIN_IDS, Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """`condition` is complete input. The description says which of its values are only examples."""

    key: str
    category: Category
    name: str
    description: str
    condition: dict[str, Json]


def usable_templates(vocabulary: Vocabulary) -> tuple[Template, ...]:
    """The templates whose conditions this workspace accepts. The others name a custom field that it does not have."""
    return tuple(template for template in TEMPLATES if _is_accepted(template, vocabulary))


def _is_accepted(template: Template, vocabulary: Vocabulary) -> bool:
    try:
        parse(template.condition, vocabulary=vocabulary, ids=PLAIN_IDS)
    except InvalidCondition:
        return False
    return True


def _did(name: str, **more: Json) -> dict[str, Json]:
    return {"event": {"name": name, **more}}


def _last(days: int) -> Json:
    return {"last": {"days": days}}


_EARLIER: Final[Json] = {"ago": {"from": {"days": 90}, "to": {"days": 30}}}
_ACTIVE: Final[dict[str, Json]] = {
    "all": [_did("email_opened", within=_last(30)), _did("email_clicked", within=_last(30))]
}

_DEMOGRAPHIC: Final = (
    Template(
        key="country",
        category="DEMOGRAPHIC",
        name="From certain countries",
        description="People who live in one of these countries (ISO 3166-1 alpha-2 codes). Replace the Baltic countries with yours.",
        condition={"country": {"in": ["EE", "LT", "LV"]}},
    ),
    Template(
        key="age_range",
        category="DEMOGRAPHIC",
        name="Of a certain age",
        description="People from 25 to 34 years old, both included. People without a birthday do not match.",
        condition={"age": {"between": {"from": 25, "to": 34}}},
    ),
    Template(
        key="language",
        category="DEMOGRAPHIC",
        name="Of a certain language",
        description="People who prefer English of any country: `en` and every `en-…`.",
        condition={"any": [{"language": {"is": "en"}}, {"language": {"startsWith": "en-"}}]},
    ),
    Template(
        key="company_size",
        category="DEMOGRAPHIC",
        name="At companies of a certain size",
        description="People whose company employs 50 to 249 people. Needs the NUMBER field `company_size`.",
        condition={"field": {"key": "company_size", "number": {"between": {"from": 50, "to": 249}}}},
    ),
    Template(
        key="near_a_shop",
        category="DEMOGRAPHIC",
        name="Near a shop",
        description="People whose latitude and longitude are at most 5 km from the middle of Vilnius. Replace the point with your shop's.",
        condition={"location": {"near": {"latitude": 54.6872, "longitude": 25.2797, "kilometers": 5}}},
    ),
)
_BEHAVIORAL: Final = (
    Template(
        key="visited_page",
        category="BEHAVIORAL",
        name="Visited a page",
        description="People who looked at a page whose `path` begins with `/pricing` in the last 30 days.",
        condition=_did(
            "page_viewed", within=_last(30), where=[{"key": "path", "text": {"startsWith": "/pricing"}}]
        ),
    ),
    Template(
        key="used_feature",
        category="BEHAVIORAL",
        name="Used a feature",
        description="People who used the `feature` called `export` in the last 30 days.",
        condition=_did(
            "feature_used", within=_last(30), where=[{"key": "feature", "text": {"is": "export"}}]
        ),
    ),
    Template(
        key="bought_product",
        category="BEHAVIORAL",
        name="Bought a product",
        description="People who ever placed an order whose `product` is `starter-kit`.",
        condition=_did("order_placed", where=[{"key": "product", "text": {"is": "starter-kit"}}]),
    ),
    Template(
        key="abandoned_cart",
        category="BEHAVIORAL",
        name="Abandoned a cart",
        description="People who last changed their cart within a day and have not ordered since.",
        condition={
            "lastEvent": {
                "name": "cart_updated",
                "at": {"inLast": {"days": 1}},
                "notFollowedBy": {"name": "order_placed"},
            }
        },
    ),
    Template(
        key="cart_not_bought",
        category="BEHAVIORAL",
        name="Abandoned one of several carts",
        description="People who changed a cart in the last 7 days and did not order the same cart in the 4 hours after. The property `cart` says which cart "
        "an event is about.",
        condition={
            "lastEvent": {
                "name": "cart_updated",
                "at": {"inLast": {"days": 7}},
                "notFollowedBy": {"name": "order_placed", "within": {"hours": 4}, "sameProperty": "cart"},
            }
        },
    ),
    Template(
        key="viewed_not_bought",
        category="BEHAVIORAL",
        name="Viewed three times, did not buy",
        description="People who viewed the same `product` three times in the last 48 hours and placed no order in the hour after.",
        condition={
            "eventSequence": {
                "steps": [{"name": "page_viewed"}, {"name": "page_viewed"}, {"name": "page_viewed"}],
                "within": {"last": {"hours": 48}},
                "sameProperty": "product",
                "notFollowedBy": {"name": "order_placed", "within": {"hours": 1}},
            }
        },
    ),
    Template(
        key="funnel",
        category="BEHAVIORAL",
        name="Viewed, then cart, then bought",
        description="People who viewed a page, then changed their cart, and then ordered within 7 days, all in the last 30 days.",
        condition={
            "eventSequence": {
                "steps": [
                    {"name": "page_viewed"},
                    {"name": "cart_updated"},
                    {"name": "order_placed", "within": {"days": 7}},
                ],
                "within": {"last": {"days": 30}},
            }
        },
    ),
    Template(
        key="bought_again",
        category="BEHAVIORAL",
        name="Bought the same product again and again",
        description="People who ordered the same `product` at least three times in the last 365 days.",
        condition=_did(
            "order_placed", times={"atLeast": 3}, perProperty="product", within={"last": {"days": 365}}
        ),
    ),
)
_ENGAGEMENT: Final = (
    Template(
        key="active",
        category="ENGAGEMENT",
        name="Active",
        description="People who opened an email and clicked in one, each at least once, in the last 30 days.",
        condition=_ACTIVE,
    ),
    Template(
        key="active_this_month",
        category="ENGAGEMENT",
        name="Active this month",
        description="People who opened an email since the month began where they live.",
        condition=_did("email_opened", within={"calendar": "THIS_MONTH"}),
    ),
    Template(
        key="at_risk",
        category="ENGAGEMENT",
        name="At risk",
        description="People who opened and clicked 31 to 90 days ago, and are no longer active.",
        condition={
            "all": [
                _did("email_opened", within=_EARLIER),
                _did("email_clicked", within=_EARLIER),
                {"not": _ACTIVE},
            ]
        },
    ),
    Template(
        key="inactive",
        category="ENGAGEMENT",
        name="Inactive",
        description="People who opened no email in the last 90 days, although they were sent at least 5 in that time.",
        condition={
            "all": [
                _did("email_sent", times={"atLeast": 5}, within=_last(90)),
                _did("email_opened", times={"exactly": 0}, within=_last(90)),
            ]
        },
    ),
)
_LIFECYCLE: Final = (
    Template(
        key="new_sign_up",
        category="LIFECYCLE",
        name="New sign-up",
        description="People who were first stored in the last 7 days.",
        condition={"createdAt": {"inLast": {"days": 7}}},
    ),
    Template(
        key="first_purchase",
        category="LIFECYCLE",
        name="First purchase",
        description="People who have placed exactly one order.",
        condition=_did("order_placed", times={"exactly": 1}),
    ),
    Template(
        key="repeat_customer",
        category="LIFECYCLE",
        name="Repeat customer",
        description="People who have placed two orders or more.",
        condition=_did("order_placed", times={"atLeast": 2}),
    ),
    Template(
        key="loyal_customer",
        category="LIFECYCLE",
        name="Loyal customer",
        description="People who have placed at least 5 orders, or orders with a total value of at least 500.",
        condition={
            "any": [
                _did("order_placed", times={"atLeast": 5}),
                {
                    "eventTotal": {
                        "name": "order_placed",
                        "of": "value",
                        "function": "SUM",
                        "is": {"gte": 500},
                    }
                },
            ]
        },
    ),
    Template(
        key="about_to_lapse",
        category="LIFECYCLE",
        name="About to lapse",
        description="People who have ordered in the last 180 days, but will not have in 14 days unless they order again: the time to win them "
        "back before they go.",
        condition={
            "all": [
                {"lastEvent": {"name": "order_placed", "at": {"inLast": {"days": 180}}}},
                {
                    "not": {
                        "later": {
                            "by": {"days": 14},
                            "condition": {
                                "lastEvent": {"name": "order_placed", "at": {"inLast": {"days": 180}}}
                            },
                        }
                    }
                },
            ]
        },
    ),
    Template(
        key="weekly_regular",
        category="LIFECYCLE",
        name="Weekly regular",
        description="People who placed orders in at least 3 different weeks of the last 4. Weeks begin where they live.",
        condition=_did("order_placed", inWeeks={"atLeast": 3}, within={"last": {"weeks": 4}}),
    ),
    Template(
        key="lapsed_customer",
        category="LIFECYCLE",
        name="Lapsed customer",
        description="People who have ordered before, but not in the last 180 days.",
        condition={"lastEvent": {"name": "order_placed", "at": {"notInLast": {"days": 180}}}},
    ),
)

TEMPLATES: Final = _DEMOGRAPHIC + _BEHAVIORAL + _ENGAGEMENT + _LIFECYCLE
"""In the order in which they are offered."""
