"""Funnels: for each node of a condition, who matches it and who lacks only it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import strawberry

from audience_gql.api.context import Context, Info
from audience_gql.api.loading.insight_loaders import MatchingPage
from audience_gql.api.pagination import After, First, Listing, Page
from audience_gql.audience.answers.previews import Preview
from audience_gql.audience.insights import funnels
from audience_gql.audience.insights.funnels import condition_funnel
from audience_gql.storage.orm import models
from audience_gql.storage.reads.counting import Budget
from audience_gql.storage.reads.records import SubscriberRecord

if TYPE_CHECKING:
    from audience_gql.api.people.subscribers import SubscriberConnection

_SHOWN: Final = 10
_NEAR_MISSES: Final = Listing("funnelNode.nearMissPeople", datetime, int, int)


@strawberry.type(description="One node of a condition, and how many people it lets through by itself.")
class FunnelNode:
    path: list[str] = strawberry.field(
        description='The path of the node in the condition, for example ["all", "1"]. [] for the whole condition.'
    )
    summary: str = strawberry.field(description="The node as an English sentence.")

    @strawberry.field(
        description="The number of people who match this node by itself, whatever the rest of the condition says. Inside `later`, of those who will "
        "match it that much later if nothing happens. Exact if the funnel is, otherwise estimated."
    )
    @staticmethod
    def matched(parent: strawberry.Parent[funnels.FunnelNode]) -> int:
        return parent.matched.count

    @strawberry.field(
        description="The margin of error of `matched`, in people: half the width of its 95 % confidence interval. 0 when the number is exact."
    )
    @staticmethod
    def matched_margin(parent: strawberry.Parent[funnels.FunnelNode]) -> int:
        return parent.matched.margin

    @strawberry.field(
        description="The number of people who do not match the whole condition, and would match it if only the result of this node were the "
        "opposite. For an entry of `all`, they lack only this entry. For the whole condition, they are all who do not match it."
    )
    @staticmethod
    def near_misses(parent: strawberry.Parent[funnels.FunnelNode]) -> int:
        return parent.near_misses.count

    @strawberry.field(
        description="The margin of error of `nearMisses`, in people: half the width of its 95 % confidence interval. 0 when the number is exact."
    )
    @staticmethod
    def near_misses_margin(parent: strawberry.Parent[funnels.FunnelNode]) -> int:
        return parent.near_misses.margin

    @strawberry.field(
        description="The people whom `nearMisses` counts, with the facts of the moment at which this page is read. Who was created last comes first. "
        "Each page searches the audience for them, and rare ones take long: ask for the pages of few nodes. A search that takes too long is the "
        "error TIMEOUT.",
        graphql_type=Annotated[
            "SubscriberConnection", strawberry.lazy("audience_gql.api.people.subscribers")
        ],
    )
    @staticmethod
    async def near_miss_people(
        parent: strawberry.Parent[funnels.FunnelNode], info: Info, first: First = _SHOWN, after: After = None
    ) -> Page[SubscriberRecord]:
        part = _NEAR_MISSES.slice(first, after, default=_SHOWN)
        question = MatchingPage(parent.near_miss_filter(), part)
        return _NEAR_MISSES.page(await info.context.loaders.insights.matching_people.load(question), part)


@strawberry.type(
    description="Why a condition matches as few people as it does: the counts of each of its nodes, at one instant."
)
class Funnel:
    people: int = strawberry.field(
        description="The number of people in the audience. They are counted when the funnel is: for a preview, shortly after its `memberCount`."
    )
    is_exact: bool = strawberry.field(
        description="Whether everybody was counted. If the server cannot do that within the time budget of previews (0.3 s by default), all counts "
        "are estimated from a random share of the audience, with margins."
    )
    nodes: list[FunnelNode] = strawberry.field(
        description="All nodes of the condition. Each comes before the nodes inside it, and the first is the whole condition."
    )


@strawberry.field(
    description="For each node of the condition, how many people match it and how many lack only it. It is counted only when it is selected.",
    graphql_type=Funnel,
    metadata={
        "weight": 2
    },  # evaluates all leaves for everybody; the cost of a preview is multiplied by `sample`, usually 5
)
async def of_preview(parent: strawberry.Parent[Preview], info: Info) -> funnels.Funnel:
    return await condition_funnel(
        ports=info.context.heavy_ports,
        workspace_id=info.context.workspace.id,
        matching=parent.matching,
        budget=_budget(info.context),
    )


@strawberry.field(
    description="For each node of the segment's condition, how many people match it now and how many lack only it. While the segment is PAUSED, it "
    "is about whom the condition matches now, not about the members. Null while the segment is FAILED.",
    graphql_type=Funnel | None,
    metadata={"weight": 10},  # evaluates all leaves for everybody
)
async def of_segment(parent: strawberry.Parent[models.Segment], info: Info) -> funnels.Funnel | None:
    return await info.context.loaders.insights.funnels.load((parent.id, _budget(info.context)))


def _budget(context: Context) -> Budget:
    return Budget(seconds=context.services.settings.preview_seconds)
