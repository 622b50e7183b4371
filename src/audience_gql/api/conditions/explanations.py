"""Explanations: why a person is in a segment or not."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.scalars import JSON


@strawberry.type(description="One node of a condition, and whether it is true for the person.")
class ExplanationNode:
    path: list[str] = strawberry.field(
        description='The path of the node in `Segment.condition`, for example ["all", "1"]. [] for the whole condition.'
    )
    summary: str = strawberry.field(description="The node as an English sentence.")
    evaluated_at: datetime = strawberry.field(
        description="The instant that the node looks at. It is the explanation's `evaluatedAt`, and inside `later` that much after it."
    )
    matches: bool = strawberry.field(description="Whether the node is true for the person at that instant.")
    observed: JSON | None = strawberry.field(
        description="The facts that decided the result, for example the value of a field. For events: their `count`, the instants of the "
        "`newest` ten, and the instants of the `deciding` ones, because of which the result changes at `nextChangeAt`. A total that no "
        "JSON number can hold exactly is text with all its digits. Averages are rounded. Null for combinators, and where there is "
        "no fact."
    )
    next_change: datetime | None = strawberry.field(
        name="nextChangeAt",
        description="Without new facts, `matches` does not change before this instant, also inside `later`. Null when it never changes.",
    )


@strawberry.type(
    description="Why one person is in a segment or not: the segment's condition, with the result of every node for this person at one "
    "instant."
)
class Explanation:
    is_member: bool = strawberry.field(
        description="Whether the condition matches the person at that instant. The membership follows at once, unless the segment is "
        "PAUSED or FAILED."
    )
    evaluated_at: datetime = strawberry.field(
        description="The instant of the evaluation. It includes every fact that was committed before."
    )
    revision: int = strawberry.field(description="The revision of the segment that has this condition.")
    next_change: datetime | None = strawberry.field(
        name="nextChangeAt",
        description="Without new facts, the person neither enters nor leaves before this instant. Null when the passing of time alone never "
        "changes their membership.",
    )
    root: ExplanationNode = strawberry.field(
        description="The node of the whole condition. It is the first of `nodes`."
    )
    nodes: list[ExplanationNode] = strawberry.field(
        description="All nodes of the condition. Each comes before the nodes inside it."
    )
