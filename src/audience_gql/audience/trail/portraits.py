"""What the audit trail tells about each kind of object before and after a change, with the names of the API.

A portrait never holds a secret, the text of a token, or a fact about a person. Ids in it are numbers; the API makes them opaque.
"""

from __future__ import annotations

from audience_gql.audience.trail.entries import Portrait
from audience_gql.conditions.values import instant_text
from audience_gql.storage.acting.models import Automation, WebhookEndpoint
from audience_gql.storage.orm.models import ApiToken, CustomField, Group, Segment, Workspace
from audience_gql.storage.trusted_documents import DocumentRecord


def of_segment(row: Segment) -> Portrait:
    return {
        "name": row.name,
        "description": row.description,
        "condition": dict(row.condition),
        "summary": row.summary,
        "revision": row.revision,
        "isPaused": row.is_paused,
    }


def of_group(row: Group) -> Portrait:
    return {"name": row.name, "description": row.description}


def of_field(row: CustomField) -> Portrait:
    return {"key": row.key, "label": row.label, "type": row.type, "options": row.options}


def of_automation(row: Automation) -> Portrait:
    fires = {"ENTERED": row.on_entered, "LEFT": row.on_left}
    return {
        "name": row.name,
        "description": row.description,
        "trigger": {row.list_kind.lower(): row.list_id},
        "on": [kind for kind, is_on in fires.items() if is_on],
        **row.rules,
        "actions": list(row.actions),
        "revision": row.revision,
        "state": "PAUSED" if row.is_paused else "ACTIVE",
    }


def of_endpoint(row: WebhookEndpoint) -> Portrait:
    return {
        "name": row.name,
        "url": row.url,
        "revision": row.revision,
        "isEnabled": row.is_enabled,
        "disabledReason": row.disabled_reason,
    }


def of_token(row: ApiToken) -> Portrait:
    return {
        "name": row.name,
        "prefix": row.prefix,
        "scopes": list(row.scopes),
        "expiresAt": None if row.expires_at is None else instant_text(row.expires_at),
        "networks": row.networks,
        "onlyTrustedDocuments": row.only_trusted_documents,
        "withConsoleDocuments": row.with_console_documents,
    }


def of_document(row: DocumentRecord) -> Portrait:
    """Without the text, which may quote a person. The hash names it."""
    return {"sha256": row.sha256, "operations": list(row.operations)}


def of_workspace(row: Workspace) -> Portrait:
    return {"name": row.name, "timezone": row.timezone, "weekStart": row.week_start}
