"""Explanations: why somebody is in a segment or not."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.scalars import JSON


@strawberry.type(description="One node of a condition, and whether it holds for the person.")
class ExplanationNode:
    path: list[str] = strawberry.field(
        description='Where it is in `Segment.condition`: ["all", "1"]. Empty for the whole condition.'
    )
    summary: str = strawberry.field(description="The node in words.")
    matches: bool = strawberry.field(description="Whether it holds.")
    observed: JSON | None = strawberry.field(
        description="What that was decided from: the value of a field; the `count` of events, when the `newest` ten of "
        "them happened, and when the `deciding` ones did, by which the verdict changes at `nextChangeAt`; and the like. "
        "A total that no JSON number is exactly comes as text with all its digits; averages are rounded. Null for "
        "combinators, and where there is nothing."
    )
    next_change: datetime | None = strawberry.field(
        name="nextChangeAt",
        description="Unless a fact comes, `matches` stays as it is until just before this. Null when it stays for good.",
    )


@strawberry.type(
    description="The tree of a segment's condition with the truth of every node for one person, all of one instant."
)
class Explanation:
    is_member: bool = strawberry.field(
        description="Whether the condition matches the person at that instant. The list follows at once, unless it is "
        "PAUSED or FAILED."
    )
    evaluated_at: datetime = strawberry.field(
        description="The instant. Every fact that was committed by then is reckoned with."
    )
    revision: int = strawberry.field(description="The segment's revision whose condition this is.")
    next_change: datetime | None = strawberry.field(
        name="nextChangeAt",
        description="Unless a fact comes, the person neither enters nor leaves before this. Null when the clock never "
        "moves her.",
    )
    root: ExplanationNode = strawberry.field(
        description="The whole condition, which is the first of `nodes`."
    )
    nodes: list[ExplanationNode] = strawberry.field(
        description="Every node of the condition, each before those inside it."
    )
