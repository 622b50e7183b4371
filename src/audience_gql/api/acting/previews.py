"""The query `previewAutomation`: whom an automation would act for, and what it would do, before it exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import strawberry

from audience_gql.api.acting.edits import CreateAutomationInput, given_rules
from audience_gql.api.acting.failures import AutomationLoopStep
from audience_gql.api.context import Info
from audience_gql.api.failures import InvalidInput
from audience_gql.api.ids import OPAQUE_IDS
from audience_gql.api.people.subscribers import Subscriber
from audience_gql.audience.acting import editing
from audience_gql.audience.acting.automation import Automation
from audience_gql.audience.acting.loops import Link
from audience_gql.audience.acting.words import deeds, sentence
from audience_gql.audience.answers.previews import LARGEST_SAMPLE, Preview, preview_segment
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage.reads.counting import Budget
from audience_gql.storage.reads.records import SubscriberRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class _Previewed:
    summary: str
    does: list[str]
    people: Preview
    way: tuple[Link, ...]


@strawberry.type(
    description="What an automation would do at this instant. Nothing is stored and nothing is done."
)
class AutomationPreview:
    summary: str = strawberry.field(description="The automation as an English sentence.")
    does: list[str] = strawberry.field(description="What it does for each person, in its order.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, _Previewed)

    @strawberry.field(
        description="How many people are in the list now and match `onlyIf`: those for whom it would act with `existing: FIRE`. It is exact if "
        "the server can count them within its time budget, otherwise estimated."
    )
    @staticmethod
    def existing(parent: strawberry.Parent[_Previewed]) -> int:
        return parent.people.size.count

    @strawberry.field(
        description="The margin of error of `existing`, in people: half the width of its 95 % confidence interval. 0 when the number is exact."
    )
    @staticmethod
    def margin(parent: strawberry.Parent[_Previewed]) -> int:
        return parent.people.size.margin

    @strawberry.field(
        description="Some of these people: at most as many as the argument `sample` says.",
        graphql_type=list[Subscriber],
        metadata={"up_to": 1},  # the cost counts the sample's size already, at `sample`
    )
    @staticmethod
    def sample(parent: strawberry.Parent[_Previewed]) -> list[SubscriberRecord]:
        return list(parent.people.sample)

    @strawberry.field(
        description="The way on which the automation would start itself again, because of which it cannot be created; [] if there is none."
    )
    @staticmethod
    def way(parent: strawberry.Parent[_Previewed]) -> list[AutomationLoopStep]:
        return [AutomationLoopStep(link=link) for link in parent.way]


PreviewAutomationResult: TypeAlias = Annotated[
    AutomationPreview | InvalidInput,
    strawberry.union("PreviewAutomationResult", description="The preview, or the reason why there is none."),
]


@strawberry.type
class AutomationPreviewQuery:
    @strawberry.field(
        description="Previews an automation without creating it. Its name is not checked.",
        graphql_type=PreviewAutomationResult,
    )
    @staticmethod
    async def preview_automation(
        info: Info,
        automation: Annotated[
            CreateAutomationInput, strawberry.argument(description="The automation that would be created.")
        ],
        sample: Annotated[
            int,
            strawberry.argument(
                description=f"The number of people to return, 0 to {LARGEST_SAMPLE}.",
                metadata={"is_page_size": True},
            ),
        ] = 5,
    ) -> _Previewed:
        context = info.context
        checked, way = await editing.check_automation(
            ports=context.ports,
            workspace=context.workspace,
            rules=given_rules(automation),
            ids=OPAQUE_IDS,
            path=("automation",),
        )
        people = await preview_segment(
            ports=context.heavy_ports,
            workspace=context.workspace,
            condition=_existing(checked),
            ids=PLAIN_IDS,
            sample=sample,
            budget=Budget(seconds=context.services.settings.preview_seconds),
        )
        names = await context.loaders.names.load(None)
        endpoints = await context.loaders.endpoint_names.load(None)
        return _Previewed(
            summary=sentence(checked, names, endpoints),
            does=deeds(checked, names, endpoints),
            people=people,
            way=way,
        )


def _existing(automation: Automation) -> dict[str, Any]:  # Any: the JSON of a condition
    """Who is in the automation's list now and matches its condition."""
    trigger, asked = automation.trigger, automation.rules.only_if
    member = {trigger.list_kind.lower(): {"anyOf": [str(trigger.list_id)]}}
    return {"all": [member] if asked is None else [member, asked]}
