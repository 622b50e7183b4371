"""The root types of the schema, composed from the parts of each noun. A new part is listed here."""

from __future__ import annotations

import strawberry

from audience_gql.api.acting.automations import AutomationQuery
from audience_gql.api.acting.deliveries import WebhookDeliveryQuery
from audience_gql.api.acting.edits import AutomationMutation
from audience_gql.api.acting.endpoint_edits import WebhookEndpointMutation
from audience_gql.api.acting.endpoints import WebhookQuery
from audience_gql.api.acting.previews import AutomationPreviewQuery
from audience_gql.api.acting.replays import WebhookSendingMutation
from audience_gql.api.acting.runs import RunSubscription
from audience_gql.api.conditions.kinds import ConditionKindQuery
from audience_gql.api.conditions.suggestions import SuggestionQuery
from audience_gql.api.conditions.templates import TemplateQuery
from audience_gql.api.definition_sets.definitions import DefinitionQuery
from audience_gql.api.definition_sets.plans import (
    DefinitionMutation,
    DefinitionPlanQuery,
)
from audience_gql.api.exports import ExportMutation, ExportQuery, ExportSubscription
from audience_gql.api.importing.imports import ImportQuery, ImportSubscription
from audience_gql.api.importing.starting import ImportMutation
from audience_gql.api.importing.undoing import ImportUndoMutation
from audience_gql.api.insights.advice import SegmentAdviceQuery
from audience_gql.api.insights.comparisons import SegmentComparisonQuery
from audience_gql.api.insights.overlaps import SegmentOverlapQuery
from audience_gql.api.lists.feed import FeedQuery, FeedSubscription
from audience_gql.api.lists.group_edits import GroupEditMutation
from audience_gql.api.lists.groups import GroupMutation, GroupQuery
from audience_gql.api.lists.recomputes import RecomputeSubscription
from audience_gql.api.lists.reviews import ReviewMutation
from audience_gql.api.lists.segment_edits import SegmentMutation
from audience_gql.api.lists.segment_queries import SegmentQuery
from audience_gql.api.lists.segment_splits import SegmentSplitMutation
from audience_gql.api.lists.segment_updates import SegmentSubscription
from audience_gql.api.nodes import NodeQuery
from audience_gql.api.people.channel_edits import ChannelMutation
from audience_gql.api.people.custom_fields import CustomFieldMutation, CustomFieldQuery
from audience_gql.api.people.disclosures import DisclosureMutation
from audience_gql.api.people.erasures import ErasureMutation
from audience_gql.api.people.events import EventMutation
from audience_gql.api.people.previews import PreviewQuery
from audience_gql.api.people.subscribers import SubscriberQuery
from audience_gql.api.people.upserts import UpsertMutation
from audience_gql.api.tokens import TokenMutation, TokenQuery
from audience_gql.api.trail.entries import TrailQuery
from audience_gql.api.trusted_documents import TrustedDocumentMutation, TrustedDocumentQuery
from audience_gql.api.viewer import ViewerQuery


@strawberry.type(
    description="The queries. They see only the token's workspace: the ids of other workspaces are unknown. Long lists come in pages."
)
class Query(
    ViewerQuery,
    TokenQuery,
    TrustedDocumentQuery,
    TrailQuery,
    NodeQuery,
    SubscriberQuery,
    GroupQuery,
    SegmentQuery,
    PreviewQuery,
    TemplateQuery,
    ConditionKindQuery,
    SuggestionQuery,
    SegmentOverlapQuery,
    SegmentAdviceQuery,
    SegmentComparisonQuery,
    AutomationQuery,
    AutomationPreviewQuery,
    WebhookQuery,
    WebhookDeliveryQuery,
    CustomFieldQuery,
    DefinitionQuery,
    DefinitionPlanQuery,
    ExportQuery,
    ImportQuery,
    FeedQuery,
): ...


@strawberry.type(
    description="The mutations. Each returns its subject or payload, or an expected failure as a type with `message` and `path`."
)
class Mutation(
    UpsertMutation,
    ErasureMutation,
    DisclosureMutation,
    ChannelMutation,
    EventMutation,
    CustomFieldMutation,
    GroupMutation,
    GroupEditMutation,
    SegmentMutation,
    ReviewMutation,
    SegmentSplitMutation,
    AutomationMutation,
    WebhookEndpointMutation,
    WebhookSendingMutation,
    DefinitionMutation,
    ImportMutation,
    ImportUndoMutation,
    ExportMutation,
    TokenMutation,
    TrustedDocumentMutation,
): ...


@strawberry.type(description="The subscriptions, over websockets or server-sent events.")
class Subscription(
    FeedSubscription,
    RecomputeSubscription,
    SegmentSubscription,
    RunSubscription,
    ImportSubscription,
    ExportSubscription,
): ...
